"""Taking the state of an instance, and writing it over a fresh one; in pieces.

Each generator here does a piece of its work, of up to half a millisecond, and yields.
In between the instance must not be entered. Nothing is awaited, so the caller decides
when the next piece is due. Each piece checks that the store is still open, because an
instance may be closed at any time.

Whether the functions in a table are those of a fresh instance is decided by arithmetic.
All functions of a core instance are described in one block of its own. So a function of
this instance and the same function of a fresh one are as far from each other as any
other two functions of the same two core instances.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, final

import attrs

from airssys.contracts import SnapshotRefused
from airssys.wasm.engine import Entered
from airssys.wasm.lane.abi import Entry
from airssys.wasm.lane.snapshots import (
    CHUNK,
    PAGE,
    FreshImage,
    Handle,
    HandleState,
    PageChanges,
    Snapshot,
)
from airssys.wasm.values import Block, error_text

from . import _c_api as c
from ._linking import Source
from ._memory import LinearMemory

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from airssys.wasm.lane.abi import ComponentState
    from airssys.wasm.lane.snapshots import MemoryState

    from ._instance import CoreInstance

_CHUNKS_AT_ONCE: Final = 32
"""Comparing 2 MiB takes half a millisecond."""
_ELEMENTS_AT_ONCE: Final = 512
_GLOBALS_AT_ONCE: Final = 256
_COMPARED_AT_ONCE: Final = 4096
_MOST_HANDLES: Final = 10_000
"""More of them would be read and written for longer than a tick."""
_NUMBERS: Final = 5
"""Types below this are numbers, `funcref` is the first that is not."""
_FUNCREF: Final = 5
_FUNCTION: Final = struct.Struct("<QQ")
"""A function as wasmtime has it: whose it is, 0 for null, and its address."""
_OWN: Final = "it has a memory, table or global of a kind that snapshots do not know"

T = TypeVar("T")
Pieces: TypeAlias = "Generator[None, None, None]"


@final
@attrs.frozen(eq=False)
class _Parts:
    """Where the state of one instance is, by what its modules export."""

    memories: tuple[Source, ...]
    tables: tuple[Source, ...]
    globals: tuple[Source, ...]
    functions: tuple[Source, ...]

    @classmethod
    def of(cls, instance: CoreInstance) -> _Parts:
        """Find them.

        Raises:
            SnapshotRefused: some of them are of a kind that is not known here.
        """
        known = instance.code.state_parts
        if isinstance(known, cls):
            return known
        memories: list[Source] = []
        tables: list[Source] = []
        mutable: list[Source] = []
        functions: list[Source] = []
        for number, step in enumerate(instance.code.linking.steps):
            if step.exposed is None:
                raise SnapshotRefused(_OWN)
            memories += (Source(number, n) for n in step.exposed.memory_names)
            tables += (Source(number, n) for n in step.exposed.table_names)
            mutable += (Source(number, n) for n in step.exposed.global_names)
            if step.exposed.has_function:
                functions.append(Source(number, step.exposed.function_name))
        found = cls(tuple(memories), tuple(tables), tuple(mutable), tuple(functions))
        instance.code.state_parts = found
        return found


@final
class StateReader:
    """Reads the state of an instance that is in no call."""

    def __init__(self, instance: CoreInstance) -> None:
        """Look where its state is.

        Raises:
            SnapshotRefused: it has some of a kind that is not known here.
        """
        self._instance, self._opened = instance, instance.opened
        self._parts = _Parts.of(instance)
        self._extern = Block(c.EXTERN_SIZE)
        self._value = Block(c.VAL_SIZE)

    def fresh_image(self) -> Generator[None, None, FreshImage]:
        """Read all of it; the instance was not called yet."""
        memories: list[list[bytes]] = []
        for source in self._parts.memories:
            memories.append([])
            for _, content in self._chunks(source):
                memories[-1].append(FreshImage.chunk(content))
                if len(memories[-1]) % _CHUNKS_AT_ONCE == 0:
                    yield
        tables: list[tuple[int, ...]] = []
        for source in self._parts.tables:
            tables += [(yield from self._table(source))]
        mutable = yield from self._globals()
        return FreshImage(
            tuple(map(tuple, memories)), tuple(tables), self._functions(), mutable
        )

    def take(
        self, fresh: FreshImage, component: bytes, most: int
    ) -> Generator[None, None, Snapshot]:
        """Take a snapshot.

        Args:
            fresh: a fresh instance with the same limits.
            component: what identifies the component.
            most: how many bytes of pages it may have.

        Raises:
            SnapshotRefused: something cannot go along, or it is too large.
        """
        with self._entered():
            handles = _handles_of(self._instance)
        memories: list[MemoryState] = []
        for source, before in zip(self._parts.memories, fresh.memories, strict=True):
            memories.append((yield from self._changes(source, before, most)))
            most -= len(memories[-1].content)
        yield from self._check_tables(fresh)
        return Snapshot(
            component,
            tuple(memories),
            tuple(map(len, fresh.tables)),
            (yield from self._changed_globals(fresh)),
            handles,
        )

    # ---------------------------------------------------- memories

    def _memory(self, source: Source) -> LinearMemory:
        extern = self._place(source)
        return LinearMemory(self._opened.context, extern + c.EXTERN_OF)

    def _chunks(self, source: Source) -> Iterator[tuple[int, bytes]]:
        at = number = 0
        while True:
            with self._entered():
                view = self._memory(source).refresh()
                piece = [
                    bytes(view[start : start + CHUNK])
                    for start in range(
                        at, min(len(view), at + CHUNK * _CHUNKS_AT_ONCE), CHUNK
                    )
                ]
            if not piece:
                return
            for content in piece:
                yield number, content
                number += 1
            at += CHUNK * len(piece)

    def _changes(
        self, source: Source, before: tuple[bytes, ...], most: int
    ) -> Generator[None, None, MemoryState]:
        with self._entered():
            size = len(self._memory(source).refresh())
        changes = PageChanges(before, size)
        for number, content in self._chunks(source):
            changes.compare(number, content)
            if changes.kept > most:
                problem = "more has changed in its memory than snapshot_bytes allows"
                raise SnapshotRefused(problem, "Raise Limits.snapshot_bytes")
            if number % _CHUNKS_AT_ONCE == _CHUNKS_AT_ONCE - 1:
                yield
        return changes.state()

    # ---------------------------------------------------- tables

    def _table(self, source: Source) -> Generator[None, None, tuple[int, ...]]:
        found: list[int] = []
        while True:
            with self._entered():
                is_all = self._read_elements(self._place(source), found)
            if is_all:
                return tuple(found)
            yield

    def _read_elements(self, extern: int, found: list[int]) -> bool:
        """Read more of a table; says whether that was the rest."""
        context, value, table = self._opened.context, self._value, extern + c.EXTERN_OF
        get, at, data = c.table_get, value.base, value.data
        size: int = c.table_size(context, table)
        end = min(size, len(found) + _ELEMENTS_AT_ONCE)
        for index in range(len(found), end):
            get(context, table, index, at)
            owner, address = _FUNCTION.unpack_from(data, c.VAL_OF)
            if owner and data[0] != _FUNCREF:
                raise SnapshotRefused("a table of it holds references to the host")
            found.append(address if owner else 0)
        return end == size

    def _functions(self) -> tuple[int, ...]:
        found = []
        with self._entered():
            for source in self._parts.functions:
                self._place(source)
                found.append(_FUNCTION.unpack_from(self._extern.data, c.EXTERN_OF)[1])
        return tuple(found)

    def _check_tables(self, fresh: FreshImage) -> Pieces:
        pairs = zip(self._functions(), fresh.functions, strict=True)
        distances = {here - there for here, there in pairs}
        for source, before in zip(self._parts.tables, fresh.tables, strict=True):
            present = yield from self._table(source)
            if len(present) != len(before):
                raise SnapshotRefused("it has changed a table of functions")
            for start in range(0, len(present), _COMPARED_AT_ONCE):
                part = slice(start, start + _COMPARED_AT_ONCE)
                for here, there in zip(present[part], before[part], strict=True):
                    if here != there or here:
                        self._check_function(here, there, distances)
                yield

    @staticmethod
    def _check_function(here: int, there: int, distances: set[int]) -> None:
        if not here or not there or here - there not in distances:
            raise SnapshotRefused("it has changed a table of functions")

    # ---------------------------------------------------- globals

    def _globals(self) -> Generator[None, None, tuple[tuple[int, bytes], ...]]:
        found: list[tuple[int, bytes]] = []
        sources = self._parts.globals
        for start in range(0, len(sources), _GLOBALS_AT_ONCE):
            with self._entered():
                found += map(
                    self._read_global, sources[start : start + _GLOBALS_AT_ONCE]
                )
            yield
        return tuple(found)

    def _read_global(self, source: Source) -> tuple[int, bytes]:
        place, value = self._place(source) + c.EXTERN_OF, self._value
        c.global_get(self._opened.context, place, value.base)
        kind = value.data[0]
        content = bytes(value.data[c.VAL_OF : c.VAL_OF + 16])
        if kind < _NUMBERS:
            return kind, content[: _SIZES[kind]] + bytes(16 - _SIZES[kind])
        if _FUNCTION.unpack(content)[0]:
            raise SnapshotRefused("a global of it holds a reference")
        return kind, bytes(16)

    def _changed_globals(
        self, fresh: FreshImage
    ) -> Generator[None, None, tuple[tuple[int, int, bytes], ...]]:
        present = yield from self._globals()
        pairs = zip(present, fresh.globals, strict=True)
        return tuple(
            (number, *now)
            for number, (now, before) in enumerate(pairs)
            if now != before
        )

    # ---------------------------------------------------- small things

    def _entered(self) -> Entered:
        check_open(self._instance)
        return Entered(self._opened.lock)

    def _place(self, source: Source) -> int:
        """Look something up; what is returned is good until the next one."""
        return self._instance.find(source, self._extern.base)


_SIZES: Final = (4, 8, 4, 8, 16)
"""Bytes of numbers, by type."""


def check_open(instance: CoreInstance) -> None:
    """Check that an instance is in no call, and can be called.

    Raises:
        SnapshotRefused: it is not.
    """
    if not instance.opened.pointer or instance.is_spent:
        raise SnapshotRefused("the instance is spent or closed")
    if instance.opened.future:
        raise SnapshotRefused(
            "the instance is in the middle of a call", "Take it between two calls"
        )


def _handles_of(instance: CoreInstance) -> tuple[HandleState, ...]:
    """Read what its handles stand for.

    Raises:
        SnapshotRefused: some are resources of the host.
    """
    if len(instance.things):
        raise SnapshotRefused(
            f"the guest holds {len(instance.things)} resources of the host",
            "Have it drop them before",
        )
    if instance.resources.are_held:
        raise SnapshotRefused(
            "resources of the guest are held outside it",
            "Close them, or give them back, before",
        )
    if sum(map(len, instance.states)) > _MOST_HANDLES:
        problem = f"it has more than {_MOST_HANDLES} handles of its own resources"
        raise SnapshotRefused(problem)
    return tuple(map(_state_of, instance.states))


def _state_of(state: ComponentState) -> HandleState:
    count, entries, free = state.contents()
    handles = []
    for number, entry in entries:
        if entry.borrowed_for is not None or entry.lends:
            raise SnapshotRefused("a resource is lent")
        handles.append(Handle(number, entry.resource, entry.representation))
    return HandleState(count, tuple(handles), tuple(free))


@final
class StateWriter:
    """Writes a snapshot over a fresh instance."""

    def __init__(self, instance: CoreInstance, snapshot: Snapshot) -> None:
        """Check that they belong together.

        Raises:
            SnapshotRefused: they do not.
        """
        self._instance, self._snapshot = instance, snapshot
        self._parts = _Parts.of(instance)
        self._reader = StateReader(instance)
        self._extern, self._value = Block(c.EXTERN_SIZE), Block(c.VAL_SIZE)
        self._check()

    def _check(self) -> None:
        parts, snapshot = self._parts, self._snapshot
        shapes = (
            (len(parts.memories), len(snapshot.memories)),
            (len(parts.tables), len(snapshot.tables)),
            (len(self._instance.states), len(snapshot.handles)),
        )
        if any(here != there for here, there in shapes):
            raise SnapshotRefused("it belongs to a component with other parts")
        if any(number >= len(parts.globals) for number, *_ in snapshot.globals):
            raise SnapshotRefused("it belongs to a component with other globals")
        resources = self._instance.code.plan.resources
        if sum(len(each.handles) for each in snapshot.handles) > _MOST_HANDLES:
            raise SnapshotRefused(f"it has more than {_MOST_HANDLES} handles")
        for state in snapshot.handles:
            for handle in state.handles:
                known = resources.get(handle.resource)
                if known is None or known.instance is None:
                    raise SnapshotRefused("it has a handle of an unknown resource")

    def put(self) -> Pieces:
        """Write it. If that fails, the instance must not be used.

        Raises:
            SnapshotRefused: the instance is not fresh, or not allowed to be so large.
        """
        check_open(self._instance)
        context = self._instance.opened.context
        for source, size in zip(self._parts.tables, self._snapshot.tables, strict=True):
            with self._entered():
                table = self._place(source) + c.EXTERN_OF
                if c.table_size(context, table) != size:
                    raise SnapshotRefused("its tables have other sizes")
        for source, state in zip(
            self._parts.memories, self._snapshot.memories, strict=True
        ):
            yield from self._put_memory(source, state)
        for some in _some_of(self._snapshot.globals):
            with self._entered():
                for number, kind, content in some:
                    self._put_global(self._parts.globals[number], kind, content)
            yield
        with self._entered():
            pairs = zip(self._instance.states, self._snapshot.handles, strict=True)
            for there, here in pairs:
                entries = [
                    (h.number, Entry(h.resource, h.representation, None))
                    for h in here.handles
                ]
                there.restore(here.count, entries, here.free)

    def _put_memory(self, source: Source, state: MemoryState) -> Pieces:
        with self._entered():
            memory = self._memory(source)
            if len(memory.refresh()) != state.fresh_size:
                problem = "its memory has another size in a fresh instance"
                raise SnapshotRefused(problem)
            self._grow(memory, state)
        content, at = memoryview(state.content), 0
        for pages in _some_of(state.pages):
            with self._entered():
                view = self._memory(source).refresh()
                for page in pages:
                    view[page * PAGE : page * PAGE + PAGE] = content[at : at + PAGE]
                    at += PAGE
            yield
        for pages in _some_of(state.zeroed):
            with self._entered():
                view = self._memory(source).refresh()
                for page in pages:
                    view[page * PAGE : page * PAGE + PAGE] = _NO_PAGE
            yield

    def _memory(self, source: Source) -> LinearMemory:
        extern = self._place(source)
        return LinearMemory(self._instance.opened.context, extern + c.EXTERN_OF)

    @staticmethod
    def _grow(memory: LinearMemory, state: MemoryState) -> None:
        if state.size % CHUNK:
            raise SnapshotRefused("a memory has no such size")
        try:
            memory.grow_to(state.size)
        except MemoryError:
            raise SnapshotRefused(
                f"its memory has {state.size} bytes, more than the limits allow",
                "Raise Limits.memory_bytes",
            ) from None

    def _put_global(self, source: Source, kind: int, content: bytes) -> None:
        value, place = self._value, self._place(source) + c.EXTERN_OF
        value.data[0] = kind
        value.data[c.VAL_OF : c.VAL_OF + 16] = content
        error = c.global_set(self._instance.opened.context, place, value.base)
        if error:
            raise SnapshotRefused(f"a global does not fit ({error_text(error)})")

    def _entered(self) -> Entered:
        check_open(self._instance)
        return Entered(self._instance.opened.lock)

    def _place(self, source: Source) -> int:
        return self._instance.find(source, self._extern.base)


_NO_PAGE: Final = bytes(PAGE)
_PAGES_AT_ONCE: Final = 256
"""Writing a page that was not touched yet takes about a microsecond."""


def _some_of(things: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(things), _PAGES_AT_ONCE):
        yield things[start : start + _PAGES_AT_ONCE]
