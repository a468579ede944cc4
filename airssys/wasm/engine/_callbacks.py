"""What the callbacks of guests record, on either lane, and the room that they need.

The theory. A callback runs in the middle of C, on the guest's stack. It must not raise
(a BaseException in a plain ctypes callback crashes the process, an exception in a
continuation makes the call hang), must not be interrupted by Ctrl-C, and must not free
anything in C. So all are protected from KeyboardInterrupt, and only record things.

An exception is recorded in the call, which fails as soon as its poll returns. A
callback that cannot even start, because Python's recursion limit is reached, could not
record that. So the code that polls makes sure that there is some room first
(`leave_room`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, final

if TYPE_CHECKING:
    from collections.abc import Callable


@final
class HostCall:
    """What the guest requested from the host, recorded by the callback."""

    __slots__ = ("function", "results")

    def __init__(self, function: int, results: int) -> None:
        self.function = function
        """Its number in the linker."""
        self.results = results
        """Address of the slot for the answer; valid until the future is deleted."""


class Notebook(Protocol):
    """The part of a call that callbacks use."""

    slots: int
    """Address of the store's own memory (`_slots`)."""
    answered: bool
    failure: BaseException | None

    def note(self, host_call: HostCall, count: int) -> None:
        """Record what the guest requests, with that many arguments."""
        ...


def _nest(levels: int) -> Callable[[], None]:
    """Make a function that does nothing but call itself that many levels deep."""
    if not levels:
        return lambda: None
    deeper = _nest(levels - 1)

    def call() -> None:
        deeper()

    return call


_seven_deep: Final = _nest(7)


def leave_room() -> None:
    """Raise the RecursionError here, so that a callback does not get it.

    Raises:
        RecursionError: the limit is less than eight calls away.
    """
    _seven_deep()
