"""The canonical ABI: values between Python and the memory of a guest."""

from ._checks import check
from ._context import Context, Handles, Rule, RuleBroken, check_length
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
