"""How values of message classes, and of TypedDicts, are written and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ._shape import Unfit, expected

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._hints import Field
    from ._shape import Plain, Shape

_MISSING: Final = object()
_Row: TypeAlias = "tuple[str, str, frozenset[type], Shape]"
"""A field: its name, its argument's name, the types that need no reading, its shape."""


def fill_typed_dict(
    shape: Shape, fields: dict[str, Shape], required: frozenset[str]
) -> None:
    """Complete the shape of a TypedDict, whose keys are its fields."""
    rows = tuple((name, name, each.exact, each) for name, each in fields.items())
    shape.read = _reader(rows, required, dict)

    def write(value: Any) -> Plain:  # noqa: ANN401 (should be such a dict)
        if not isinstance(value, dict):
            raise expected(shape.name, value)
        plain, name = {}, ""
        try:
            for name, of_field in fields.items():
                if name in value:
                    plain[name] = of_field.write(value[name])
        except Exception as error:
            raise Unfit().add(f".{name}", error) from error
        return plain

    shape.write = write


def fill_record(
    shape: Shape, kind: type, fields: list[Field], shapes: dict[str, Shape]
) -> None:
    """Complete the shape of a message class."""
    rows = tuple(
        (f.name, f.argument, shapes[f.name].exact, shapes[f.name]) for f in fields
    )
    required = frozenset(f.name for f in fields if f.is_required)
    shape.read = _reader(rows, required, kind)

    def write(value: Any) -> Plain:  # noqa: ANN401 (should be a `kind`)
        # Not a subclass: its additional fields would be lost.
        if type(value) is not kind:
            raise expected(shape.name, value)
        plain, name = {}, ""
        try:
            for name, _, exact, of_field in rows:
                each = getattr(value, name)
                plain[name] = each if type(each) in exact else of_field.write(each)
        except Exception as error:
            raise Unfit().add(f".{name}", error) from error
        return plain

    shape.write = write


def _reader(
    rows: tuple[_Row, ...], required: frozenset[str], make: Callable[..., Any]
) -> Callable[[Plain], Any]:
    def read(plain: Plain) -> Any:  # noqa: ANN401 (what `make` makes)
        if type(plain) is not dict:
            raise expected("dict", plain)
        arguments: dict[str, Any] = {}
        wrong = None if required <= plain.keys() else _all_missing(required, plain)
        for name, argument, exact, of_field in rows:
            each = plain.get(name, _MISSING)
            if type(each) in exact:
                arguments[argument] = each
            elif each is not _MISSING:
                try:
                    arguments[argument] = of_field.read(each)
                except Exception as error:  # noqa: BLE001 (each problem is reported)
                    wrong = (wrong or Unfit()).add(f".{name}", error)
        if wrong:
            raise wrong
        return make(**arguments)

    return read


def _all_missing(required: frozenset[str], plain: dict[str, Plain]) -> Unfit:
    wrong = Unfit()
    for name in sorted(required - plain.keys()):
        wrong.add(f".{name}", Unfit("required field missing"))
    return wrong
