"""Components taken apart: from the binary to a plan of core instances."""

from ._definitions import COPYING, Component, Encoding, ResourceVerb, TaskVerb
from ._parser import Unsupported, parse
from ._plan import (
    Abi,
    Canonical,
    CanonicalFunction,
    CopyType,
    CoreExport,
    CoreItem,
    ImportedFunction,
    Instantiation,
    LiftedFunction,
    LoweredFunction,
    Plan,
    ResourceFunction,
    ResourceType,
    TaskFunction,
)
from ._planner import make_plan
from ._skeleton import leb, skeleton

__all__ = (
    "COPYING",
    "Abi",
    "Canonical",
    "CanonicalFunction",
    "Component",
    "CopyType",
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
    "TaskFunction",
    "TaskVerb",
    "Unsupported",
    "leb",
    "make_plan",
    "parse",
    "skeleton",
)
