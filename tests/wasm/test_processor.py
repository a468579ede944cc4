"""What a guest is charged for: its work, not the work of others on the same machine."""

import itertools

import pytest

from airssys import blueprint, component, open_system
from airssys.wasm.instances import _driver, _instance, _turns
from airssys.wasm.instances._turns import Processor
from wasm_support import GUESTS

TICK = 0.005


class Machine:
    """A machine on which the program waits for the processor."""

    def __init__(self, monkeypatch):
        self.clock = self.ran = 100.0
        monkeypatch.setattr(_turns, "now", lambda: self.clock)
        monkeypatch.setattr(_turns.time, "thread_time", lambda: self.ran)

    def passes(self, seconds, ran):
        self.clock += seconds
        self.ran += ran


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


def test_short_slices_are_charged_by_the_clock(machine):
    processor = Processor(2 * TICK)
    processor.note()
    machine.passes(2 * TICK, ran=0.0)
    assert processor.used(2 * TICK) == 2 * TICK


def test_of_a_long_slice_only_the_work_is_charged(machine):
    processor = Processor(2 * TICK)
    processor.note()
    machine.passes(5.0, ran=0.003)
    assert processor.used(5.0) == pytest.approx(0.003)
    processor.note()
    machine.passes(5.0, ran=5.0)
    assert processor.used(5.0) == pytest.approx(5.0)


def test_what_came_before_adds_a_little_at_most(machine):
    processor = Processor(2 * TICK)
    for _ in range(1000):
        processor.note()
        machine.passes(0.001, ran=0.001)
    machine.passes(5.0, ran=0.003)
    assert 0.003 <= processor.used(5.0) <= 0.003 + _turns._READ_EVERY + 0.002


async def test_a_machine_that_stops_for_seconds_uses_up_no_quota(monkeypatch, compiled):
    """Each slice seems to take seconds, of which the guest has run for none."""
    late = itertools.count(step=3.0)
    for module in (_driver, _instance, _turns):
        monkeypatch.setattr(module, "now", lambda: next(late))
    tree = blueprint(component("echo", GUESTS / "echo.wat"))
    async with open_system(tree, cache_directory=compiled) as system:
        for _ in range(3):
            await system.ask("echo", b"x", timeout=60)
        used, limit = system.usage("echo")["cpu_ms_per_second"]
        assert used < limit / 2
