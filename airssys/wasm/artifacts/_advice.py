"""What to do about a component that the engine refuses, by the text of the refusal.

The table has a row for each kind of refusal. Its pattern must match the whole root
cause that wasmtime (48 to 50) or our own reader reports, without the position in the
file. tests/wasm/test_advice.py has a component for each alternative of each row.
"""

from __future__ import annotations

import re
from typing import Final

from airssys.wasm.engine import root_cause

_PLACE: Final = re.compile(
    r"^Invalid input WebAssembly code at offset \d+: | \(at offset 0x[0-9a-f]+\)$"
    r"|, before byte \d+$"
)
_REEXPORT: Final = "is a reexport of an imported function which is not implemented"
_PAGE_SIZE: Final = "must be enabled to customize a memory's page size"
_OPTION: Final = "`[a-z0-9.-]+` requires the"
_ROWS: Final[dict[str, tuple[str, ...]]] = {
    "Build it without threads and shared memories: a guest has one thread": (
        "a memory is shared",
    ),
    "Build it without garbage-collected types: compile it for linear memory": (
        "(struct indexed|heap) types not supported without the gc feature",
        "rec group usage requires `gc` proposal to be enabled",
        "gc support is not enabled",
        "canonical option `gc` requires the `cm-gc` feature",
        "a table is filled with values that only garbage collection has",
    ),
    "Build it without WebAssembly exceptions (-fno-exceptions, panic=abort)": (
        "exceptions proposal not enabled",
        "exceptions support is not enabled",
        "exception refs not supported without the exception handling feature",
    ),
    "Split the flags: a type may have at most 32": ("cannot have more than 32 flags",),
    "Export functions of its own that call the imported ones": (
        f"component export `[^`]*` {_REEXPORT}",
    ),
    "Build it again, for the component model without its async features": (
        "async component functions require the component model async feature",
        f"{_OPTION} component model (async|error-context|threading) feature",
        f"{_OPTION} shared-everything-threads proposal",
    ),
    "Use lists: of tuples for a map, of any length for one of fixed length": (
        "Maps require the component model map feature",
        "Fixed-length lists require the component model fixed-length lists feature",
    ),
    "Build it for wasm32: only 32-bit memories are supported": (
        "64-bit memories require the `cm64` feature to be enabled",
    ),
    "Build it without that WebAssembly proposal": (
        f"the custom page sizes proposal {_PAGE_SIZE}",
        "cannot define continuation types when stack switching is disabled",
        "wide arithmetic support is not enabled",
    ),
    "Split it: the engine does not accept that many": (
        r"[a-z ]+ count exceeds limit of \d+",
        "too many locals: locals exceed maximum",
    ),
    "Import and export only functions, types and instances of them": (
        "root-level component imports are not supported",
        "exporting a component from the root component is not supported",
        "it imports or exports what no component can yet",
    ),
}
ROWS: Final = tuple(
    (re.compile("|".join(f"(?:{line})" for line in lines)), advice)
    for advice, lines in _ROWS.items()
)
OTHERWISE: Final = (
    "Build it again, with a current version of its tools: it breaks a rule of "
    "WebAssembly or of the component model"
)


def advice_for(text: str) -> str:
    """Return what to do about a refusal with this text."""
    line = _PLACE.sub("", root_cause(text))
    for pattern, advice in ROWS:
        if pattern.fullmatch(line):
            return advice
    return OTHERWISE
