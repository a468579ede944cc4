"""The functions that wasmtime calls on the stack of a running guest.

They obey the rules in `airssys.wasm.engine`, and only do this:

* A *host call* sets the continuation before anything else: without one wasmtime aborts.
  It moves the arguments out, because wasmtime only keeps them until the callback
  returns, and records which function was called.
* A *continuation* reports whether the answer is there.
* A *destructor* records which of the host's resources the guest has dropped.
"""

from __future__ import annotations

import ctypes
import struct
import threading
from typing import TYPE_CHECKING, Final, Protocol, final

from trio.lowlevel import enable_ki_protection

from airssys.wasm import _c_api as c
from airssys.wasm.engine import HostCall
from airssys.wasm.values import MEMORY

from ._result_slots import ARGUMENTS, MAX_PARAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableSet

    from airssys.wasm.engine import Engine, Notebook

_write_pair: Final = struct.Struct("=QQ").pack_into
"""Of a continuation: its callback, and what the callback is given."""
_ZEROS: Final = bytes(MAX_PARAMS * c.VAL_SIZE)


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
        drop = c.DropCallback(_drop_over(polling, stores, inside))
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
        try:
            _write_pair(MEMORY, continuation, continuation_address, context)
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
            inside.discard(get_ident())
        except BaseException as error:  # noqa: BLE001, ASYNC103  # nothing may leave a callback
            _write_pair(MEMORY, continuation, continuation_address, context)
            inside.discard(get_ident())
            _fail(polling, context, error)

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
    polling: dict[int, Notebook],
    stores: Mapping[int, DropsNoted],
    inside: MutableSet[int],
) -> Callable[..., int]:
    get_ident = threading.get_ident

    @enable_ki_protection
    def guest_dropped(_env: int | None, context: int, number: int) -> int:
        try:
            inside.add(get_ident())
            dropped = stores[context].dropped
            if dropped is not None:
                dropped.append(number)
            inside.discard(get_ident())
        except BaseException as error:  # noqa: BLE001, ASYNC103  # nothing may leave a callback; it is dropped when its store closes
            inside.discard(get_ident())
            _fail(polling, context, error)
        return 0  # noqa: ASYNC104  # as above

    return guest_dropped


def _fail(polling: dict[int, Notebook], context: int, error: BaseException) -> None:
    call = polling.get(context)
    if call is not None:
        call.failure = error


def callbacks_of(engine: Engine) -> Callbacks:
    """Return the callbacks of an engine, which keeps them."""
    for kept in engine.keeps:
        if isinstance(kept, Callbacks):
            return kept
    ledger = engine.ledger
    made = Callbacks(engine.polling, ledger.inside, ledger.stores)
    engine.keeps.append(made)
    return made
