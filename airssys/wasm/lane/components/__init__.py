"""Components taken apart: from the binary to a plan of core instances."""

from ._definitions import Component, Encoding, ResourceVerb
from ._parser import Unsupported, parse
from ._plan import (
    Abi,
    CanonicalFunction,
    CoreExport,
    CoreItem,
    ImportedFunction,
    Instantiation,
    LiftedFunction,
    LoweredFunction,
    Plan,
    ResourceFunction,
    ResourceType,
)
from ._planner import make_plan
from ._skeleton import leb, skeleton

__all__ = (
    "Abi",
    "CanonicalFunction",
    "Component",
    "CoreExport",
    "CoreItem",
    "Encoding",
    "ImportedFunction",
    "Instantiation",
    "LiftedFunction",
    "LoweredFunction",
    "Plan",
    "ResourceFunction",
    "ResourceType",
    "ResourceVerb",
    "Unsupported",
    "leb",
    "make_plan",
    "parse",
    "skeleton",
)
