"""What every guest must do, whether it is WebAssembly or a fake.

    async def test_it():
        await examine_guests(load)

`load` is an async function without arguments that returns a `LoadedComponent`, which
does what the payload of a message says:

    count        answers how often it was asked, as decimal digits
    trap         traps
    reject       answers with a typed error
    hang         never answers, and awaits a host sleep
    other bytes  are echoed

It traps or rejects in `initialize` when the config data is `trap` or `reject`. If it
hands over state, the state is the count.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Self, TypeAlias, cast, final

import trio

from airssys.contracts import (
    ComponentConfig,
    ComponentId,
    ComponentMetadata,
    Envelope,
    GuestFailed,
    GuestRejected,
    GuestSpent,
    GuestTrapped,
    HealthStatus,
    Limits,
    LoadedComponent,
    SnapshotRefused,
    TrapReason,
    Unanswered,
)

from ._questions import is_a, put_async, raising, same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.contracts import Guest, HostServices, LogLevel

_ME: Final = ComponentId.parse("examinee")
_SENDER: Final = ComponentId.parse("examiner")
_SOON, _LONG = 0.05, 10.0

Question: TypeAlias = Callable[[LoadedComponent], Awaitable[None]]
"""A requirement for a guest; raises `AssertionError` if it is not met."""


@final
class _ExamServices:
    """The minimum that a guest needs: a name, sleep, a log that is not read."""

    self_id = _ME

    @property
    def clock(self) -> Self:
        return self

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    def log(
        self, level: LogLevel, message: str, context: Sequence[tuple[str, str]]
    ) -> None:
        pass


def _message(payload: bytes, deadline: float | None = None) -> Envelope:
    return Envelope(_ME, _SENDER, payload, deadline=deadline)


async def _make(component: LoadedComponent) -> Guest:
    services = cast("HostServices", _ExamServices())
    return await component.instantiate(Limits(), services)


@asynccontextmanager
async def _started(component: LoadedComponent) -> AsyncIterator[Guest]:
    guest = await _make(component)
    try:
        await guest.initialize(ComponentConfig())
        yield guest
    finally:
        guest.close()


async def _answers_and_keeps_its_state(component: LoadedComponent) -> None:
    async with _started(component) as guest:
        same(guest.spent, None)
        same(await guest.handle_message(_message(b"hello")), b"hello")
        same(await guest.handle_message(_message(b"count")), b"1")
        same(await guest.handle_message(_message(b"count")), b"2")
        is_a(await guest.metadata(), ComponentMetadata)
        is_a(await guest.health(), HealthStatus)
        await guest.shutdown()
        same(guest.spent, None)


async def _instances_share_nothing(component: LoadedComponent) -> None:
    async with _started(component) as second:
        async with _started(component) as first:
            await first.handle_message(_message(b"count"))
            same(await second.handle_message(_message(b"count")), b"1")
        same(await second.handle_message(_message(b"count")), b"2")


async def _a_typed_error_leaves_it_alive(component: LoadedComponent) -> None:
    async with _started(component) as guest:
        await guest.handle_message(_message(b"count"))
        with raising(GuestRejected, phase="handle-message"):
            await guest.handle_message(_message(b"reject"))
        same(guest.spent, None)
        same(await guest.handle_message(_message(b"count")), b"2")


async def _at_once_is_as_good_as_later(component: LoadedComponent) -> None:
    async def handle(guest: Guest, payload: bytes) -> bytes | None:
        message, owner = _message(payload), trio.lowlevel.current_task()
        answer = guest.handle_at_once(message, owner)
        if isinstance(answer, Unanswered):
            return await guest.handle_message(message)
        return answer

    async with _started(component) as guest:
        same(await handle(guest, b"hello"), b"hello")
        same(await handle(guest, b"count"), b"1")
        with raising(GuestRejected, phase="handle-message"):
            await handle(guest, b"reject")
        same(await handle(guest, b"count"), b"2")
        reason = TrapReason.UNREACHABLE
        with raising(GuestTrapped, reason=reason, phase="handle-message"):
            await handle(guest, b"trap")
        is_a(guest.spent, GuestFailed)
        same(guest.handle_at_once(_message(b"x"), None), Unanswered.NOT_BEGUN)


async def _a_trap_spends_it(component: LoadedComponent) -> None:
    async with _started(component) as guest:
        reason = TrapReason.UNREACHABLE
        with raising(GuestTrapped, reason=reason, phase="handle-message"):
            await guest.handle_message(_message(b"trap"))
        is_a(guest.spent, GuestFailed)
        with raising(GuestSpent):
            await guest.handle_message(_message(b"hello"))


async def _a_deadline_does_not_stop_it(component: LoadedComponent) -> None:
    async with _started(component) as guest:
        deadline = trio.current_time() + _SOON
        with trio.move_on_after(2 * _SOON) as scope:
            await guest.handle_message(_message(b"hang", deadline))
        if not scope.cancelled_caught:
            raise AssertionError("a deadline of its asker should not end a call")


async def _its_own_limit_stops_it(component: LoadedComponent) -> None:
    services = cast("HostServices", _ExamServices())
    guest = await component.instantiate(Limits(execution_time=_SOON), services)
    try:
        await guest.initialize(ComponentConfig())
        with trio.fail_after(_LONG):
            with raising(GuestTrapped, reason=TrapReason.TIME_LIMIT):
                await guest.handle_message(_message(b"hang"))
        is_a(guest.spent, GuestFailed)
    finally:
        guest.close()


async def _a_cancelled_call_spends_it(component: LoadedComponent) -> None:
    async with _started(component) as guest:
        with trio.move_on_after(_SOON) as scope:
            await guest.handle_message(_message(b"hang"))
        if not scope.cancelled_caught:
            raise AssertionError("a cancelled call should end at once")
        is_a(guest.spent, GuestFailed)
        with raising(GuestSpent):
            await guest.metadata()


async def _a_failing_initialize_says_how(component: LoadedComponent) -> None:
    for data, error in ((b"trap", GuestTrapped), (b"reject", GuestRejected)):
        guest = await _make(component)
        try:
            with raising(error, phase="initialize"):
                await guest.initialize(ComponentConfig(data=data))
        finally:
            guest.close()


async def _closing_is_final_and_may_be_repeated(component: LoadedComponent) -> None:
    async with _started(component) as guest:
        guest.close()
        guest.close()
        with raising(GuestSpent):
            await guest.handle_message(_message(b"hello"))


async def _hands_its_state_over_and_keeps_it(component: LoadedComponent) -> None:
    async with _started(component) as old, _started(component) as new:
        if not old.hands_over:
            return
        await old.handle_message(_message(b"count"))
        await old.handle_message(_message(b"count"))
        state = await old.export_state()
        is_a(state, bytes)
        await new.import_state(state)
        same(await new.handle_message(_message(b"count")), b"3")
        same(await old.handle_message(_message(b"count")), b"3")
        same((old.spent, new.spent), (None, None))


async def _state_that_is_too_large_is_refused_and_it_lives_on(
    component: LoadedComponent,
) -> None:
    services = cast("HostServices", _ExamServices())
    guest = await component.instantiate(Limits(state_bytes=0), services)
    try:
        await guest.initialize(ComponentConfig())
        if not guest.hands_over:
            return
        await guest.handle_message(_message(b"count"))
        with raising(GuestRejected, phase="export-state", case="too-large"):
            await guest.export_state()
        same(guest.spent, None)
        same(await guest.handle_message(_message(b"count")), b"2")
    finally:
        guest.close()


async def _a_snapshot_is_exact_or_refused(component: LoadedComponent) -> None:
    services, limits = cast("HostServices", _ExamServices()), Limits()
    async with _started(component) as old:
        await old.handle_message(_message(b"count"))
        try:
            snapshot = await old.snapshot()
        except SnapshotRefused:
            same(await old.handle_message(_message(b"count")), b"2")
            return
        new = await component.restore(snapshot, limits, services)
        try:
            same(await new.handle_message(_message(b"count")), b"2")
            same(await old.handle_message(_message(b"count")), b"2")
        finally:
            new.close()


async def _a_start_from_a_snapshot_is_like_any_other(
    component: LoadedComponent,
) -> None:
    services, limits = cast("HostServices", _ExamServices()), Limits()
    try:
        snapshot = await component.initial_snapshot(ComponentConfig())
    except SnapshotRefused:
        return
    for _ in range(2):
        guest = await component.restore(snapshot, limits, services)
        try:
            same(await guest.handle_message(_message(b"count")), b"1")
        finally:
            guest.close()


GUEST_QUESTIONS: Final[tuple[Question, ...]] = (
    _answers_and_keeps_its_state,
    _instances_share_nothing,
    _a_typed_error_leaves_it_alive,
    _a_trap_spends_it,
    _a_deadline_does_not_stop_it,
    _its_own_limit_stops_it,
    _a_cancelled_call_spends_it,
    _a_failing_initialize_says_how,
    _closing_is_final_and_may_be_repeated,
    _at_once_is_as_good_as_later,
    _hands_its_state_over_and_keeps_it,
    _state_that_is_too_large_is_refused_and_it_lives_on,
    _a_snapshot_is_exact_or_refused,
    _a_start_from_a_snapshot_is_like_any_other,
)
"""For parametrizing a test; each takes a `LoadedComponent`."""


async def examine_guests(load: Callable[[], Awaitable[LoadedComponent]]) -> None:
    """Check every requirement, each with a component of its own.

    Args:
        load: Makes a component that behaves as this module describes: `count`, `trap`,
            `reject`, `hang`, and an echo.

    Raises:
        AssertionError: A requirement is not met; a note names it.
    """
    await put_async(GUEST_QUESTIONS, load)
