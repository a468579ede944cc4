"""Makes a converter of cattrs refuse what it would convert.

Scalars get hooks of their own. Everything that has a shape, classes, mappings and
collections, keeps the hook that it had, behind a look at what it is given.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
from decimal import Decimal
from typing import (
    TYPE_CHECKING,
    Any,
    TypeAlias,
    TypeGuard,
    final,
    get_args,
    get_origin,
    is_typeddict,
)
from uuid import UUID

import attrs
from cattrs.cols import is_any_set, is_mapping, is_namedtuple, is_sequence
from cattrs.strategies import configure_union_passthrough

if TYPE_CHECKING:
    from collections.abc import Callable

    from cattrs import Converter

_Hook: TypeAlias = "Callable[[Any, Any], Any]"


def make_strict(
    converter: Converter, *scalars: type, has_text_keys: bool = False
) -> None:
    """Let a converter take values of the types that are asked for, and no others.

    Args:
        converter: for one format.
        scalars: what the format can hold besides numbers, text, flags and nothing.
        has_text_keys: the keys of its objects are text, also if they are numbers to us.
    """
    kinds: tuple[type, ...] = (int, bool, type(None), *scalars)
    for kind in kinds:
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(float, _float)
    for text_like in (UUID, Decimal):
        converter.register_structure_hook(text_like, _from_text)
        converter.register_unstructure_hook(text_like, str)
    # As the format's own, but without bool: a flag is an int to Python, and not to us.
    union = functools.reduce(operator.or_, scalars, str | int | float | None)
    configure_union_passthrough(union, converter)
    shapes = _Shapes(converter, has_text_keys=has_text_keys)
    converter.register_structure_hook_factory(shapes.has_shape, shapes.look_first)


@final
class _Shapes:
    """Puts a look at what there is before each hook of a type that has a shape."""

    def __init__(self, converter: Converter, *, has_text_keys: bool) -> None:
        self._converter, self._has_text_keys = converter, has_text_keys
        self._is_passing = False
        """The very next question is for the hook behind ours."""

    def has_shape(self, kind: Any) -> bool:  # noqa: ANN401 (any annotation)
        if self._is_passing:
            self._is_passing = False
            return False
        return _is_dict_shaped(kind) or _is_list_shaped(kind)

    def look_first(self, kind: Any) -> _Hook:  # noqa: ANN401 (any annotation)
        self._is_passing = True
        try:
            hook = self._converter.get_structure_hook(kind, cache_result=False)
        finally:
            self._is_passing = False
        shape: type = dict if _is_dict_shaped(kind) else list

        reads_keys = (
            self._has_text_keys and shape is dict and get_args(kind)[:1] == (int,)
        )

        def look(value: object, wanted: object) -> object:
            if type(value) is not shape:
                raise TypeError(f"{shape.__name__}, not {type(value).__name__}")
            return hook(_with_whole_keys(value) if reads_keys else value, wanted)

        return look


def _with_whole_keys(value: Any) -> dict[int, Any]:  # noqa: ANN401 (a dict)
    whole = {int(key): each for key, each in value.items()}
    if list(map(str, whole)) != list(value):
        raise ValueError("a key is no whole number")
    return whole


def _is_dict_shaped(kind: Any) -> TypeGuard[Any]:  # noqa: ANN401 (any annotation)
    bare = get_origin(kind) or kind
    if not isinstance(bare, type):
        return False
    return (
        attrs.has(bare)
        or dataclasses.is_dataclass(bare)
        or is_typeddict(bare)
        or is_mapping(kind)
    )


def _is_list_shaped(kind: Any) -> TypeGuard[Any]:  # noqa: ANN401 (any annotation)
    bare = get_origin(kind) or kind
    if not isinstance(bare, type) or issubclass(bare, str | bytes):
        return False
    return (
        issubclass(bare, tuple)
        or is_namedtuple(kind)
        or is_any_set(kind)
        or is_sequence(kind)
    )


def _exactly(kind: type) -> _Hook:
    def check(value: object, _: object) -> object:
        if type(value) is not kind:
            raise TypeError(type(value).__name__)
        return value

    return check


def _text(value: object, _: object) -> str:
    if type(value) is not str:
        raise TypeError(type(value).__name__)
    if not value.isascii():
        value.encode()  # a lone surrogate, which JSON can hold and little else
    return value


def _float(value: object, _: object) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    raise TypeError(type(value).__name__)


def _from_text(value: object, kind: Callable[[str], Any]) -> object:
    if type(value) is not str:
        raise TypeError(type(value).__name__)
    try:
        return kind(value)
    except ArithmeticError as error:  # decimal.InvalidOperation
        raise ValueError(value) from error
