"""Components with asynchronous functions, run on fibers, with the host's functions."""

import pytest
import trio
from trio.testing import MockClock

from airssys.contracts import (
    Artifact,
    ComponentRefused,
    EngineSettings,
    GuestSpent,
    GuestTrapped,
    Limits,
    TrapReason,
)
from airssys.testing import wait_until_idle
from airssys.wasm import HostInterface, ValueUnfit, load_concurrent, open_runtime
from airssys.wasm.values import Number

SETTINGS = EngineSettings(component_async=True)

LIBC = """
  (core module $libc
    (memory (export "mem") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
"""
SLEEPER = f"""(component
  (import "nap" (func $nap async (param "ms" u32) (result u32)))
  {LIBC}
  (core func $nap' (canon lower (func $nap) async (memory (core memory $libc "mem"))))
  (core func $new (canon waitable-set.new))
  (core func $join (canon waitable.join))
  (core func $drop (canon subtask.drop))
  (core func $drop-set (canon waitable-set.drop))
  (core func $cancel (canon subtask.cancel))
  (core func $cancelled (canon task.cancel))
  (core func $return (canon task.return (result u32)))
  (core func $get (canon context.get i32 0))
  (core func $set (canon context.set i32 0))
  (core module $m
    (import "" "mem" (memory 1))
    (import "" "nap" (func $nap (param i32 i32) (result i32)))
    (import "" "new" (func $new (result i32)))
    (import "" "join" (func $join (param i32 i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "drop-set" (func $drop-set (param i32)))
    (import "" "cancel" (func $cancel (param i32) (result i32)))
    (import "" "cancelled" (func $cancelled))
    (import "" "return" (func $return (param i32)))
    (import "" "get" (func $get (result i32)))
    (import "" "set" (func $set (param i32)))
    (global $next (mut i32) (i32.const 1024))
    (func (export "run") (param $ms i32) (result i32)
      (local $r i32) (local $at i32)
      (local.set $at (global.get $next))
      (global.set $next (i32.add (local.get $at) (i32.const 16)))
      (local.set $r (call $nap (local.get $ms) (local.get $at)))
      (if (i32.eq (i32.and (local.get $r) (i32.const 15)) (i32.const 2)) (then
        (call $return (i32.load (local.get $at)))
        (return (i32.const 0))))
      (i32.store offset=4 (local.get $at) (call $new))
      (i32.store offset=8 (local.get $at) (i32.shr_u (local.get $r) (i32.const 4)))
      (call $join (i32.load offset=8 (local.get $at)) (i32.load offset=4 (local.get $at)))
      (call $set (local.get $at))
      (i32.or (i32.const 2)
        (i32.shl (i32.load offset=4 (local.get $at)) (i32.const 4))))
    (func (export "cb") (param $event i32) (param i32 i32) (result i32)
      (if (i32.eq (local.get $event) (i32.const 6)) (then
        (call $join (i32.load offset=8 (call $get)) (i32.const 0))
        (drop (call $cancel (i32.load offset=8 (call $get))))
        (call $drop (i32.load offset=8 (call $get)))
        (call $cancelled)
        (return (i32.const 0))))
      (call $drop (i32.load offset=8 (call $get)))
      (call $drop-set (i32.load offset=4 (call $get)))
      (call $return (i32.load (call $get)))
      (i32.const 0))
    (func (export "spin") (loop (br 0))))
  (core instance $m (instantiate $m (with "" (instance
    (export "mem" (memory $libc "mem")) (export "nap" (func $nap'))
    (export "new" (func $new)) (export "join" (func $join)) (export "drop" (func $drop))
    (export "drop-set" (func $drop-set)) (export "cancel" (func $cancel))
    (export "cancelled" (func $cancelled)) (export "return" (func $return))
    (export "get" (func $get)) (export "set" (func $set))))))
  (func (export "run") async (param "ms" u32) (result u32)
    (canon lift (core func $m "run") async (callback (core func $m "cb"))))
  (func (export "spin") (canon lift (core func $m "spin"))))"""
