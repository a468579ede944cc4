"""What is open in C, and the only order in which it may be closed.

The theory. wasmtime aborts the process if a store is deleted while a call future still
borrows it, and reads freed memory if a linker or a component is deleted before the
future of an instantiation. Python does not promise the order in which it finalises
objects: in cyclic garbage any `__del__` may run first. So the handles that users hold
(`Engine`, `Store`, `Call`) own nothing. This ledger owns everything, as plain data
without finalisers. It knows what must be closed first, whichever handle is closed
first; for later handles nothing is left to do.

Three more rules follow from where finalisers may run:

* *In a callback*, on the stack of a running guest: nothing in C may be freed there, so
  what is found then is only set aside, and swept later.
* *In a forked child*: the child has the memory but not the threads; nothing is freed,
  because the operating system frees all of it at exit.
* *At interpreter exit*: the same.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
import weakref
from collections import deque
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, final

from airssys.contracts import EngineMisused
from airssys.wasm import _c_api as c

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airssys.wasm.values import Block


class Closes(Protocol):
    """What is closed after a store, or after all of them."""

    def close(self) -> None:
        """Delete it; does nothing twice."""
        ...


@final
class OpenStore:
    """One store in C, and what its call, if there is one, has borrowed."""

    __slots__ = (
        "begun",
        "context",
        "dropped",
        "future",
        "handles",
        "keep",
        "lock",
        "owed",
        "pointer",
        "scratch",
        "slots",
    )

    def __init__(self, pointer: int, context: int, slots: Block) -> None:
        self.pointer = pointer
        """0 once the store is deleted."""
        self.context = context
        self.lock = threading.Lock()
        """Held by the code that uses the store; taken without waiting."""
        self.future = 0
        """The call future; while it is not 0 the store must not be entered."""
        self.begun = 0
        """How many calls have begun; a `Call` with an older number has no effect."""
        self.slots = slots
        """Memory that the future writes to: result, error, arguments of host calls."""
        self.owed: tuple[int, ...] = ()
        """Addresses of values that wasmtime gave us: arguments, or the result."""
        self.keep: object = None
        """What the future reads, kept alive until it is deleted."""
        self.handles: Any = None
        """The host's resources that the guest may hold, if its world has some: `HeldThings`
        of the kind that its store needs."""
        self.scratch: Closes | None = None
        """Its part of the memory that stores share, if it has one."""
        self.dropped: list[int] | None = None
        """The resources that it dropped, noted by the destructor; None: it has none."""

    def pay(self) -> None:
        """Delete the values that wasmtime gave us."""
        owed, self.owed = self.owed, ()
        for address in owed:
            c.val_delete(address)
        # The result is first. Kind 0 is a bool, which can be dropped again: wasmtime
        # drops the previous value when it writes the next result.
        self.slots.data[0] = 0


@final
class Ledger:
    """Everything that one engine has open in C."""

    def __init__(self) -> None:
        self.is_forked = False
        """Whether this is a copy in a forked child."""
        self._process = os.getpid()
        self.stores: dict[int, OpenStore] = {}
        """By the address of their context."""
        self.components: set[int] = set()
        self.indices: set[int] = set()
        """Export indices of the components."""
        self.linkers: set[int] = set()
        self.cores: set[Closes] = set()
        """Components that are run as core modules, with linkers of their own, and the
        memory that their stores share."""
        self.inside: set[int] = set()
        """Idents of the threads that are in a callback right now."""
        self.found: deque[tuple[str, OpenStore]] = deque()
        """What the garbage collector found and `sweep` has not closed yet."""
        _ledgers.add(self)

    def check_process(self) -> None:
        """Refuse to work in a forked child.

        Raises:
            EngineMisused: This is not the process in which the engine was created.
        """
        if self.is_forked:
            raise EngineMisused(
                f"this engine belongs to process {self._process} and was copied into "
                f"{os.getpid()} by fork, where its ticker thread does not exist: open "
                "a new system in the child, or start it with spawn or subprocess"
            )

    def close_call(self, store: OpenStore) -> None:
        """Delete the future first, then the values; calling it again does nothing."""
        future, store.future = store.future, 0
        if future:
            c.future_delete(future)
        store.pay()
        store.keep = None
        if store.handles is not None and store.pointer:
            store.handles.end_call()

    def close_store(self, store: OpenStore) -> None:
        """Delete a store, its call first; calling it again does nothing."""
        self.close_call(store)
        pointer, store.pointer = store.pointer, 0
        if pointer:
            c.store_delete(pointer)
            if store.scratch is not None:
                store.scratch.close()
        # Another thread may have got the address for a new store by now.
        if self.stores.get(store.context) is store:
            del self.stores[store.context]
        if pointer and store.handles is not None:
            store.handles.close()

    def close(self) -> None:
        """Delete everything in order: calls, stores, linkers, indices, components.

        Raises:
            BaseException: What the destructor of a resource raised to end the program;
                everything is deleted nevertheless.
        """
        if not self.may_free:
            return
        with ExitStack() as rest:
            rest.callback(self._close_code)
            for store in list(self.stores.values()):
                rest.callback(self.close_store, store)

    def _close_code(self) -> None:
        while self.cores:
            self.cores.pop().close()
        while self.linkers:
            c.linker_delete(self.linkers.pop())
        while self.indices:
            c.export_index_delete(self.indices.pop())
        while self.components:
            c.component_delete(self.components.pop())
        self.sweep()

    @contextmanager
    def all_held(self) -> Iterator[None]:
        """Lock all stores.

        Raises:
            EngineMisused: One of them is being used.
        """
        held: list[threading.Lock] = []
        try:
            for store in list(self.stores.values()):
                if not store.lock.acquire(blocking=False):
                    raise EngineMisused(
                        "a guest is being polled: close an engine only after its calls "
                        "have ended"
                    )
                held.append(store.lock)
            yield
        finally:
            for lock in held:
                lock.release()

    def abandon(self, what: str, store: OpenStore) -> None:
        """Record, from a finaliser, a call or store that was not closed."""
        if not self.may_free:
            return
        self.found.append((what, store))
        if threading.get_ident() not in self.inside:
            self.sweep()

    def sweep(self) -> None:
        """Close what the garbage collector found, with a ResourceWarning each."""
        for _ in range(len(self.found)):
            what, store = self.found.popleft()
            if not store.lock.acquire(blocking=False):
                self.found.append((what, store))
                continue
            try:
                (self.close_call if what == "call" else self.close_store)(store)
            finally:
                store.lock.release()
            warnings.warn(
                f"a guest {what} was not closed and was found by the garbage collector",
                ResourceWarning,
                stacklevel=2,
            )

    @property
    def may_free(self) -> bool:
        """Whether the memory in C is ours to free: not in a fork, nor at exit."""
        return not sys.is_finalizing() and not self.is_forked


_ledgers: weakref.WeakSet[Ledger] = weakref.WeakSet()


def _note_fork() -> None:
    for ledger in _ledgers:
        ledger.is_forked = True


# Asking the kernel at each call of a guest would work too, but costs more.
os.register_at_fork(after_in_child=_note_fork)
