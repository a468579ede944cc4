"""Values to bytes and back, in JSON and MessagePack, by the types they are said to have.

cattrs does the work; it is imported when the first typed message is, and not before.
Left to itself it converts what it is given: 5 becomes "5", "abc" a list of letters, and a
number as many zero bytes. What comes in a message may be anything, so nothing is converted
here: a value of another type than said is a problem, told with its path.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

from airssys.contracts import (
    JSON_TYPE,
    MSGPACK_TYPE,
    ExtraMissing,
    NotEncodable,
    codec_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cattrs import Converter

TAG: Final = "_type"
"""The key of a message under which it names its type."""
EXTRA: Final = "typed"

_MOST_PROBLEMS: Final = 10
_MOST_SHOWN: Final = 200

Plain: TypeAlias = Any
"""What a format can hold: None, numbers, text, perhaps bytes, lists and dicts."""


@final
class Unreadable(Exception):
    """Bytes are not what they should be; says all that is wrong."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__(problems)


@final
class Wire:
    """One format."""

    def __init__(
        self,
        content_type: str,
        converter: Converter,
        dump: Callable[[Plain], bytes],
        load: Callable[[bytes], Plain],
    ) -> None:
        self.content_type = content_type
        self._converter, self._dump, self._load = converter, dump, load

    def encode(self, value: object, kind: Any, tag: str | None = None) -> bytes:  # noqa: ANN401 (any annotation)
        """Write a value as one of a type, with the name of its type if there is a tag.

        Raises:
            NotEncodable: the format cannot hold it.
        """
        try:
            plain = self._converter.unstructure(value, unstructure_as=kind)
            if tag is not None:
                plain = {TAG: tag, **plain}
            return self._dump(plain)
        except Exception as error:
            name = type(value).__qualname__
            problem = _cut(f"{type(error).__name__}: {error}")
            raise NotEncodable(name, self.content_type, problem) from error

    def read(self, payload: bytes) -> Plain:
        """Take bytes apart, whatever they hold.

        Raises:
            Unreadable: they are not of this format.
        """
        try:
            return self._load(payload)
        except Exception as error:
            problem = _cut(f"this is no {self.content_type}: {error}")
            raise Unreadable((problem,)) from error

    def build(self, plain: Plain, kind: Any) -> Any:  # noqa: ANN401 (a `kind`)
        """Make a value of a type of what was read.

        Raises:
            Unreadable: it is none.
        """
        try:
            return self._converter.structure(plain, kind)
        except Exception as error:
            raise Unreadable(_problems(error)) from error

    def problem_with(self, kind: Any) -> str | None:  # noqa: ANN401 (any annotation)
        """Say why values of a type cannot be read; None if they can."""
        try:
            self._converter.get_structure_hook(kind)
        except Exception as error:  # noqa: BLE001 (a user's type may fail in any way)
            return _cut(str(error).partition(". Register")[0])
        return None


def wire_of(content_type: str | None) -> Wire | None:
    """Return the format that a content type names; None if it is none of ours.

    Raises:
        ExtraMissing: a package for it is not installed.
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
    try:
        from cattrs.preconf.json import make_converter  # noqa: PLC0415 (an optional package)
    except ImportError as error:
        raise missing_extra() or error from None
    converter = make_converter(detailed_validation=True)
    _make_strict(converter, has_text_keys=True)
    return Wire(JSON_TYPE, converter, _dump_json, _load_json)


@functools.cache
def _msgpack_wire() -> Wire:
    try:
        import msgpack  # noqa: PLC0415 (an optional package)
        from cattrs.preconf.msgpack import make_converter  # noqa: PLC0415 (an optional package)
    except ImportError as error:
        raise missing_extra() or error from None
    converter = make_converter(detailed_validation=True)
    _make_strict(converter, bytes)
    load = functools.partial(msgpack.unpackb, strict_map_key=False)
    return Wire(MSGPACK_TYPE, converter, msgpack.packb, load)


def _make_strict(
    converter: Converter, *scalars: type, has_text_keys: bool = False
) -> None:
    from ._strict import make_strict  # noqa: PLC0415 (it imports cattrs)

    make_strict(converter, *scalars, has_text_keys=has_text_keys)


def missing_extra() -> ExtraMissing | None:
    """Return the error for the first package that is missing; None if all are there."""
    for package in ("cattrs", "msgpack"):
        if importlib.util.find_spec(package) is None:
            return ExtraMissing("typed messages", package, EXTRA)
    return None


def _dump_json(plain: Plain) -> bytes:
    text = json.dumps(plain, allow_nan=False, separators=(",", ":"))
    return text.encode()


def _load_json(payload: bytes) -> Plain:
    return json.loads(payload, parse_constant=_refuse_constant, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text:.40} is too large")
    return number


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def _problems(error: Exception) -> tuple[str, ...]:
    from cattrs import transform_error  # noqa: PLC0415 (an optional package)

    try:
        found = transform_error(error)
    except Exception:  # noqa: BLE001 (the error may be one of the user's code)
        found = [f"{type(error).__name__}: {error}"]
    shown = tuple(map(_cut_before_path, found[:_MOST_PROBLEMS]))
    more = len(found) - len(shown)
    return (*shown, f"and {more} more") if more else shown


def _cut_before_path(problem: str) -> str:
    text, at, path = problem.rpartition(" @ ")
    return _cut(text) + at + _cut(path)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"
