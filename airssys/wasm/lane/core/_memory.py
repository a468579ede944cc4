"""The one place where memory is reached by its address.

Everything else in the lane reads and writes through what is given out here: a
memoryview of exactly one linear memory, as large as that is now. Python checks each
access against it. A memory never shrinks and, as the engine reserves its whole address
space beforehand, never moves; so a view that is too old is only too short.

What goes to a guest is first laid out in a scratch memory. All instances of an engine
share one (a memory of its own would cost each of them two memory maps, and its pages),
and each has a part of it. Guests do not see it: only the adapters that we write import
it, and they find the part of their instance by a global variable that the host sets.

The values of a callback, and of a call, lie in wasmtime's or in our own memory, at
addresses that C gives; they are read by formats that follow from the function's type.
"""

from __future__ import annotations

import ctypes
import struct
import threading
from typing import TYPE_CHECKING, Any, Final, cast, final
from weakref import WeakKeyDictionary

from airssys.contracts import CapacityReached, EngineMisused
from airssys.wasm.lane.abi import Context
from airssys.wasm.lane.adapters import IMAGE, PAGES
from airssys.wasm.values import MEMORY, Block, error_text

from . import _c_api as c

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airssys.wasm.engine import Engine
    from airssys.wasm.lane.abi import Core, Handles
    from airssys.wasm.lane.adapters import Image
    from airssys.wasm.lane.components import Encoding

    from ._resources import CallHandles

_CODES: Final[dict[Core, str]] = {"i32": "I", "i64": "Q", "f32": "f", "f64": "d"}
_KINDS: Final[dict[Core, int]] = {"i32": 0, "i64": 1, "f32": 2, "f64": 3}
_PAGE: Final = 65536
_view_of: Final = ctypes.pythonapi.PyMemoryView_FromMemory
_view_of.restype = ctypes.py_object
_view_of.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int)
_WRITABLE: Final = 0x200
_NO_VIEW: Final = memoryview(b"")


@final
class LinearMemory:
    """A memory of one store, and a view of it that is as large as it is."""

    __slots__ = ("_base", "_context", "_memory", "view")

    def __init__(self, context: int, memory: int) -> None:
        self._context, self._memory = context, memory
        self._base = 0
        self.view = _NO_VIEW

    def refresh(self) -> memoryview:
        """Look how large the memory is now; the guest may have run since."""
        size: int = c.memory_data_size(self._context, self._memory)
        if size != len(self.view):
            if not self._base:
                self._base = c.memory_data(self._context, self._memory)
            self.view = _view_of(self._base, size, _WRITABLE)
        return self.view

    def grow_to(self, size: int) -> memoryview:
        """Grow the memory to at least `size` bytes, between two polls.

        Raises:
            MemoryError: the memory may not be that large.
        """
        missing = (size - len(self.refresh()) + _PAGE - 1) // _PAGE
        if missing > 0:
            before = Block(8)
            error = c.memory_grow(self._context, self._memory, missing, before.base)
            if error:
                c.error_delete(error)
                raise MemoryError
        return self.refresh()


