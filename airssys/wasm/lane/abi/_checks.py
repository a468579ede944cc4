"""Which Python values fit a type, and what to say of one that does not.

This is the plain form of what the generated code of `_lowering` takes. It is slow and
only run for a value that was refused, to find the first part that does not fit, with
its path.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from airssys.wasm.values import (
    Borrow,
    Case,
    Char,
    Enum,
    Err,
    Flags,
    Float,
    List,
    Number,
    Ok,
    Option,
    Own,
    Record,
    Result,
    Some,
    String,
    Tuple,
    Variant,
    WitType,
    as_bytes,
    as_float,
    encoded,
    unfit,
)

from ._layouts import fields_of


def check(wit: WitType, value: Any, path: str) -> None:  # noqa: C901, PLR0912  # one match over a closed union
    """See that a value fits a type.

    Raises:
        ValueUnfit: it does not; says which part, and where that stands below `path`.
    """
    match wit:
        case Number.BOOL:
            _require(value is True or value is False, value, path, "bool")
        case Number():
            name, _, low, high = wit.value
            _require(type(value) is int and low <= value <= high, value, path, name)
        case Float():
            as_float(value, path)
        case Char():
            fits = isinstance(value, str) and len(value) == 1
            is_surrogate = fits and "\ud800" <= value <= "\udfff"
            _require(fits and not is_surrogate, value, path, "char")
        case String():
            _require(isinstance(value, str), value, path, "str")
            encoded(value, path)
        case List(Number.U8):
            as_bytes(value, path)
        case List():
            _check_list(wit.element, value, path)
        case Enum(cases):
            _require_name(cases, value, path)
        case Flags(names):
            _require(isinstance(value, (set, frozenset)), value, path, "set")
            for name in value:
                _require_name(names, name, path)
        case Own(name) | Borrow(name):
            _require(value is not None, value, path, name)
        case Record() | Tuple():
            _check_row(wit, value, path)
        case Variant() | Option() | Result():
            _check_case(wit, value, path)


def _require(fits: bool, value: object, path: str, wanted: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not fits:
        unfit(path, value, wanted)


def _require_name(names: tuple[str, ...], value: object, path: str) -> None:
    """See that a value is one of some names; they are looked up by their hashes."""
    try:
        fits = isinstance(value, str) and value in frozenset(names)
    except TypeError:  # a subclass that has none
        fits = False
    _require(fits, value, path, " | ".join(names))


def _check_list(element: WitType, values: Any, path: str) -> None:
    if isinstance(values, (array, memoryview)):
        _require(memoryview(values).ndim == 1, values, path, "list")
    else:
        fits = isinstance(values, Sequence) and not isinstance(values, (str, bytes))
        _require(fits, values, path, "list")
    for index, value in enumerate(values):
        check(element, value, f"{path}[{index}]")


def _check_row(wit: Record | Tuple, value: Any, path: str) -> None:
    parts = fields_of(wit)
    fits = isinstance(value, tuple) and len(value) == len(parts)
    _require(fits, value, path, f"tuple of {len(parts)}")
    names = [name for name, _ in wit.fields] if isinstance(wit, Record) else None
    for index, (part, each) in enumerate(zip(parts, value, strict=True)):
        check(part, each, f"{path}.{names[index] if names else index}")


def _check_case(wit: Variant | Option | Result, value: Any, path: str) -> None:
    match wit:
        case Variant(cases):
            carried = dict(cases)
            wanted = " | ".join(carried)
            _require(type(value) is Case, value, path, wanted)
            _require_name(tuple(carried), value.name, path)
            _check_payload(carried[value.name], value.value, f"{path}.{value.name}")
        case Result(ok, err):
            _require(type(value) in {Ok, Err}, value, path, "Ok | Err")
            side = ok if type(value) is Ok else err
            below = f"{path}.{type(value).__name__.lower()}"
            _check_payload(side, value.value, below)
        case Option(some) if value is not None:
            if isinstance(some, Option):
                _require(type(value) is Some, value, path, "None | Some")
                value = value.value
            check(some, value, path)
        case _:
            pass


def _check_payload(wit: WitType | None, value: Any, path: str) -> None:
    if wit is None:
        _require(value is None, value, path, "None")
    else:
        check(wit, value, path)
