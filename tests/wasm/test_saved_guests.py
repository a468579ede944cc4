"""Snapshots of real guests: taken and restored beside others, kept on disk, refused."""

import pytest
import trio

from airssys.contracts import (
    Artifact,
    ComponentConfig,
    EngineMisused,
    GuestSpent,
    GuestTrapped,
    Limits,
    SnapshotRefused,
)
from airssys.security import stdout
from airssys.testing import FakeServices
from airssys.wasm import Snapshot
from wasm_support import (
    GUESTS,
    ScriptedServices,
    answer_elsewhere,
    envelope,
    open_guests,
    order,
    wasi_guest,
)

CONFIG = ComponentConfig(data=b"given")


@pytest.fixture
async def own(compiled):
    async with open_guests(compiled, lane="own") as guests:
        yield guests


async def answer(guest, payload=b""):
    return await guest.handle_message(envelope(payload))


async def restored(guests, name, snapshot, **limits):
    component = await guests.component(name)
    guest = await component.restore(snapshot, Limits(**limits), guests.services)
    guests.started.append(guest)
    return guest


async def test_another_instance_continues_from_a_snapshot(own):
    first = await own.start("state")
    assert [await answer(first) for _ in range(3)] == [b"1", b"2", b"3"]
    snapshot = await first.snapshot()
    second = await restored(own, "state", snapshot)
    assert [await answer(each) for each in (first, second)] == [b"4", b"4"]
    third = await restored(own, "state", await second.snapshot())
    assert await answer(third) == b"5"
    assert 0 < snapshot.size < 20_000


async def test_a_snapshot_comes_back_from_bytes(own):
    first = await own.start("state")
    await answer(first)
    snapshot = await first.snapshot()
    for deflate in (True, False):
        written = snapshot.to_bytes(deflate=deflate)
        assert Snapshot.from_bytes(written) == snapshot
        assert await answer(await restored(own, "state", written)) == b"2"


async def test_a_snapshot_continues_in_another_process(own, tmp_path):
    guest = await own.start("state")
    for _ in range(41):
        await answer(guest)
    snapshot = await guest.snapshot()
    code = GUESTS / "state.wat"
    assert await answer_elsewhere(code, snapshot, tmp_path) == "42"


async def test_one_of_another_component_is_refused(own):
    snapshot = await (await own.start("state")).snapshot()
    with pytest.raises(SnapshotRefused, match="another component"):
        await restored(own, "echo", snapshot)
    with pytest.raises(SnapshotRefused, match="not a snapshot"):
        await restored(own, "state", "snapshot")
    with pytest.raises(SnapshotRefused, match="not a snapshot"):
        await restored(own, "state", b"snapshot")


async def test_one_that_has_more_than_the_limit_is_refused(own):
    guest = await own.start("state", snapshot_bytes=0)
    await answer(guest)
    with pytest.raises(SnapshotRefused, match="snapshot_bytes"):
        await guest.snapshot()
    assert await answer(guest) == b"2"


async def test_on_the_other_lane_there_are_none():
    async with open_guests(lane="wasmtime") as guests:
        guest = await guests.start("state")
        with pytest.raises(SnapshotRefused, match="lane"):
            await guest.snapshot()
        component = await guests.component("state")
        with pytest.raises(SnapshotRefused, match="whole"):
            await component.initial_snapshot(CONFIG)
        assert await answer(guest) == b"1"


async def test_only_an_instance_that_was_never_called_is_restored(own):
    guest = await own.start("state")
    snapshot = await guest.snapshot()
    with pytest.raises(EngineMisused, match="never called"):
        await guest.restore(snapshot)
    assert await answer(guest) == b"1"


async def test_a_spent_instance_has_none(own):
    guest = await own.start("fragile")
    with pytest.raises(GuestTrapped):
        await answer(guest, b"boom")
    with pytest.raises(GuestSpent):
        await guest.snapshot()


