"""Core modules written as binary: enough of the format for the adapters.

A `Module` collects imports, memories and functions, and `binary` writes them down. What
is imported must be named before the first function is added, because imported functions
come first in their index space. Instructions are bytes; the names here are those of the
core specification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.wasm.lane.abi import Core
from airssys.wasm.lane.components import leb

_TYPES: Final[dict[Core, int]] = {"i32": 0x7F, "i64": 0x7E, "f32": 0x7D, "f64": 0x7C}
_FUNCTION, _MEMORY, _GLOBAL = 0x00, 0x02, 0x03
_MUTABLE_I32: Final = b"\x7f\x01"
EMPTY: Final = 0x40
"""The type of a block without a result."""

UNREACHABLE: Final = b"\x00"
ELSE: Final = b"\x05"
END: Final = b"\x0b"
I32_EQZ: Final = b"\x45"
I32_EQ: Final = b"\x46"
I32_LT_S: Final = b"\x48"
I32_ADD: Final = b"\x6a"
I32_SUB: Final = b"\x6b"
I32_MUL: Final = b"\x6c"
I32_AND: Final = b"\x71"
I32_SHL: Final = b"\x74"
I32_SHR_U: Final = b"\x76"
I64_ADD: Final = b"\x7c"
I64_SHL: Final = b"\x86"
I64_GT_U: Final = b"\x56"
I64_EXTEND_I32_U: Final = b"\xad"
I32_REINTERPRET_F32: Final = b"\xbc"
I64_REINTERPRET_F64: Final = b"\xbd"

_LOADS: Final = {
    "B": b"\x2d",
    "H": b"\x2f",
    "I": b"\x28",
    "b": b"\x2c",
    "h": b"\x2e",
    "i": b"\x28",
    "Q": b"\x29",
    "q": b"\x29",
    "f": b"\x2a",
    "d": b"\x2b",
}
"""The instruction that loads what `struct` calls so."""
_IN_OTHER_MEMORY: Final = 0x40
"""In the alignment of an access: an index of a memory follows."""


def signed_leb(number: int) -> bytes:
    """Write a signed number."""
    made = bytearray()
    while not -0x40 <= number < 0x40:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number & 0x7F)
    return bytes(made)


def vector(items: Sequence[bytes]) -> bytes:
    """Write a list: its length, then its items."""
    return leb(len(items)) + b"".join(items)


def name(text: str) -> bytes:
    """Write a name."""
    data = text.encode()
    return leb(len(data)) + data


def i32(number: int) -> bytes:
    """`i32.const`; unsigned numbers are taken for the signed ones with their bits."""
    return b"\x41" + signed_leb(number - 2**32 if number >= 2**31 else number)


def i64(number: int) -> bytes:
    """`i64.const`."""
    return b"\x42" + signed_leb(number)


def get(local: int) -> bytes:
    """`local.get`."""
    return b"\x20" + leb(local)


def put(local: int) -> bytes:
    """`local.set`."""
    return b"\x21" + leb(local)


def get_global(number: int) -> bytes:
    """`global.get`."""
    return b"\x23" + leb(number)


def call(function: int) -> bytes:
    """`call`."""
    return b"\x10" + leb(function)


def when(then: bytes, otherwise: bytes = b"") -> bytes:
    """`if` without a result."""
    tail = ELSE + otherwise if otherwise else b""
    return b"\x04" + bytes([EMPTY]) + then + tail + END


def block(body: bytes) -> bytes:
    """`block` without a result; `br(0)` leaves it."""
    return b"\x02" + bytes([EMPTY]) + body + END


def loop(body: bytes) -> bytes:
    """`loop` without a result; `br(0)` begins it again."""
    return b"\x03" + bytes([EMPTY]) + body + END


def br(depth: int) -> bytes:
    """`br`."""
    return b"\x0c" + leb(depth)


def br_if(depth: int) -> bytes:
    """`br_if`."""
    return b"\x0d" + leb(depth)


def load(code: str, memory: int, offset: int) -> bytes:
    """Load what `struct` calls so; it need not be aligned."""
    return _LOADS[code] + _access(memory, offset)


def store_i32(memory: int, offset: int) -> bytes:
    """`i32.store`; it need not be aligned."""
    return b"\x36" + _access(memory, offset)


def store_byte(memory: int, offset: int) -> bytes:
    """`i32.store8`."""
    return b"\x3a" + _access(memory, offset)


def _access(memory: int, offset: int) -> bytes:
    return bytes([_IN_OTHER_MEMORY]) + leb(memory) + leb(offset)


def memory_size(memory: int) -> bytes:
    """`memory.size`, in pages."""
    return b"\x3f" + leb(memory)


def memory_copy(to: int, of: int) -> bytes:
    """`memory.copy` from one memory to another."""
    return b"\xfc\x0a" + leb(to) + leb(of)


@final
class Module:
    """A core module that is being written."""

    def __init__(self) -> None:
        self._types: list[bytes] = []
        self._imports: list[bytes] = []
        self._imported_functions = 0
        self._imported_memories = 0
        self._imported_globals = 0
        self._globals: list[bytes] = []
        self._functions: list[int] = []
        self._bodies: list[bytes] = []
        self._memories: list[bytes] = []
        self._exports: list[bytes] = []

    def _type(self, parameters: Sequence[Core], results: Sequence[Core]) -> int:
        written = b"\x60" + b"".join(
            vector([bytes([_TYPES[core]]) for core in side])
            for side in (parameters, results)
        )
        if written not in self._types:
            self._types.append(written)
        return self._types.index(written)

    def import_function(
        self,
        module: str,
        member: str,
        parameters: Sequence[Core],
        results: Sequence[Core],
    ) -> int:
        """Import a function; returns its index."""
        kind = bytes([_FUNCTION]) + leb(self._type(parameters, results))
        self._imports.append(name(module) + name(member) + kind)
        self._imported_functions += 1
        return self._imported_functions - 1

    def import_memory(self, module: str, member: str) -> int:
        """Import a memory of any size; returns its index."""
        kind = bytes([_MEMORY, 0x00, 0x00])
        self._imports.append(name(module) + name(member) + kind)
        self._imported_memories += 1
        return self._imported_memories - 1

    def import_shared_memory(
        self, module: str, member: str, minimum: int, maximum: int
    ) -> int:
        """Import a shared memory with a least and a greatest number of pages."""
        kind = bytes([_MEMORY, 0x03]) + leb(minimum) + leb(maximum)
        self._imports.append(name(module) + name(member) + kind)
        self._imported_memories += 1
        return self._imported_memories - 1

    def import_i32(self, module: str, member: str) -> int:
        """Import a global variable; returns its index."""
        kind = bytes([_GLOBAL]) + _MUTABLE_I32
        self._imports.append(name(module) + name(member) + kind)
        self._imported_globals += 1
        return self._imported_globals - 1

    def add_i32(self) -> int:
        """Define a global variable, which is 0; returns its index."""
        self._globals.append(_MUTABLE_I32 + i32(0) + END)
        return self._imported_globals + len(self._globals) - 1

    def export_global(self, member: str, number: int) -> None:
        """Export a global variable."""
        self._exports.append(name(member) + bytes([_GLOBAL]) + leb(number))

    def add_memory(self, minimum: int, maximum: int) -> int:
        """Define a memory of `minimum` to `maximum` pages; returns its index."""
        self._memories.append(b"\x01" + leb(minimum) + leb(maximum))
        return self._imported_memories + len(self._memories) - 1

    def declare(self, parameters: Sequence[Core], results: Sequence[Core]) -> int:
        """Give a function an index before its body is known."""
        self._functions.append(self._type(parameters, results))
        self._bodies.append(b"")
        return self._imported_functions + len(self._functions) - 1

    def define(self, function: int, locals_: Sequence[Core], body: bytes) -> None:
        """Give a declared function its body, without the final `end`."""
        groups = [leb(1) + bytes([_TYPES[core]]) for core in locals_]
        code = vector(groups) + body + END
        self._bodies[function - self._imported_functions] = leb(len(code)) + code

    def export_function(self, member: str, function: int) -> None:
        """Export a function, imported or defined."""
        self._exports.append(name(member) + bytes([_FUNCTION]) + leb(function))

    def export_memory(self, member: str, memory: int) -> None:
        """Export a memory."""
        self._exports.append(name(member) + bytes([_MEMORY]) + leb(memory))

    def binary(self) -> bytes:
        """Write the module."""
        sections = [
            (1, self._types),
            (2, self._imports),
            (3, [leb(kind) for kind in self._functions]),
            (5, self._memories),
            (6, self._globals),
            (7, self._exports),
            (10, self._bodies),
        ]
        made = b"\0asm\x01\0\0\0"
        for number, items in sections:
            if items:
                content = vector(items)
                made += bytes([number]) + leb(len(content)) + content
        return made
