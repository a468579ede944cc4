"""wasmtime's failures in our words.

The C API gives a component's failure as text only: there is no trap code to ask for.
So the reason is read from the text, by the fragments below, which are the same in
wasmtime 48 to 50; the first that occurs decides. A text with none of them is OTHER and
carried whole, so that nothing is lost when wasmtime changes its words.
"""

from __future__ import annotations

from typing import Final

from airssys.contracts import CapacityReached, GuestTrapped, TrapReason

FRAGMENTS: Final[tuple[tuple[str, TrapReason], ...]] = (
    ("`unreachable` instruction executed", TrapReason.UNREACHABLE),
    ("out of bounds memory access", TrapReason.MEMORY_OUT_OF_BOUNDS),
    ("out of bounds table access", TrapReason.TABLE_OUT_OF_BOUNDS),
    ("uninitialized element", TrapReason.NULL_INDIRECT_CALL),
    ("indirect call type mismatch", TrapReason.MISTYPED_INDIRECT_CALL),
    ("integer overflow", TrapReason.INTEGER_OVERFLOW),
    ("integer divide by zero", TrapReason.DIVISION_BY_ZERO),
    ("invalid conversion to integer", TrapReason.BAD_CONVERSION),
    ("call stack exhausted", TrapReason.STACK_EXHAUSTED),
    ("all fuel consumed", TrapReason.FUEL_EXHAUSTED),
    (
        "fuel allocated for hostcalls has been exhausted",
        TrapReason.HOST_ALLOCATION_LIMIT,
    ),
    ("exceeds memory limits", TrapReason.MEMORY_LIMIT),
    ("memory count too high", TrapReason.MEMORY_LIMIT),
    ("exceeds table limits", TrapReason.TABLE_LIMIT),
    ("table count too high", TrapReason.TABLE_LIMIT),
    ("out of bounds of memory", TrapReason.BAD_VALUE),
    ("realloc return: beyond end of memory", TrapReason.BAD_VALUE),
    ("realloc return: result not aligned", TrapReason.BAD_VALUE),
    ("pointer not aligned", TrapReason.BAD_VALUE),
    ("invalid utf-8", TrapReason.BAD_VALUE),
    ("incomplete utf-8", TrapReason.BAD_VALUE),
    ("discriminant", TrapReason.BAD_VALUE),
    ("converted integer out of range for `char`", TrapReason.BAD_VALUE),
    ("pointer is not aligned", TrapReason.BAD_VALUE),
    ("pointer out of bounds", TrapReason.BAD_VALUE),
    ("unpaired surrogate", TrapReason.BAD_VALUE),
    ("handle index", TrapReason.BAD_VALUE),
    ("index is not a resource", TrapReason.BAD_VALUE),
    ("borrow handles still remain", TrapReason.BAD_VALUE),
    ("resource while borrowed", TrapReason.BAD_VALUE),
    ("own resource from a borrow", TrapReason.BAD_VALUE),
)

_NO_MAPS: Final = (
    "Cannot allocate memory",
    "mmap failed",
    "failed to allocate",
)


def is_out_of_maps(text: str) -> bool:
    """Whether the kernel had no more memory maps, or memory, to give."""
    return any(fragment in text for fragment in _NO_MAPS)


def reason_of(text: str) -> TrapReason:
    """Find the reason in one of wasmtime's error texts."""
    for fragment, reason in FRAGMENTS:
        if fragment in text:
            return reason
    return TrapReason.OTHER


def last_cause(text: str) -> str:
    """The line that says why, without the backtrace before it."""
    return text.rpartition("Caused by:")[2].strip() or text.strip()


def failure_of(text: str, phase: str) -> GuestTrapped | CapacityReached:
    """Name the failure of a guest in `phase`."""
    if is_out_of_maps(text):
        return CapacityReached(
            f"the kernel has no more memory maps for {phase} ({last_cause(text)}): "
            "raise vm.max_map_count, or run fewer actors in one process"
        )
    return GuestTrapped(reason_of(text), phase, last_cause(text))
