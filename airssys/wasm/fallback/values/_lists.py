"""Lists, made from columns; if a column refuses, elements are laid out one by one.

Values of varying size are laid out as lists of their own: the elements of all inner
lists, the values of all options that are set, the payloads of all variants of one case.
Types without a column (flags, resources, options of options) are always laid out one by
one, by generated code, which also reports what does not fit and where.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final, final

from airssys.wasm._c_api import VAL_SIZE
from airssys.wasm.values import (
    Case,
    Char,
    Enum,
    Err,
    Float,
    List,
    Number,
    Ok,
    Option,
    Record,
    Result,
    String,
    Tuple,
    Variant,
    WitType,
    unfit,
)

from ._columns import (
    REFUSALS,
    Column,
    NameTable,
    Places,
    bools,
    byte_lists,
    chars,
    enums,
    numbers,
    only,
    point,
    repeated,
    strings,
    tag,
)
from ._layout import NAME, VAL, row_of, stride_of
from ._strings import Name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airssys.wasm.values import Block

    from ._frame import Frame

_FEW: Final = 4
"""Shorter lists are not worth the set-up of arrays."""
_PIECE: Final = 4096
"""Elements that are laid out in one step; other threads run in between."""


def lower_list(
    frame: Frame, how: tuple[int, Column | None, Any], values: Any, path: str
) -> tuple[int, int]:
    """Lay a list out after the fixed places; returns its length and address.

    Raises:
        ValueUnfit: This is not a list, or an element does not fit.
    """
    stride, column, lower_each = how
    values = _fixed(values, path)
    count = len(values)
    block, at = frame.reserve(count * stride * 8)
    first, more = at // 8, at // 8 + count * VAL
    try:
        if column is None or count < _FEW:
            raise TypeError
        for start in range(0, count, _PIECE):
            piece = values[start : start + _PIECE]
            a, m = first + start * VAL, more + start * (stride - VAL)
            places = Places(len(piece), a, VAL, m, stride - VAL)
            column(frame, block, places, piece)
    except REFUSALS:
        lower_each(frame, block, first, more, values)
    return count, block.base + at


def _fixed(values: Any, path: str) -> Sequence[Any]:
    """Copy a list as it is now, because later changes would not fit."""
    if type(values) is tuple:
        return values
    if isinstance(values, (array, memoryview)):
        view = memoryview(values)
        return view if view.ndim == 1 else unfit(path, values, "list")
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        unfit(path, values, "list")
    return tuple(values)


def column_of(wit: WitType) -> Column | None:  # noqa: C901, PLR0911, PLR0912  # one match over a closed union
    """Make a function that lowers a column of a type, if that is possible at once."""
    match wit:
        case Number.BOOL:
            return bools
        case Number() | Float():
            return numbers(wit)
        case Char():
            return chars
        case String():
            return strings
        case Enum():
            return enums(wit)
        case Record() | Tuple():
            return _rows(wit)
        case Variant():
            return _variants(wit)
        case Result():
            return _results(wit)
        case Option(some):
            return _options(some)
        case List(Number.U8):
            return byte_lists
        case List(element):
            return _lists(element)
        case _:
            return None


def _behind(
    frame: Frame, column: Column, stride: int, values: Sequence[Any]
) -> tuple[int, int]:
    """Lay values out as a list of their own; returns the first address and the end."""
    count = len(values)
    block, at = frame.reserve(count * stride * 8)
    first, more = at // 8, at // 8 + count * VAL
    if count:
        column(frame, block, Places(count, first, VAL, more, stride - VAL), values)
    return block.base + at, block.base + at + count * VAL_SIZE


def _options(some: WitType) -> Column | None:
    """Lay out the options that are set."""
    column = None if isinstance(some, Option) else column_of(some)
    if column is None:
        return None
    stride, wit = stride_of(some), Option(some)

    def lower(
        frame: Frame, block: Block, places: Places, values: Sequence[Any]
    ) -> None:
        there = [value for value in values if value is not None]
        addresses = iter(range(*_behind(frame, column, stride, there), VAL_SIZE))
        found = [0 if value is None else next(addresses) for value in values]
        tag(block, places, wit)
        block.words[places.words(1)] = memoryview(array("Q", found))

    return lower


def _lists(element: WitType) -> Column | None:
    """Lay out the elements of all."""
    column = column_of(element)
    if column is None:
        return None
    stride, wit = stride_of(element), List(element)

    def lower(
        frame: Frame, block: Block, places: Places, values: Sequence[Any]
    ) -> None:
        only(values, tuple, list)
        sizes = array("Q", map(len, values))
        flat = tuple(chain.from_iterable(values))
        if len(flat) != sum(sizes):
            raise ValueError  # another thread has changed them
        first, _ = _behind(frame, column, stride, flat)
        tag(block, places, wit)
        point(block, places, sizes, first, VAL_SIZE)

    return lower


@final
class _Payloads:
    """Lays out the contents of a variant's or result's cases, case by case."""

    def __init__(self, cases: Sequence[tuple[Any, WitType | None]]) -> None:
        self._columns = {
            key: (
                None if wit is None else column_of(wit),
                (wit and stride_of(wit)) or 0,
            )
            for key, wit in cases
        }
        self.possible = all(
            wit is None or self._columns[key][0] is not None for key, wit in cases
        )

    def addresses(
        self, frame: Frame, keys: Sequence[Any], carried: Sequence[Any]
    ) -> memoryview:
        """Lay out the contents of values; returns the addresses, 0 for nothing."""
        payloads: dict[Any, list[Any]] = {key: [] for key in self._columns}
        for key, payload in zip(keys, carried, strict=True):
            payloads[key].append(payload)
        found: dict[Any, Iterator[int]] = {}
        for key, (column, stride) in self._columns.items():
            if column is not None:
                first, end = _behind(frame, column, stride, payloads[key])
                found[key] = iter(range(first, end, VAL_SIZE))
            elif any(payload is not None for payload in payloads[key]):
                raise ValueError
            else:
                found[key] = repeat(0)
        return memoryview(array("Q", [next(found[key]) for key in keys]))


def _variants(wit: Variant) -> Column | None:
    payloads = _Payloads(wit.cases)
    if not payloads.possible:
        return None
    names = NameTable([case for case, _ in wit.cases])

    def lower(
        frame: Frame, block: Block, places: Places, values: Sequence[Any]
    ) -> None:
        only(values, Case)
        keys, carried = zip(*values, strict=True)
        tag(block, places, wit)
        names.write(block, places, keys)
        block.words[places.words(3)] = payloads.addresses(frame, keys, carried)

    return lower


def _results(wit: Result) -> Column | None:
    payloads = _Payloads(((Ok, wit.ok), (Err, wit.err)))
    if not payloads.possible:
        return None

    def lower(
        frame: Frame, block: Block, places: Places, values: Sequence[Any]
    ) -> None:
        only(values, Ok, Err)
        keys = [type(value) for value in values]
        tag(block, places, wit)
        good = memoryview(array("Q", [key is Ok for key in keys]))
        block.words[places.words(1)] = good
        carried = [value.value for value in values]
        block.words[places.words(2)] = payloads.addresses(frame, keys, carried)

    return lower


def _rows(wit: Record | Tuple) -> Column | None:
    found = [(name, column_of(t), place, more) for name, t, place, more in row_of(wit)]
    fields = [
        (Name(name) if name else None, column, place, more)
        for name, column, place, more in found
        if column is not None
    ]
    if len(fields) < len(found):
        return None

    def lower(
        frame: Frame, block: Block, places: Places, values: Sequence[Any]
    ) -> None:
        if not all(issubclass(kind, tuple) for kind in set(map(type, values))):
            raise TypeError
        if set(map(len, values)) != {len(fields)}:
            raise ValueError
        tag(block, places, wit)
        block.words[places.words(1)] = repeated(places.count, len(fields))
        block.words[places.words(2)] = _rows_of(block, places)
        columns = zip(*values, strict=True)
        for (name, column, place, more), each in zip(fields, columns, strict=True):
            if name is not None:
                for word in (0, 1):
                    at = places.words_of_more(place - NAME + word)
                    block.words[at] = repeated(places.count, name.place[word])
            column(frame, block, places.below(place, more), each)

    return lower


def _rows_of(block: Block, places: Places) -> memoryview:
    """The addresses of the fixed places of all values."""
    first = block.base + 8 * places.more
    step = 8 * places.more_step
    return memoryview(array("Q", range(first, first + places.count * step, step)))
