"""Shapes without parts: numbers, text, dates, enums, literals and their subclasses.

A value is read from exactly one type on the wire and nothing else: `"2"` is not an int,
and neither is `true`, which Python treats as one.
"""

from __future__ import annotations

import base64
import datetime as dt
import enum
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, get_args
from uuid import UUID

from airssys.contracts import signature_of

from ._shape import Shape, Unfit, brief, expected, refused, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._shape import Format, Kind, Plain

_PARTS: Final[tuple[type, ...]] = (str, int, float, bytes)
"""Types that may have subclasses."""
_DURATION: Final = re.compile(
    r"(-?)P(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,14})(?:\.(\d{1,6}))?S)?)?",
    re.ASCII,
)
_LEAST_INT, _MOST_INT = -(2**63), 2**64 - 1
"""The integers that MessagePack can hold."""


def make_scalars(form: Format) -> dict[Kind, Shape]:
    """Return the shapes of all built-in types without parts."""
    shapes = [_exactly(bool), _exactly(int), _exactly(str), _exactly(type(None))]
    shapes.append(_float())
    shapes.append(_base85() if form == "json" else _exactly(bytes))
    shapes += [
        _as_text(UUID, UUID, str),
        _as_text(Decimal, _decimal, str),
        _as_text(dt.datetime, dt.datetime.fromisoformat, dt.datetime.isoformat),
        _as_text(dt.date, dt.date.fromisoformat, _written_date),
        _as_text(dt.time, dt.time.fromisoformat, dt.time.isoformat),
        _as_text(dt.timedelta, _read_duration, _written_duration),
    ]
    return {shape.types[0]: shape for shape in shapes}


def is_enum(kind: Kind) -> bool:
    """Say whether it is an enum class."""
    return isinstance(kind, enum.EnumMeta)


def is_subclass_of_scalar(kind: Kind) -> bool:
    """Say whether it is a user's subclass of a number, text or bytes."""
    return isinstance(kind, type) and issubclass(kind, _PARTS)


def enum_shape(kind: type[enum.Enum]) -> Shape:
    """Return the shape of an enum, whose values are sent."""
    name, members = shown(kind), tuple(kind.__members__.values())
    for member in members:
        _check_constant(name, member.value)
    by_plain = {(type(each.value), each.value): each for each in members}
    if not members:
        raise refused(f"{name} has no members")
    plains = frozenset(each for each, _ in by_plain)
    missing = _missing_in(kind)

    def read(plain: Plain) -> Any:  # noqa: ANN401 (a `kind`)
        if type(plain) not in plains:
            raise expected(name, plain)
        key = (type(plain), plain)
        found = by_plain[key] if key in by_plain else missing(plain)
        if not isinstance(found, kind):
            raise Unfit(f"{brief(plain)} is not a valid {name}")
        return found

    def write(value: Any) -> Plain:  # noqa: ANN401 (should be a `kind`)
        if not isinstance(value, kind):
            raise expected(name, value)
        return value.value

    return Shape(name, plains, (kind,), read, write)


def _missing_in(kind: type[enum.Enum]) -> Callable[[Plain], Any]:
    """Return what finds the enum for a value that no member has."""
    if not issubclass(kind, enum.Flag):
        own: Any = kind._missing_
        default: Any = enum.Enum._missing_
        return kind if own.__func__ is not default.__func__ else lambda _: None

    def combined(plain: Plain) -> Any:  # noqa: ANN401 (a `kind`, or something else)
        found = kind(plain)
        # Some classes drop bits that they do not know, and change numbers below zero.
        return found if getattr(found, "value", None) == plain else None

    return combined


def literal_shape(kind: Kind) -> Shape:
    """Return the shape of a literal: one of several constants."""
    name, constants = shown(kind), get_args(kind)
    by_plain: dict[tuple[type, Plain], Any] = {}
    for constant in constants:
        plain = constant.value if isinstance(constant, enum.Enum) else constant
        if plain is not None:
            _check_constant(name, plain)
        if by_plain.setdefault((type(plain), plain), constant) is not constant:
            raise refused(f"{name} has two values that are both written as {plain!r}")
    by_value = {(type(value), value): key[1] for key, value in by_plain.items()}

    def read(plain: Plain) -> Any:  # noqa: ANN401 (one of the constants)
        key = (type(plain), plain)
        if type(plain) in plains and key in by_plain:
            return by_plain[key]
        raise Unfit(f"is not one of {name}")

    def write(value: Any) -> Plain:  # noqa: ANN401 (should be one of the constants)
        try:
            return by_value[type(value), value]
        except (KeyError, TypeError):
            raise Unfit(f"is not one of {name}") from None

    plains = frozenset(each for each, _ in by_plain)
    is_plain = not any(isinstance(each, enum.Enum) for each in constants)
    types = tuple({type(each) for each in constants})
    return Shape(name, plains, types, read, write, is_plain=is_plain)


