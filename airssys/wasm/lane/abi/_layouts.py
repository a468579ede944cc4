"""Where values lie in linear memory, and which core values they become.

A value is stored with a size and an alignment that follow from its type alone. Passed
to a core function it becomes *flat*: a fixed list of core values. A variant is flat as
its discriminant and one list that all its cases share, each place of which is wide
enough for every case. More than `MOST_PARAMETERS` flat parameters, or more than one
flat result, go through memory instead.

The source is `CanonicalABI.md` of WebAssembly/component-model.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from airssys.wasm.values import (
    Borrow,
    Char,
    Enum,
    Flags,
    Float,
    List,
    Number,
    Option,
    Own,
    Record,
    Result,
    String,
    Tuple,
    Variant,
    WitType,
    remember_small,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Core: TypeAlias = Literal["i32", "i64", "f32", "f64"]
"""A core value type."""
MOST_PARAMETERS: Final = 16
MOST_RESULTS: Final = 1
_CORE_OF: Final[dict[str, Core]] = {
    **dict.fromkeys("?BHIbhi", "i32"),
    **dict.fromkeys("Qq", "i64"),
    "f": "f32",
    "d": "f64",
}


def align(offset: int, alignment: int) -> int:
    """Round an offset up to a multiple of an alignment."""
    return (offset + alignment - 1) // alignment * alignment


def discriminant(cases: int) -> str:
    """The struct format of the number that selects one of this many cases."""
    return "B" if cases <= 2**8 else "H" if cases <= 2**16 else "I"


def flags_format(names: int) -> str:
    """The struct format of this many flags, up to 32."""
    return "B" if names <= 8 else "H" if names <= 16 else "I"  # noqa: PLR2004  # the bits of u8 and u16


def cases_of(
    wit: Variant | Enum | Option | Result,
) -> tuple[tuple[str, WitType | None], ...]:
    """The cases of what has some, with the types of what they carry."""
    match wit:
        case Variant():
            return wit.cases
        case Enum():
            return tuple((name, None) for name in wit.cases)
        case Option():
            return ("none", None), ("some", wit.some)
        case Result():
            return ("ok", wit.ok), ("err", wit.err)


def fields_of(wit: Record | Tuple) -> tuple[WitType, ...]:
    """The types of what a record or tuple consists of."""
    return tuple(t for _, t in wit.fields) if isinstance(wit, Record) else wit.elements


def offsets_of(wit: Record | Tuple) -> tuple[int, ...]:
    """Where each part of a record or tuple begins."""
    found, at = [], 0
    for part in fields_of(wit):
        size, alignment = layout(part)
        at = align(at, alignment)
        found.append(at)
        at += size
    return tuple(found)


def payload_offset(wit: Variant | Enum | Option | Result) -> int:
    """Where what a case carries begins; the same for all cases."""
    own = struct.calcsize(discriminant(len(cases_of(wit))))
    return align(own, layout(wit)[1])


@remember_small
def layout(wit: WitType) -> tuple[int, int]:
    """Size and alignment of a type, in bytes."""
    match wit:
        case Number() | Float():
            size = struct.calcsize(wit.value[1])
            return size, size
        case Char() | Own() | Borrow():
            return 4, 4
        case String() | List():
            return 8, 4
        case Flags():
            size = struct.calcsize(flags_format(len(wit.names)))
            return size, size
        case Record() | Tuple():
            return _row_layout(wit)
        case Variant() | Enum() | Option() | Result():
            return _cases_layout(wit)


def _row_layout(wit: Record | Tuple) -> tuple[int, int]:
    alignments = [layout(part)[1] for part in fields_of(wit)]
    alignment = max(alignments, default=1)
    end = 0
    for at, part in zip(offsets_of(wit), fields_of(wit), strict=True):
        end = at + layout(part)[0]
    return align(end, alignment), alignment


def _cases_layout(wit: Variant | Enum | Option | Result) -> tuple[int, int]:
    cases = cases_of(wit)
    carried = [layout(t) for _, t in cases if t is not None]
    own = struct.calcsize(discriminant(len(cases)))
    alignment = max([own, *(alignment for _, alignment in carried)])
    size = max((size for size, _ in carried), default=0)
    return align(align(own, alignment) + size, alignment), alignment


@remember_small
def flat(wit: WitType) -> tuple[Core, ...]:
    """The core values that a value becomes."""
    match wit:
        case Number() | Float():
            return (_CORE_OF[wit.value[1]],)
        case Char() | Own() | Borrow() | Flags():
            return ("i32",)
        case String() | List():
            return "i32", "i32"
        case Record() | Tuple():
            return flat_all(fields_of(wit))
        case Variant() | Enum() | Option() | Result():
            return "i32", *_joined([t for _, t in cases_of(wit) if t is not None])


def flat_all(wits: Sequence[WitType]) -> tuple[Core, ...]:
    """The core values that several values become, one after the other."""
    return tuple([core for wit in wits for core in flat(wit)])


def _joined(wits: Sequence[WitType]) -> list[Core]:
    """The core values that can stand for those of any of these types."""
    shared: list[Core] = []
    for wit in wits:
        for place, core in enumerate(flat(wit)):
            if place == len(shared):
                shared.append(core)
            elif shared[place] != core:
                is_narrow = {shared[place], core} == {"i32", "f32"}
                shared[place] = "i32" if is_narrow else "i64"
    return shared
