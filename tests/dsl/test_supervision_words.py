"""How restarts are shared and what errors ask for, in the words of the DSL."""

import pytest

from airssys.contracts import (
    AutoShutdown,
    Backoff,
    DefinitionError,
    Directive,
    Strategy,
    check,
)
from airssys.dsl import actor, blueprint, component, supervisor


async def handle(context, envelope):
    return envelope.payload


def test_words_become_specs():
    slow = Backoff(first=2.0)
    worker = actor("a", handle, backoff=slow, drain=True, on_error={OSError: "resume"})
    guest = component("c", "c.wasm", on_error={OSError: Directive.STOP})
    inner = supervisor(
        "s",
        actor("b", handle, restart="transient", significant=True),
        strategy="one_for_all",
        auto_shutdown="any_significant",
    )
    whole = blueprint(
        worker, guest, inner, strategy="rest_for_one", restart_budget=None
    )
    assert (worker.backoff, worker.drain) == (slow, True)
    assert worker.on_error == ((OSError, Directive.RESUME),)
    assert guest.on_error == ((OSError, Directive.STOP),)
    assert whole.root.strategy is Strategy.REST_FOR_ONE
    assert inner.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT
    assert whole.restart_budget is None
    check(whole)


def test_wrong_words_are_reported_at_once():
    whole = blueprint(
        supervisor("s", strategy="sometimes", auto_shutdown="perhaps"),
        actor("a", handle, on_error={OSError: "pray"}),
        actor("b", handle, on_error="pray", backoff=1.0),
    )
    with pytest.raises(DefinitionError) as caught:
        check(whole)
    places = [mistake.path.removeprefix("$.root.") for mistake in caught.value.mistakes]
    assert places == [
        "children[0].strategy",
        "children[0].auto_shutdown",
        "children[1].on_error[0]",
        "children[2].backoff",
        "children[2].on_error",
    ]
