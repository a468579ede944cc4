"""Components taken apart: from the binary to a plan of core instances.

The theory. Instantiating a component is a list of steps that does not depend on any
value: which core module gets which functions, memories and tables. So it is computed once
(`_planner`), from definitions that are read without judging them (`_parser`). wasmtime
judges: it validates the same component with emptied function bodies (`_skeleton`).
"""

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
