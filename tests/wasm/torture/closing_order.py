"""References are dropped in every order at every suspension point."""

import gc
import itertools
import sys

from bench import SUSPENSION_POINTS, Bench, resource_warnings, say
from c_side import CSide

HANDLES = ("engine", "runtime", "loader", "component", "store", "call")
CLOSED_POINTS = {"engine_closed"}


def drop_by_reference(handles, order):
    for name in order:
        delattr(handles, name)


def finalise_then_drop(handles, order):
    """As the collector may do it in a cycle of garbage: any finaliser first."""
    for name in order:
        handle = getattr(handles, name)
        finalise = getattr(type(handle), "__del__", None)
        if finalise is not None:
            finalise(handle)
    drop_in_a_cycle(handles, order)


def drop_in_a_cycle(handles, order):
    cycle = [getattr(handles, name) for name in order]
    cycle.append(cycle)
    handles.__dict__.clear()


def close_some(handles, order):
    """The first half is closed as it should be, the rest is left to the collector."""
    for name in order[: len(order) // 2]:
        close = getattr(getattr(handles, name), "close", None)
        if close is not None:
            close()
            close()
    drop_in_a_cycle(handles, order)


def try_order(make_point, drop, order, c_side):
    with resource_warnings() as caught:
        handles = make_point(Bench())
        ledger = handles.engine.ledger
        # Not the ledger itself: it leads to code, and that to the engine.
        owned = (ledger.stores, ledger.linkers, ledger.components, ledger.indices)
        found = ledger.found
        del ledger
        closed_before = [
            handles.engine.closed or (drop is close_some and "engine" in order[:3])
        ]
        drop(handles, order)
        del handles
        gc.collect()
    assert not any(owned), owned
    assert not found
    c_side.assert_all_deleted()
    warned = bool(caught)
    assert warned != closed_before[0], (warned, [str(each.message) for each in caught])


def orders(*, every):
    """Every order of every handle, or of the few that others do not hold."""
    if every:
        return list(itertools.permutations(HANDLES))
    few = ("engine", "component", "store", "call")
    return [
        (*order[:2], "runtime", "loader", *order[2:])
        for order in itertools.permutations(few)
    ]


def main():
    names = sys.argv[1:] or SUSPENSION_POINTS
    gc.collect()
    gc.freeze()
    gc.disable()
    c_side = CSide()
    for name in names:
        make_point = SUSPENSION_POINTS[name]
        for drop in (
            drop_by_reference,
            drop_in_a_cycle,
            finalise_then_drop,
            close_some,
        ):
            say(f"{drop.__name__} {name}")
            for order in orders(every=name in sys.argv):
                try:
                    try_order(make_point, drop, order, c_side)
                except BaseException:
                    say("order:", *order)
                    raise
    say("survived")


main()