def subclass_shape(kind: type, base: Shape) -> Shape:
    """Return the shape of a user's subclass of a number, text or bytes."""
    name = shown(kind)
    try:
        signature_of(kind).bind(None)
    except TypeError:
        raise refused(f"{name} cannot be made from one value") from None
    except ValueError:  # its base has no signature, which Python does not know
        pass

    def read(plain: Plain) -> Any:  # noqa: ANN401 (a `kind`)
        value = kind(base.read(plain))
        if type(value) is not kind:
            raise Unfit(f"{name} made a {type(value).__name__}")
        return value

    def write(value: Any) -> Plain:  # noqa: ANN401 (should be a `kind`)
        if not isinstance(value, kind):
            raise expected(name, value)
        return base.write(value)

    return Shape(name, base.plains, (kind,), read, write, also=base.also)


def base_of(kind: type) -> type:
    """Return the base class of a user's number, text or bytes."""
    return next(each for each in _PARTS if issubclass(kind, each))


def _check_constant(name: str, value: object) -> None:
    """Check that a value of an enum or literal arrives unchanged in each format."""
    match value:
        case bool():
            fits = True
        case int():
            fits = type(value) is int and _LEAST_INT <= value <= _MOST_INT
        case float():
            fits = type(value) is float and math.isfinite(value)
        case str():
            fits = type(value) is str and not re.search("[\ud800-\udfff]", value)
        case _:
            fits = False
    if not fits:
        text = f"{name} has the value {value!r:.40}; write plain numbers or text"
        raise refused(text)


def _exactly(kind: type) -> Shape:
    name = "None" if kind is type(None) else kind.__name__

    def read(plain: Plain) -> Plain:
        if type(plain) is not kind:
            raise expected(name, plain)
        return plain

    def write(value: Any) -> Plain:  # noqa: ANN401 (other values are refused where they are read)
        if type(value) is kind or not isinstance(value, kind):
            return value
        return _bare(value)

    only = frozenset((kind,))
    return Shape(name, only, (kind,), read, write, is_plain=True, exact=only)


def _bare(value: Any) -> Plain:  # noqa: ANN401 (of a subclass of a scalar)
    """Return a value as its base class."""
    match value:
        case str():
            return str.__str__(value)
        case int():
            return int.__int__(value)
        case float():
            return float.__float__(value)
        case _:
            return bytes.__bytes__(value)


def _float() -> Shape:
    shape = _exactly(float)

    def read(plain: Plain) -> float:
        if type(plain) is float:
            return plain
        if type(plain) is int:
            return float(plain)
        raise expected("float", plain)

    shape.read, shape.also = read, frozenset((int,))
    return shape


def _as_text(
    kind: type, read_text: Callable[[str], Any], written: Callable[[Any], str]
) -> Shape:
    name = kind.__name__

    def read(plain: Plain) -> Any:  # noqa: ANN401 (a `kind`)
        if type(plain) is not str:
            raise expected(f"{name} as text", plain)
        try:
            return read_text(plain)
        except (ValueError, ArithmeticError) as error:
            raise Unfit(f"{brief(plain)} is not a valid {name}") from error

    def write(value: Any) -> Plain:  # noqa: ANN401 (should be a `kind`)
        if not isinstance(value, kind):
            raise expected(name, value)
        return written(value)

    return Shape(name, frozenset((str,)), (kind,), read, write)


def _decimal(text: str) -> Decimal:
    return Decimal(text)


def _written_date(value: dt.date) -> str:
    if isinstance(value, dt.datetime):  # Python treats it as a date
        raise expected("date", value)
    return dt.date.isoformat(value)


def _written_duration(value: dt.timedelta) -> str:
    """Write in ISO 8601, which is exact and needs no unit."""
    sign, value = ("-", -value) if value < dt.timedelta(0) else ("", value)
    return f"{sign}P{value.days}DT{value.seconds}.{value.microseconds:06}S"


def _read_duration(text: str) -> dt.timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(text)
    days, hours, minutes, seconds = (int(found[n] or 0) for n in range(2, 6))
    micros = int((found[6] or "").ljust(6, "0"))
    value = dt.timedelta(days, seconds, micros, 0, minutes, hours)
    return -value if found[1] else value


def _base85() -> Shape:
    def read(plain: Plain) -> bytes:
        if type(plain) is not str:
            raise expected("bytes as base85 text", plain)
        return base64.b85decode(plain)

    def write(value: Any) -> Plain:  # noqa: ANN401 (should be bytes)
        if not isinstance(value, bytes):
            raise expected("bytes", value)
        return base64.b85encode(value).decode()

    return Shape("bytes", frozenset((str,)), (bytes,), read, write)
