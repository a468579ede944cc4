"""Types of WIT as types of Python, and code that converts between their values.

The values that `AnyInstance.call` takes and returns are plain: a record is a tuple, an
enum is a str. A module for a component has classes for the types that the component
names. A record becomes a NamedTuple and an enum a StrEnum, so that their objects can be
given as they are; only what is returned has to be converted. A variant becomes one class
for each case, and a resource a class with methods; these are converted both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, final

from airssys.wasm.values import (
    BYTES,
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
    parts_of,
)

from ._names import function_name

_Convert: TypeAlias = Callable[[str, WitType, int], str]
_NAMED: Final = (Record, Enum, Flags, Variant)


@final
class Types:
    """The types that one module has classes for."""

    def __init__(
        self, named: Mapping[WitType, str], resources: Mapping[str, str]
    ) -> None:
        self._named, self._resources = named, resources

    def name(self, wit: WitType) -> str | None:
        """Give the class of a type, if it has one."""
        return self._named.get(wit) if isinstance(wit, _NAMED) else None

    def resource(self, wit: Own | Borrow) -> str | None:
        """Give the class of a resource of the component; None for one of the host."""
        return self._resources.get(wit.resource)

    # -------------------------------------------------------- annotations

    def hint(self, wit: WitType, *, given: bool) -> str:
        """Write the annotation of a value that is given, or returned."""
        name = self.name(wit)
        if name is not None:
            return name
        match wit:
            case Number():
                return "bool" if wit is Number.BOOL else "int"
            case Float():
                return "float"
            case Char() | String() | Enum() | Flags():
                return "frozenset[str]" if isinstance(wit, Flags) else "str"
            case Own() | Borrow():
                return self.resource(wit) or "Any"
            case _:
                return self._hint_of_parts(wit, given=given)

    def _hint_of_parts(self, wit: WitType, *, given: bool) -> str:
        match wit:
            case List(element):
                if wit == BYTES:
                    return "bytes"
                inner = self.hint(element, given=given)
                return f"Sequence[{inner}]" if given else f"tuple[{inner}, ...]"
            case Tuple(elements):
                return self._row(elements, given=given)
            case Record(fields):
                return self._row(tuple(part for _, part in fields), given=given)
            case Option(some):
                is_nested = isinstance(some, Option)
                inner = "Some" if is_nested else self.hint(some, given=given)
                return f"{inner} | None"
            case _:
                return "Ok | Err" if isinstance(wit, Result) else "Case"

    def _row(self, parts: tuple[WitType, ...], *, given: bool) -> str:
        inner = ", ".join(self.hint(part, given=given) for part in parts)
        return f"tuple[{inner or '()'}]"

    # -------------------------------------------------------- conversions

    def is_lifted(self, wit: WitType | None) -> bool:
        """Whether a value that is returned has to be converted."""
        if wit is None:
            return False
        if self.name(wit) is not None:
            return True
        if isinstance(wit, (Own, Borrow)):
            return self.resource(wit) is not None
        return any(map(self.is_lifted, parts_of(wit)))

    def is_lowered(self, wit: WitType | None) -> bool:
        """Whether a value that is given has to be converted."""
        if isinstance(wit, (Own, Borrow)):
            return self.resource(wit) is not None
        is_variant = isinstance(wit, Variant) and self.name(wit) is not None
        return is_variant or any(map(self.is_lowered, parts_of(wit)))

    def lift(self, value: str, wit: WitType, depth: int = 0) -> str:
        """Write the conversion of a plain value that the expression `value` gives."""
        if not self.is_lifted(wit):
            return value
        name = self.name(wit)
        if name is not None:
            return f"_lift_{function_name(name)}({value})"
        if isinstance(wit, (Own, Borrow)):
            return f"{self.resource(wit)}({value})"
        return self._through(value, wit, depth, self.lift)

    def lower(self, value: str, wit: WitType, depth: int = 0) -> str:
        """Write the conversion to a plain value."""
        if not self.is_lowered(wit):
            return value
        name = self.name(wit)
        if name is not None:
            return f"_lower_{function_name(name)}({value})"
        if isinstance(wit, (Own, Borrow)):
            return f"{value}.resource"
        return self._through(value, wit, depth, self.lower)

    def _through(self, value: str, wit: WitType, depth: int, convert: _Convert) -> str:
        """Convert the parts of a value."""
        one = f"x{depth}"
        match wit:
            case List(element):
                inner = convert(one, element, depth + 1)
                return f"tuple([{inner} for {one} in {value}])"
            case Tuple() | Record():
                parts = [part for part in parts_of(wit) if part is not None]
                inner = ", ".join(
                    convert(f"{value}[{place}]", part, depth)
                    for place, part in enumerate(parts)
                )
                return f"({inner},)"
            case Option(some) if not isinstance(some, Option):
                inner = convert(value, some, depth)
                return f"(None if {value} is None else {inner})"
            case _:
                return value
