"""Checks of values that both ways to lay them out make, and their refusals."""

from __future__ import annotations

from typing import NoReturn

from ._types import ValueUnfit


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


def unfit(path: str, value: object, wanted: str) -> NoReturn:
    """Refuse a value, with its path."""
    problem = f"{_shown(value)} ({type(value).__name__}) is not a valid {wanted:.200}"
    raise ValueUnfit(problem, path)


def _shown(value: object) -> str:
    """Show a value, whatever its own `__repr__` does."""
    try:
        return f"{value!r:.60}"
    except Exception:  # noqa: BLE001  # the message names its place
        return "a value"
