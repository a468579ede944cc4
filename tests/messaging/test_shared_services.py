"""A service that all actors share goes on, whatever one of them brings."""

import logging
import math

import pytest
import trio
from hypothesis import given, strategies as st

from airssys.contracts import AskTimedOut, InvalidMessage
from airssys.messaging import Alarm, Sleepers
from airssys.messaging.requests._deadlines import Deadlines

ODD_TIMES = st.one_of(
    st.floats(),
    st.sampled_from([math.nan, math.inf, -math.inf, 5e-324, 1e308, -0.0, 10**400]),
)


@given(st.lists(st.floats(0, 100)), st.lists(ODD_TIMES), st.randoms())
def test_odd_deadlines_spoil_no_others(plain, odd, rng):
    deadlines = Deadlines()
    entries = [("plain", each) for each in plain] + [("odd", each) for each in odd]
    rng.shuffle(entries)
    for number, (kind, deadline) in enumerate(entries):
        deadlines.add((kind, number, deadline), deadline)
    due = [each for kind, _, each in deadlines.pop_due(50.0) if kind == "plain"]
    assert due == sorted(each for each in plain if each <= 50)


class Raising(logging.Handler):
    def emit(self, record):
        raise ZeroDivisionError


@pytest.mark.parametrize("handler", [logging.NullHandler(), Raising()])
async def test_what_one_item_raises_is_logged_and_the_rest_are_notified(
    nursery, autojump_clock, caplog, handler
):
    rung = []

    def tell(item):
        if item == "bad":
            raise ValueError("on purpose")
        rung.append(item)

    alarm = Alarm(tell)
    await nursery.start(alarm.serve)
    log = logging.getLogger("airssys")
    log.addHandler(handler)
    try:
        for item, seconds in [("first", 1), ("bad", 1), ("second", 1), ("late", 2)]:
            alarm.add(item, trio.current_time() + seconds)
        await trio.sleep(3)
    finally:
        log.removeHandler(handler)
    assert rung == ["first", "second", "late"]
    assert alarm.is_served
    if not isinstance(handler, Raising):
        assert "on purpose" in caplog.text


async def test_others_run_while_very_many_are_due(nursery, mock_clock):
    """What one actor can make due at once must not hold the thread."""
    rung, seen = [], []
    alarm = Alarm(rung.append)
    await nursery.start(alarm.serve)
    for number in range(100_000):
        alarm.add(number, 1.0)

    await trio.testing.wait_all_tasks_blocked()
    mock_clock.jump(2)
    for _ in range(100_000):
        await trio.lowlevel.checkpoint()
        seen.append(len(rung))
        if len(rung) == 100_000:
            break
    assert rung == list(range(100_000))
    assert len(set(seen)) > 3


@pytest.mark.parametrize("seconds", [math.nan, math.inf, 1e308, 5e-324, -math.inf])
async def test_sleepers_survive_an_odd_sleep(nursery, autojump_clock, seconds):
    sleepers = Sleepers()
    await nursery.start(sleepers.serve)

    async def sleep_oddly():
        if math.isnan(seconds):
            with pytest.raises(ValueError, match="NaN"):
                await sleepers.sleep(seconds)
        else:
            await sleepers.sleep(seconds)

    nursery.start_soon(sleep_oddly)
    await trio.testing.wait_all_tasks_blocked()
    began = trio.current_time()
    await sleepers.sleep(3)
    assert trio.current_time() == began + 3


@pytest.mark.parametrize("timeout", [math.nan, math.inf, 1e308, 5e-324, 0, -1])
async def test_the_deadlines_of_asks_survive_an_odd_timeout(
    served, names, nursery, autojump_clock, timeout
):
    a, b, *_ = names
    served.open(a)

    async def ask_oddly():
        with pytest.raises((ValueError, AskTimedOut, InvalidMessage)):
            await served.ask(a, b, timeout=timeout)

    nursery.start_soon(ask_oddly)
    await trio.testing.wait_all_tasks_blocked()
    began = trio.current_time()
    with pytest.raises(AskTimedOut):
        await served.ask(a, b, timeout=3)
    assert trio.current_time() == began + 3
