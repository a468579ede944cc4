"""Converts the types that a component declares for its functions to our table's.

wasmtime-py reflects on them; what is read here can be marshalled. A component may
declare its types so that they double with each level, and few bytes make millions of
them, so a reader stops at a limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from wasmtime import component as their

from ._types import (
    CHAR,
    STRING,
    Borrow,
    Enum,
    Flags,
    Float,
    Function,
    List,
    Number,
    Option,
    Own,
    Record,
    Result,
    Tuple,
    Variant,
    WitType,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_TYPES: Final = 10_000
"""The limit for one signature; ours have about twenty."""
_SIMPLE: Final[dict[type, WitType]] = {
    their.Bool: Number.BOOL,
    their.U8: Number.U8,
    their.U16: Number.U16,
    their.U32: Number.U32,
    their.U64: Number.U64,
    their.S8: Number.S8,
    their.S16: Number.S16,
    their.S32: Number.S32,
    their.S64: Number.S64,
    their.F32: Float.F32,
    their.F64: Float.F64,
    their.Char: CHAR,
    their.String: STRING,
}


class Unspeakable(Exception):  # not for users: the loader adds the function's name
    """A type whose values cannot be moved; says which and why."""


def read_function(
    stated: their.FuncType, resources: Mapping[str, their.ResourceType]
) -> Function:
    """Read a signature.

    Args:
        stated: What the component declares.
        resources: Those of the host that the component imports, by name.

    Raises:
        Unspeakable: It has a type whose values cannot be moved.
    """
    reader = _Reader(resources)
    try:
        params = tuple((name, reader.read(kind)) for name, kind in stated.params)
        return Function(params, reader.optional(stated.result))
    except TypeError as error:
        raise Unspeakable("a type that wasmtime-py does not know") from error


def read_type(stated: Any, resources: Mapping[str, their.ResourceType]) -> WitType:
    """Read a type; errors as for `read_function`."""
    try:
        return _Reader(resources).read(stated)
    except TypeError as error:
        raise Unspeakable("a type that wasmtime-py does not know") from error


@final
class _Reader:
    """Reads the types of one signature."""

    def __init__(self, resources: Mapping[str, their.ResourceType]) -> None:
        self._resources = resources
        self._left = _MOST_TYPES

    def read(self, kind: Any) -> WitType:  # noqa: C901, PLR0911, PLR0912  # one match over a closed union
        self._count(1)
        match kind:
            case their.ListType():
                return List(self.read(kind.element))
            case their.RecordType():
                return Record(tuple((n, self.read(field)) for n, field in kind.fields))
            case their.TupleType():
                return Tuple(tuple(self.read(element) for element in kind.elements))
            case their.EnumType():
                return Enum(self._names(kind))
            case their.FlagsType():
                return Flags(self._names(kind))
            case their.VariantType():
                return Variant(tuple((n, self.optional(t)) for n, t in kind.cases))
            case their.OptionType():
                return Option(self.read(kind.payload))
            case their.ResultType():
                return Result(self.optional(kind.ok), self.optional(kind.err))
            case their.OwnType():
                return Own(self._name_of(kind.ty))
            case their.BorrowType():
                return Borrow(self._name_of(kind.ty))
            case _:
                return self._simple(kind)

    def optional(self, kind: Any) -> WitType | None:
        return None if kind is None else self.read(kind)

    def _names(self, kind: Any) -> tuple[str, ...]:
        names = tuple(kind.names)
        self._count(len(names))
        return names

    def _count(self, parts: int) -> None:
        self._left -= parts
        if self._left < 0:
            raise Unspeakable(f"types of more than {_MOST_TYPES} parts")

    def _simple(self, kind: Any) -> WitType:
        if type(kind) not in _SIMPLE:
            what = type(kind).__name__.removesuffix("Type").lower()
            raise Unspeakable(f"a {what}, which is not supported")
        return _SIMPLE[type(kind)]

    def _name_of(self, stated: their.ResourceType) -> str:
        for name, resource in self._resources.items():
            if resource == stated:
                return name
        raise Unspeakable(
            "a resource that is defined by a component; only the host's are supported, "
            "because a guest's destructor would have to run outside of any call"
        )
