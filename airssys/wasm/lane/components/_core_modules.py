"""What is read of core modules: which things they import, and in which order."""

from __future__ import annotations

from typing import Final, final

import attrs

from airssys.wasm.artifacts import NotOffered, Reader

from ._parser import Unsupported

_MAGIC: Final = b"\0asm\x01\0\0\0"
_IMPORTS: Final = 2
_IS_SHARED: Final = 2
_KINDS: Final = 5
"""Functions, tables, memories, globals, tags."""
_HEAP_TYPES: Final = frozenset(range(0x69, 0x75))


@final
@attrs.frozen
class CoreImport:
    """The two names under which a core module imports something."""

    module: str
    name: str


def core_imports(code: bytes) -> tuple[CoreImport, ...]:
    """Read what a core module imports, in order.

    Raises:
        Unreadable: These bytes are not a core module.
        Unsupported: It imports something of a kind that this lane does not run.
        NotOffered: It imports a shared memory, which no lane runs.
    """
    reader = Reader(code)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise reader.error("this is not a core module that we know")
    for section, body in reader.sections():
        if section == _IMPORTS:
            found = tuple([_import(body) for _ in body.items()])
            body.finish()
            return found
    return ()


def _import(reader: Reader) -> CoreImport:
    wanted = CoreImport(reader.exact_name(), reader.exact_name())
    match reader.byte():
        case 0x00:  # function: its type
            reader.number()
        case 0x01:  # table: element type, limits
            _value_type(reader)
            _limits(reader)
        case 0x02:  # memory
            _limits(reader)
        case 0x03:  # global: type, mutable
            _value_type(reader)
            reader.byte()
        case _:
            raise Unsupported("a core module that imports an exception")
    return wanted


def _value_type(reader: Reader) -> None:
    code = reader.byte()
    if code in {0x63, 0x64}:
        raise Unsupported("a core module with typed references")
    if code not in _HEAP_TYPES and not 0x7B <= code <= 0x7F:
        raise reader.error(f"{code:#04x} is not a core type that we know")


def _limits(reader: Reader) -> None:
    flags = reader.byte()
    if flags & _IS_SHARED:
        raise NotOffered("a memory is shared")
    if flags > 1:
        raise Unsupported("a memory or table that is larger than 4 GiB")
    for _ in range(1 + flags):
        reader.number()
