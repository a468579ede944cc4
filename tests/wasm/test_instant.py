"""Instant host functions: run on the guest's own stack, where little is allowed."""

import signal
import threading

import pytest
import trio
import trio.lowlevel

from airssys.contracts import (
    Artifact,
    ComponentConfig,
    EngineMisused,
    Limits,
    TrapReason,
    Unanswered,
)
from airssys.testing import FakeServices, ManualTicks
from airssys.wasm import FunctionKind, HostFunction, HostInterface
from airssys.wasm.lane.abi import Rule, RuleBroken
from airssys.wasm.lane.core import CoreFailed, CoreInstance, CoreStore
from airssys.wasm.values import BYTES, STRING, List, Number, Option
from wasm_support import (
    HOST,
    LANE_ENGINE,
    Lane,
    call,
    echo_component,
    envelope,
    open_guests,
    polls,
    shop_guest,
)

ECHO = f"{HOST}#echo-0"
ASKING = """(component
  (import "h" (func $h (param "x" u32) (result u32)))
  (core func $low (canon lower (func $h)))
  (core module $m (import "" "h" (func $h (param i32) (result i32)))
    {core})
  (core instance $i (instantiate $m (with "" (instance (export "h" (func $low))))))
  (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f"))))"""
ONCE = '(func (export "f") (param i32) (result i32) (call $h (local.get 0)))'
DEEPER = """(func $f (export "f") (param i32) (result i32)
  (i32.add (call $h (local.get 0)) (call $f (i32.add (local.get 0) (i32.const 1)))))"""
FOR_EVER = """(func (export "f") (param i32) (result i32)
  (loop (drop (call $h (local.get 0))) (br 0)) (unreachable))"""


def asking(act, core=ONCE):
    return Lane(ASKING.format(core=core), {"h": act})


# -- where they run


async def shop(guests, act, kind):
    interface = HostInterface(
        "acme:shop/till@1.2.0", {"price": HostFunction(act, kind=kind)}
    )
    artifact = Artifact.from_text(shop_guest("acme:shop/till@1.2.3"), "the shop")
    component = await guests.loader.load(artifact.given([interface]))
    guest = await component.instantiate(Limits(), FakeServices("shop"))
    guests.started.append(guest)
    await guest.initialize(ComponentConfig())
    return guest


async def begun(guest):
    """Handle a message at once, in the first scheduler pass that has room for it."""
    owner = trio.lowlevel.current_task()
    while True:
        answer = guest.handle_at_once(envelope(b"\5"), owner)
        if answer is not Unanswered.NOT_BEGUN:
            return answer
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("lane", ["own", "wasmtime"])
@pytest.mark.parametrize("kind", [FunctionKind.INSTANT, FunctionKind.AT_ONCE])
async def test_an_instant_call_is_over_within_the_first_poll(lane, kind):
    async with open_guests(lane=lane, make_ticks=ManualTicks()) as guests:
        guest = await shop(guests, lambda _, item: 2 * item, kind)
        found = await begun(guest)
        is_instant = lane == "own" and kind is FunctionKind.INSTANT
        assert found == (b"\n" if is_instant else Unanswered.BEGUN)
        if not is_instant:
            assert await guest.handle_message(envelope()) == b"\n"


@pytest.mark.parametrize("lane", ["own", "wasmtime"])
async def test_what_an_instant_function_raises_is_a_host_error(lane):
    def act(_, item):
        raise LookupError(f"no {item}")

    async with open_guests(lane=lane, make_ticks=ManualTicks()) as guests:
        guest = await shop(guests, act, FunctionKind.INSTANT)
        with pytest.raises(Exception, match="LookupError\\('no 5'\\)") as caught:
            await guest.handle_message(envelope(b"\5"))
        assert caught.value.reason is TrapReason.HOST_ERROR
        assert isinstance(caught.value.__cause__, LookupError)
        assert guest.spent is caught.value


def test_in_a_worker_thread_it_is_answered_after_the_poll():
    threads = []

    def act(_, number):
        threads.append(threading.get_ident())
        return number + 1

    with asking(act) as lane:
        instance = lane.start()
        instance.call("f", [5])
        found = []
        worker = threading.Thread(target=lambda: found.append(instance.poll()))
        worker.start()
        worker.join()
        assert found == [False]
        assert threads == []
        assert instance.arguments(10)[0] == (5,)
        instance.answer(act(None, 5))
        assert instance.poll()
        assert instance.result() == 6
        assert threads == [threading.get_ident()]


