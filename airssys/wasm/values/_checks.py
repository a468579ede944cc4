"""What generated code calls for values that it does not take as they are."""

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
    """Take a whole number, or a subclass of float, for a float.

    Raises:
        ValueUnfit: it is neither, or larger than floats go.
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
    """Take what has bytes in a row.

    Raises:
        ValueUnfit: it has not.
    """
    if isinstance(value, memoryview):
        return value.cast("B") if value.c_contiguous else value.tobytes()
    if not isinstance(value, (bytes, bytearray)):
        unfit(path, value, "bytes")
    return value


def handle(frame: Frame, resource: str, thing: Any, owned: bool, path: str) -> int:  # noqa: FBT001  # generated code calls it
    """Make a handle for a Python object; returns its address.

    Raises:
        ValueUnfit: it is None, which stands for no object.
    """
    if thing is None or frame.handles is None:
        unfit(path, thing, resource)
    address = frame.handles.lower(resource, thing, owned=owned)
    if not address:
        unfit(path, thing, f"{resource} that may be handed over")
    return address


def at_path(error: ValueUnfit, path: str, index: int) -> ValueUnfit:
    """Say in which element of the list at `path` a value did not fit."""
    error.path = f"{path}[{index}]{error.path.removeprefix(f'{path}[]')}"
    return error
