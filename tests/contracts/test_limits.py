"""Limits and settings: what is within its range is taken, all else refused."""

import math
import pickle
from contextlib import suppress

import attrs
import pytest
from hypothesis import given, strategies as st

from airssys.contracts import KIB, MIB, EngineSettings, Limits

RANGES = {
    (Limits, "memory_bytes"): (0, 2**40, int),
    (Limits, "table_elements"): (0, 2**32, int),
    (Limits, "execution_time"): (0.001, 86_400, float),
    (Limits, "fuel"): (1, 2**63, int),
    (Limits, "host_call_bytes"): (1, 128 * MIB, int),
    (Limits, "snapshot_bytes"): (0, 2**32, int),
    (Limits, "state_bytes"): (0, 128 * MIB - KIB, int),
    (Limits, "storage_bytes"): (0, 2**40, int),
    (Limits, "storage_keys"): (0, 2**32, int),
    (Limits, "file_bytes"): (0, 2**40, int),
    (Limits, "files"): (0, 2**32, int),
    (Limits, "open_files"): (0, 10**4, int),
    (Limits, "open_requests"): (0, 10**6, int),
    (Limits, "request_bytes"): (0, 2**40, int),
    (EngineSettings, "tick"): (0.001, 0.1, float),
    (EngineSettings, "guest_stack_bytes"): (64 * KIB, 64 * MIB, int),
    (EngineSettings, "fiber_stack_bytes"): (512 * KIB, 128 * MIB, int),
    (EngineSettings, "worker_threads"): (1, 64, int),
    (EngineSettings, "thread_payload_bytes"): (KIB, 2**31, int),
    (EngineSettings, "component_bytes"): (KIB, 2**31, int),
    (EngineSettings, "component_functions"): (1, 10**6, int),
    (EngineSettings, "function_bytes"): (KIB, 8 * MIB, int),
    (EngineSettings, "compile_time"): (0.001, 86_400, float),
    (EngineSettings, "pooled_instances"): (0, 4096, int),
    (EngineSettings, "cache_bytes"): (0, 2**50, int),
}
CHOICES = {
    (EngineSettings, "lane"): ("own", "wasmtime"),
    (EngineSettings, "component_async"): (False, True),
}
fields = pytest.mark.parametrize(("place", "bounds"), RANGES.items())
BEYOND = [math.nan, math.inf, -math.inf, -1, 10**400, -(10**400), 10**5000, True]
BEYOND += ["64", None, [], b"1", 1j, object()]


def make(place, value):
    kind, name = place
    others = {}
    if name == "guest_stack_bytes":
        others = {"fiber_stack_bytes": 128 * MIB}
    if name == "fiber_stack_bytes":
        others = {"guest_stack_bytes": 64 * KIB}
    return getattr(kind(**{name: value}, **others), name)


def test_each_field_has_its_range_here():
    found = {(k, f.name) for k in (Limits, EngineSettings) for f in attrs.fields(k)}
    assert found == set(RANGES) | set(CHOICES)


@pytest.mark.parametrize(("place", "choices"), CHOICES.items())
def test_a_choice_is_one_of_its_words(place, choices):
    kind, name = place
    for choice in choices:
        assert getattr(kind(**{name: choice}), name) == choice
    for value in ("", "other", str(choices[0]).upper(), None, 1, [choices[0]]):
        with pytest.raises(ValueError, match=name):
            kind(**{name: value})


@fields
def test_both_ends_of_the_range_are_within(place, bounds):
    low, high, kind = bounds
    low = max(low, (64 + 512) * KIB) if place[1] == "fiber_stack_bytes" else low
    assert make(place, kind(low)) == low
    assert make(place, kind(high)) == high


@fields
def test_what_is_beyond_is_refused_with_the_range(place, bounds):
    low, high, kind = bounds
    step = 1 if kind is int else 1e-6
    for value in [*BEYOND, low - step, high + step]:
        if value is None and place[1] == "fuel":
            continue
        with pytest.raises(
            ValueError, match=f"{place[1]} must be a .*number"
        ) as caught:
            make(place, value)
        assert f"from {low:g} to {high:g}" in str(caught.value)
        assert len(str(caught.value)) < 250


@fields
def test_a_whole_number_is_wanted_where_there_are_no_halves(place, bounds):
    low, high, kind = bounds
    middle = (low + high) / 2
    if kind is float:
        assert make(place, middle) == middle
        return
    with pytest.raises(ValueError, match="a whole number"):
        make(place, middle)


@given(st.integers() | st.floats() | st.text() | st.none())
def test_any_value_is_taken_or_refused(value):
    for place in RANGES:
        with suppress(ValueError):
            assert make(place, value) == value


def test_fuel_may_be_unlimited():
    assert Limits().fuel is None
    assert Limits(fuel=None) == Limits()


def test_the_host_needs_its_share_of_the_stack():
    with pytest.raises(ValueError, match="must exceed guest_stack_bytes"):
        EngineSettings(guest_stack_bytes=2 * MIB, fiber_stack_bytes=2 * MIB)


def test_there_is_a_worker_and_a_core_left_for_trio(monkeypatch):
    for cores, workers in {None: 1, 1: 1, 2: 1, 3: 2, 5: 4, 64: 4}.items():
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert EngineSettings().worker_threads == workers


@pytest.mark.parametrize("value", [Limits(fuel=7), EngineSettings(tick=0.01)])
def test_they_are_values(value):
    assert pickle.loads(pickle.dumps(value)) == value
    assert hash(value) == hash(attrs.evolve(value))
    with pytest.raises(AttributeError):
        value.fuel = 3