PIPE = f"""(component
  {LIBC}
  (type $bytes (stream u8))
  (type $word (future string))
  (core func $read (canon stream.read $bytes (memory (core memory $libc "mem"))))
  (core func $write (canon stream.write $bytes (memory (core memory $libc "mem"))))
  (core func $new (canon stream.new $bytes))
  (core func $drop-r (canon stream.drop-readable $bytes))
  (core func $drop-w (canon stream.drop-writable $bytes))
  (core func $get (canon future.read $word
    (memory (core memory $libc "mem")) (realloc (core func $libc "realloc"))))
  (core func $return-s (canon task.return (result $bytes)))
  (core func $return-n (canon task.return (result u32)))
  (core func $return-t (canon task.return (result string)
    (memory (core memory $libc "mem"))))
  (core module $m
    (import "" "mem" (memory 1))
    (import "" "read" (func $read (param i32 i32 i32) (result i32)))
    (import "" "write" (func $write (param i32 i32 i32) (result i32)))
    (import "" "new" (func $new (result i64)))
    (import "" "drop-r" (func $drop-r (param i32)))
    (import "" "drop-w" (func $drop-w (param i32)))
    (import "" "get" (func $get (param i32 i32) (result i32)))
    (import "" "return-s" (func $return-s (param i32)))
    (import "" "return-n" (func $return-n (param i32)))
    (import "" "return-t" (func $return-t (param i32 i32)))
    (func (export "sum") (param $from i32)
      (local $n i32) (local $sum i32) (local $at i32)
      (loop $more
        (local.set $n (call $read (local.get $from) (i32.const 0) (i32.const 7)))
        (local.set $at (i32.const 0))
        (block $end (loop $add
          (br_if $end (i32.ge_u (local.get $at) (i32.shr_u (local.get $n) (i32.const 4))))
          (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $add)))
        (br_if $more (i32.eqz (i32.and (local.get $n) (i32.const 15)))))
      (call $drop-r (local.get $from))
      (call $return-n (local.get $sum)))
    (func (export "count") (param $to i32)
      (local $both i64) (local $w i32) (local $at i32)
      (local.set $both (call $new))
      (local.set $w (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
      (call $return-s (i32.wrap_i64 (local.get $both)))
      (loop $more
        (i32.store8 (i32.const 512) (local.get $at))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $more (i32.and
          (i32.eqz (i32.and (i32.const 15)
            (call $write (local.get $w) (i32.const 512) (i32.const 1))))
          (i32.lt_u (local.get $at) (local.get $to)))))
      (call $drop-w (local.get $w)))
    (func (export "far") (param $from i32)
      (drop (call $read (local.get $from) (i32.const 65530) (i32.const 7))))
    (func (export "say") (param $from i32)
      (drop (call $get (local.get $from) (i32.const 256)))
      (call $return-t (i32.load (i32.const 256)) (i32.load (i32.const 260))))
    (func (export "askew") (param $from i32)
      (drop (call $get (local.get $from) (i32.const 258)))))
  (core instance $m (instantiate $m (with "" (instance
    (export "mem" (memory $libc "mem")) (export "read" (func $read))
    (export "write" (func $write)) (export "new" (func $new))
    (export "drop-r" (func $drop-r)) (export "drop-w" (func $drop-w))
    (export "get" (func $get)) (export "return-s" (func $return-s))
    (export "return-n" (func $return-n)) (export "return-t" (func $return-t))))))
  (func (export "sum") async (param "from" $bytes) (result u32)
    (canon lift (core func $m "sum") async))
  (func (export "far") async (param "from" $bytes) (result u32)
    (canon lift (core func $m "far") async))
  (func (export "count") async (param "to" u32) (result $bytes)
    (canon lift (core func $m "count") async))
  (func (export "say") async (param "from" $word) (result string)
    (canon lift (core func $m "say") async (memory (core memory $libc "mem"))))
  (func (export "askew") async (param "from" $word) (result string)
    (canon lift (core func $m "askew") async (memory (core memory $libc "mem")))))"""


class Naps:
    """A host function that waits, and the calls of it that have ended."""

    def __init__(self, fails=False):
        self.ended, self._fails = [], fails

    async def nap(self, _context, ms):
        try:
            if self._fails:
                raise ValueError("no bed")
            await trio.sleep(ms / 1000)
        finally:
            self.ended.append(ms)
        return ms + 1

    @property
    def interface(self):
        return HostInterface("", {"nap": self.nap})


async def opened(text, use, *, naps=None, limits=None, settings=SETTINGS):
    async with open_runtime(settings, cache_directory=None) as loader:
        host = [(naps or Naps()).interface] if "nap" in text else []
        component = await load_concurrent(loader, Artifact.from_text(text), host)
        async with component.open(limits) as instance:
            return await use(instance)


def run(text, use, *, mocked=True, **options):
    clock = MockClock(autojump_threshold=0) if mocked else None
    return trio.run(lambda: opened(text, use, **options), clock=clock)


def test_calls_of_one_instance_wait_side_by_side():
    naps, got = Naps(), []

    async def use(instance):
        async def call(ms):
            got.append(await instance.call("run", ms))

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for ms in (60_000, 20_000, 40_000):
                nursery.start_soon(call, ms)
        return trio.current_time() - began

    assert run(SLEEPER, use, naps=naps) == pytest.approx(60)
    assert naps.ended == [20_000, 40_000, 60_000]
    assert got == [20_001, 40_001, 60_001]


def test_a_call_whose_deadline_passes_is_asked_to_end_and_cancels_what_it_waits_for():
    naps = Naps()

    async def use(instance):
        with pytest.raises(GuestTrapped) as error:
            await instance.call("run", 50_000, deadline=trio.current_time() + 1)
        assert error.value.reason is TrapReason.DEADLINE
        await wait_until_idle()
        assert naps.ended == [50_000]
        return await instance.call("run", 10), trio.current_time()

    result, time = run(SLEEPER, use, naps=naps)
    assert result == 11
    assert time < 1e9