async def test_an_instance_that_is_closed_meanwhile_is_not_saved(own):
    guest = await own.start("state")
    refused, started = [], trio.Event()

    async def save():
        started.set()
        with pytest.raises((SnapshotRefused, GuestSpent)) as caught:
            await guest.snapshot()
        refused.append(caught.value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(save)
        await started.wait()
        guest.close()
    assert refused


async def test_a_message_that_arrives_meanwhile_is_refused(own):
    guest, started = await own.start("state"), trio.Event()

    async def save():
        started.set()
        await guest.snapshot()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(save)
        await started.wait()
        with pytest.raises(EngineMisused, match="middle of a call"):
            await answer(guest)
    assert await answer(guest) == b"1"


async def test_a_cancelled_snapshot_leaves_the_guest_as_it_was(own):
    guest = await own.start("state")
    with trio.CancelScope() as scope:
        scope.cancel()
        await guest.snapshot()
    assert scope.cancelled_caught
    assert await answer(guest) == b"1"
    assert (await guest.snapshot()).size > 0


async def test_a_restore_that_was_cancelled_leaves_a_spent_instance(own):
    snapshot = await (await own.start("state")).snapshot()
    guest = await own.make("state")
    with trio.CancelScope() as scope:
        scope.cancel()
        await guest.restore(snapshot)
    with pytest.raises(GuestSpent, match="not restored"):
        await answer(guest)


async def test_two_at_once_are_compared_with_one_fresh_instance(own):
    guests = await own.many(4, "state")
    made = len(own.runtime.engine.ledger.stores)
    async with trio.open_nursery() as nursery:
        for guest in guests:
            nursery.start_soon(guest.snapshot)
    assert len(own.runtime.engine.ledger.stores) == made


# ---------------------------------------------------- after `initialize`


async def test_the_state_after_initialize_knows_its_configuration(own):
    component = await own.component("config")
    for data in (b"one", b"two"):
        snapshot = await component.initial_snapshot(ComponentConfig(data=data))
        guest = await restored(own, "config", snapshot)
        assert await answer(guest, b"c") == data


async def test_the_state_after_initialize_is_taken_once_and_kept_on_disk(
    tmp_path, monkeypatch
):
    made = []

    async def count(component, config):
        made.append(config)
        return await really(component, config)

    cache = tmp_path / "cache"
    for _ in range(2):
        async with open_guests(cache, lane="own") as guests:
            component = await guests.component("config")
            kind = type(component)
            if not made:
                really = kind._make_start
            monkeypatch.setattr(kind, "_make_start", count)
            first = await component.initial_snapshot(CONFIG)
            assert await component.initial_snapshot(CONFIG) is first
            guest = await restored(guests, "config", first)
            assert await answer(guest, b"c") == b"given"
    assert made == [CONFIG]


@pytest.mark.parametrize("damage", ["flip", "empty", "other"])
async def test_a_kept_state_that_was_not_written_by_us_is_taken_anew(tmp_path, damage):
    for round_ in range(2):
        async with open_guests(tmp_path / "cache", lane="own") as guests:
            component = await guests.component("config")
            snapshot = await component.initial_snapshot(CONFIG)
            guest = await restored(guests, "config", snapshot)
            assert await answer(guest, b"c") == b"given"
        (kept,) = (tmp_path / "cache").glob("*.state")
        if round_ == 0:
            content = bytearray(kept.read_bytes())
            content[-1] ^= 1
            replaced = {"flip": bytes(content), "empty": b"", "other": b"x" * 99}
            kept.write_bytes(replaced[damage])


ASKS_FIRST = (
    (GUESTS / "host-call-count.wat")
    .read_text()
    .replace(
        "(param $max-fuel i64) (result i32)\n      (call $ok))",
        "(param $max-fuel i64) (result i32)\n"
        "      (drop (call $host-services.current-time-millis)) (call $ok))",
    )
)


async def test_a_guest_that_calls_the_host_first_has_no_such_state(own):
    component = await own.loader.load(Artifact.from_text(ASKS_FIRST))
    for _ in range(2):
        with pytest.raises(SnapshotRefused, match="calls the host while it starts"):
            await component.initial_snapshot(CONFIG)
    guest = await component.instantiate(Limits(), own.services)
    own.started.append(guest)
    await guest.initialize(CONFIG)
    assert own.services.called("current_time")
    await guest.snapshot()  # what it has asked for does not matter later


@pytest.mark.parametrize("name", ["failing-initialize", "trap-unreachable-start"])
async def test_a_guest_that_does_not_start_has_no_such_state(own, name):
    component = await own.component(name)
    with pytest.raises(SnapshotRefused, match="does not start without a host"):
        await component.initial_snapshot(CONFIG)


async def test_lines_that_are_logged_before_are_dropped(own):
    component = await own.component("lifecycle-log")
    snapshot = await component.initial_snapshot(CONFIG)
    services = ScriptedServices()
    guest = await component.restore(snapshot, Limits(), services)
    own.started.append(guest)
    assert services.called("log") == []
    assert await answer(guest, b"there") == b"there"
    assert services.called("log")


KEEPS = (
    wasi_guest()
    .replace(
        "(loop $more (drop (call $after (i64.const 0))) (br $more))",
        "(i32.store (i32.const 4) (call $after (i64.const 0)))",
    )
    .replace(
        "(call $leave (i32.load8_u offset=8 (local.get $at)))",
        "(call $drop (i32.load (i32.const 4)))",
    )
    .replace(
        "(local.get $at) (call $chance)", "(local.get $at) (i64.load (i32.const 4))"
    )
)
"""A guest that imports WASI; `h` keeps a pollable, `x` drops it, `r` reads its number."""


async def wasi_instance(guests, snapshot=None):
    component = await guests.loader.load(Artifact.from_text(KEEPS, "the guest"))
    services = FakeServices(can=[stdout()])
    if snapshot is None:
        guest = await component.instantiate(Limits(), services)
        await guest.initialize(CONFIG)
    else:
        guest = await component.restore(snapshot, Limits(), services)
    guests.started.append(guest)
    return guest, services


async def test_a_guest_with_wasi_goes_along_unless_it_holds_something(own):
    first, _ = await wasi_instance(own)
    kept = order("h")
    await answer(first, kept)
    with pytest.raises(SnapshotRefused, match="holds 1 resources of the host"):
        await first.snapshot()
    number = await answer(first, order("r"))
    await answer(first, order("x"))
    snapshot = await first.snapshot()
    second, services = await wasi_instance(own, snapshot)
    assert await answer(second, order("r")) == number
    await answer(second, order("p", b"still here\n"))
    assert [line for _, line, _ in services.lines] == ["still here"]
    await answer(second, kept)
    with pytest.raises(SnapshotRefused, match="holds 1 resources of the host"):
        await second.snapshot()


async def test_nothing_is_taken_while_a_guest_waits_for_wasi(own, autojump_clock):
    guest, _ = await wasi_instance(own)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, guest, order("s", 5 * 10**9))
        await trio.sleep(1)
        with pytest.raises(EngineMisused):
            await guest.snapshot()
    assert (await guest.snapshot()).size > 0
