"""What real guests can make a system keep is bounded in bytes."""

import pytest
import trio

from airssys import Lag, Limits, MailboxFull, actor, blueprint, component, open_system
from airssys.contracts import BRUTAL_KILL, KIB, MIB
from airssys.security import everything
from pace import PATIENCE
from wasm_support import GUESTS

PATIENT = Limits(execution_time=3600)


def guest(name, code, **options):
    return component(
        name,
        GUESTS / f"{code}.wat",
        limits=PATIENT,
        shutdown=BRUTAL_KILL,
        can=everything(),
        **options,
    )


async def never(context, envelope):
    await trio.sleep_forever()


async def until(condition):
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110  # nothing reports it
            await trio.sleep(0.01)


@pytest.mark.slow
async def test_a_guest_that_sends_for_ever_fills_no_more_than_the_mailbox_may_have():
    target = actor("no/body/0", never, mailbox_bytes=4 * MIB)
    async with open_system(blueprint(target, guest("a", "send-large-flood"))) as system:
        system.tell("a", b"500000")
        await until(lambda: system.mailbox("no/body/0").blocked_senders)
        queued = system.mailbox("no/body/0").queued
        assert queued * 500_000 <= 4 * MIB < (queued + 1) * 500_000
        with pytest.raises(MailboxFull, match="mailbox_bytes"):
            system.tell("no/body/0", bytes(500_000))


@pytest.mark.slow
async def test_lines_that_a_guest_logs_and_that_are_not_read():
    async with open_system(blueprint(guest("a", "log-large-flood"))) as system:
        stream = system.events(kept_bytes=2 * MIB)
        system.tell("a", b"200000")
        await until(lambda: stream.dropped > 5)
        assert stream._events._bytes <= 2 * MIB
        assert len(stream._events) <= 2 * MIB // 200_000


@pytest.mark.slow
async def test_what_a_guest_publishes_and_is_not_read():
    async with open_system(blueprint(guest("a", "publish-flood"))) as system:
        with system.subscribe(
            "flood", capacity=10**6, lag=Lag.DROP_OLDEST, kept_bytes=100
        ) as found:
            system.tell("a", b"")
            await until(lambda: found.dropped > 100)
            assert len(found._kept) == 100


@pytest.mark.slow
async def test_names_that_a_guest_makes_up_are_kept_no_longer_than_the_system():
    from airssys.wasm.host import _core_functions as _host_functions

    async with open_system(blueprint(guest("a", "broadcast-flood"))) as system:
        system.tell("a", b"5000")
        await until(lambda: _host_functions._known_id.cache_info().currsize > 1000)
        assert _host_functions._known_id.cache_info().currsize <= KIB
    assert _host_functions._known_id.cache_info().currsize == 0
