"""Converts values to bytes and back, in JSON and MessagePack, by their declared types.

A format turns bytes into plain values and back; the shape of a type turns plain values
into values of that type. A message may contain anything, and nothing is converted: a
value of another type than the declared one is reported with its path. The two formats
write the same, except for bytes and for dict keys that are numbers, which JSON cannot
hold.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import math
import re
from typing import TYPE_CHECKING, Any, Final, final

from airssys.contracts import (
    JSON_TYPE,
    MSGPACK_TYPE,
    ExtraMissing,
    NotEncodable,
    codec_of,
)

from .shapes import Kind, Plain, Shapes, Unfit, Unsuited, described

if TYPE_CHECKING:
    from collections.abc import Callable

TAG: Final = "_type"
"""The key under which a message contains the name of its type."""
EXTRA: Final = "typed"

_MOST_SHOWN: Final = 200
_SURROGATE: Final = re.compile(rb"\\u[dD]")


@final
class Unreadable(Exception):
    """Bytes are not a valid message; has all the problems."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__(problems)


@final
class Wire:
    """One format."""

    def __init__(
        self,
        content_type: str,
        shapes: Shapes,
        dump: Callable[[Plain], bytes],
        load: Callable[[bytes], Plain],
    ) -> None:
        self.content_type = content_type
        self._shapes, self._dump, self._load = shapes, dump, load

    def encode(self, value: object, kind: Kind, tag: str | None = None) -> bytes:
        """Write a value of a type, with the name of its type if there is a tag.

        Raises:
            NotEncodable: The format cannot hold it.
        """
        try:
            plain = self._shapes.of(kind).write(value)
            if tag is not None:
                plain = {TAG: tag, **plain}
            return self._dump(plain)
        except Exception as error:
            name = type(value).__qualname__
            problem = "; ".join(_problems(error))
            raise NotEncodable(name, self.content_type, problem) from error

    def read(self, payload: bytes) -> Plain:
        """Parse bytes, whatever they hold.

        Raises:
            Unreadable: They are not of this format.
        """
        try:
            return self._load(payload)
        except Exception as error:
            problem = _cut(f"this is not valid {self.content_type}: {error}")
            raise Unreadable((problem,)) from error

    def build(self, plain: Plain, kind: Kind) -> Any:  # noqa: ANN401 (a `kind`)
        """Make a value of a type from what was parsed.

        Raises:
            Unreadable: It is not of that type.
        """
        try:
            return self._shapes.of(kind).read(plain)
        except Exception as error:
            raise Unreadable(_problems(error)) from error

    def problems_with(self, kind: Kind) -> tuple[str, ...]:
        """Return why values of a type cannot be sent, by field; empty if they can."""
        try:
            self._shapes.of(kind)
        except Unsuited as unsuited:
            return tuple(
                _cut(text if place is None else f"its field {place}: {text}")
                for place, text in unsuited.problems
            )
        except Exception as error:  # noqa: BLE001 (a user's type may fail in any way)
            return (_cut(described(error)),)
        return ()


def wire_of(content_type: str | None) -> Wire | None:
    """Return the format for a content type; None if it is not one of ours.

    Raises:
        ExtraMissing: A package for it is not installed.
    """
    return None if content_type is None else _wire(content_type)


@functools.lru_cache(maxsize=256)
def _wire(content_type: str) -> Wire | None:
    match codec_of(content_type):
        case "application/json":
            return _json_wire()
        case "application/msgpack":
            return _msgpack_wire()
        case _:
            return None


@functools.cache
def _json_wire() -> Wire:
    return Wire(JSON_TYPE, Shapes("json"), _dump_json, _load_json)


@functools.cache
def _msgpack_wire() -> Wire:
    try:
        import msgpack  # noqa: PLC0415 (an optional package)
    except ImportError as error:
        raise missing_extra() or error from None
    load = functools.partial(msgpack.unpackb, strict_map_key=False)
    return Wire(MSGPACK_TYPE, Shapes("msgpack"), msgpack.packb, load)


def missing_extra() -> ExtraMissing | None:
    """Return the error for a missing package; None if it is installed."""
    if importlib.util.find_spec("msgpack") is None:
        return ExtraMissing("typed messages", "msgpack", EXTRA)
    return None


def _dump_json(plain: Plain) -> bytes:
    # The text is used as it is: a lone surrogate, which UTF-8 cannot hold, is refused
    # here.
    text = json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def _load_json(payload: bytes) -> Plain:
    text = payload.decode()
    plain = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    if _SURROGATE.search(payload):  # only an escape can produce a lone surrogate
        json.dumps(plain, ensure_ascii=False).encode()
    return plain


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text:.40} is too large")
    return number


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not a JSON number")


def _problems(error: Exception) -> tuple[str, ...]:
    wrong = error if isinstance(error, Unfit) else Unfit().add("", error)
    shown = tuple(f"{_cut(text)} @ ${_cut(path)}" for path, text in wrong.problems)
    return (*shown, f"and {wrong.more} more") if wrong.more else shown


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"
