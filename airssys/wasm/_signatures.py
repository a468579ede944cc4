"""The types that a component states for its functions, in the words of our table.

wasmtime takes any signature for a function that the host defines, and hands over values
of the types that the component states. Our marshalling follows the table in `_world`
without looking at what kind a value says it is: with other types it would read memory
at addresses of the guest's choice. So the two are compared before anything runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasmtime import component as their

from ._wit_types import (
    STRING,
    Enum,
    List,
    Number,
    Option,
    Record,
    Result,
    Tuple,
    Variant,
    WitType,
)

if TYPE_CHECKING:
    from ._wit_types import Function

_NUMBERS: Final[dict[type, Number]] = {
    their.Bool: Number.BOOL,
    their.U8: Number.U8,
    their.U16: Number.U16,
    their.U32: Number.U32,
    their.U64: Number.U64,
    their.S32: Number.S32,
    their.S64: Number.S64,
}


def fits(stated: their.FuncType, wanted: Function) -> bool:
    """Whether a function's parameters and result have the types that we marshal."""
    try:
        params = [_wit_of(kind) for _, kind in stated.params]
        result = _optional(stated.result)
    except TypeError:
        return False
    return (params, result) == ([wit for _, wit in wanted.params], wanted.result)


def _wit_of(kind: Any) -> WitType:  # noqa: C901, PLR0911  # one match over a closed union
    """Translate a type.

    Raises:
        TypeError: the world has no such type.
    """
    match kind:
        case their.String():
            return STRING
        case their.ListType():
            return List(_wit_of(kind.element))
        case their.RecordType():
            return Record(tuple((name, _wit_of(field)) for name, field in kind.fields))
        case their.TupleType():
            return Tuple(tuple(_wit_of(element) for element in kind.elements))
        case their.EnumType():
            return Enum(tuple(kind.names))
        case their.VariantType():
            return Variant(tuple((name, _optional(t)) for name, t in kind.cases))
        case their.OptionType():
            return Option(_wit_of(kind.payload))
        case their.ResultType():
            return Result(_optional(kind.ok), _optional(kind.err))
        case _ if type(kind) in _NUMBERS:
            return _NUMBERS[type(kind)]
        case _:
            raise TypeError(f"the world has no {type(kind).__name__}")


def _optional(kind: Any) -> WitType | None:
    return None if kind is None else _wit_of(kind)