def test_a_caller_that_is_cancelled_leaves_the_instance_usable():
    async def use(instance):
        with trio.move_on_after(1):
            await instance.call("run", 50_000)
        return await instance.call("run", 1)

    assert run(SLEEPER, use) == 2


def test_a_host_function_that_fails_ends_the_guest_in_all_its_calls():
    async def use(instance):
        with pytest.raises(GuestTrapped, match="no bed") as error:
            await instance.call("run", 5)
        with pytest.raises(GuestSpent):
            await instance.call("run", 5)
        return error.value.reason

    assert run(SLEEPER, use, naps=Naps(fails=True)) is TrapReason.HOST_ERROR


def test_a_guest_that_loops_is_interrupted_and_ended():
    async def use(instance):
        with pytest.raises(GuestTrapped) as error:
            await instance.call("spin")
        return error.value.reason

    found = run(SLEEPER, use, mocked=False, limits=Limits(execution_time=0.05))
    assert found is TrapReason.TIME_LIMIT


def test_values_are_checked_before_anything_is_called():
    async def use(instance):
        for wrong in (["x"], [], [1, 2]):
            with pytest.raises(ValueUnfit):
                await instance.call("run", *wrong)
        with pytest.raises(KeyError):
            await instance.call("walk")
        return await instance.call("run", 0)

    assert run(SLEEPER, use) == 1


def test_a_guest_reads_a_stream_of_the_host():
    async def use(instance):
        writer, reader = instance.new_stream(Number.U8)
        found = []

        async def call():
            found.append(await instance.call("sum", reader))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            assert await writer.send(bytes(range(20)))
            writer.close()
        with pytest.raises(ValueUnfit):
            reader.give(None)
        return found

    assert run(PIPE, use) == [190]


@pytest.mark.parametrize("most", [1, 5, 100])
def test_the_host_reads_a_stream_of_a_guest(most):
    async def use(instance):
        found, reader = b"", await instance.call("count", 30)
        while (part := await reader.receive(most)) is not None:
            assert 0 < len(part) <= most
            found += part
        return found

    assert run(PIPE, use) == bytes(range(30))


def test_a_reader_that_is_closed_lets_the_guest_go_on():
    async def use(instance):
        reader = await instance.call("count", 30)
        assert await reader.receive(3)
        reader.close()
        await wait_until_idle()
        return instance.spent

    assert run(PIPE, use) is None


def test_a_receive_that_is_cancelled_may_be_done_again():
    async def use(instance):
        writer, reader = instance.new_stream(Number.U8)
        with trio.move_on_after(1):
            await writer.send(b"x")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.send, b"\x05")
            nursery.start_soon(instance.call, "sum", reader)
            await wait_until_idle()
            writer.close()
        return instance.spent

    assert run(PIPE, use) is None


def test_a_guest_reads_a_future_with_a_string():
    async def use(instance):
        writer, reader = instance.new_future(
            instance._plan.copied[
                next(n for n in instance._plan.copied if "fut" in n)
            ].element
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.set, "höre")
            found = await instance.call("say", reader)
        assert found == "höre"

    run(PIPE, use)


@pytest.mark.parametrize("name", ["far", "askew"])
def test_a_buffer_that_is_out_of_bounds_or_not_aligned(name):
    async def use(instance):
        kind = "stream" if name == "far" else "future"
        element = next(
            one.element
            for n, one in instance._plan.copied.items()
            if n.startswith(kind)
        )
        make = instance.new_stream if name == "far" else instance.new_future
        _, reader = make(element)
        with pytest.raises(GuestTrapped) as error:
            await instance.call(name, reader)
        return error.value.text

    assert {"far": "leads out", "askew": "not aligned"}[name] in run(PIPE, use)


def test_a_guest_that_nothing_can_wake_is_ended():
    async def use(instance):
        writer, reader = instance.new_stream(Number.U8)
        writer._leave()  # as if it had been given away
        with pytest.raises(GuestTrapped, match="wake"):
            await instance.call("sum", reader)

    run(PIPE, use)


def test_without_the_setting_nothing_asynchronous_is_loaded():
    with pytest.raises(ComponentRefused, match="component_async"):
        run(SLEEPER, None, settings=EngineSettings())


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("(component (core func (canon error-context.drop)))", "asynchronous"),
        ("(component (core module (func (result i32))))", "refuses"),
    ],
)
def test_what_is_refused_all_the_same(text, what):
    with pytest.raises(ComponentRefused, match=what):
        run(text, None)


def test_an_instance_that_is_left_during_calls_leaves_nothing_behind():
    naps = Naps()

    async def main():
        async with open_runtime(SETTINGS, cache_directory=None) as loader:
            artifact = Artifact.from_text(SLEEPER)
            component = await load_concurrent(loader, artifact, [naps.interface])
            with trio.move_on_after(1):
                async with component.open() as instance:
                    await instance.call("run", 10_000)
            assert not loader.runtime.engine.ledger.stores
        return naps.ended

    assert trio.run(main, clock=MockClock(autojump_threshold=0)) == [10_000]
