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
If it hands state over, that is its count.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias, cast, final

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
    TrapReason,
    Unanswered,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.contracts import Guest, HostServices, LogLevel

_ME: Final = ComponentId.parse("examinee")
_SENDER: Final = ComponentId.parse("examiner")
_SOON, _LONG = 0.05, 10.0

Question: TypeAlias = Callable[[LoadedComponent], Awaitable[None]]
"""One thing that a guest must do; raises `AssertionError` if it does not."""


@final
class _ExamServices:
    """The least that a guest needs: a name, sleep, a log that is not read."""

    def self_id(self) -> ComponentId:
        return _ME

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    def log(
        self, level: LogLevel, message: str, context: Sequence[tuple[str, str]]
    ) -> None:
        pass


def _message(payload: bytes, deadline: float | None = None) -> Envelope:
    return Envelope(_ME, _SENDER, payload, deadline=deadline)


def _same(found: object, wanted: object) -> None:
    if found != wanted:
        raise AssertionError(f"it should be {wanted!r}, and is {found!r}")


def _is(value: object, kind: type[object]) -> None:
    if not isinstance(value, kind):
        raise AssertionError(f"it should be a {kind.__name__}, and is {value!r}")  # noqa: TRY004  # an exam fails so


@contextmanager
def _raising(kind: type[GuestFailed], **fields: object) -> Iterator[None]:
    try:
        yield
    except kind as error:
        for name, value in fields.items():
            _same(getattr(error, name), value)
        return
    raise AssertionError(f"it should raise {kind.__name__}, and raises nothing")


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
        _same(guest.spent, None)
        _same(await guest.handle_message(_message(b"hello")), b"hello")
        _same(await guest.handle_message(_message(b"count")), b"1")
        _same(await guest.handle_message(_message(b"count")), b"2")
        _is(await guest.metadata(), ComponentMetadata)
        _is(await guest.health(), HealthStatus)
        await guest.shutdown()
        _same(guest.spent, None)


async def _instances_share_nothing(component: LoadedComponent) -> None:
    async with _started(component) as second:
        async with _started(component) as first:
            await first.handle_message(_message(b"count"))
            _same(await second.handle_message(_message(b"count")), b"1")
        _same(await second.handle_message(_message(b"count")), b"2")


async def _a_typed_error_leaves_it_alive(component: LoadedComponent) -> None:
    async with _started(component) as guest:
        await guest.handle_message(_message(b"count"))
        with _raising(GuestRejected, phase="handle-message"):
            await guest.handle_message(_message(b"reject"))
        _same(guest.spent, None)
        _same(await guest.handle_message(_message(b"count")), b"2")


async def _at_once_is_as_good_as_later(component: LoadedComponent) -> None:
    async def handle(guest: Guest, payload: bytes) -> bytes | None:
        message, owner = _message(payload), trio.lowlevel.current_task()
        answer = guest.handle_at_once(message, owner)
        if isinstance(answer, Unanswered):
            return await guest.handle_message(message)
        return answer

    async with _started(component) as guest:
        _same(await handle(guest, b"hello"), b"hello")
        _same(await handle(guest, b"count"), b"1")
        with _raising(GuestRejected, phase="handle-message"):
            await handle(guest, b"reject")
        _same(await handle(guest, b"count"), b"2")
        reason = TrapReason.UNREACHABLE
        with _raising(GuestTrapped, reason=reason, phase="handle-message"):
            await handle(guest, b"trap")
        _is(guest.spent, GuestFailed)
        _same(guest.handle_at_once(_message(b"x"), None), Unanswered.NOT_BEGUN)


async def _a_trap_spends_it(component: LoadedComponent) -> None:
    async with _started(component) as guest:
        reason = TrapReason.UNREACHABLE
        with _raising(GuestTrapped, reason=reason, phase="handle-message"):
            await guest.handle_message(_message(b"trap"))
        _is(guest.spent, GuestFailed)
        with _raising(GuestSpent):
            await guest.handle_message(_message(b"hello"))


async def _a_deadline_stops_it(component: LoadedComponent) -> None:
    async with _started(component) as guest:
        deadline = trio.current_time() + _SOON
        with trio.fail_after(_LONG):
            with _raising(GuestTrapped, reason=TrapReason.TIME_LIMIT):
                await guest.handle_message(_message(b"hang", deadline))
        _is(guest.spent, GuestFailed)


async def _a_cancelled_call_spends_it(component: LoadedComponent) -> None:
    async with _started(component) as guest:
        with trio.move_on_after(_SOON) as scope:
            await guest.handle_message(_message(b"hang"))
        if not scope.cancelled_caught:
            raise AssertionError("a cancelled call should end at once")
        _is(guest.spent, GuestFailed)
        with _raising(GuestSpent):
            await guest.metadata()


async def _a_failing_initialize_says_how(component: LoadedComponent) -> None:
    for data, error in ((b"trap", GuestTrapped), (b"reject", GuestRejected)):
        guest = await _make(component)
        try:
            with _raising(error, phase="initialize"):
                await guest.initialize(ComponentConfig(data=data))
        finally:
            guest.close()


async def _closing_is_final_and_may_be_repeated(component: LoadedComponent) -> None:
    async with _started(component) as guest:
        guest.close()
        guest.close()
        with _raising(GuestSpent):
            await guest.handle_message(_message(b"hello"))


async def _hands_its_state_over_and_keeps_it(component: LoadedComponent) -> None:
    async with _started(component) as old, _started(component) as new:
        if not old.hands_over:
            return
        await old.handle_message(_message(b"count"))
        await old.handle_message(_message(b"count"))
        state = await old.export_state()
        _is(state, bytes)
        await new.import_state(state)
        _same(await new.handle_message(_message(b"count")), b"3")
        _same(await old.handle_message(_message(b"count")), b"3")
        _same((old.spent, new.spent), (None, None))


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
        with _raising(GuestRejected, phase="export-state", case="too-large"):
            await guest.export_state()
        _same(guest.spent, None)
        _same(await guest.handle_message(_message(b"count")), b"2")
    finally:
        guest.close()


GUEST_QUESTIONS: Final[tuple[Question, ...]] = (
    _answers_and_keeps_its_state,
    _instances_share_nothing,
    _a_typed_error_leaves_it_alive,
    _a_trap_spends_it,
    _a_deadline_stops_it,
    _a_cancelled_call_spends_it,
    _a_failing_initialize_says_how,
    _closing_is_final_and_may_be_repeated,
    _at_once_is_as_good_as_later,
    _hands_its_state_over_and_keeps_it,
    _state_that_is_too_large_is_refused_and_it_lives_on,
)
"""To parametrize a test with; each takes a `LoadedComponent`."""


async def examine_guests(load: Callable[[], Awaitable[LoadedComponent]]) -> None:
    """Put every question to a component of its own.

    Args:
        load: makes a component that behaves as the module `_guest_exam` says: `count`,
            `trap`, `reject`, `hang`, and an echo.

    Raises:
        AssertionError: a guest does not do what it must; a note names the question.
    """
    for question in GUEST_QUESTIONS:
        try:
            await question(await load())
        except AssertionError as error:
            error.add_note(getattr(question, "__name__", "").strip("_"))
            raise
