"""The memory that instances share: each has its own part, and gives it back."""

import gc

import pytest
from hypothesis import given, settings, strategies as st

from airssys.contracts import CapacityReached, EngineSettings
from airssys.testing import ManualTicks
from airssys.wasm.engine import Engine
from airssys.wasm.lane.adapters import IMAGE, MAY_LEAVE, PAGES
from airssys.wasm.lane.core import CoreInstance
from airssys.wasm.lane.core._memory import Scratch, SharedScratch
from airssys.wasm.values import ValueUnfit
from wasm_support import Lane, call

LISTS = """(component
  (core module $m
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $p i32)
      (local.set $p (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $p) (local.get 3)))
      (block $e (loop $l
        (br_if $e (i32.le_u (global.get $top) (i32.shl (memory.size) (i32.const 16))))
        (drop (memory.grow (i32.const 1))) (br $l)))
      (local.get $p))
    (func (export "last") (param i32 i32) (result i32)
      (i32.load (i32.add (local.get 0)
        (i32.mul (i32.const 8) (i32.sub (local.get 1) (i32.const 1)))))))
  (core instance $i (instantiate $m))
  (func (export "last") (param "pairs" (list (tuple u32 u8))) (result u32)
    (canon lift (core func $i "last") (memory (core memory $i "memory"))
      (realloc (core func $i "realloc")))))"""


@pytest.fixture
def shared():
    engine = Engine(EngineSettings(), ManualTicks())
    yield SharedScratch.of(engine)
    engine.close()


@pytest.fixture
def lane():
    with Lane(LISTS) as made:
        yield made


SIZES = st.integers(min_value=1, max_value=100_000)


@settings(max_examples=30)
@given(st.lists(st.tuples(SIZES, st.booleans()), max_size=60))
def test_parts_are_aligned_large_enough_and_apart(steps):
    engine = Engine(EngineSettings(), ManualTicks())
    shared, held = SharedScratch.of(engine), []
    try:
        for size, gives_back in steps:
            at, end = shared.take(size)
            length = end - at
            assert length >= size
            assert at % min(length, 1 << 16) == 0
            assert end <= len(shared.view)
            assert all(end <= other or at >= over for other, over in held)
            held.append((at, end))
            if gives_back:
                at, end = held.pop(len(held) // 2)
                shared.give_back(at, end - at)
    finally:
        engine.close()


def test_what_is_given_back_is_used_again(shared):
    places = {shared.take(3_000)[0] for _ in range(20)}
    for at in places:
        shared.give_back(at, 4_096)
    assert {shared.take(4_096)[0] for _ in range(20)} == places


def test_there_is_an_end_and_a_large_part_is_halved_then(shared):
    half = PAGES[1] << 15  # of all pages, in bytes
    large, _ = shared.take(half)
    shared.take(half - 1)
    with pytest.raises(CapacityReached, match="scratch memory"):
        shared.take(half)
    shared.give_back(large, half)
    at, end = shared.take(half // 4)
    assert large <= at < end <= large + half


def test_what_lay_there_before_says_nothing(shared):
    first = Scratch(shared, 600)
    first.view[:] = b"\xff" * len(first.view)
    first.close()
    second = Scratch(shared, 600)
    assert second.slot == first.slot
    assert not any(second.view[:IMAGE])


def test_a_part_is_given_back_with_its_store(lane):
    one = lane.start()
    place = one.scratch.slot
    one.close()
    one.close()
    two, three = lane.start(), lane.start()
    assert two.scratch.slot == place
    assert three.scratch.slot != place


def test_a_part_is_given_back_with_a_store_that_was_not_closed(lane):
    kept = CoreInstance(lane.code, None)
    place, opened = kept.scratch.slot, kept.opened
    del kept
    gc.collect()
    lane.code.engine.ledger.close_store(opened)
    assert CoreInstance(lane.code, None).scratch.slot == place


def test_a_large_list_takes_more_until_its_call_ends(lane):
    one, other = lane.start(), lane.start()
    pairs = tuple((number, 1) for number in range(50_000))
    one.call("last", (pairs,))
    assert one.scratch.has_more
    while not one.poll():
        pass
    assert one.result() == len(pairs) - 1
    assert not one.scratch.has_more
    assert call(other, "last", pairs[:9]) == 8
    assert one.scratch.view[MAY_LEAVE] == other.scratch.view[MAY_LEAVE] == 1


def test_values_that_do_not_fit_leave_nothing_behind(lane):
    one = lane.start()
    with pytest.raises(ValueUnfit, match="pairs"):
        one.call("last", (((1, 1),) * 5_000 + ((1, 300),),))
    assert call(one, "last", ((7, 1),)) == 7
    assert not one.scratch.has_more
