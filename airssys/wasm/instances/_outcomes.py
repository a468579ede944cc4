"""Turns what ended a call into an error, and decides whether the instance is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from airssys.contracts import (
    CapacityReached,
    GuestRejected,
    GuestTrapped,
    StoppedByQuota,
    TrapReason,
    is_a,
    repr_of,
)
from airssys.wasm.engine import CallbackFailed, WasmtimeFailed, failure_of
from airssys.wasm.host import EXPORT_STATE, StopGuest
from airssys.wasm.lane.abi import RuleBroken
from airssys.wasm.values import TooMuch, ValueUnfit

from ._driver import HostFailed, Late, Overdue

if TYPE_CHECKING:
    from airssys.contracts import Limits


_REASONS: Final[dict[type[BaseException], TrapReason]] = {
    Late: TrapReason.TIME_LIMIT,
    StoppedByQuota: TrapReason.QUOTA,
    Overdue: TrapReason.DEADLINE,
    RuleBroken: TrapReason.BAD_VALUE,
}
"""By errors whose text says all there is to say."""
MAX_SHOWN: Final = 500
"""Characters of a host function's exception that go into the text of the failure."""


def unnamed(phase: str) -> GuestTrapped:
    """Return why an instance is spent before the cause is known."""
    return GuestTrapped(TrapReason.HOST_ERROR, phase, "the cause is not known")


def name_failure(
    error: BaseException, phase: str, limits: Limits
) -> tuple[BaseException, GuestTrapped | None]:
    """Return the errors for a call that ended in `phase`.

    Returns:
        What to raise, and why the instance is spent: None if it is not.
    """
    match error:
        case GuestRejected() | CapacityReached() | ValueUnfit():
            return error, None
        case WasmtimeFailed():
            failure = failure_of(str(error), phase)
            return failure, failure if isinstance(failure, GuestTrapped) else None
        case TooMuch() if phase == EXPORT_STATE:
            return too_much_state(None, limits.state_bytes), None
        case TooMuch():
            most = limits.host_call_bytes
            text = f"more than {most} bytes for the host to keep (host_call_bytes)"
            stopped = GuestTrapped(TrapReason.HOST_ALLOCATION_LIMIT, phase, text)
        case CallbackFailed() | HostFailed() if is_a(error.__cause__, StopGuest):
            why = cast("StopGuest", error.__cause__)
            stopped = GuestTrapped(why.reason, phase, why.text, why.status)
        case CallbackFailed() | HostFailed():
            stopped = _of_host(error.__cause__, phase)
        case Late() | RuleBroken() | StoppedByQuota():  # an Overdue is a Late
            stopped = GuestTrapped(_REASONS[type(error)], phase, str(error))
        case _:
            text = "the call was cancelled"
            return error, GuestTrapped(TrapReason.CANCELLED, phase, text)
    return stopped, stopped


def _of_host(cause: BaseException | None, phase: str) -> GuestTrapped:
    """Name what a host function raised."""
    if is_a(cause, StoppedByQuota):
        return GuestTrapped(TrapReason.QUOTA, phase, str(cause))
    text = f"a host function failed: {repr_of(cause, MAX_SHOWN)}"
    return GuestTrapped(TrapReason.HOST_ERROR, phase, text)


def too_much_state(size: int | None, most: int) -> GuestRejected:
    """Make the error for a state that is too large to be handed over."""
    found = "more" if size is None else f"{size} bytes, more"
    text = f"{found} than {most} bytes (state_bytes)"
    return GuestRejected(EXPORT_STATE, "too-large", text)
