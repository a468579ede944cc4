"""Functions that generated code calls for values that need a conversion."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Final

from ._strings import unfit

if TYPE_CHECKING:
    from ._memory import Frame
    from ._types import ValueUnfit

put_f64: Final = struct.Struct("=d").pack_into
_pack_f32: Final = struct.Struct("=f").pack_into


def put_f32(data: bytearray, at: int, value: float) -> None:
    """Write a float, rounded to the nearest f32."""
    try:
        _pack_f32(data, at, value)
    except OverflowError:
        _pack_f32(data, at, math.copysign(math.inf, value))


def as_float(value: object, path: str) -> float:
    """Convert a whole number, or a subclass of float, to a float.

    Raises:
        ValueUnfit: It is neither, or is too large for a float.
    """
    if isinstance(value, float):
        return float(value)
    if type(value) is not int:
        unfit(path, value, "float")
    try:
        return float(value)
    except OverflowError:
        unfit(path, value, "float")


def as_bytes(value: object, path: str) -> bytes | bytearray | memoryview:
    """Convert a bytes-like object to bytes.

    Raises:
        ValueUnfit: It is not one.
    """
    if isinstance(value, memoryview):
        return value.cast("B") if value.c_contiguous else value.tobytes()
    if not isinstance(value, (bytes, bytearray)):
        unfit(path, value, "bytes")
    return value


def handle(frame: Frame, resource: str, thing: Any, owned: bool, path: str) -> int:  # noqa: FBT001  # generated code calls it
    """Make a handle for a Python object; returns its address.

    Raises:
        ValueUnfit: It is None, which does not stand for an object.
    """
    if thing is None or frame.handles is None:
        unfit(path, thing, resource)
    address = frame.handles.lower(resource, thing, owned=owned)
    if not address:
        unfit(path, thing, f"{resource} that can be passed on")
    return address


def at_path(error: ValueUnfit, path: str, index: int) -> ValueUnfit:
    """Add the index of the element, in the list at `path`, whose value did not fit."""
    error.path = f"{path}[{index}]{error.path.removeprefix(f'{path}[]')}"
    return error
