"""Values of simple types, laid out column by column.

A *column* is a series of values of one type at equal distances: all elements of a list,
or one field of all its records. One by one, elements cost a few hundred nanoseconds
each; a column is written by strided copies of arrays, which C makes and whose ranges C
checks. `_wit_lists` combines columns to lists.

A column may refuse for any reason by raising one of `REFUSALS`. It must only accept
what the generated code accepts, and must write nothing outside of its places.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from typing import Any, Final, TypeAlias, final

import attrs

from airssys.wasm._c_api import VAL_SIZE
from airssys.wasm.values import BYTES, CHAR, STRING, Block, Enum, Float, Number, WitType

from ._frame import Frame
from ._layout import kind_of
from ._strings import Name


@attrs.frozen
class Places:
    """Where the values of a column are: their number, the first word, the step.

    Their fixed places are elsewhere, with a step of their own.
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


REFUSALS: Final = (
    TypeError,
    ValueError,
    OverflowError,
    LookupError,
    NotImplementedError,
)
Column: TypeAlias = Callable[[Frame, Block, Places, Sequence[Any]], None]


def repeated(count: int, word: int) -> memoryview:
    return memoryview(array("Q", (word,)) * count)


def only(values: Sequence[Any], *kinds: type) -> None:
    if not set(map(type, values)) <= set(kinds):
        raise TypeError


def tag(block: Block, places: Places, wit: WitType) -> None:
    block.words[places.words(0)] = repeated(places.count, kind_of(wit))


def bools(_frame: Frame, block: Block, places: Places, values: Sequence[Any]) -> None:
    only(values, bool)
    tag(block, places, Number.BOOL)
    memoryview(block.data)[places.content_as(1)] = bytes(values)


def numbers(wit: Number | Float) -> Column:
    code = wit.value[1]
    kinds = (int,) if isinstance(wit, Number) else (float, int)
    size = array(code).itemsize

    def lower(
        _frame: Frame, block: Block, places: Places, values: Sequence[Any]
    ) -> None:
        tag(block, places, wit)
        content = memoryview(block.data).cast(code)
        content[places.content_as(size)] = _as_buffer(values)

    def _as_buffer(values: Sequence[Any]) -> memoryview:
        if type(values) is memoryview and values.format == code:
            return values
        only(values, *kinds)
        return memoryview(array(code, values))

    return lower


def chars(_frame: Frame, block: Block, places: Places, values: Sequence[Any]) -> None:
    only(values, str)
    if set(map(len, values)) != {1}:
        raise ValueError
    tag(block, places, CHAR)
    codes = "".join(values).encode("utf-32-le")
    memoryview(block.data).cast("I")[places.content_as(4)] = memoryview(codes).cast("I")


def strings(frame: Frame, block: Block, places: Places, values: Sequence[Any]) -> None:
    only(values, str)
    text = "".join(values)
    data = text.encode()
    if len(data) == len(text):
        sizes = array("Q", map(len, values))
    else:
        sizes = array("Q", [len(each.encode()) for each in values])
    there, at = frame.reserve(len(data))
    there.data[at : at + len(data)] = data
    tag(block, places, STRING)
    point(block, places, sizes, there.base + at, 1)


@final
class NameTable:
    """Names in memory, and what writes one for each value of a column."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = {name: Name(name) for name in names}
        self._sizes = {name: each.place[0] for name, each in self._names.items()}
        self._addresses = {name: each.place[1] for name, each in self._names.items()}

    def write(self, block: Block, places: Places, keys: Sequence[str]) -> None:
        """Write size and address; LookupError if there is no such name."""
        for word, table in ((1, self._sizes), (2, self._addresses)):
            found = array("Q", map(table.__getitem__, keys))
            block.words[places.words(word)] = memoryview(found)


def enums(wit: Enum) -> Column:
    """Lower the names of cases."""
    names = NameTable(wit.cases)

    def lower(
        _frame: Frame, block: Block, places: Places, values: Sequence[Any]
    ) -> None:
        only(values, str)
        tag(block, places, wit)
        names.write(block, places, values)

    return lower


def byte_lists(
    frame: Frame, block: Block, places: Places, values: Sequence[Any]
) -> None:
    only(values, bytes)
    first = frame.put_byte_values(b"".join(values))
    tag(block, places, BYTES)
    point(block, places, array("Q", map(len, values)), first, VAL_SIZE)


def point(
    block: Block, places: Places, sizes: array[int], first: int, unit: int
) -> None:
    """Write sizes, and addresses of things that follow each other."""
    steps = sizes if unit == 1 else [size * unit for size in sizes]
    ends = array("Q", accumulate(chain((first,), steps)))
    block.words[places.words(1)] = memoryview(sizes)
    block.words[places.words(2)] = memoryview(ends)[:-1]
