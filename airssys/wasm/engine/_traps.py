"""Translates wasmtime's failures.

The C API gives the failure of a component only as text, without a trap code. The text
begins with a backtrace of names that the guest chose (of functions and modules, with
any characters in them), and ends with the root cause, a line that wasmtime itself
wrote. So only that last line is used, and it must match one of those below completely:
a name that a guest chooses cannot decide anything. The lines are those of wasmtime 48
to 50; tests/wasm/test_traps.py causes each one that a guest can cause. Any other line
is OTHER, and is passed on as wasmtime wrote it, so that nothing is lost when it changes
its texts.
"""

from __future__ import annotations

import re
from typing import Final

from airssys.contracts import CapacityReached, GuestTrapped, TrapReason

_WASM_TRAP: Final = "wasm trap: "
_TRAPS: Final = {
    "wasm `unreachable` instruction executed": TrapReason.UNREACHABLE,
    "out of bounds memory access": TrapReason.MEMORY_OUT_OF_BOUNDS,
    "undefined element: out of bounds table access": TrapReason.TABLE_OUT_OF_BOUNDS,
    "uninitialized element": TrapReason.NULL_INDIRECT_CALL,
    "null reference": TrapReason.NULL_INDIRECT_CALL,
    "indirect call type mismatch": TrapReason.MISTYPED_INDIRECT_CALL,
    "integer overflow": TrapReason.INTEGER_OVERFLOW,
    "integer divide by zero": TrapReason.DIVISION_BY_ZERO,
    "invalid conversion to integer": TrapReason.BAD_CONVERSION,
    "call stack exhausted": TrapReason.STACK_EXHAUSTED,
    "all fuel consumed by WebAssembly": TrapReason.FUEL_EXHAUSTED,
    # Violations of the component model's rules, between the components inside of one.
    "cannot enter component instance": TrapReason.BAD_VALUE,
    "cannot leave component instance": TrapReason.BAD_VALUE,
    "degenerate component adapter called": TrapReason.BAD_VALUE,
    "invalid `char` bit pattern": TrapReason.BAD_VALUE,
    "invalid variant discriminant": TrapReason.BAD_VALUE,
    "list content out-of-bounds": TrapReason.BAD_VALUE,
    "string content out-of-bounds": TrapReason.BAD_VALUE,
    "unaligned pointer": TrapReason.BAD_VALUE,
}
"""wasmtime's traps, by the text after the words with which each of them begins."""

_EXPECTED: Final = "expected [a-z -]+ but found [a-z -]+"
"""E.g. "a different guest-defined resource"; never a name."""
_TOO_MUCH: Final = "too much data is being copied between the host and the guest"
_LINES: Final[dict[TrapReason, tuple[str, ...]]] = {
    TrapReason.HOST_ALLOCATION_LIMIT: (
        f"{_TOO_MUCH}: fuel allocated for hostcalls has been exhausted",
    ),
    TrapReason.MEMORY_LIMIT: (
        r"memory minimum size of \d+ pages exceeds memory limits",
        r"resource limit exceeded: memory count too high at \d+",
    ),
    TrapReason.TABLE_LIMIT: (
        r"table minimum size of \d+ elements exceeds table limits",
        r"resource limit exceeded: table count too high at \d+",
    ),
    TrapReason.BAD_VALUE: (
        # Where a guest claims that its values are, or that there is room for the
        # host's.
        r"((string|list|map) )?pointer(/length)? out of bounds of memory",
        "fixed length list out of bounds of memory",
        "pointer out of bounds",
        "((return|read|write) )?pointer not aligned",
        "((list|map) )?pointer is not aligned",
        r"string pointer not aligned to \d+",
        "realloc return: (beyond end of memory|result not aligned)",
        # The values themselves.
        r"invalid utf-8 sequence of \d+ bytes from index \d+",
        r"incomplete utf-8 byte sequence from index \d+",
        "invalid utf(8|16) encoding",
        r"unpaired surrogate found: [0-9a-f]+",
        r"discriminant \d+ out of range \[0\.\.\d+\)",
        "converted integer out of range for `char`",
        # Handles of resources.
        r"unknown handle index \d+",
        rf"handle index \d+ used with the wrong type, {_EXPECTED}",
        r"index( \d+)? is not a resource",
        "borrow handles still remain at the end of the call",
        "cannot remove owned resource while borrowed",
        "cannot lift own resource from a borrow",
    ),
}
_REASONS: Final = tuple(
    (re.compile("|".join(f"(?:{line})" for line in lines)), reason)
    for reason, lines in _LINES.items()
)
"""Other root causes, as patterns of the whole line."""

_NO_MAPS: Final = re.compile(
    r"Cannot allocate memory \(os error 12\)"
    r"|out of memory \(failed to allocate \d+ bytes\)"
)
_POOL_IS_FULL: Final = re.compile(
    r"maximum concurrent limit of \d+ for [a-z0-9 ]+ reached"
)
_NUMBERED: Final = re.compile(r"\d+: ")


def root_cause(text: str) -> str:
    """The last line: the innermost cause, without the number it may have in a list."""
    line = text.rstrip().rpartition("\n")[2].strip()
    numbered = _NUMBERED.match(line)
    return line[numbered.end() :] if numbered else line


def is_out_of_maps(line: str) -> bool:
    """Say whether the kernel had no more memory maps, or memory."""
    return _NO_MAPS.fullmatch(line) is not None


def reason_of(line: str) -> TrapReason:
    """Return the reason that a root cause stands for."""
    if line.startswith(_WASM_TRAP):
        return _TRAPS.get(line.removeprefix(_WASM_TRAP), TrapReason.OTHER)
    for pattern, reason in _REASONS:
        if pattern.fullmatch(line):
            return reason
    return TrapReason.OTHER


def failure_of(text: str, phase: str) -> GuestTrapped | CapacityReached:
    """Return the error for the failure of a guest in `phase`."""
    line = root_cause(text)
    if _POOL_IS_FULL.fullmatch(line):
        return CapacityReached(
            f"the pool has no more room for {phase} ({line}): raise "
            "EngineSettings.pooled_instances, or run fewer actors"
        )
    if is_out_of_maps(line):
        return CapacityReached(
            f"the kernel has no more memory maps for {phase} ({line}): "
            "raise vm.max_map_count, or run fewer actors in one process"
        )
    return GuestTrapped(reason_of(line), phase, line)
