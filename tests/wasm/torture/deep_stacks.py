"""Deep recursion of Python and of C on the guest's stack, where a finaliser may run.

Python's own check for the end of the stack knows the stack of the thread, not that of a
fiber: what it does there has changed in each of 3.12, 3.13 and 3.14.
"""

import functools
import gc
import json
import threading

from bench import (
    TARGET,
    Bench,
    acting_at_host_calls,
    is_waiting,
    run_scenarios,
    say,
    what_is_raised_by,
)

from airssys.wasm.engine._collections import CHECKS_ADDRESSES
from airssys.wasm.values._types import Ok


def deep_in_python():
    def deeper(number):
        return deeper(number + 1)

    return what_is_raised_by(deeper, 0)


def deep_in_python_and_c():
    """Each level is a call of Python from C."""

    class Odd:
        def __repr__(self):
            return repr(Odd())

    return what_is_raised_by(repr, Odd())


def deep_in_c():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    return what_is_raised_by(repr, nested)


def deep_in_json():
    return what_is_raised_by(json.loads, "[" * 100_000)


def freed_link_by_link():
    """Not a recursion in anyone's code: C frees one object in freeing another."""

    class Link:
        def __init__(self, following):
            self.following = following

    chain = functools.reduce(lambda rest, _: Link(rest), range(200_000), None)
    nested = functools.reduce(lambda rest, _: (rest,), range(200_000), None)
    del chain, nested


DEEDS = {
    deed.__name__: deed
    for deed in (
        deep_in_python,
        deep_in_python_and_c,
        deep_in_c,
        deep_in_json,
        freed_link_by_link,
    )
}


class Finalised:
    """Does something deep when a collection finds it, which is where we are then."""

    def __init__(self, deed, outcomes):
        self.deed, self.outcomes, self.cycle = deed, outcomes, self

    def __del__(self):
        self.outcomes.append(self.deed())


def in_a_callback(deed):
    """Let it be done in a finaliser, in a collection, in a callback of a guest."""
    bench = Bench()
    store = bench.store(bench.component("asker"), TARGET)
    outcomes = []

    def act():
        if done_inside:
            return
        Finalised(deed, outcomes)
        keep = [[] for _ in range(10_000)]  # as many as call for a collection
        done_inside.append(bool(outcomes))
        del keep

    done_inside, threshold = [], gc.get_threshold()
    gc.collect()
    gc.set_threshold(50, 1, 1)
    with acting_at_host_calls(act):
        call = bench.message(store, b"question")
        bench.poll_until(call, is_waiting)
    gc.set_threshold(*threshold)
    gc.collect()  # what was put off
    # Where the stack is not checked, nothing of others may run on it.
    assert done_inside == [not CHECKS_ADDRESSES]
    assert gc.isenabled()
    assert bench.take_arguments(call)[1] == b"question"
    bench.answer(call, Ok(b"answer"))
    bench.drive(call)
    assert bench.take_result(call) == Ok(b"answer")
    call.close()
    store.close()
    bench.engine.close()
    (outcome,) = outcomes
    return outcome


def in_a_thread(deed):
    found = []
    thread = threading.Thread(target=lambda: found.append(in_a_callback(deed)))
    thread.start()
    thread.join()
    return found[0]


def scenario(place, deed):
    def run():
        outcome = place(deed)
        say(f"  {type(outcome).__name__}")
        assert outcome is None or isinstance(outcome, RecursionError), outcome

    return run


SCENARIOS = {
    f"{deed}_{place.__name__}": scenario(place, DEEDS[deed])
    for place in (in_a_callback, in_a_thread)
    for deed in DEEDS
}

if __name__ == "__main__":
    run_scenarios(SCENARIOS)
