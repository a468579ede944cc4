"""Reads WebAssembly binaries: numbers, names, sections, and what core modules define.

It only reads what counting needs; other sections, and function bodies, are skipped by
their size. The bytes are not trusted: every read is checked against the end of the
section, numbers have a maximum length, lists must fill their section, and the number of
their items is limited, so that no file takes long. Errors that do not affect counting
are not found.

The source is chapter 5 of the core specification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODULE = b"\0asm\x01\0\0\0"
_END = 0x0B
_HAS_INITIAL = 0x40
"""The first byte of a table whose elements are initially not null."""
_PAGE = 16
"""The size of a memory page as a power of two: 64 KiB."""
_MOST_ITEMS = 1_200_000
"""Sections and items in them, including functions, in one file: about a second."""
_SECTION = 20
"""A section counts like this many items, because of the time that it takes."""


class Unreadable(ValueError):
    """These bytes are not a readable component; has the reason and the position."""


class Uncountable(Unreadable):
    """A component may be well-formed, but what it creates cannot be counted."""


class NotOffered(Unreadable):
    """A component is well-formed as far as it was read, but is not supported."""


@final
class Reader:
    """A position in `data` that moves forward, up to `end`; offsets are in bytes."""

    __slots__ = ("_at", "_data", "_depth", "_end", "_items")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at, self._end = 0, len(data)
        self._depth = 0
        self._items = [0]
        """The number of items read so far; all readers of the same data share it."""

    def error(self, problem: str) -> Unreadable:
        """Make the error to raise here."""
        return Unreadable(f"{problem}, before byte {self._at}")

    def byte(self) -> int:
        """Read one byte.

        Raises:
            Unreadable: At the end; the other methods raise it too.
        """
        at = self._at
        if at >= self._end:
            raise self.error("it ends too early")
        self._at = at + 1
        return self._data[at]

    def take(self, size: int) -> bytes:
        """Read `size` bytes."""
        start = self._at
        self.skip(size)
        return self._data[start : self._at]

    def skip(self, size: int) -> None:
        """Skip `size` bytes."""
        if size > self._end - self._at:
            raise self.error(f"it ends too early: {size} more bytes should follow")
        self._at += size

    def number(self, bits: int = 32) -> int:
        """Read an unsigned LEB128 number of up to `bits` bits.

        It also skips signed numbers, but then the value is meaningless.
        """
        value = 0
        for shift in range(0, bits, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
        raise self.error(f"a number has more than {bits} bits")

    def name(self) -> str:
        """Read a name: its size, then that many bytes; invalid UTF-8 is replaced."""
        return self.take(self.number()).decode(errors="replace")

    def exact_name(self) -> str:
        """Read a name that must be UTF-8: a replaced character could hide another one."""
        try:
            return self.take(self.number()).decode()
        except UnicodeDecodeError:
            raise self.error("a name is not UTF-8") from None

    def sections(self) -> Iterator[tuple[int, Reader]]:
        """Yield the id and the content of each section, up to the end."""
        while self._at < self._end:
            self._count_items(_SECTION)
            section = self.byte()
            yield section, self._part(self.number())

    def items(self) -> Iterator[None]:
        """Read the length of a list, then yield that many times."""
        for _ in range(self.number()):
            self._count_items(1)
            yield

    def _part(self, size: int) -> Reader:
        part = Reader(self._data)
        part._at = self._at
        self.skip(size)
        part._end = self._at
        part._items = self._items
        return part

    def _count_items(self, number: int) -> None:
        self._items[0] += number
        if self._items[0] > _MOST_ITEMS:
            raise Uncountable(f"it has more than {_MOST_ITEMS} parts")

    @property
    def size(self) -> int:
        """The number of bytes that are left."""
        return self._end - self._at

    def fork(self) -> Reader:
        """Make a second reader of the same bytes, at the same position."""
        fork = Reader(self._data)
        fork._at, fork._end, fork._items = self._at, self._end, self._items
        return fork

    def rest(self) -> bytes:
        """Read all that is left."""
        return self.take(self._end - self._at)

    def peek(self) -> int:
        """Return the next byte without reading it.

        Raises:
            Unreadable: at the end.
        """
        byte = self.byte()
        self._at -= 1
        return byte

    def signed_index(self) -> int:
        """Read an index that is written as a signed number of 33 bits.

        Raises:
            Unreadable: it is negative, or longer than that.
        """
        value = 0
        for shift in range(0, 33, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                if byte & 0x40 or value >= 1 << 32:
                    break
                return value
        raise self.error("an index is out of range")

    def deeper(self, most: int) -> Reader:
        """Count one more level of nesting, in a `with` block.

        Raises:
            Unreadable: There are more than `most` levels.
        """
        if self._depth >= most:
            raise self.error(f"more than {most} types are nested")
        return self

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1

    def finish(self) -> None:
        """Check that everything was read."""
        if self._at != self._end:
            raise self.error(f"{self._end - self._at} bytes too many in a section")


@final
@attrs.frozen
class Range:
    """How large a memory (in bytes) or a table (in elements) can be."""

    minimum: int
    maximum: int | None
    """None if the component declares no maximum."""


@final
@attrs.frozen
class CoreModule:
    """A core module: what each of its instances creates."""

    memories: tuple[Range, ...]
    tables: tuple[Range, ...]
    functions: int
    largest_function: int
    """The largest function body, in bytes."""
    instance_bytes: int
    """The engine's memory for one instance besides these, at most."""
    steps: int
    """The steps of making one instance, in units of about 0.1 us, at most."""


