"""Streams of WASI, whatever is behind them; and the tasks that serve an instance."""

import pytest
import trio

from airssys.contracts import Access, Limits, NotGranted, TrapReason
from airssys.security import connect
from airssys.security.capabilities import read_grants
from airssys.testing import FakeServices, wait_until_idle
from airssys.wasm import Ok
from airssys.wasm.host import StopGuest
from airssys.wasm.host.wasi import WASI_INTERFACES
from airssys.wasm.host.wasi.base import (
    Held,
    Input,
    Output,
    Pollable,
    Scoped,
    StreamClosed,
    StreamFailed,
    WasiContext,
    release,
)


def wasi(name):
    where, _, rest = name.partition("#")
    (found,) = [i for i in WASI_INTERFACES if i.gives(f"wasi:{where}@0.2.0")]
    return found.functions[rest]


async def call(context, name, *arguments):
    """Call a function as a guest does: first without waiting."""
    function = wasi(name)
    if function.at_once is None:
        return function.act(context, *arguments)
    found = function.at_once(context, *arguments)
    return await function.act(context, *arguments) if found is None else found


IN, OUT = "io/streams#[method]input-stream.", "io/streams#[method]output-stream."


class Bucket(Input, Output):
    """What is written can be read, a little at a time."""

    def __init__(self, context, most=4):
        Output.__init__(self, context)
        self.data, self.most, self.failure = b"", most, None

    def look(self):
        if self.failure:
            raise self.failure

    def read(self, most):
        self.look()
        found, self.data = self.data[:most], self.data[most:]
        self.context.note_changed()
        return found

    def room(self):
        self.look()
        return self.most - len(self.data)

    def write(self, data):
        self.data += data

    def is_flushed(self):
        self.look()
        return not self.data

    def is_ready(self):
        return Output.is_ready(self)


class Tap(Bucket):
    """Ready when it can be read."""

    def is_ready(self):
        return bool(self.data or self.failure)


@pytest.fixture
async def context():
    return WasiContext(FakeServices(can=()), Limits())


async def drain(bucket, into, pieces):
    for _ in range(pieces):
        await trio.sleep(1)
        into.append(bucket.read(4))


async def test_a_write_and_flush_waits_for_room_and_writes_each_byte_once(
    context, autojump_clock, nursery
):
    bucket, seen = Bucket(context), []
    nursery.start_soon(drain, bucket, seen, 3)
    name = OUT + "blocking-write-and-flush"
    assert await call(context, name, bucket, b"0123456789") == Ok()
    assert b"".join(seen) == b"0123456789"
    nursery.start_soon(drain, bucket, seen, 1)
    assert await call(context, name, bucket, b"abc") == Ok()
    assert b"".join(seen) == b"0123456789abc"


async def test_while_it_flushes_nothing_may_be_written(context):
    bucket = Bucket(context, most=100)
    assert await call(context, OUT + "write", bucket, b"x") == Ok()
    assert await call(context, OUT + "flush", bucket) == Ok()
    assert await call(context, OUT + "check-write", bucket) == Ok(0)
    assert not bucket.is_ready()
    bucket.read(1)
    assert bucket.is_ready()
    assert await call(context, OUT + "check-write", bucket) == Ok(100)


async def test_reading_and_splicing_wait_for_bytes(context, autojump_clock, nursery):
    tap, bucket = Tap(context), Bucket(context, most=100)

    async def pour():
        await trio.sleep(5)
        tap.data = b"abcdef"
        context.note_changed()

    nursery.start_soon(pour)
    assert await call(context, IN + "read", tap, 10) == Ok(b"")
    assert await call(context, IN + "blocking-read", tap, 2) == Ok(b"ab")
    assert await call(context, IN + "blocking-skip", tap, 1) == Ok(1)
    assert await call(context, OUT + "blocking-splice", bucket, tap, 2) == Ok(2)
    assert await call(context, OUT + "splice", bucket, tap, 99) == Ok(1)
    assert bucket.data == b"def"


async def test_a_failure_is_an_error_that_says_what_it_was(context):
    tap = Tap(context)
    tap.failure = StreamFailed("the cable is cut", "network", "connection-reset")
    found = await call(context, IN + "read", tap, 1)
    assert found.value.name == "last-operation-failed"
    text = wasi("io/error#[method]error.to-debug-string").act(
        context, found.value.value
    )
    assert text == "the cable is cut"
    tap.failure = StreamClosed()
    assert (await call(context, IN + "read", tap, 1)).value.name == "closed"


async def test_what_has_children_must_not_be_dropped(context):
    parent = Held(context)
    child = Held(context, parent)
    with pytest.raises(StopGuest, match="before 1 of what was made from it") as caught:
        release(parent)
    assert caught.value.reason is TrapReason.OTHER
    release(child)
    release(parent)
    assert context._handles == 0


async def test_a_guest_that_waits_is_woken_by_what_changes(context, autojump_clock):
    tap = Tap(context)
    pollables = [Pollable(context, tap, tap), Pollable(context, Tap(context))]

    async def pour():
        for _ in range(3):
            await trio.sleep(1)
            context.note_changed()
        tap.data = b"x"
        context.note_changed()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pour)
        assert await call(context, "io/poll#poll", pollables) == [0]
    assert trio.current_time() == pytest.approx(3, abs=0.1)


# ---------------------------------------------------------------- tasks


async def test_tasks_end_with_their_instance(context, nursery, autojump_clock):
    context.take_nursery(nursery)
    for _ in range(3):
        context.start_task(trio.sleep_forever)
    ended = context.start_task(trio.sleep_forever)
    await wait_until_idle()
    ended.cancel()
    await wait_until_idle()
    assert context.tasks == 3
    context.close()
    await wait_until_idle()
    assert context.tasks == 0
    with pytest.raises(RuntimeError):
        context.start_task(trio.sleep_forever)


async def test_a_failed_task_is_the_instances_failure(context, nursery):
    async def fail():
        await trio.lowlevel.checkpoint()
        raise ValueError("broken")

    context.take_nursery(nursery)
    context.start_task(fail)
    with trio.fail_after(5):
        await context.changed.wait()
    assert repr(context.task_failure) == "ValueError('broken')"
    with pytest.raises(ValueError, match="broken"):
        Held(context)


async def test_what_is_in_progress_ends_with_its_grant():
    services = FakeServices(can=[connect("10.0.0.0/8", 80)])
    context, ended = WasiContext(services, Limits()), []
    access = Access("network", "connect", "10.1.2.3:80")
    assert context.may_access(access)
    kept = Scoped(context, access, lambda: ended.append("kept"))
    over = Scoped(context, access, lambda: ended.append("over"))
    over.release()
    rules, _ = read_grants([connect("10.0.0.0/8", 80)])
    services.permissions.revoke(rules)
    assert ended == ["kept"]
    kept.release()
    assert not context.may_access(access)
    with pytest.raises(NotGranted):
        services.permissions.check_access(access)
