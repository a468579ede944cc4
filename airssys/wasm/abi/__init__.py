"""The canonical ABI: values between Python and the memory of a guest."""

from ._context import Context, Handles, Rule, RuleBroken
from ._layouts import Core
from ._signature import ExportSignature, ImportSignature

__all__ = (
    "Context",
    "Core",
    "ExportSignature",
    "Handles",
    "ImportSignature",
    "Rule",
    "RuleBroken",
)
