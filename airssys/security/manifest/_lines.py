"""Finds the line of each key of a TOML text, which `tomllib` does not tell.

Only a text that `tomllib` has accepted is read: so nothing is checked here, and the
grammar needs no more than where a key begins and where a value ends.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from typing import Final, TypeAlias, final

Key: TypeAlias = tuple[str | int, ...]
"""The way to a value: the names of tables and keys, and the indices of lists."""

_BLANK: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\])*"|\'[^\']*\'',
    re.DOTALL,
)
_PLAIN: Final = re.compile(r"[^,\]}#\n]+")
"""A number, a date or a word."""


def find_lines(text: str) -> dict[Key, int]:
    r"""Return the line, from 1, of each table, key and item of a list.

    Args:
        text: Valid TOML, its line ends `\n`.
    """
    scanner = _Scanner(text)
    scanner.read_document()
    return scanner.lines


@final
class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[Key, int] = {(): 1}
        self._text, self._at = text, 0
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._last: dict[Key, int] = {}
        """By list of tables, the index of its last one."""

    def read_document(self) -> None:
        """Read headers and keys up to the end."""
        table: Key = ()
        while self._next():
            if self._next() == "[":
                table = self._header()
            else:
                self._key_and_value(table)

    def _next(self) -> str:
        """Go to what comes after blanks, line ends and comments; empty at the end."""
        self._skip(_BLANK)
        return self._text[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError(f"this is not TOML, after {self._at} characters")
        self._at = found.end()
        return found[0]

    def _line(self) -> int:
        return bisect.bisect_left(self._ends, self._at) + 1

    def _header(self) -> Key:
        line, brackets = self._line(), 1
        if self._text.startswith("[[", self._at):
            brackets = 2
        self._at += brackets
        *above, name = self._keys()
        self._at += brackets
        table = (*self._within((), above, line), name)
        if brackets == 1:
            table = self._within(table[:-1], [name], line)
        else:
            self.lines.setdefault(table, line)
            self._last[table] = self._last.get(table, -1) + 1
            table = (*table, self._last[table])
        self.lines[table] = line
        return table

    def _within(self, table: Key, names: list[str], line: int) -> Key:
        """Follow names from a table; in a list of tables, to its last one."""
        for name in names:
            table = (*table, name)
            self.lines.setdefault(table, line)
            if table in self._last:
                table = (*table, self._last[table])
        return table

    def _keys(self) -> list[str]:
        """Read a key with its dots, and go to what comes after it."""
        names: list[str] = []
        while True:
            if self._next() in {"'", '"'}:
                quoted = self._skip(_STRING)
                names.append(tomllib.loads(f"key = {quoted}")["key"])
            else:
                names.append(self._skip(_BARE))
            if self._next() != ".":
                return names
            self._at += 1

    def _key_and_value(self, table: Key) -> None:
        self._next()
        line = self._line()
        *above, name = self._keys()
        self._at += 1  # the sign of equality
        key = (*self._within(table, above, line), name)
        self.lines[key] = line
        self._value(key)

    def _value(self, key: Key) -> None:
        match self._next():
            case "'" | '"':
                self._skip(_STRING)
            case "[":
                self._list(key)
            case "{":
                self._inline_table(key)
            case _:
                self._skip(_PLAIN)

    def _list(self, key: Key) -> None:
        self._at += 1
        index = 0
        while self._next() != "]":
            self.lines[*key, index] = self._line()
            self._value((*key, index))
            index += 1
            if self._next() == ",":
                self._at += 1
        self._at += 1

    def _inline_table(self, key: Key) -> None:
        self._at += 1
        while self._next() != "}":
            self._key_and_value(key)
            if self._next() == ",":
                self._at += 1
        self._at += 1
