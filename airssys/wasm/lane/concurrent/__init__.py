"""Components with asynchronous functions, streams and futures, on fibers of one store."""

from ._code import Steps, TaskCode, steps_of
from ._functions import Host
from ._instance import Begun, TaskInstance
from ._values import HostSide, Thing

__all__ = (
    "Begun",
    "Host",
    "HostSide",
    "Steps",
    "TaskCode",
    "TaskInstance",
    "Thing",
    "steps_of",
)
