"""Components with asynchronous functions: any number of calls of one instance at once.

    async with component.open() as instance:
        print(await instance.call("fetch", "https://example.org"))

A call is made like any other. While a guest waits for an async function of the host, or
for a stream, other calls of the same instance go on. One background task runs the guest,
in slices of half a tick; what the host does for it, and this task, end when the block
does.

A guest that waits although nothing would ever wake it ends with `GuestTrapped`: when no
call can go on, the host does nothing for the guest, and the program has no end of a
stream or future that it could still use.
"""

from ._component import ConcurrentComponent, load_concurrent
from ._ends import FutureReader, FutureWriter, StreamReader, StreamWriter
from ._instance import ConcurrentInstance

__all__ = (
    "ConcurrentComponent",
    "ConcurrentInstance",
    "FutureReader",
    "FutureWriter",
    "StreamReader",
    "StreamWriter",
    "load_concurrent",
)
