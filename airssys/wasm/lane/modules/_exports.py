"""Core modules whose hidden parts are exported: the start function, and all state.

wasmtime runs a start function while it instantiates a module. Instances here are made
in one step of the Trio thread, where nothing can interrupt them. So the start section
becomes an export, and the code that instantiates the module calls it like any other
function: on a fiber, in turns, within the guest's limits.

The specification says that a module is instantiated when its start function has ended;
nothing else of the component has run by then, so no difference can be seen.

The state of an instance is in the memories, mutable globals and tables that its modules
define. A snapshot must reach all of it, so each gets an export of its own. One function
is exported too: where it lies in memory says where the functions of its instance lie,
without which the functions in tables could not be compared.

The names cannot clash with others: they begin with a text that the module lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.wasm.artifacts import Reader, Unreadable
from airssys.wasm.lane.adapters import name
from airssys.wasm.lane.components import leb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MAGIC_SIZE: Final = 8
_IMPORTS: Final = 2
_FUNCTIONS: Final = 3
_TABLES: Final = 4
_MEMORIES: Final = 5
_GLOBALS: Final = 6
_EXPORTS: Final = 7
_START: Final = 8
_FUNCTION, _TABLE, _MEMORY, _GLOBAL, _TAG = range(5)
"""What imports and exports are, as they are written."""
_ORDER: Final = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)
"""The order of the sections; those of tags and of the count of data came later."""
_PREFIX: Final = "airssys"
_REFERENCES: Final = frozenset({0x6F, 0x70})
"""`externref` and `funcref`."""
_VALUES: Final = frozenset({0x7B, 0x7C, 0x7D, 0x7E, 0x7F}) | _REFERENCES


def _numbers(found: Iterable[int]) -> tuple[int, ...]:
    return tuple(found)


@final
@attrs.frozen
class Exposed:
    """The state that a core module defines, by what is exported."""

    prefix: str
    """What all names begin with."""
    has_function: bool = False
    memories: tuple[int, ...] = attrs.field(default=(), converter=_numbers)
    """Their indices, as those of tables and of mutable globals."""
    tables: tuple[int, ...] = attrs.field(default=(), converter=_numbers)
    globals: tuple[int, ...] = attrs.field(default=(), converter=_numbers)

    @property
    def function_name(self) -> str:
        """The name of a function of its, if it has some."""
        return f"{self.prefix} function 0"

    @property
    def memory_names(self) -> list[str]:
        """Under which names its memories are exported, in order."""
        return [f"{self.prefix} memory {index}" for index in self.memories]

    @property
    def table_names(self) -> list[str]:
        """Under which names its tables are exported, in order."""
        return [f"{self.prefix} table {index}" for index in self.tables]

    @property
    def global_names(self) -> list[str]:
        """Under which names its mutable globals are exported, in order."""
        return [f"{self.prefix} global {index}" for index in self.globals]


NOTHING: Final = Exposed("")
"""Of a module that has no state."""


@final
@attrs.frozen
class Prepared:
    """A core module with more exports."""

    code: bytes = attrs.field(repr=False)
    start: str | None
    """Under which name it exports its start function, if it has one."""
    exposed: Exposed | None
    """Its state; None if some of that is of a kind that snapshots do not know."""


class _UnknownKind(Exception):
    """Some of a module's state cannot be saved."""


def prepared(code: bytes) -> Prepared:
    """Make exports of a core module's start function and state.

    Raises:
        Unreadable: These bytes are not a core module.
    """
    reader = Reader(code)
    magic = reader.take(_MAGIC_SIZE)
    sections = [(number, body.rest()) for number, body in reader.sections()]
    starts = [Reader(body).number() for number, body in sections if number == _START]
    prefix = _PREFIX
    while prefix.encode() in code:
        prefix += "'"
    start = f"{prefix} start function" if starts else None
    written = [_export(start, _FUNCTION, starts[0])] if start else []
    exposed: Exposed | None
    try:
        exposed = _find_state(sections, prefix)
    except (_UnknownKind, Unreadable):  # whether it is valid is wasmtime's to say
        exposed = None
    else:
        written += _exports_of(exposed)
    if not written:
        return Prepared(code, start, exposed)
    if not any(number == _EXPORTS for number, _ in sections):
        sections.append((_EXPORTS, leb(0)))
        sections.sort(key=_order)
    made = bytearray(magic)
    for number, body in sections:
        if number == _START:
            continue
        content = _with_more(body, written) if number == _EXPORTS else body
        made += bytes([number]) + leb(len(content)) + content
    return Prepared(bytes(made), start, exposed)