@final
class SharedScratch:
    """The scratch memory of all instances of one engine; the engine's ledger closes it.

    Parts of it are as large as a power of two. One that is given back is used again for
    one of its size, or halved; so all that is ever used is what was used at once.
    """

    def __init__(self, engine: Engine) -> None:
        """Make it.

        Raises:
            CapacityReached: the system has no address space for it.
        """
        out = Block(8)
        first, most = PAGES
        error = c.memorytype_new(first, True, most, False, True, _PAGE_BITS, out.base)  # noqa: FBT003  # C has no keywords
        kind = out.words[0]
        error = error or c.sharedmemory_new(engine.pointer, kind, out.base)
        c.memorytype_delete(kind)
        if error:
            raise CapacityReached(f"there is no scratch memory: {error_text(error)}")
        self.pointer = out.words[0]
        self._base: int = c.sharedmemory_data(self.pointer)
        self.view = _NO_VIEW
        self._look()
        self._lock = threading.Lock()
        self._top = 0
        self._free: dict[int, list[int]] = {}
        engine.ledger.cores.add(self)

    @classmethod
    def of(cls, engine: Engine) -> SharedScratch:
        """Find that of an engine, or make it."""
        found = _shared.get(engine)
        if found is None:
            found = _shared[engine] = cls(engine)
        return found

    def extern(self) -> Block:
        """Make what modules import it by."""
        made = Block(c.EXTERN_SIZE)
        made.data[0] = c.SHARED_MEMORY
        struct.pack_into("<Q", made.data, c.EXTERN_OF, self.pointer)
        return made

    def take(self, size: int) -> tuple[int, int]:
        """Take a part of at least this size; returns where it begins and ends.

        Raises:
            CapacityReached: there is none.
        """
        size = 1 << (max(size, _LEAST) - 1).bit_length()
        with self._lock:
            free = self._free.get(size)
            at = free.pop() if free else self._carve(size)
        return at, at + size

    def give_back(self, at: int, size: int) -> None:
        """Give a part back."""
        with self._lock:
            self._free.setdefault(size, []).append(at)

    def _carve(self, size: int) -> int:
        """Take a part that was never used, or half of a larger one."""
        at = (self._top + size - 1) & -size
        if at + size <= len(self.view) or self._grow(at + size):
            for free, bits in _powers_between(self._top, at):
                self._free.setdefault(bits, []).append(free)
            self._top = at + size
            return at
        larger = [each for each, free in self._free.items() if free and each > size]
        if not larger:
            raise CapacityReached(f"there are no {size} bytes of scratch memory left")
        found = min(larger)
        at = self._free[found].pop()
        while found > size:
            found //= 2
            self._free.setdefault(found, []).append(at + found)
        return at

    def _grow(self, size: int) -> bool:
        missing = (size - len(self.view) + _PAGE - 1) // _PAGE
        before = Block(8)
        error = c.sharedmemory_grow(self.pointer, missing, before.base)
        if error:
            c.error_delete(error)
            return False
        self._look()
        return True

    def _look(self) -> None:
        size = c.sharedmemory_data_size(self.pointer)
        self.view = _view_of(self._base, size, _WRITABLE)

    def close(self) -> None:
        """Delete it; does nothing twice."""
        pointer, self.pointer = self.pointer, 0
        if pointer:
            self.view = _NO_VIEW
            c.sharedmemory_delete(pointer)


def _powers_between(at: int, end: int) -> Iterator[tuple[int, int]]:
    """Split what lies between two places into parts: where each is, and its size."""
    while at < end:
        size = at & -at
        yield at, size
        at += size


_shared: Final[WeakKeyDictionary[Engine, SharedScratch]] = WeakKeyDictionary()
_LEAST: Final = 512
"""Bytes of the smallest part: most messages have room in it."""
_PAGE_BITS: Final = 16


@final
class Scratch:
    """The part of the scratch memory that one instance has, until its store is deleted."""

    __slots__ = ("_more", "_shared", "end", "slot", "view")

    def __init__(self, shared: SharedScratch, size: int) -> None:
        """Take a part.

        Raises:
            CapacityReached: there is none.
        """
        self._shared = shared
        self.slot, self.end = shared.take(size)
        self.view = shared.view[self.slot : self.end]
        self.view[:IMAGE] = bytes(IMAGE)
        self._more: list[tuple[int, int]] | None = None
        """Further parts, for one image."""

    @property
    def whole(self) -> memoryview:
        """All of the scratch memory, in which addresses are those that guests see."""
        return self._shared.view

    @property
    def has_more(self) -> bool:
        """Whether it has further parts."""
        return self._more is not None

    def more(self, size: int) -> tuple[memoryview, int, int]:
        """Take another part, for this image: the whole memory, its beginning, its end.

        Raises:
            CapacityReached: there is none.
        """
        at, end = self._shared.take(max(size, _MORE))
        if self._more is None:
            self._more = []
        self._more.append((at, end - at))
        return self._shared.view, at, end

    def give_back_more(self) -> None:
        """Give the further parts back: their image is of no use any more."""
        more, self._more = self._more, None
        for at, size in more or ():
            self._shared.give_back(at, size)

    def close(self) -> None:
        """Give everything back: the store is deleted. Does nothing twice."""
        self.give_back_more()
        end, self.end = self.end, self.slot
        if end > self.slot:
            self.view = _NO_VIEW
            self._shared.give_back(self.slot, end - self.slot)


