"""The canonical ABI: values between Python and the memory of a guest.

The theory. For each type the ABI says where its parts lie in memory, or which core values
carry them. For each signature straight code is generated from that. Whatever lies in a
guest's memory may be wrong, so every access goes through a view of exactly that memory
(`_context`), every length and pointer is checked before it is used, and every rule that a
guest can break has a name (`Rule`) and a test (`tests/wasm/trap-conditions.md`).
"""

from ._checks import check
from ._context import LARGE, Context, Handles, Rule, RuleBroken, check_length
from ._handles import (
    CallScope,
    ComponentState,
    Entry,
    drop,
    leave,
    lift_borrow,
    lift_own,
    lower_borrow,
    lower_own,
)
from ._layouts import (
    MOST_PARAMETERS,
    Core,
    align,
    cases_of,
    discriminant,
    fields_of,
    flags_format,
    flat,
    flat_all,
    layout,
    offsets_of,
    payload_offset,
)
from ._lifting import flat_lifter, loader
from ._lowering import REFUSALS, flat_lowerer, storer
from ._signature import ExportSignature, ImportSignature

__all__ = (
    "LARGE",
    "MOST_PARAMETERS",
    "REFUSALS",
    "CallScope",
    "ComponentState",
    "Context",
    "Core",
    "Entry",
    "ExportSignature",
    "Handles",
    "ImportSignature",
    "Rule",
    "RuleBroken",
    "align",
    "cases_of",
    "check",
    "check_length",
    "discriminant",
    "drop",
    "fields_of",
    "flags_format",
    "flat",
    "flat_all",
    "flat_lifter",
    "flat_lowerer",
    "layout",
    "leave",
    "lift_borrow",
    "lift_own",
    "loader",
    "lower_borrow",
    "lower_own",
    "offsets_of",
    "payload_offset",
    "storer",
)
