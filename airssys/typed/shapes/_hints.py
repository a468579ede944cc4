"""The fields of a class: names, types with all variables filled in, defaults."""

from __future__ import annotations

import dataclasses
import typing
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

import attrs

from airssys.contracts import annotations_of, signature_of

from ._shape import Kind, described, origin_of, refused, shown

if TYPE_CHECKING:
    from collections.abc import Iterator


UNTYPED: Final = object()
"""Marks a field without a type."""


@attrs.frozen(eq=False)
class Field:
    """One field of a class of attrs or `dataclasses`."""

    name: str
    argument: str
    """Its name in `__init__`."""
    kind: Kind
    is_required: bool


def is_record(kind: Kind) -> bool:
    """Say whether it is a class by attrs or `dataclasses`."""
    return isinstance(kind, type) and (
        attrs.has(kind) or dataclasses.is_dataclass(kind)
    )


def fields_of(kind: Kind) -> list[Field]:
    """Return the fields that `__init__` of a class takes; it may have type arguments.

    Raises:
        Unsuited: A value cannot be made from its fields.
    """
    origin = origin_of(kind)
    known = _Types(kind)
    fields = list(_attrs_fields(origin, known) if attrs.has(origin) else [])
    fields = fields or list(_dataclass_fields(origin, known))
    try:
        arguments = dict.fromkeys(field.argument for field in fields)
        signature_of(origin).bind(**arguments)
    except (TypeError, ValueError) as error:
        text = f"{shown(origin)} cannot be made from its fields: {error}"
        raise refused(text) from None
    return fields


def hints_of(kind: Kind) -> dict[str, Kind]:
    """Return the types of the keys of a TypedDict, or of the items of a NamedTuple."""
    known = _Types(kind)
    return {name: known.of(name) for name in known.written}


def _attrs_fields(origin: type[Any], known: _Types) -> Iterator[Field]:
    for each in attrs.fields(origin):
        if each.init:
            default = each.default is attrs.NOTHING
            yield Field(
                each.name, each.alias or each.name, known.of(each.name), default
            )


def _dataclass_fields(origin: type[Any], known: _Types) -> Iterator[Field]:
    for each in dataclasses.fields(origin) if dataclasses.is_dataclass(origin) else ():
        if each.init:
            missing = dataclasses.MISSING
            required = each.default is missing and each.default_factory is missing
            yield Field(each.name, each.name, known.of(each.name), required)


class _Types:
    """The types of the fields of a class, with its type arguments filled in."""

    def __init__(self, kind: Kind) -> None:
        self._origin: type[Any] = origin_of(kind)
        self.written = _written(self._origin)
        self._arguments: dict[type, dict[Any, Kind]] = {}
        self._fill(kind)

    def of(self, name: str) -> Kind:
        """Return the type of a field; `UNTYPED` if it has none."""
        if name not in self.written:
            return UNTYPED
        owners = (each for each in self._origin.__mro__ if name in annotations_of(each))
        owner = next(owners, self._origin)
        return filled(self.written[name], self._arguments.get(owner, {}))

    def _fill(self, kind: Kind) -> None:
        """Note the type arguments of a class and, with those, of its bases."""
        origin = origin_of(kind)
        parameters = getattr(origin, "__parameters__", ())
        arguments = dict(zip(parameters, get_args(kind), strict=False))
        self._arguments[origin] = arguments
        for base in _bases(origin):
            of = origin_of(base)
            if isinstance(of, type) and of not in {typing.Generic, typing.Protocol}:
                self._fill(filled(base, arguments))


def _bases(origin: type[Any]) -> tuple[Any, ...]:
    found: tuple[Any, ...] = vars(origin).get("__orig_bases__", origin.__bases__)
    return found


def filled(kind: Kind, arguments: dict[Any, Kind]) -> Kind:
    """Return a type with type variables replaced; those without an argument stay."""
    if isinstance(kind, TypeVar):
        return arguments.get(kind, kind)
    parameters = getattr(kind, "__parameters__", ())
    if isinstance(kind, type) or not parameters or not arguments:
        return kind
    return kind[tuple(arguments.get(each, each) for each in parameters)]


def _written(origin: type[Any]) -> dict[str, Kind]:
    """Return the annotations of a class, with names resolved to types.

    A class that is defined in a function is not among the names, but may name itself.
    """
    try:
        try:
            found = typing.get_type_hints(origin, include_extras=True)
        except NameError:
            names = {origin.__name__: origin}
            found = typing.get_type_hints(origin, None, names, include_extras=True)
    except Exception as error:  # noqa: BLE001 (an annotation may be any code)
        text = f"the types of {shown(origin)} cannot be read: {described(error)}"
        raise refused(text) from None
    if attrs.has(origin):  # the type may have been given by attrs.field(type=...)
        others = {each.name: each.type for each in attrs.fields(origin)}
        found = {n: t for n, t in others.items() if t is not None} | found
    return found
