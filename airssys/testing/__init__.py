"""For tests: what supervision should do, as a model to compare with."""

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
)