def test_large_arguments_are_left_to_be_read_elsewhere():
    seen = []
    with Lane(echo_component(BYTES), {ECHO: lambda _, x: seen.append(x) or x}) as lane:
        instance = CoreInstance(lane.code, None, few=1000)
        lane.started.append(instance)
        for poll in instance.start():
            poll()
        assert call(instance, "run-0", b"x" * 1000) == b"x" * 1000
        assert len(seen) == 1
        found = call(instance, "run-0", b"y" * 1001, answer=lambda x: x + b"z")
        assert found == b"y" * 1001 + b"z"
        assert len(seen) == 1


@pytest.mark.parametrize(
    ("wit", "value"),
    [
        (List(STRING), tuple(f"{n:0>99}" for n in range(5000))),
        (Option(List(Option(BYTES))), (b"x" * 15_000, None) * 20),
        (List(STRING), ("x" * 500_000, "", "é" * 100_000)),
    ],
)
def test_an_answer_without_room_in_the_scratch_memory_is_laid_out_later(wit, value):
    """Each value alone is small enough to be copied, or large enough not to be."""
    calls = []
    functions = {ECHO: lambda _, x: calls.append(x) or x}
    with Lane(echo_component(wit), functions) as lane:
        instance = lane.start()
        for count in (1, 2):
            assert call(instance, "run-0", value) == value
            assert len(calls) == count


def test_an_answer_that_is_laid_out_later_and_does_not_fit_spends_the_guest():
    wrong = ("x" * 10_000,) * 20 + (5,)
    with Lane(echo_component(List(STRING)), {ECHO: lambda *_: wrong}) as lane:
        instance = lane.start()
        with pytest.raises(Exception, match="result"):
            call(instance, "run-0", ("x",))
        assert instance.is_spent
        instance.drop_call()


# -- signals, epochs, stacks


def test_what_a_signals_handler_raises_comes_out_of_the_poll():
    class Rung(Exception):
        pass

    def ring(*_):
        raise Rung

    def act(*_):
        signal.raise_signal(signal.SIGUSR1)
        return 1

    before = signal.signal(signal.SIGUSR1, ring)
    try:
        with asking(act) as lane:
            instance = lane.start()
            with pytest.raises(Rung):
                call(instance, "f", 5)
            assert instance.is_spent
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_ctrl_c_waits_until_the_guest_has_left_the_stack():
    found = []

    def act(_, item):
        signal.raise_signal(signal.SIGINT)
        found.append("after")
        return item

    async def main():
        async with open_guests(lane="own", make_ticks=ManualTicks()) as guests:
            guest = await shop(guests, act, FunctionKind.INSTANT)
            found.append(await begun(guest))
            assert guest.spent is None
            await trio.lowlevel.checkpoint()

    with pytest.raises(BaseException) as caught:  # noqa: PT011  # alone or in a group
        trio.run(main)
    assert found == ["after", b"\5"]
    assert (
        caught.group_contains(KeyboardInterrupt)
        if isinstance(caught.value, BaseExceptionGroup)
        else isinstance(caught.value, KeyboardInterrupt)
    )


def test_a_guest_that_calls_for_ever_gives_way():
    with asking(lambda _, number: number, FOR_EVER) as lane:
        instance = lane.start()
        instance.call("f", [5])
        assert polls(instance.poll) == 5
        instance.drop_call()


@pytest.mark.parametrize("core", [ONCE, FOR_EVER])
def test_an_epoch_that_passes_meanwhile_ends_the_slice_after_it(core):
    def act(_, number):
        LANE_ENGINE.ticker.tick()
        return number + 1

    with asking(act, core) as lane:
        instance = lane.start()
        instance.call("f", [5])
        if core is FOR_EVER:
            assert not any(instance.poll() for _ in range(5))
            instance.drop_call()
        else:
            while not instance.poll():
                pass
            assert instance.result() == 6