_IMPORTS, _FUNCTIONS, _TABLES, _MEMORIES, _GLOBALS = 2, 3, 4, 5, 6
_ELEMENTS, _CODE, _DATA, _TAGS = 9, 10, 11, 13
"""Sections of a core module."""
_BASE: Final = 512
"""Bytes that the engine needs for any instance of a core module."""
_PART: Final = 32
"""Bytes that it needs for a function or an import; others need no more."""
_STEPS: Final = 10
"""Steps for an empty instance."""
_COPIED: Final = 1024
"""Bytes of data that are copied in one step."""


def read_core_module(reader: Reader) -> CoreModule:
    """Read a core module, which must fill the reader.

    Raises:
        Unreadable: It is not one, or has a memory or table of a kind unknown here.
    """
    if reader.take(len(_MODULE)) != _MODULE:
        raise reader.error("this is not a core module in a known format")
    memories: list[Range] = []
    tables: list[Range] = []
    counts = dict.fromkeys((_IMPORTS, _FUNCTIONS, _GLOBALS, _TAGS), 0)
    sizes = dict.fromkeys((_ELEMENTS, _DATA), 0)
    largest = 0
    for section, body in reader.sections():
        if section in counts:
            counts[section] += body.number()
        elif section in sizes:
            sizes[section] += body.size
        elif section == _TABLES:
            tables += [_read_table(body) for _ in body.items()]
            body.finish()
        elif section == _MEMORIES:
            memories += [_read_memory(body) for _ in body.items()]
            body.finish()
        elif section == _CODE:
            largest = max(largest, _largest_function(body))
            body.finish()
        # An instance has nothing for the other sections.
    functions = counts[_FUNCTIONS]
    parts = sum(counts.values()) - functions + len(memories) + len(tables)
    parts += sizes[_ELEMENTS]  # each element is a byte, at least
    return CoreModule(
        tuple(memories),
        tuple(tables),
        functions,
        largest,
        _BASE + _PART * (parts + functions),
        _STEPS + parts + sizes[_DATA] // _COPIED,
    )


def _largest_function(reader: Reader) -> int:
    largest = 0
    for _ in reader.items():
        size = reader.number()
        reader.skip(size)
        largest = max(largest, size)
    return largest


def _read_memory(reader: Reader) -> Range:
    flags = reader.byte()
    if flags & ~0b1111:
        raise reader.error("a memory is of an unknown kind")
    if flags & 0b0010:
        raise NotOffered("a memory is shared")
    pages = _read_limits(reader, flags)
    exponent = reader.number() if flags & 0b1000 else _PAGE
    if exponent > _PAGE:
        raise reader.error("a memory has pages of more than 64 KiB")
    return Range(
        pages.minimum << exponent,
        None if pages.maximum is None else pages.maximum << exponent,
    )


def _read_table(reader: Reader) -> Range:
    kind = reader.byte()
    has_initial = kind == _HAS_INITIAL
    if has_initial:
        if reader.byte():
            raise reader.error("a table is of an unknown kind")
        kind = reader.byte()
    _skip_reference_type(reader, kind)
    flags = reader.byte()
    if flags & ~0b111:
        raise reader.error("a table is of an unknown kind")
    elements = _read_limits(reader, flags)
    if has_initial:
        _skip_reference(reader)
    return elements


def _read_limits(reader: Reader, flags: int) -> Range:
    """Read minimum and maximum: flag 1: there is a maximum, 4: they are long."""
    bits = 64 if flags & 0b100 else 32
    minimum = reader.number(bits)
    maximum = reader.number(bits) if flags & 0b001 else None
    if maximum is not None and maximum < minimum:
        raise reader.error("a maximum is less than its minimum")
    return Range(minimum, maximum)


def _skip_reference_type(reader: Reader, kind: int) -> None:
    if kind in {0x63, 0x64}:  # (ref null? heap-type), else an abbreviation of it
        reader.number(64)
    elif kind not in range(0x68, 0x76):
        raise reader.error("a table has elements of an unknown type")


def _skip_reference(reader: Reader) -> None:
    """Skip a constant expression that yields a reference."""
    if reader.byte() not in {0x23, 0xD0, 0xD2}:  # global.get, ref.null, ref.func
        raise NotOffered(
            "a table is filled with values that only garbage collection has"
        )
    reader.number(64)
    if reader.byte() != _END:
        raise reader.error("the first value of a table's elements does not end")
