"""Lists, laid out column by column.

Element by element costs a few hundred nanoseconds each. But most of what is written
lies at equal distances: the kinds of all elements, all numbers of one field, all
addresses of one string. A *column* writes such a row of values with strided copies of
arrays, which C makes and whose ranges C checks.

A column may refuse a list for any reason by raising what it likes of `_REFUSALS`; then
the elements are lowered one by one, and that says what is wrong and where. So a column
must take only what the other way takes, and must have written nothing outside the room
that the list was given. Types without a column (variants, options) are always lowered
one by one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from typing import Any, Final, TypeAlias

import attrs

from ._c_api import VAL_SIZE
from ._wit_layout import NAME, VAL, kind_of, row_of, stride_of
from ._wit_memory import Block, Frame
from ._wit_text import Name, unfit
from ._wit_types import (
    BYTES,
    CHAR,
    STRING,
    Char,
    Enum,
    Float,
    List,
    Number,
    Option,
    Record,
    String,
    Tuple,
    WitType,
)


@attrs.frozen
class Places:
    """Where the values of a column lie: so many, the first at a word, in equal steps.

    Their fixed places lie elsewhere, in steps of their own.
    """

    count: int
    at: int
    step: int
    more: int
    more_step: int

    def words(self, word: int) -> slice:
        """One word of every value."""
        first = self.at + word
        return slice(first, first + (self.count - 1) * self.step + 1, self.step)

    def words_of_more(self, word: int) -> slice:
        """One word of every value's fixed places."""
        first = self.more + word
        step = self.more_step
        return slice(first, first + (self.count - 1) * step + 1, step)

    def content_as(self, size: int) -> slice:
        """The beginning of every value's content, in units of `size` bytes."""
        each = 8 // size
        first = (self.at + 1) * each
        step = self.step * each
        return slice(first, first + (self.count - 1) * step + 1, step)

    def below(self, place: int, inner: int) -> Places:
        """The places of one field of every row."""
        step = self.more_step
        return Places(self.count, self.more + place, step, self.more + inner, step)


Column: TypeAlias = Callable[[Frame, Block, Places, Sequence[Any]], None]
_REFUSALS: Final = (
    TypeError,
    ValueError,
    OverflowError,
    LookupError,
    NotImplementedError,
)
_FEW: Final = 4
"""Shorter lists are not worth the set-up of arrays."""
_PIECE: Final = 4096
"""Elements that are laid out in one step; other threads run in between."""


