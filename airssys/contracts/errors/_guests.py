"""Errors of guests, with the reason why they were stopped."""

from __future__ import annotations

import enum
from typing import Final, Self, final

from ._base import AirssysError, Fault


class TrapReason(enum.Enum):
    """Why a guest was stopped. Its instance is always spent afterwards."""

    UNREACHABLE = "unreachable"
    MEMORY_OUT_OF_BOUNDS = "memory out of bounds"
    TABLE_OUT_OF_BOUNDS = "table out of bounds"
    NULL_INDIRECT_CALL = "null indirect call"
    MISTYPED_INDIRECT_CALL = "mistyped indirect call"
    INTEGER_OVERFLOW = "integer overflow"
    DIVISION_BY_ZERO = "division by zero"
    BAD_CONVERSION = "bad conversion"
    STACK_EXHAUSTED = "stack exhausted"
    FUEL_EXHAUSTED = "fuel exhausted"
    TIME_LIMIT = "time limit"
    DEADLINE = "deadline"
    MEMORY_LIMIT = "memory limit"
    TABLE_LIMIT = "table limit"
    HOST_ALLOCATION_LIMIT = "host allocation limit"
    BAD_VALUE = "bad canonical-ABI value"
    HOST_ERROR = "host error"
    QUOTA = "quota"
    EXITED = "exited"
    NOT_GRANTED = "not granted"
    CANCELLED = "cancelled"
    OTHER = "other"


_FIX_GUEST: Final = "Fix the guest"
_ADVICE: Final = {
    TrapReason.STACK_EXHAUSTED: "Nest fewer calls, or raise guest_stack_bytes",
    TrapReason.FUEL_EXHAUSTED: "Do less in one call, or raise Limits.fuel",
    TrapReason.TIME_LIMIT: "Do less in one call, or raise Limits.execution_time",
    TrapReason.DEADLINE: (
        "Nothing is wrong with the guest; start a fresh instance, or give it more time"
    ),
    TrapReason.MEMORY_LIMIT: "Raise Limits.memory_bytes",
    TrapReason.TABLE_LIMIT: "Raise Limits.table_elements",
    TrapReason.HOST_ALLOCATION_LIMIT: (
        "Pass less data at once, or raise Limits.host_call_bytes"
    ),
    TrapReason.BAD_VALUE: "Fix the guest's bindings, or build it with another tool",
    TrapReason.HOST_ERROR: "Fix the host function; what it raised is the cause",
    TrapReason.QUOTA: "Use less of it, or raise the quota with quotas=",
    TrapReason.EXITED: (
        "A component that handles messages returns from its calls; `exit` ends its "
        "instance"
    ),
    TrapReason.NOT_GRANTED: "Grant it in can=, or build it without",
    TrapReason.CANCELLED: "Nothing is wrong with the guest; start a fresh instance",
}
"""What to do about each reason; for the others the advice is to fix the guest."""
_RUN: Final = "wasi:cli/run@"
"""What the phase of a program begins with."""
_FAULTS: Final = {
    TrapReason.DEADLINE: Fault.SENDER,
    TrapReason.CANCELLED: Fault.SENDER,
    TrapReason.HOST_ERROR: Fault.PROGRAM,
}
"""Whose fault a reason is, if not the guest's."""


class GuestFailed(AirssysError):
    """A guest did not do what was requested."""

    fault = Fault.GUEST


@final
class GuestTrapped(GuestFailed):
    """A guest was stopped in the middle of a call; its instance is spent.

    `fault` is the guest's, a host function's, or that of a caller that stopped waiting.
    """

    def __init__(
        self, reason: TrapReason, phase: str, text: str, status: int | None = None
    ) -> None:
        self.reason, self.phase, self.text = reason, phase, text
        self.status = status
        """What it exited with, if it called `exit` itself; 0 means success."""
        self.fault = _FAULTS.get(reason, Fault.GUEST)
        self.advice = _ADVICE.get(reason, _FIX_GUEST)
        if self.is_own_end:
            self.advice = ""
        super().__init__(reason, phase, text, *([] if status is None else [status]))

    @property
    def is_own_end(self) -> bool:
        """Whether a program ended itself with a status: nothing stopped it."""
        return self.reason is TrapReason.EXITED and self.phase.startswith(_RUN)

    def __str__(self) -> str:
        first_line = self.text.strip().partition("\n")[0]
        return self._with_advice(
            f"guest stopped in {self.phase}: {self.reason.value} ({first_line})"
        )


@final
class GuestRejected(GuestFailed):
    """A guest answered with a typed error of its own; its instance stays usable."""

    advice = "The guest is still usable; send what it can handle"

    def __init__(self, phase: str, case: str, detail: str | None) -> None:
        self.phase, self.case, self.detail = phase, case, detail
        super().__init__(phase, case, detail)

    def __str__(self) -> str:
        detail = f": {self.detail}" if self.detail else ""
        return self._with_advice(
            f"guest answered {self.phase} with {self.case}{detail}"
        )


@final
class GuestSpent(GuestFailed):
    """A spent instance was called, or is spent without having failed."""

    advice = "Start a fresh instance"

    def __init__(self, why: str, reason: TrapReason | None = None) -> None:
        self.why = why
        self.reason = reason
        """Why it was stopped; None if it was only closed."""
        if reason is not None:
            self.fault = _FAULTS.get(reason, Fault.GUEST)
        super().__init__(why, reason)

    @classmethod
    def after(cls, failure: GuestFailed) -> Self:
        """Make the error for calling an instance that was spent by this failure."""
        match failure:
            case GuestSpent():
                return cls(failure.why, failure.reason)
            case GuestTrapped():
                why = f"{failure.reason.value} in {failure.phase}"
                return cls(why, failure.reason)
            case _:
                return cls(str(failure))

    def __str__(self) -> str:
        return self._with_advice(f"this instance is spent: {self.why}")


@final
class SnapshotRefused(AirssysError):
    """A snapshot of a guest could not be taken, read or used; the guest is unharmed."""

    fault = Fault.GUEST
    advice = "Start it without a snapshot"

    def __init__(self, problem: str, advice: str = "") -> None:
        self.problem = problem
        if advice:
            self.advice = advice
        super().__init__(problem)

    def __str__(self) -> str:
        return self._with_advice(f"no snapshot: {self.problem}")
