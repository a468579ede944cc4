"""One call into a guest, on a fiber of its own: start, poll, answer, drop.

The theory. wasmtime runs an async call on a separate stack, a fiber. `future_poll`
switches to it and returns when the guest has finished, has called the host, or has used
up its epochs; in between, the Trio task decides when to poll again. The guest cannot
block the thread for longer, and deleting the future ends the guest wherever it is. For
that to be safe, these rules must be followed:

1. *While a future exists its store must not be entered*, by a second call, a second
   thread, or the guest's own host function. All three are refused here, before they reach
   C, by one lock that is taken without waiting.
2. *Memory passed to a call must not move until its future is deleted*: arguments, result,
   error, and the handle of the function. A `Call` keeps all of it, and its store.
3. *Result slots hold a value that can be dropped* (kind 0, bool) before each call:
   wasmtime assigns to them and drops the previous value.
4. *Callbacks run on the guest's stack, in the middle of C*, and only record things
   (`_callbacks`). If one fails, the call fails as soon as the poll returns.
5. *A host call is answered between polls*: the answer is written to its result slot, and
   the continuation merely reports that it is there.
6. *Closing has an order*, which `_ledger` keeps.

A call belongs to the Trio task that started it (passed as `owner`); no other task may
poll or answer it. It may be polled from different threads, one at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from airssys.contracts import EngineMisused

if TYPE_CHECKING:
    import threading

CLOSED: Final = "this store is closed"
IN_A_CALL: Final = (
    "this store is in the middle of a call: a guest handles one call at a time and cannot "
    "be entered from its own host function"
)
ENTERED: Final = (
    "this store is being polled, by another thread or by the guest that just called "
    "the host; only one at a time can enter it"
)


class WasmtimeFailed(Exception):  # not for users: `_traps` gives it a reason
    """wasmtime ended a call with this text."""


class CallbackFailed(Exception):  # not for users: becomes a host error
    """Our own code failed on the guest's stack; the cause is chained."""


@final
class Entered:
    """A lock that is taken without waiting, or refused."""

    __slots__ = ("_lock",)

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise EngineMisused(ENTERED)

    def __exit__(self, *_: object) -> None:
        self._lock.release()
