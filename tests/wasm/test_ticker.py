"""The ticker parks when no store runs, and never misses one that does."""

import random
import threading
import time

import pytest
import trio

from airssys.contracts import GuestTrapped, TrapReason
from airssys.wasm.engine._ticker import _IDLE_TICKS, Ticker
from pace import PATIENCE
from wasm_support import envelope

PERIOD = 0.0005


def pause(seconds):
    time.sleep(seconds)  # noqa: TID251  # the ticker keeps real time


def wait_until(condition):
    """Wait for another thread; it has much longer than it needs."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        pause(PERIOD / 5)


async def parked(ticker):
    await trio.to_thread.run_sync(wait_until, lambda: ticker.parked)


class Clockwork:
    """A ticker that counts its ticks."""

    def __init__(self, kind=Ticker, period=PERIOD):
        self.ticks = 0
        self.running = set()
        self.ticker = kind(period, self._tick, self.running)

    def _tick(self):
        self.ticks += 1

    def ticks_again(self):
        before = self.ticks
        wait_until(lambda: self.ticks > before)


@pytest.fixture
def clockwork():
    made = Clockwork()
    yield made
    made.ticker.close()


def test_it_parks_after_some_idle_ticks(clockwork):
    wait_until(lambda: clockwork.ticker.parked)
    ticks = clockwork.ticks
    assert ticks > _IDLE_TICKS
    pause(20 * PERIOD)
    assert clockwork.ticks == ticks


def test_it_wakes_when_it_is_touched_and_parks_again(clockwork):
    for _ in range(3):
        wait_until(lambda: clockwork.ticker.parked)
        before = clockwork.ticks
        clockwork.ticker.touch()
        wait_until(lambda: clockwork.ticks - before > _IDLE_TICKS)  # noqa: B023


def test_it_does_not_park_while_a_guest_runs(clockwork):
    clockwork.running.add("guest")
    wait_until(lambda: clockwork.ticks > 4 * _IDLE_TICKS)
    assert not clockwork.ticker.parked
    clockwork.running.clear()
    wait_until(lambda: clockwork.ticker.parked)


def test_touching_it_keeps_it_awake(clockwork):
    for _ in range(4 * _IDLE_TICKS):
        clockwork.ticker.touched = True
        clockwork.ticks_again()
        assert not clockwork.ticker.parked


def test_no_touch_is_missed_whenever_it_comes(clockwork):
    """Most touches fall close to the moment of parking."""
    rng = random.Random(4)
    for _ in range(40):
        pause(rng.uniform(0.9, 1.1) * _IDLE_TICKS * PERIOD)
        clockwork.ticker.touch()
        clockwork.ticks_again()


class TouchedBetween(Ticker):
    """It is touched after its last tick, and read just before it says parked."""

    @property
    def parked(self):
        return self.__dict__["parked"]

    @parked.setter
    def parked(self, value):
        if value and not self.__dict__["parked"]:
            self.touched = True
        self.__dict__["parked"] = value


def test_a_touch_just_before_it_parks_keeps_it_awake():
    clockwork = Clockwork(TouchedBetween)
    wait_until(lambda: clockwork.ticks > 4 * _IDLE_TICKS)
    clockwork.ticker.close()


@pytest.mark.parametrize("is_parked", [False, True])
def test_closing_waits_for_the_thread(is_parked):
    clockwork = Clockwork(period=PERIOD if is_parked else 0.05)
    if is_parked:
        wait_until(lambda: clockwork.ticker.parked)
    clockwork.ticker.close()
    clockwork.ticker.close()
    assert not clockwork.ticker._thread.is_alive()


@pytest.mark.parametrize("is_parked", [False, True])
def test_abandoning_does_not_wait_and_ends_the_thread_all_the_same(is_parked):
    clockwork = Clockwork(period=PERIOD if is_parked else 0.05)
    if is_parked:
        wait_until(lambda: clockwork.ticker.parked)
    clockwork.ticker.abandon()
    wait_until(lambda: not clockwork.ticker._thread.is_alive())


def test_it_may_be_closed_by_its_own_thread():
    made, closed = threading.Event(), threading.Event()

    def tick():
        assert made.wait(PATIENCE)
        ticker.close()
        closed.set()

    ticker = Ticker(PERIOD, tick, ())
    made.set()
    assert closed.wait(PATIENCE)
    wait_until(lambda: not ticker._thread.is_alive())


def test_a_tick_that_fails_is_not_the_last(monkeypatch):
    """Without ticks no guest that loops would ever be stopped."""
    reported, ticks = [], []
    monkeypatch.setattr(threading, "excepthook", reported.append)

    def tick():
        ticks.append(None)
        if len(ticks) < 3:
            raise ValueError("on purpose")

    ticker = Ticker(PERIOD, tick, ())
    wait_until(lambda: len(ticks) > 5)
    ticker.close()
    assert [each.exc_type for each in reported] == [ValueError]
    assert str(ticker.failure) == "on purpose"


async def test_a_guest_that_loops_after_a_quiet_time_is_stopped(guests):
    """A deadline without a ticker would hold the thread for ever."""
    guest = await guests.start("loop", execution_time=0.02)
    ticker = guests.runtime.engine.ticker
    await parked(ticker)
    with pytest.raises(GuestTrapped) as caught:
        await guest.handle_message(envelope())
    assert caught.value.reason is TrapReason.TIME_LIMIT


async def test_nothing_ticks_while_every_guest_waits_for_the_host(guests):
    guest = await guests.start("sleep")
    ticker = guests.runtime.engine.ticker
    async with trio.open_nursery() as nursery:
        nursery.start_soon(guest.handle_message, envelope(b"60000"))
        await parked(ticker)
        nursery.cancel_scope.cancel()