@pytest.mark.unmeasured
@pytest.mark.parametrize("levels", [1, 100])
def test_a_guest_at_the_end_of_its_stack_traps(levels):
    """The function has as much stack as ever: that of the host, below the guest's."""
    numbers = []

    def deep(level):
        return sorted([[level]], key=lambda _: deep(level - 1) if level else 0)

    def act(_, number):
        numbers.append(number)
        if number > 2000:
            deep(levels)
        return 1

    with asking(act, DEEPER) as lane:
        instance = lane.start()
        with pytest.raises(CoreFailed) as caught:
            call(instance, "f", 0)
        assert caught.value.reason is TrapReason.STACK_EXHAUSTED
        assert instance.is_spent
    assert len(numbers) > 2000
    assert numbers == list(range(len(numbers)))


def test_a_text_is_answered_at_the_end_of_a_guests_stack():
    text = """(component
      (import "h" (func $h (result string)))
      (core module $mem (memory (export "m") 1)
        (func (export "r") (param i32 i32 i32 i32) (result i32) (i32.const 64)))
      (core instance $mem (instantiate $mem))
      (core func $low (canon lower (func $h) (memory (core memory $mem "m"))
        (realloc (core func $mem "r"))))
      (core module $m (import "" "h" (func $h (param i32)))
        (func $f (export "f") (result i32) (call $h (i32.const 8))
          (i32.add (i32.const 1) (call $f))))
      (core instance $i (instantiate $m (with "" (instance (export "h" (func $low))))))
      (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
    with Lane(text, {"h": lambda _: "text"}) as lane:
        with pytest.raises(CoreFailed) as caught:
            call(lane.start(), "f")
        assert caught.value.reason is TrapReason.STACK_EXHAUSTED


def test_endless_recursion_in_it_is_its_failure():
    def act(*_):
        return act() + 1

    with asking(act) as lane:
        instance = lane.start()
        with pytest.raises(RecursionError):
            call(instance, "f", 5)
        assert instance.is_spent


# -- what it may not do


def test_it_may_run_no_guest():
    refused = []

    def act(_, number):
        for use in (
            lambda: waiting.poll("owner"),
            lambda: stores[1].lower(0, None, [number], 100),
        ):
            with pytest.raises(EngineMisused) as caught:
                use()
            refused.append(str(caught.value))
        return number

    with asking(act) as lane:
        stores = [CoreStore(lane.code, ["f"], {}) for _ in range(2)]
        for store in stores:
            while not store.instantiate(0, 0, owner="owner").poll("owner"):
                pass
        lowered = stores[1].lower(0, None, [3], 9)
        waiting = stores[1].call(0, None, lowered, owner="owner")
        lowered = stores[0].lower(0, None, [5], 100)
        assert stores[0].call_and_poll(0, None, lowered, None, owner="owner") == (
            None,
            5,
        )
        assert len(refused) == 2
        assert all("may not run a guest" in text for text in refused)
        for store in stores:
            store.close()


def test_realloc_may_not_call_it():
    text = """(component
      (import "h" (func $h (param "x" u32) (result u32)))
      (core func $low (canon lower (func $h)))
      (core module $m (import "" "h" (func $h (param i32) (result i32)))
        (memory (export "m") 1)
        (func (export "r") (param i32 i32 i32 i32) (result i32) (call $h (i32.const 64)))
        (func (export "f") (param i32 i32) (result i32) (local.get 1)))
      (core instance $i (instantiate $m (with "" (instance (export "h" (func $low))))))
      (func (export "f") (param "x" string) (result u32) (canon lift (core func $i "f")
        (memory (core memory $i "m")) (realloc (core func $i "r")))))"""
    calls = []
    with Lane(text, {"h": lambda _, x: calls.append(x) or x}) as lane:
        instance = lane.start()
        with pytest.raises(RuleBroken) as caught:
            call(instance, "f", "text")
        assert caught.value.rule is Rule.MAY_LEAVE
        assert calls == []


def test_numbers_of_any_kind_are_answered():
    functions = {f"{HOST}#echo-{n}": lambda _, value: value for n in range(len(Number))}
    with Lane(echo_component(*Number), functions) as lane:
        instance = lane.start()
        for n, number in enumerate(Number):
            sent = True if number is Number.BOOL else number.value[3]
            assert call(instance, f"run-{n}", sent) == sent