def _with_more(exports: bytes, written: list[bytes]) -> bytes:
    reader = Reader(exports)
    count = reader.number()
    return leb(count + len(written)) + reader.rest() + b"".join(written)


def _export(text: str, kind: int, index: int) -> bytes:
    return name(text) + bytes([kind]) + leb(index)


def _exports_of(exposed: Exposed) -> list[bytes]:
    found = [_export(exposed.function_name, _FUNCTION, 0)]
    found = found if exposed.has_function else []
    for kind, names, indices in (
        (_MEMORY, exposed.memory_names, exposed.memories),
        (_TABLE, exposed.table_names, exposed.tables),
        (_GLOBAL, exposed.global_names, exposed.globals),
    ):
        pairs = zip(names, indices, strict=True)
        found += [_export(text, kind, index) for text, index in pairs]
    return found


def _order(section: tuple[int, bytes]) -> int:
    """Where a section stands; custom ones may stand anywhere, and are left out first."""
    number = section[0]
    return _ORDER.index(number) if number in _ORDER else -1


def _find_state(sections: list[tuple[int, bytes]], prefix: str) -> Exposed:
    """Find what a module defines that can change.

    Raises:
        _UnknownKind: some of it cannot be saved.
        Unreadable: it is not valid.
    """
    bodies = {number: body for number, body in sections if number}
    imported = _count_imports(bodies.get(_IMPORTS, b"\0"))
    functions = Reader(bodies.get(_FUNCTIONS, b"\0")).number()
    tables = _read_all(bodies.get(_TABLES, b"\0"), _read_table)
    memories = _read_all(bodies.get(_MEMORIES, b"\0"), _read_limits)
    mutable = _read_all(bodies.get(_GLOBALS, b"\0"), _read_global)
    return Exposed(
        prefix,
        has_function=bool(imported[_FUNCTION] + functions),
        memories=[imported[_MEMORY] + index for index in range(len(memories))],
        tables=[imported[_TABLE] + index for index in range(len(tables))],
        globals=[
            imported[_GLOBAL] + index
            for index, is_mutable in enumerate(mutable)
            if is_mutable
        ],
    )


def _read_all(body: bytes, read: Callable[[Reader], bool]) -> list[bool]:
    reader = Reader(body)
    found = [read(reader) for _ in reader.items()]
    reader.finish()
    return found


def _count_imports(body: bytes) -> list[int]:
    counts, reader = [0] * (_TAG + 1), Reader(body)
    for _ in reader.items():
        reader.name()
        reader.name()
        kind = reader.byte()
        if kind > _TAG:
            raise reader.error(f"{kind:#04x} is nothing that we know")
        counts[kind] += 1
        _skip_import(reader, kind)
    reader.finish()
    return counts


def _skip_import(reader: Reader, kind: int) -> None:
    match kind:
        case 1:
            _read_table(reader)
        case 2:
            _read_limits(reader)
        case 3:
            _read_value_type(reader)
            reader.byte()
        case 4:
            reader.byte()
            reader.number()
        case _:
            reader.number()


def _read_table(reader: Reader) -> bool:
    if reader.byte() not in _REFERENCES:
        raise _UnknownKind("a table of typed references, or with an initial value")
    return _read_limits(reader)


def _read_limits(reader: Reader) -> bool:
    flags = reader.byte()
    if flags > 1:
        raise _UnknownKind("a memory or table that is shared, or larger than 4 GiB")
    for _ in range(1 + flags):
        reader.number()
    return True


def _read_value_type(reader: Reader) -> None:
    if reader.byte() not in _VALUES:
        raise _UnknownKind("a global with a typed reference")


def _read_global(reader: Reader) -> bool:
    _read_value_type(reader)
    is_mutable = reader.byte() == 1
    while _read_operator(reader):
        pass
    return is_mutable


def _read_operator(reader: Reader) -> bool:
    """Read one operator of a constant expression; says whether more follow."""
    match reader.byte():
        case 0x0B:  # end
            return False
        case 0x41 | 0x42 | 0x23 | 0xD2:  # i32.const, i64.const, global.get, ref.func
            reader.number(64)
        case 0x43:  # f32.const
            reader.skip(4)
        case 0x44:  # f64.const
            reader.skip(8)
        case 0xD0:  # ref.null
            reader.skip(1)
        case 0xFD:  # v128.const
            reader.number()
            reader.skip(16)
        case 0x6A | 0x6B | 0x6C | 0x7C | 0x7D | 0x7E:  # add, sub, mul
            pass
        case _:
            raise _UnknownKind("a global with an initial value that we do not know")
    return True
