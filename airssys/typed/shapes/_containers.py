"""Shapes of lists, sets, tuples and dicts, made from the shapes of their items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from ._shape import Shape, Unfit, expected

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._shape import Plain

_LIST: Final = frozenset((list,))


def items_shape(name: str, kind: type, of_item: Shape) -> Shape:
    """Return the shape of a list, set or tuple of any length."""
    takes = (set, frozenset) if kind in {set, frozenset} else (kind,)

    def read(plain: Plain) -> Any:  # noqa: ANN401 (a `kind`)
        if type(plain) is not list:
            raise expected("list", plain)
        return kind(_each(of_item.read, of_item.exact, plain))

    def write(value: Any) -> Plain:  # noqa: ANN401 (should be a `kind`)
        if not isinstance(value, takes):
            raise expected(name, value)
        return _each(of_item.write, of_item.exact, value)

    return Shape(name, _LIST, (kind,), read, write)


def _each(
    do: Callable[[Any], Any],
    exact: frozenset[type],
    values: Any,  # noqa: ANN401 (a collection)
) -> list[Any]:
    if exact and exact.issuperset(map(type, values)):
        return list(values)
    done, wrong = [], None
    for index, value in enumerate(values):
        try:
            done.append(do(value))
        except Exception as error:  # noqa: BLE001 (each problem is reported)
            wrong = (wrong or Unfit()).add(f"[{index}]", error)
    if wrong:
        raise wrong
    return done


def places_shape(
    name: str,
    kind: type,
    shapes: tuple[Shape, ...],
    make: Callable[[list[Any]], Any] = tuple,
) -> Shape:
    """Return the shape of a tuple that has a type for each place."""

    def read(plain: Plain) -> Any:  # noqa: ANN401 (a `kind`)
        if type(plain) is not list:
            raise expected("list", plain)
        return make(_each_place(plain, [shape.read for shape in shapes]))

    def write(value: Any) -> Plain:  # noqa: ANN401 (should be a `kind`)
        if not isinstance(value, kind):
            raise expected(name, value)
        return _each_place(value, [shape.write for shape in shapes])

    return Shape(name, _LIST, (kind,), read, write)


def _each_place(values: Any, dos: list[Callable[[Any], Any]]) -> list[Any]:  # noqa: ANN401 (a collection)
    if len(values) != len(dos):
        raise Unfit(f"expected {len(dos)} items, found {len(values)}")
    done, wrong = [], None
    for index, (do, value) in enumerate(zip(dos, values, strict=True)):
        try:
            done.append(do(value))
        except Exception as error:  # noqa: BLE001 (each problem is reported)
            wrong = (wrong or Unfit()).add(f"[{index}]", error)
    if wrong:
        raise wrong
    return done


def as_key(of_key: Shape) -> Shape:
    """Return the shape of whole numbers as JSON keys, which are text."""

    def read(plain: Plain) -> Any:  # noqa: ANN401 (what `of_key` reads)
        number = int(plain)
        if str(number) != plain:
            raise Unfit("the key is not a whole number")
        return of_key.read(number)

    def write(value: Any) -> Plain:  # noqa: ANN401 (what `of_key` writes)
        return str(of_key.write(value))

    return Shape(of_key.name, frozenset((str,)), of_key.types, read, write)


def dict_shape(name: str, of_key: Shape, of_value: Shape) -> Shape:
    def read(plain: Plain) -> Any:  # noqa: ANN401 (a dict)
        if type(plain) is not dict:
            raise expected("dict", plain)
        return _pairs(plain, of_key, of_value, "read")

    def write(value: Any) -> Plain:  # noqa: ANN401 (should be a dict)
        if not isinstance(value, dict):
            raise expected(name, value)
        return _pairs(value, of_key, of_value, "write")

    return Shape(name, frozenset((dict,)), (dict,), read, write)


def _pairs(
    values: dict[Any, Any],
    of_key: Shape,
    of_value: Shape,
    action: Literal["read", "write"],
) -> dict[Any, Any]:
    is_as_it_is = of_key.exact.issuperset(map(type, values))
    if is_as_it_is and of_value.exact.issuperset(map(type, values.values())):
        return dict(values)
    do_key, do = getattr(of_key, action), getattr(of_value, action)
    done, wrong = {}, None
    for key, value in values.items():
        try:
            done[do_key(key)] = do(value)
        except Exception as error:  # noqa: BLE001 (each problem is reported)
            wrong = (wrong or Unfit()).add(_step(key), error)
    if wrong:
        raise wrong
    return done


def _step(key: object) -> str:
    return f"[{key!r:.40}]" if type(key) in {str, int} else "[...]"
