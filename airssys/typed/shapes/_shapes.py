"""Shapes of whole types, made from the shapes of their parts.

A type is checked once, when a class is declared. A type whose values would not arrive
as equal values of the same type, in each format, is refused then, with its field.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import (
    Any,
    Final,
    Literal,
    NewType,
    NotRequired,
    TypeAlias,
    TypeVar,
    Union,
    final,
    get_args,
    is_typeddict,
)

from ._containers import as_key, dict_shape, items_shape, places_shape
from ._hints import UNTYPED, fields_of, hints_of, is_record
from ._records import fill_record, fill_typed_dict
from ._scalars import (
    base_of,
    enum_shape,
    is_enum,
    is_subclass_of_scalar,
    literal_shape,
    make_scalars,
    subclass_shape,
)
from ._shape import (
    Format,
    Kind,
    Plain,
    Shape,
    Unsuited,
    expected,
    origin_of,
    refused,
    shown,
)
from ._union import union_shape

_WRAPPERS: Final = tuple(
    getattr(typing, name)
    for name in ("Annotated", "Final", "Required", "NotRequired", "ReadOnly")
    if hasattr(typing, name)
)
"""Qualifiers of a field that do not affect its values."""
_NO_TYPE: Final = "has no type; annotate it"
_DICT: Final = frozenset((dict,))
_LIST: Final = frozenset((list,))
_PLAIN_TYPES: Final = (type(None), bool, int, float, str)

_Parts: TypeAlias = tuple[Kind, ...]


@final
class Shapes:
    """The shapes of one format, each made when it is first asked for."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._scalars = make_scalars(form)
        self._records: dict[Kind, Shape] = {}
        self._known: dict[Kind, Shape] = {}

    def of(self, kind: Kind) -> Shape:
        """Return the shape of a type.

        Raises:
            Unsuited: Its values cannot be sent.
        """
        shape = self._known.get(kind)
        if shape is None:
            # An incomplete recursive class must not be kept if a part of it is refused.
            maker = _Maker(self._form, self._scalars, dict(self._records))
            shape = self._known[kind] = maker.make(kind)
            self._records = maker.records
        return shape


@final
class _Maker:
    """Makes a shape, and those of all types in it."""

    def __init__(
        self, form: Format, scalars: dict[Kind, Shape], records: dict[Kind, Shape]
    ) -> None:
        self._form, self._scalars, self.records = form, scalars, records
        self._open_aliases: list[Kind] = []

    def make(self, kind: Kind) -> Shape:
        """Return the shape of a type.

        Raises:
            Unsuited: Its values cannot be sent.
        """
        alias = getattr(kind, "__value__", None)
        if alias is not None and type(kind).__name__ == "TypeAliasType":
            return self._make_alias(kind, alias)
        if origin_of(kind) in _WRAPPERS:
            return self.make(get_args(kind)[0])
        if isinstance(kind, NewType):
            return self.make(kind.__supertype__)
        if kind is None:
            kind = type(None)
        try:
            known = self._scalars.get(kind) or self.records.get(kind)
        except TypeError:  # not hashable
            known = None
        return known or self._make_new(kind)

    def _make_alias(self, kind: Kind, alias: Kind) -> Shape:
        if kind in self._open_aliases:
            raise refused(f"{shown(kind)} contains itself; use a class for that")
        self._open_aliases.append(kind)
        try:
            return self.make(alias)
        finally:
            self._open_aliases.pop()

    def _make_new(self, kind: Kind) -> Shape:
        origin, parts = origin_of(kind), get_args(kind)
        for fits, make in _FORMS:
            if fits(origin):
                return make(self, kind, parts)
        hint = _hint(kind, origin)
        raise refused(f"{shown(kind)} cannot be sent" + (hint and f"; {hint}"))

    # -- what has no parts

    def make_any(self, _: Kind, __: _Parts) -> Shape:
        every = frozenset((*_PLAIN_TYPES, list, dict))
        return Shape("Any", every, (object,), _checked, _checked, is_plain=True)

    def make_enum(self, kind: Kind, _: _Parts) -> Shape:
        return enum_shape(kind)

    def make_literal(self, kind: Kind, _: _Parts) -> Shape:
        return literal_shape(kind)

    def make_subclass(self, kind: Kind, _: _Parts) -> Shape:
        return subclass_shape(kind, self._scalars[base_of(kind)])

    # -- what has parts

    def make_union(self, kind: Kind, parts: _Parts) -> Shape:
        return union_shape(shown(kind), [self.make(part) for part in parts])

    def make_list(self, kind: Kind, parts: _Parts) -> Shape:
        origin = origin_of(kind)
        return items_shape(shown(kind), origin, self.make(parts[0] if parts else Any))

    def make_tuple(self, kind: Kind, parts: _Parts) -> Shape:
        if kind is tuple or kind is tuple:
            parts = (Any, ...)
        if len(parts) == 2 and parts[1] is ...:  # noqa: PLR2004 (the form of the type)
            return items_shape(shown(kind), tuple, self.make(parts[0]))
        return places_shape(shown(kind), tuple, tuple(map(self.make, parts)))

    def make_named_tuple(self, kind: Kind, _: _Parts) -> Shape:
        origin = origin_of(kind)
        hints = hints_of(kind)
        fields = {name: hints.get(name, UNTYPED) for name in origin._fields}
        shapes = self._make_fields(shown(origin), fields)
        return places_shape(shown(kind), origin, tuple(shapes.values()), origin._make)

    def make_dict(self, kind: Kind, parts: _Parts) -> Shape:
        of_key, of_value = map(self.make, parts or (str, Any))
        name = shown(kind)
        if of_key.plains == frozenset((int,)):
            if self._form == "json":
                of_key = as_key(of_key)
        elif of_key.plains not in {frozenset((str,)), frozenset((bytes,))}:
            raise refused(f"{name} has keys that JSON cannot hold; use text or int")
        return dict_shape(name, of_key, of_value)

    def make_typed_dict(self, kind: Kind, _: _Parts) -> Shape:
        origin = origin_of(kind)
        shape = Shape(shown(kind), _DICT, (dict,), _unmade, _unmade)
        self.records[kind] = shape
        hints = hints_of(kind)
        shapes = self._make_fields(shown(origin), hints)
        required = {
            name
            for name, hint in hints.items()
            # As text, because Python does not see it while it makes the class.
            if name in origin.__required_keys__ and origin_of(hint) is not NotRequired
        }
        fill_typed_dict(shape, shapes, frozenset(required))
        return shape

    def make_record(self, kind: Kind, _: _Parts) -> Shape:
        origin = origin_of(kind)
        shape = Shape(shown(kind), _DICT, (origin,), _unmade, _unmade)
        self.records[kind] = shape  # before its fields, which may refer to it
        fields = fields_of(kind)
        shape.required = frozenset(f.name for f in fields if f.is_required)
        shape.names = frozenset(field.name for field in fields)
        for field in fields:
            constants = _constants(field.kind)
            if constants is not None:
                shape.tags[field.name] = frozenset(constants)
        shapes = self._make_fields(shown(origin), {f.name: f.kind for f in fields})
        fill_record(shape, origin, fields, shapes)
        return shape

    def _make_fields(self, owner: str, fields: dict[str, Kind]) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {}
        problems: list[tuple[str | None, str]] = []
        for name, kind in fields.items():
            try:
                if kind is UNTYPED:
                    raise refused(_NO_TYPE)
                shapes[name] = self.make(kind)
            except Unsuited as error:
                place = f"{owner}.{name}"
                problems += [(inner or place, text) for inner, text in error.problems]
        if problems:
            raise Unsuited(*dict.fromkeys(problems))
        return shapes


