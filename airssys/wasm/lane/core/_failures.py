"""Why wasmtime ended a core call: a code where it has one, and its words."""

from __future__ import annotations

from typing import Final

from airssys.contracts import TrapReason
from airssys.wasm.values import Block, error_text

from . import _c_api as c
from ._memory import text_at

_REASONS: Final = {
    0: TrapReason.STACK_EXHAUSTED,
    1: TrapReason.MEMORY_OUT_OF_BOUNDS,
    3: TrapReason.TABLE_OUT_OF_BOUNDS,
    4: TrapReason.NULL_INDIRECT_CALL,
    5: TrapReason.MISTYPED_INDIRECT_CALL,
    6: TrapReason.INTEGER_OVERFLOW,
    7: TrapReason.DIVISION_BY_ZERO,
    8: TrapReason.BAD_CONVERSION,
    9: TrapReason.UNREACHABLE,
    11: TrapReason.FUEL_EXHAUSTED,
    13: TrapReason.NULL_INDIRECT_CALL,
}
"""By wasmtime's trap codes; what has no reason of its own is OTHER."""


class CoreFailed(Exception):  # not for users: `_traps` makes a guest's failure of it
    """wasmtime ended a core call; `reason` is None if it was not a trap."""

    def __init__(self, reason: TrapReason | None, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def failed(error: int, trap: int) -> CoreFailed:
    """Read the error or trap that wasmtime returned, and free it."""
    if not trap:
        return CoreFailed(None, error_text(error))
    code = Block(8)
    has_code: bool = c.trap_code(trap, code.base)
    reason = _REASONS.get(code.data[0], TrapReason.OTHER) if has_code else None
    text = text_at(c.trap_message, trap)
    c.trap_delete(trap)
    return CoreFailed(reason, text)
