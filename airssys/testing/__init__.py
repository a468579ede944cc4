"""For tests: a steady clock, faults at every point, and a model of supervision."""

from ._clock import steady_clock
from ._faults import cancel_at_every_step, raise_at_every_checkpoint
from ._model import ModelChild, ModelSupervisor
from ._world import CRASH, FAILS, IGNORES, KILLED, NORMAL, SHUTDOWN, End, World

__all__ = (
    "CRASH",
    "FAILS",
    "IGNORES",
    "KILLED",
    "NORMAL",
    "SHUTDOWN",
    "End",
    "ModelChild",
    "ModelSupervisor",
    "World",
    "cancel_at_every_step",
    "raise_at_every_checkpoint",
    "steady_clock",
)