def _constants(kind: Kind) -> set[tuple[type, Plain]] | None:
    """Return the wire values of a literal; None if it is not one."""
    while origin_of(kind) in _WRAPPERS:
        kind = get_args(kind)[0]
    if origin_of(kind) is not Literal:
        return None
    values = (getattr(each, "value", each) for each in get_args(kind))
    return {(type(value), value) for value in values}


def _is_named_tuple(origin: Kind) -> bool:
    return (
        isinstance(origin, type)
        and issubclass(origin, tuple)
        and hasattr(origin, "_fields")
    )


_Make: TypeAlias = Callable[[_Maker, Kind, _Parts], Shape]
_FORMS: Final[tuple[tuple[Callable[[Kind], bool], _Make], ...]] = (
    (lambda o: o is Any or o is object, _Maker.make_any),
    (is_enum, _Maker.make_enum),
    (lambda o: o is Literal, _Maker.make_literal),
    (lambda o: o is Union or o is types.UnionType, _Maker.make_union),
    (is_record, _Maker.make_record),
    (is_typeddict, _Maker.make_typed_dict),
    (_is_named_tuple, _Maker.make_named_tuple),
    (lambda o: o is tuple, _Maker.make_tuple),
    (lambda o: o in {list, set, frozenset}, _Maker.make_list),
    (lambda o: o is dict, _Maker.make_dict),
    (is_subclass_of_scalar, _Maker.make_subclass),
)
"""The kinds of types, and what makes their shapes; the first match is used."""


def _hint(kind: Kind, origin: Kind) -> str:
    if isinstance(kind, TypeVar):
        return "it is generic: give the class its type, as in Box[int]"
    module = getattr(origin, "__module__", "")
    if module in {"collections.abc", "collections"}:
        return "be specific: list, tuple, set, frozenset or dict"
    return ""


def _unmade(_: Any) -> Any:  # noqa: ANN401 (stands for what is made next)
    raise AssertionError("a shape is used before it is made")


def _checked(plain: Plain) -> Plain:
    """Check that a value for `object` is JSON data, so that it arrives unchanged."""
    kind = type(plain)
    if kind is list:
        for each in plain:
            _checked(each)
    elif kind is dict:
        for key, each in plain.items():
            if type(key) is not str:
                raise expected("a key of text", key)
            _checked(each)
    elif kind not in _PLAIN_TYPES:
        raise expected("None, numbers, text, lists or dicts", plain)
    return plain
