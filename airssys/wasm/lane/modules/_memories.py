"""Whether a core module has a memory that threads could share."""

from __future__ import annotations

from typing import Final

from airssys.wasm.artifacts import NotOffered, Reader, Unreadable

_MAGIC_SIZE: Final = 8
_IMPORTS: Final = 2
_MEMORIES: Final = 5
_HAS_MOST, _IS_SHARED, _HAS_PAGE_SIZE = 1, 2, 8
"""Bits of the flags of limits."""
_TYPED: Final = frozenset({0x63, 0x64})
"""References to a type, whose number follows."""


def check_unshared(code: bytes) -> None:
    """See that a core module neither defines nor imports a shared memory.

    wasmtime would compile such a module: the engine allows shared memories, because the
    scratch memory is one.

    Raises:
        NotOffered: it has one, or what it imports cannot be read.
    """
    try:
        reader = Reader(code)
        reader.skip(_MAGIC_SIZE)
        for section, body in reader.sections():
            if section == _IMPORTS:
                for _ in body.items():
                    _check_import(body)
            elif section == _MEMORIES:
                for _ in body.items():
                    _check_memory(body)
    except NotOffered:
        raise
    except Unreadable as error:
        raise NotOffered(f"its memories cannot be read ({error})") from error


def _check_import(reader: Reader) -> None:
    reader.name()
    reader.name()
    match reader.byte():
        case 0:  # function
            reader.number()
        case 1:  # table
            _skip_type(reader)
            _read_limits(reader)
        case 2:
            _check_memory(reader)
        case 3:  # global
            _skip_type(reader)
            reader.byte()
        case 4:  # tag
            reader.byte()
            reader.number()
        case kind:
            raise reader.error(f"{kind:#04x} is nothing that we know")


def _check_memory(reader: Reader) -> None:
    if _read_limits(reader) & _IS_SHARED:
        raise NotOffered("a memory is shared")


def _read_limits(reader: Reader) -> int:
    flags = reader.byte()
    for _ in range(1 + (flags & _HAS_MOST)):
        reader.number(64)
    if flags & _HAS_PAGE_SIZE:
        reader.number()
    return flags


def _skip_type(reader: Reader) -> None:
    if reader.byte() in _TYPED:
        reader.number(33)