_MORE: Final = 16 * 1024
NO_HANDLES: Final = cast("Handles", None)
"""For values that contain no resources: code that moves these never uses the handles."""


@final
class GuestMemory(Context):
    """Values in a memory of the guest, which cannot be asked for more of it here."""

    __slots__ = ("image", "memory")

    def __init__(self, encoding: Encoding, memory: LinearMemory | None) -> None:
        super().__init__(encoding, NO_HANDLES)
        self.memory = memory
        self.image: Image | None = None
        """Where values for it are laid out, once there were some."""

    def begin(self, handles: CallHandles | None, keep: int) -> None:
        """Get ready for the values of one call."""
        self.handles, self.left = handles or NO_HANDLES, keep

    def renew_view(self) -> None:
        """Look how large the memory is now."""
        if self.memory is not None:
            self.view = self.memory.refresh()

    def allocate(self, alignment: int, size: int) -> int:
        """Refuse: what needs memory goes through an adapter."""
        raise EngineMisused(f"no {size} bytes aligned to {alignment} can be had here")


@final
class CoreValues:
    """Reads and writes the values of one core function."""

    def __init__(self, parameters: Sequence[Core], results: Sequence[Core]) -> None:
        self.parameters, self.results = tuple(parameters), tuple(results)
        raw = [_padded(core, c.RAW_SIZE) for core in parameters]
        self._read = struct.Struct("<" + "".join(raw)).unpack_from
        raw = [_padded(core, c.RAW_SIZE) for core in results]
        self._write = struct.Struct("<" + "".join(raw)).pack_into
        first = f"B{c.VAL_OF - 1}x"
        vals = [first + _padded(core, c.VAL_SIZE - c.VAL_OF) for core in parameters]
        self._arguments = struct.Struct("<" + "".join(vals)).pack_into
        self._kinds = [_KINDS[core] for core in parameters]
        skip = f"{c.VAL_OF}x"
        vals = [skip + _padded(core, c.VAL_SIZE - c.VAL_OF) for core in results]
        self._results = struct.Struct("<" + "".join(vals)).unpack_from

    def read(self, address: int) -> tuple[Any, ...]:
        """Read what a callback was called with."""
        return self._read(MEMORY, address)

    def write(self, address: int, values: Sequence[int | float]) -> None:
        """Write what a callback returns."""
        self._write(MEMORY, address, *values)

    def lay_out(self, block: Block, at: int, values: Sequence[int | float]) -> None:
        """Write the arguments of a call."""
        pairs = zip(self._kinds, values, strict=True)
        self._arguments(block.data, at, *(part for pair in pairs for part in pair))

    def result(self, block: Block, at: int) -> tuple[Any, ...]:
        """Read the results of a call."""
        return self._results(block.data, at)


def _padded(core: Core, size: int) -> str:
    code = _CODES[core]
    return f"{code}{size - struct.calcsize(code)}x"


def answer_epoch(update: int, kind: int) -> None:
    """Have the guest give way, and its next deadline be one epoch away."""
    struct.pack_into("<Q", MEMORY, update, 1)
    MEMORY[kind] = c.YIELD


def address_of(buffer: bytes) -> int:
    """The address of bytes; the caller keeps them alive while it uses the address."""
    return ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0


def callback_address(callback: Any) -> int:
    """The address of a ctypes callback; the caller keeps it alive while using the address."""
    return ctypes.cast(callback, ctypes.c_void_p).value or 0


def text_at(read: Any, thing: int) -> str:
    """Read a text that wasmtime writes about something, and let go of it."""
    vector = Block(16)
    read(thing, vector.base)
    size, at = vector.words[0], vector.words[1]
    text = bytes(MEMORY[at : at + size])
    c.byte_vec_delete(vector.base)
    return text.decode(errors="replace").rstrip("\0")
