"""Components with asynchronous functions, streams and futures, on fibers of one store.

The theory. What an asynchronous guest may do is decided by `tasks`, which runs no guest.
Here its core functions run, each on a fiber of its own; wasmtime allows several
suspended calls in one store, polled one at a time. A built-in that has to wait makes its
fiber give way, with no frame of Python on it.
"""

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
