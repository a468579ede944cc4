"""How a type is encoded, and the errors when a value or a type does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias, final, get_origin

import attrs

from airssys.contracts import kind_name, text_of

Kind: TypeAlias = Any
"""Any annotation."""
Plain: TypeAlias = Any
"""What a format can hold: None, numbers, text, perhaps bytes, lists and dicts."""
Format: TypeAlias = Literal["json", "msgpack"]

_MOST_PROBLEMS: Final = 10


@final
class Unfit(Exception):
    """A value is not of its type. Has the problems with paths, and a count of the rest.

    The count limits the size of the errors for a message with a million mistakes.
    """

    def __init__(self, *texts: str) -> None:
        self.problems = [("", text) for text in texts]
        self.more = 0
        super().__init__(*texts)

    def add(self, step: str, error: Exception) -> Unfit:
        """Add the problems of an inner value; returns itself."""
        if not isinstance(error, Unfit):
            error = Unfit(described(error))
        free = _MOST_PROBLEMS - len(self.problems)
        taken = error.problems[:free]
        self.problems += [(step + path, text) for path, text in taken]
        self.more += error.more + len(error.problems) - len(taken)
        return self


@final
class Unsuited(Exception):
    """Values of a type cannot be sent. Has all the problems, with their fields."""

    def __init__(self, *problems: tuple[str | None, str]) -> None:
        self.problems = problems
        """The field, e.g. `Order.item`, or None outside of any; and the problem."""
        super().__init__(*problems)


@final
@attrs.define(eq=False)
class Shape:
    """How values of one type are written and read."""

    name: str
    plains: frozenset[type]
    """The types on the wire."""
    types: tuple[type, ...]
    """The types of the values themselves."""
    read: Callable[[Plain], Any]
    """Makes a value from what was received; raises any exception if it does not fit."""
    write: Callable[[Any], Plain]
    is_plain: bool = False
    """The value is written unchanged."""
    exact: frozenset[type] = frozenset()
    """Values of exactly these types need neither reading nor writing."""
    also: frozenset[type] = frozenset()
    """Other wire types that can be read, if no other member claims them."""
    required: frozenset[str] | None = None
    """For a message class: the fields without a default."""
    names: frozenset[str] = frozenset()
    """For a message class: all fields."""
    tags: dict[str, frozenset[tuple[type, Plain]]] = attrs.Factory(dict)
    """For a message class: its literal fields, and their values on the wire."""
    members: tuple[Shape, ...] = ()
    """For a union."""


def described(error: Exception) -> str:
    """Return an error as text, whatever its own methods do."""
    return f"{kind_name(error)}: {text_of(error)}"


def brief(plain: Plain) -> str:
    """Return the beginning of a plain value, without converting the rest to text."""
    return repr(plain[:40]) if type(plain) is str else f"{plain!r:.40}"


def origin_of(kind: Kind) -> Any:  # noqa: ANN401 (a class, or what `typing` has for one)
    """Return a type without its type arguments."""
    origin: Any = get_origin(kind)
    return kind if origin is None else origin


def shown(kind: Kind) -> str:
    """Return a type as its users write it, shortened."""
    name = getattr(kind, "__qualname__", None)
    try:
        text = name if isinstance(kind, type) and name else repr(kind)
    except Exception:  # noqa: BLE001 (its metaclass is the user's)
        text = "a type that cannot be shown"
    return f"{text.rpartition('<locals>.')[2]:.80}"


def expected(what: str, found: object) -> Unfit:
    """Return the error for a value of another type."""
    return Unfit(f"expected {what}, not {type(found).__name__}")


def refused(text: str) -> Unsuited:
    """Return the error for a type that cannot be sent."""
    return Unsuited((None, text))
