"""Names and records of strings, laid out in memory once and used again.

An identity is three strings; the same few senders come with message after message.
Copying a record of strings that was made before costs a fifth of making it.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Final, NoReturn, final

from ._c_api import FIELD_SIZE, Kind
from ._wit_memory import Block, encoded
from ._wit_types import Record, ValueUnfit

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIELD_WORDS: Final = FIELD_SIZE // 8
_MOST_ROWS: Final = 1024
"""Rows that are kept for one place of a type; then they are made anew."""


@final
class Name:
    """The name of a field or case, in memory for as long as its code lives."""

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
    """Rows by the strings they are made of; the same few names come again and again."""

    def __init__(self, wit: Record, path: str) -> None:
        self._names = [Name(name) for name, _ in wit.fields]
        self._paths = [f"{path}.{name}" for name, _ in wit.fields]
        self._path = path
        self._rows: dict[tuple[str, ...], TextRow] = {}

    def find(self, value: Any) -> TextRow:
        """Look a row up, or make it.

        Raises:
            ValueUnfit: this is no tuple of so many strings.
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
        if len(self._rows) >= _MOST_ROWS:
            self._rows.clear()
        row = self._rows[value] = TextRow(self._names, [encoded(t) for t in value])
        return row


def unfit(path: str, value: object, wanted: str) -> NoReturn:
    """Refuse a value, saying where it stands."""
    raise ValueUnfit(f"{value!r:.60} ({type(value).__name__}) is no {wanted} @ {path}")
