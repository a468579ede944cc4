"""Reads plain values as tables, and finds all that is wrong with them, with their lines.

What a table's class says of a field decides: its type, a pattern, a check. A value that
is wrong is left out, so that reading goes on.
"""

from __future__ import annotations

import enum
import functools
import re
import types
import typing
from typing import TYPE_CHECKING, Any, Final, final, get_args, get_origin

import attrs

from airssys.contracts import Mistake, meant
from airssys.contracts.values import choices, is_text, shown

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from ._lines import Key

_WRONG: Final = object()
"""Stands for a value that was reported."""
_LARGE: Final = 2**1000
_MOST_ITEMS: Final = 1000
"""Of one list or one table of free names."""


def types_of(kind: type[Any]) -> dict[str, Any]:
    """Return the types of a class's fields, resolved, in their order."""
    hints = _hints(kind)  # type: ignore[arg-type]  # a class has a hash
    return {field.name: hints[field.name] for field in attrs.fields(kind)}


@functools.cache  # of a dozen classes
def _hints(kind: Hashable) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def without_none(wanted: Any) -> tuple[Any, ...]:  # noqa: ANN401  # a type
    """Return the alternatives of a type; None is a value that TOML does not have."""
    if get_origin(wanted) not in {typing.Union, types.UnionType}:
        return (wanted,)
    return tuple(each for each in get_args(wanted) if each is not type(None))


