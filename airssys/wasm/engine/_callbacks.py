"""The functions that wasmtime calls on the stack of a running guest.

The theory. A callback runs in the middle of C, on the guest's stack. It must not raise
(a BaseException in a plain ctypes callback crashes the process, an exception in a
continuation makes the call hang), must not be interrupted by Ctrl-C, and must not free
anything in C. So all are protected from KeyboardInterrupt, and only do this:

* A *host call* sets the continuation before anything else: without one wasmtime aborts.
  It moves the arguments out, because wasmtime only keeps them until the callback
  returns, and records which function was called.
* A *continuation* reports whether the answer is there.
* A *destructor* records which of the host's resources the guest has dropped.

An exception is recorded in the call, which fails as soon as its poll returns. A
callback that cannot even start, because Python's recursion limit is reached, could not
record that. So the code that polls makes sure that there is some room first
(`leave_room`).
"""

from __future__ import annotations

import ctypes
import struct
import threading
from typing import TYPE_CHECKING, Final, Protocol, final

from trio.lowlevel import enable_ki_protection

from airssys.wasm import _c_api as c
from airssys.wasm.values import MEMORY

from ._result_slots import ARGUMENTS, MAX_PARAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableSet


_write_pair: Final = struct.Struct("=QQ").pack_into
"""Of a continuation: its callback, and what the callback is given."""
_ZEROS: Final = bytes(MAX_PARAMS * c.VAL_SIZE)


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


class DropsNoted(Protocol):
    """The part of a store that the destructor of its resources uses."""

    dropped: list[int] | None


@final
class Callbacks:
    """The three C callbacks of an engine; they must exist as long as its linkers."""

    def __init__(
        self,
        polling: dict[int, Notebook],
        inside: MutableSet[int],
        stores: Mapping[int, DropsNoted],
    ) -> None:
        continuation = c.ContinuationCallback(_continuation_over(polling))
        address = ctypes.cast(continuation, ctypes.c_void_p).value or 0
        host_call = c.HostCallback(_callback_over(polling, inside, address))
        drop = c.DropCallback(_drop_over(stores, inside))
        self._kept = (continuation, host_call, drop)
        self.host_call = ctypes.cast(host_call, ctypes.c_void_p).value or 0
        self.drop = ctypes.cast(drop, ctypes.c_void_p).value or 0


def _callback_over(
    polling: dict[int, Notebook], inside: MutableSet[int], continuation_address: int
) -> Callable[..., None]:
    get_ident = threading.get_ident

    @enable_ki_protection
    def host_was_called(  # the signature is C's
        function: int | None,
        context: int,
        _type: int,
        arguments: int,
        count: int,
        results: int,
        _result_count: int,
        _error: int,
        continuation: int,
    ) -> None:
        _write_pair(MEMORY, continuation, continuation_address, context)
        try:
            inside.add(get_ident())
            call = polling[context]
            if count:
                size = count * c.VAL_SIZE
                ours = call.slots + ARGUMENTS
                MEMORY[ours : ours + size] = MEMORY[arguments : arguments + size]
                # Kind 0 is a bool, so that wasmtime drops nothing that we have taken.
                nothing = _ZEROS[:size] if count <= MAX_PARAMS else bytes(size)
                MEMORY[arguments : arguments + size] = nothing
            call.note(HostCall(function or 0, results), count)
        except BaseException as error:  # noqa: BLE001, ASYNC103  # nothing may leave a callback
            _fail(polling, context, error)
        finally:
            inside.discard(get_ident())

    return host_was_called


def _continuation_over(polling: dict[int, Notebook]) -> Callable[[int | None], bool]:
    @enable_ki_protection
    def is_answered(context: int | None) -> bool:
        try:
            return polling[context or 0].answered
        except BaseException as error:  # noqa: BLE001, ASYNC103  # nothing may leave a callback
            _fail(polling, context or 0, error)
            return False  # noqa: ASYNC104  # as above

    return is_answered


def _drop_over(
    stores: Mapping[int, DropsNoted], inside: MutableSet[int]
) -> Callable[..., int]:
    get_ident = threading.get_ident

    @enable_ki_protection
    def guest_dropped(_env: int | None, context: int, number: int) -> int:
        try:
            inside.add(get_ident())
            dropped = stores[context].dropped
            if dropped is not None:
                dropped.append(number)
        except BaseException:  # noqa: BLE001, ASYNC103, S110  # nothing may leave a callback; it is dropped when its store closes
            pass
        finally:
            inside.discard(get_ident())
        return 0  # noqa: ASYNC104  # as above

    return guest_dropped


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


def _fail(polling: dict[int, Notebook], context: int, error: BaseException) -> None:
    call = polling.get(context)
    if call is not None:
        call.failure = error
