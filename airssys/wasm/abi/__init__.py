"""The canonical ABI: values between Python and the memory of a guest."""

from ._context import Context, Handles, Rule, RuleBroken
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
from ._layouts import Core
from ._signature import ExportSignature, ImportSignature

__all__ = (
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
    "drop",
    "leave",
    "lift_borrow",
    "lift_own",
    "lower_borrow",
    "lower_own",
)
