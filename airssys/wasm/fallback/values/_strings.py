"""Names and records of strings, laid out in memory once and used again.

An identity is three strings, and the same few senders occur in message after message.
Copying a record of strings that was made before costs a fifth of making it.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any, Final, final

from airssys.wasm._c_api import FIELD_SIZE, Kind
from airssys.wasm.values import Block, Record, encoded, unfit

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIELD_WORDS: Final = FIELD_SIZE // 8
_MOST_ROWS: Final = 1024
"""Rows that are kept for one place of a type; then they are made again."""
_LONGEST_ROW: Final = 512
"""Characters of a row that is kept. Most names of actors are shorter, and a guest may
claim that any text is a name."""


@final
class Name:
    """The name of a field or case, in memory for as long as its code exists."""

    __slots__ = ("_pin", "place")

    def __init__(self, text: str) -> None:
        data = text.encode()
        self._pin = ctypes.create_string_buffer(data, len(data) + 1)
        self.place = (len(data), ctypes.addressof(self._pin))
        """Size and address."""


@final
class TextRow:
    """The entries of one record of strings, and the strings themselves."""

    __slots__ = ("_texts", "data")

    def __init__(self, names: Sequence[Name], texts: Sequence[bytes]) -> None:
        self._texts = Block(sum(map(len, texts)))
        entries = Block(len(names) * FIELD_SIZE)
        at = 0
        for index, (name, text) in enumerate(zip(names, texts, strict=True)):
            self._texts.data[at : at + len(text)] = text
            place = (*name.place, Kind.STRING, len(text), self._texts.base + at, 0)
            for word, value in enumerate(place):
                entries.words[index * _FIELD_WORDS + word] = value
            at += len(text)
        self.data = bytes(entries.data)


@final
class TextRows:
    """Rows by the strings they consist of; the same few names occur repeatedly."""

    def __init__(self, wit: Record, path: str) -> None:
        self._names = [Name(name) for name, _ in wit.fields]
        self._paths = [f"{path}.{name}" for name, _ in wit.fields]
        self._path = path
        self._rows: dict[tuple[str, ...], TextRow] = {}
        _all_rows.add(self)

    def forget(self) -> None:
        """Forget all rows; those in use are kept by their users."""
        self._rows.clear()

    def find(self, value: Any) -> TextRow:
        """Look a row up, or make it.

        Raises:
            ValueUnfit: This is not a tuple of that many strings.
        """
        try:
            return self._rows[value]
        except (KeyError, TypeError):
            return self._make(value)

    def _make(self, value: Any) -> TextRow:
        count = len(self._names)
        if not isinstance(value, tuple) or len(value) != count:
            unfit(self._path, value, f"tuple of {count}")
        for path, text in zip(self._paths, value, strict=True):
            if not isinstance(text, str):
                unfit(path, text, "str")
        texts = [encoded(t, p) for t, p in zip(value, self._paths, strict=True)]
        row = TextRow(self._names, texts)
        if sum(map(len, value)) <= _LONGEST_ROW:
            if len(self._rows) >= _MOST_ROWS:
                self._rows.clear()
            self._rows[value] = row
        return row


_all_rows: weakref.WeakSet[TextRows] = weakref.WeakSet()


def forget_rows() -> None:
    """Forget the rows for guests that have ended; other guests make theirs again."""
    for rows in list(_all_rows):
        rows.forget()


@final
class FlagRow:
    """The names of the flags that are set, in order."""

    __slots__ = ("_names", "place")

    def __init__(self, names: Sequence[Name]) -> None:
        self._names = Block(16 * len(names))
        for index, name in enumerate(names):
            self._names.words[2 * index], self._names.words[2 * index + 1] = name.place
        self.place = (len(names), self._names.base)
        """How many, and their address."""


@final
class FlagRows:
    """Rows by the set of flags that are set."""

    def __init__(self, names: Sequence[str], path: str) -> None:
        self._names = {name: Name(name) for name in names}
        self._path = path
        self._rows: dict[frozenset[str], FlagRow] = {}

    def find(self, value: Any) -> FlagRow:
        """Look a row up, or make it.

        Raises:
            ValueUnfit: This is not a set of these names.
        """
        if not isinstance(value, (frozenset, set)):
            unfit(self._path, value, "set")
        present = frozenset(value)
        if present not in self._rows:
            self._make(present)
        return self._rows[present]

    def _make(self, present: frozenset[str]) -> None:
        for name in present:
            if name not in self._names:
                unfit(self._path, name, " | ".join(self._names))
        if len(self._rows) >= _MOST_ROWS:
            self._rows.clear()
        row = FlagRow([name for flag, name in self._names.items() if flag in present])
        self._rows[present] = row
