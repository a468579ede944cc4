"""Functions that generated code calls for values that need a conversion."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Final

from airssys.wasm.values import unfit

if TYPE_CHECKING:
    from airssys.wasm.values import ValueUnfit

    from ._frame import Frame

put_f64: Final = struct.Struct("=d").pack_into
_pack_f32: Final = struct.Struct("=f").pack_into


def put_f32(data: bytearray, at: int, value: float) -> None:
    """Write a float, rounded to the nearest f32."""
    try:
        _pack_f32(data, at, value)
    except OverflowError:
        _pack_f32(data, at, math.copysign(math.inf, value))


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