@final
class Structure:
    """Reads the tables of one file.

    Args:
        file: Its name, for the mistakes.
        lines: Of each key.
    """

    def __init__(self, file: str, lines: Mapping[Key, int]) -> None:
        self._file, self._lines = file, lines
        self.mistakes: list[Mistake] = []
        self._noted: set[Key] = set()

    def note(self, key: Key, found: str, hint: str) -> None:
        """Add a mistake; it has the line of its key, or of the table it belongs to."""
        known = next(key[:n] for n in range(len(key), -1, -1) if key[:n] in self._lines)
        line, path = self._lines[known], path_of(key)
        place = path.removeprefix(".") or "the file"
        self.mistakes.append(Mistake(path, found, hint, self._file, line, place))
        self._noted |= {key[:n] for n in range(len(key) + 1)}

    def is_right(self, *key: str) -> bool:
        """Say whether there is no mistake in what a key stands for."""
        return key not in self._noted

    def table(self, kind: type[Any], given: object, key: Key = ()) -> dict[str, Any]:
        """Read a table; returns the values of its keys that are right, by their names."""
        if not isinstance(given, dict):
            found = f"{shown(given)} is not a table"
            self.note(key, found, f"write [{path_of(key)[1:]}] and its keys below it")
            return {}
        read: dict[str, Any] = {}
        known, wanted = attrs.fields_dict(kind), types_of(kind)
        for name in given:
            if name not in known:
                self._unknown(name, known, key)
        for name, field in known.items():
            if name not in given:
                if field.default is attrs.NOTHING:
                    self._missing(kind, name, key, field)
                continue
            at = (*key, name)
            value = self._value(wanted[name], given[name], at)
            if value is not _WRONG and self._is_valid(kind, field, value, at):
                read[name] = value
        return read

    def _unknown(self, name: object, known: Mapping[str, object], key: Key) -> None:
        what, where = "table", ""
        if key:
            what, where = "key", f" in [{path_of(key)[1:]}]"
        found = f"there is no {what} {shown(name)}{where}"
        self.note((*key, str(name)), found, meant(name, known, f"the {what}s are"))

    def _missing(
        self, kind: type[Any], name: str, key: Key, field: attrs.Attribute[Any]
    ) -> None:
        if attrs.has(types_of(kind)[name]):
            self.note((*key, name), f"there is no table [{name}]", f"write [{name}]")
            return
        about = field.metadata.get("wanted") or field.metadata.get("about", "")
        hint = f"write {name} = ..., {about}".rstrip(", .")
        self.note((*key, name), f"the key {name!r} is missing", hint)

    def _is_valid(
        self, kind: type[Any], field: attrs.Attribute[Any], value: object, key: Key
    ) -> bool:
        pattern, check = field.metadata.get("pattern"), field.metadata.get("check")
        problem = None
        if pattern is not None and not re.fullmatch(pattern, typing.cast("str", value)):
            found = f"{shown(value)} is not a valid {field.name}"
            self.note(key, found, f"write {field.metadata['wanted']}")
            return False
        if check is not None:
            problem = check(value)
            if problem is not None:
                hint = f"write {field.metadata['wanted']}"
                self.note(key, f"{shown(value)} {problem}", hint)
        elif field.validator is not None:
            problem = _refusal(kind, field.name, value)
            if problem is not None:
                self.note(key, problem, "leave it out for its default")
        return problem is None

    def _value(self, wanted: Any, given: object, key: Key) -> Any:  # noqa: ANN401  # a type, and what is of it
        """Read a value of any type; `_WRONG` if it was reported."""
        one_of = without_none(wanted)
        if len(one_of) > 1:
            wanted = self._alternative(one_of, given)
        else:
            (wanted,) = one_of
        origin = get_origin(wanted)
        if origin is tuple:
            return self._list(get_args(wanted)[0], given, key)
        if origin is not None:
            return self._texts(given, key)
        if attrs.has(wanted):
            return self._nested(wanted, given, key)
        if issubclass(wanted, enum.Enum):
            return self._word(wanted, given, key)
        return self._plain(wanted, given, key)

    def _alternative(self, one_of: tuple[Any, ...], given: object) -> Any:  # noqa: ANN401  # a type
        """Choose by what was written: a table for a class, a word for what is none."""
        tables = [each for each in one_of if attrs.has(each)]
        others = [each for each in one_of if not attrs.has(each)]
        return (tables if isinstance(given, dict) else others)[0]

    def _nested(self, wanted: type[Any], given: object, key: Key) -> Any:  # noqa: ANN401  # of that class
        """Read a table in a table; without the keys that are wrong, if it can be."""
        read = self.table(wanted, given, key)
        needed = (f.name for f in attrs.fields(wanted) if f.default is attrs.NOTHING)
        is_whole = isinstance(given, dict) and read.keys() >= {*needed}
        return wanted(**read) if is_whole else _WRONG

    def _list(self, wanted: Any, given: object, key: Key) -> Any:  # noqa: ANN401  # a type, and a tuple
        if not isinstance(given, list):
            found = f"{shown(given)} is not a list"
            self.note(key, found, f"write [{shown(given)}]")
            return _WRONG
        if len(given) > _MOST_ITEMS:
            self.note(key, f"it has {len(given)} items", f"at most {_MOST_ITEMS}")
            return _WRONG
        items = [self._value(wanted, each, (*key, n)) for n, each in enumerate(given)]
        return tuple(each for each in items if each is not _WRONG)

    def _texts(self, given: object, key: Key) -> Any:  # noqa: ANN401  # a dict, or wrong
        if not isinstance(given, dict):
            self.note(key, f"{shown(given)} is not a table", "write NAME = 'value'")
            return _WRONG
        return {
            name: text
            for name, each in given.items()
            if (text := self._plain(str, each, (*key, name))) is not _WRONG
        }

    def _word(self, wanted: type[enum.Enum], given: object, key: Key) -> Any:  # noqa: ANN401  # of the enum
        for each in wanted:
            if given == each.value:
                return each
        name = str(key[-1]).replace("_", " ")
        self.note(key, f"{shown(given)} is not a valid {name}", choices(wanted, given))
        return _WRONG

    def _plain(self, wanted: type, given: object, key: Key) -> Any:  # noqa: ANN401  # text, number or bool
        if wanted is float and isinstance(given, int) and not isinstance(given, bool):
            given = float(max(-_LARGE, min(given, _LARGE)))  # floats end there
        if type(given) is wanted and (wanted is not str or is_text(given)):
            return given
        self.note(key, f"{shown(given)} is not {_NAMED[wanted]}", _HINTS[wanted])
        return _WRONG


_NAMED: Final = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "a yes or no",
}
_HINTS: Final = {
    str: "write it in quotes",
    int: "write digits, without quotes",
    float: "write a number, without quotes",
    bool: "write true or false",
}


def _refusal(kind: type[Any], name: str, value: object) -> str | None:
    """Ask a class that checks its values itself."""
    try:
        kind(**{name: value})
    except ValueError as error:
        return str(error)
    return None


def path_of(key: Key) -> str:
    """Write the way to a value as mistakes do: `.capabilities.send[0]`."""
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in key)
