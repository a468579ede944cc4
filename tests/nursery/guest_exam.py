"""What any guest must do, whether WebAssembly stands behind it or a fake.

    async def test_it():
        await examine_guests(load)

`load` is an async function without arguments that returns a `LoadedComponent`, which
behaves as the payload of a message says:

    count        answers how often it was asked, as decimal digits
    trap         traps
    reject       answers with a typed error
    hang         never answers, awaiting a host sleep
    other bytes  are echoed

and which traps or rejects in `initialize` when the config data says `trap` or `reject`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from airssys.contracts import (
    ComponentConfig,
    ComponentId,
    ComponentMetadata,
    Envelope,
    GuestRejected,
    GuestSpent,
    GuestTrapped,
    HealthStatus,
    Limits,
    LoadedComponent,
    TrapReason,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ME, SENDER = ComponentId.parse("examinee"), ComponentId.parse("examiner")


class ExamServices:
    """The least that a guest needs: a name, a clock, sleep."""

    def self_id(self):
        return ME

    async def sleep(self, seconds):
        await trio.sleep(seconds)

    def log(self, level, message, context):
        pass


def envelope(payload: bytes, deadline: float | None = None) -> Envelope:
    return Envelope(ME, SENDER, payload, deadline=deadline)


async def _started(component, data=None):
    guest = await component.instantiate(Limits(), ExamServices())
    await guest.initialize(ComponentConfig(data=data))
    return guest


async def answers_and_keeps_its_state(component):
    guest = await _started(component)
    try:
        assert guest.spent is None
        assert await guest.handle_message(envelope(b"hello")) == b"hello"
        assert await guest.handle_message(envelope(b"count")) == b"1"
        assert await guest.handle_message(envelope(b"count")) == b"2"
        assert isinstance(await guest.metadata(), ComponentMetadata)
        assert isinstance(await guest.health(), HealthStatus)
        await guest.shutdown()
        assert guest.spent is None
    finally:
        guest.close()


async def instances_share_nothing(component):
    first, second = await _started(component), await _started(component)
    try:
        await first.handle_message(envelope(b"count"))
        assert await second.handle_message(envelope(b"count")) == b"1"
        first.close()
        assert await second.handle_message(envelope(b"count")) == b"2"
    finally:
        first.close()
        second.close()


async def a_typed_error_leaves_it_alive(component):
    guest = await _started(component)
    try:
        await guest.handle_message(envelope(b"count"))
        with pytest.raises(GuestRejected) as caught:
            await guest.handle_message(envelope(b"reject"))
        assert caught.value.phase == "handle-message"
        assert guest.spent is None
        assert await guest.handle_message(envelope(b"count")) == b"2"
    finally:
        guest.close()


async def a_trap_spends_it(component):
    guest = await _started(component)
    try:
        with pytest.raises(GuestTrapped) as caught:
            await guest.handle_message(envelope(b"trap"))
        assert caught.value.reason is TrapReason.UNREACHABLE
        assert caught.value.phase == "handle-message"
        assert guest.spent is not None
        with pytest.raises(GuestSpent):
            await guest.handle_message(envelope(b"hello"))
    finally:
        guest.close()


async def a_deadline_stops_it(component):
    guest = await _started(component)
    try:
        deadline = trio.current_time() + 0.05
        with trio.fail_after(10), pytest.raises(GuestTrapped) as caught:
            await guest.handle_message(envelope(b"hang", deadline))
        assert caught.value.reason is TrapReason.TIME_LIMIT
        assert guest.spent is not None
    finally:
        guest.close()


async def a_cancelled_call_spends_it(component):
    guest = await _started(component)
    try:
        with trio.move_on_after(0.05) as scope:
            await guest.handle_message(envelope(b"hang"))
        assert scope.cancelled_caught
        assert guest.spent is not None
        with pytest.raises(GuestSpent):
            await guest.metadata()
    finally:
        guest.close()


async def a_failing_initialize_says_how(component):
    for data, error in ((b"trap", GuestTrapped), (b"reject", GuestRejected)):
        guest = await component.instantiate(Limits(), ExamServices())
        try:
            with pytest.raises(error) as caught:
                await guest.initialize(ComponentConfig(data=data))
            assert caught.value.phase == "initialize"
        finally:
            guest.close()


async def closing_is_final_and_may_be_repeated(component):
    guest = await _started(component)
    guest.close()
    guest.close()
    with pytest.raises(GuestSpent):
        await guest.handle_message(envelope(b"hello"))


QUESTIONS: tuple[Callable[..., Awaitable[None]], ...] = (
    answers_and_keeps_its_state,
    instances_share_nothing,
    a_typed_error_leaves_it_alive,
    a_trap_spends_it,
    a_deadline_stops_it,
    a_cancelled_call_spends_it,
    a_failing_initialize_says_how,
    closing_is_final_and_may_be_repeated,
)
"""Each takes a `LoadedComponent`; to parametrize a test with."""


async def examine_guests(load: Callable[[], Awaitable[LoadedComponent]]) -> None:
    """Put every question to a component of its own."""
    for question in QUESTIONS:
        await question(await load())