def lower_list(
    frame: Frame, how: tuple[int, Column | None, Any], values: Any, path: str
) -> tuple[int, int]:
    """Lay a list out behind; returns how many elements it has and their address.

    Raises:
        ValueUnfit: this is no list, or an element does not fit.
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
    except _REFUSALS:
        lower_each(frame, block, first, more, values)
    return count, block.base + at


def _fixed(values: Any, path: str) -> Sequence[Any]:
    """Take a list as it is now: what it may become later has no room."""
    if type(values) is tuple:
        return values
    if isinstance(values, (array, memoryview)):
        view = memoryview(values)
        return view if view.ndim == 1 else unfit(path, values, "list")
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        unfit(path, values, "list")
    return tuple(values)


def column_of(wit: WitType) -> Column | None:  # noqa: C901, PLR0911  # one match over a closed union
    """Make what lowers a column of a type, if it can be done at once."""
    match wit:
        case Number.BOOL:
            return _bools
        case Number() | Float():
            return _numbers(wit)
        case Char():
            return _chars
        case String():
            return _strings
        case Enum(cases):
            return _enums(cases)
        case Record() | Tuple():
            return _rows(wit)
        case Option(some):
            return _options(some)
        case List(Number.U8):
            return _byte_lists
        case List(element):
            return _lists(element)
        case _:
            return None


def _repeated(count: int, word: int) -> memoryview:
    return memoryview(array("Q", (word,)) * count)


def _only(values: Sequence[Any], *kinds: type) -> None:
    if not set(map(type, values)) <= set(kinds):
        raise TypeError


def _tag(block: Block, places: Places, wit: WitType) -> None:
    block.words[places.words(0)] = _repeated(places.count, kind_of(wit))


def _bools(_frame: Frame, block: Block, places: Places, values: Sequence[Any]) -> None:
    _only(values, bool)
    _tag(block, places, Number.BOOL)
    memoryview(block.data)[places.content_as(1)] = bytes(values)


def _numbers(wit: Number | Float) -> Column:
    code = wit.value[1]
    kinds = (int,) if isinstance(wit, Number) else (float, int)
    size = array(code).itemsize

    def lower(
        _frame: Frame, block: Block, places: Places, values: Sequence[Any]
    ) -> None:
        _tag(block, places, wit)
        content = memoryview(block.data).cast(code)
        content[places.content_as(size)] = _as_buffer(values)

    def _as_buffer(values: Sequence[Any]) -> memoryview:
        if type(values) is memoryview and values.format == code:
            return values
        _only(values, *kinds)
        return memoryview(array(code, values))

    return lower


def _chars(_frame: Frame, block: Block, places: Places, values: Sequence[Any]) -> None:
    _only(values, str)
    if set(map(len, values)) != {1}:
        raise ValueError
    _tag(block, places, CHAR)
    codes = "".join(values).encode("utf-32-le")
    memoryview(block.data).cast("I")[places.content_as(4)] = memoryview(codes).cast("I")


def _strings(frame: Frame, block: Block, places: Places, values: Sequence[Any]) -> None:
    _only(values, str)
    text = "".join(values)
    data = text.encode()
    if len(data) == len(text):
        sizes = array("Q", map(len, values))
    else:
        sizes = array("Q", [len(each.encode()) for each in values])
    there, at = frame.reserve(len(data))
    there.data[at : at + len(data)] = data
    _tag(block, places, STRING)
    _point(block, places, sizes, there.base + at, 1)


def _enums(cases: tuple[str, ...]) -> Column:
    names = {case: Name(case) for case in cases}
    wit = Enum(cases)

    def lower(
        _frame: Frame, block: Block, places: Places, values: Sequence[Any]
    ) -> None:
        _only(values, str)
        found = [names[value].place for value in values]
        _tag(block, places, wit)
        for word in (0, 1):
            items = memoryview(array("Q", [place[word] for place in found]))
            block.words[places.words(1 + word)] = items

    return lower


def _byte_lists(
    frame: Frame, block: Block, places: Places, values: Sequence[Any]
) -> None:
    _only(values, bytes)
    first = frame.put_byte_values(b"".join(values))
    _tag(block, places, BYTES)
    _point(block, places, array("Q", map(len, values)), first, VAL_SIZE)


def _options(some: WitType) -> Column | None:
    """Lay out as one list those that are there."""
    column = None if isinstance(some, Option) else column_of(some)
    if column is None:
        return None
    stride = stride_of(some)
    wit = Option(some)

    def lower(
        frame: Frame, block: Block, places: Places, values: Sequence[Any]
    ) -> None:
        there = [value for value in values if value is not None]
        count = len(there)
        room, at = frame.reserve(count * stride * 8)
        first, more = at // 8, at // 8 + count * VAL
        if count:
            column(frame, room, Places(count, first, VAL, more, stride - VAL), there)
        address, end = room.base + at, room.base + at + count * VAL_SIZE
        addresses = iter(range(address, end, VAL_SIZE))
        found = [0 if value is None else next(addresses) for value in values]
        _tag(block, places, wit)
        block.words[places.words(1)] = memoryview(array("Q", found))

    return lower


def _lists(element: WitType) -> Column | None:
    """Lay the elements of all lists out as one list."""
    column = column_of(element)
    if column is None:
        return None
    stride = stride_of(element)
    wit = List(element)

    def lower(
        frame: Frame, block: Block, places: Places, values: Sequence[Any]
    ) -> None:
        _only(values, tuple, list)
        sizes = array("Q", map(len, values))
        flat = tuple(chain.from_iterable(values))
        count = len(flat)
        if count != sum(sizes):
            raise ValueError  # somebody changes them while we look
        there, at = frame.reserve(count * stride * 8)
        first, more = at // 8, at // 8 + count * VAL
        if count:
            column(frame, there, Places(count, first, VAL, more, stride - VAL), flat)
        _tag(block, places, wit)
        _point(block, places, sizes, there.base + at, VAL_SIZE)

    return lower


def _point(
    block: Block, places: Places, sizes: array[int], first: int, unit: int
) -> None:
    """Write sizes, and addresses of things that lie one behind the other."""
    steps = sizes if unit == 1 else [size * unit for size in sizes]
    ends = array("Q", accumulate(chain((first,), steps)))
    block.words[places.words(1)] = memoryview(sizes)
    block.words[places.words(2)] = memoryview(ends)[:-1]


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
        _tag(block, places, wit)
        block.words[places.words(1)] = _repeated(places.count, len(fields))
        block.words[places.words(2)] = _rows_of(block, places)
        columns = zip(*values, strict=True)
        for (name, column, place, more), each in zip(fields, columns, strict=True):
            if name is not None:
                for word in (0, 1):
                    at = places.words_of_more(place - NAME + word)
                    block.words[at] = _repeated(places.count, name.place[word])
            column(frame, block, places.below(place, more), each)

    return lower


def _rows_of(block: Block, places: Places) -> memoryview:
    """The addresses of the fixed places of all values."""
    first = block.base + 8 * places.more
    step = 8 * places.more_step
    return memoryview(array("Q", range(first, first + places.count * step, step)))
