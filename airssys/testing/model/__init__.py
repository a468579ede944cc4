"""A model of supervision, and the comparison of real supervisors with it."""

from ._child import ModelChild
from ._clock_and_habits import (
    CRASH,
    FAILS,
    HANGS,
    IGNORES,
    KILLED,
    NORMAL,
    SHUTDOWN,
    End,
    Habit,
    Script,
    SteadyChance,
)
from ._dynamic_supervisor import ModelDynamicSupervisor, model_of
from ._examine_supervisors import examine_supervisors
from ._lockstep import Lockstep, play
from ._supervisor import ModelSupervisor

__all__ = (
    "CRASH",
    "FAILS",
    "HANGS",
    "IGNORES",
    "KILLED",
    "NORMAL",
    "SHUTDOWN",
    "End",
    "Habit",
    "Lockstep",
    "ModelChild",
    "ModelDynamicSupervisor",
    "ModelSupervisor",
    "Script",
    "SteadyChance",
    "examine_supervisors",
    "model_of",
    "play",
)
