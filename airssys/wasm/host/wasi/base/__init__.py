"""What all interfaces of WASI share: the context of an instance, and what a guest holds.

A guest holds objects of the class `Held`. What it can wait for is a `Source`; what it
reads is an `Input` and what it writes is an `Output`, whatever is behind them: a file, a
socket, the body of a request, or the log.
"""

from ._bytes import (
    ROOM,
    Input,
    Output,
    StreamClosed,
    StreamFailed,
)
from ._clocks import NANO
from ._context import (
    MOST_HANDLES,
    ContextPart,
    Held,
    Scoped,
    WasiContext,
    release,
    take_back,
)
from ._errors import IoError, error_code
from ._libc import disconnect, set_file_times
from ._log_lines import LogLines
from ._naming import full_name, interface, same_as, stated
from ._openat2 import has_openat2, open_beneath
from ._pollables import (
    Interest,
    Pollable,
    Source,
    Timer,
    ready_ones,
    wait_for_any,
    wait_until,
)
from ._reach import Address, Reach, access_words, endpoint

__all__ = (
    "MOST_HANDLES",
    "NANO",
    "ROOM",
    "Address",
    "ContextPart",
    "Held",
    "Input",
    "Interest",
    "IoError",
    "LogLines",
    "Output",
    "Pollable",
    "Reach",
    "Scoped",
    "Source",
    "StreamClosed",
    "StreamFailed",
    "Timer",
    "WasiContext",
    "access_words",
    "disconnect",
    "endpoint",
    "error_code",
    "full_name",
    "has_openat2",
    "interface",
    "open_beneath",
    "ready_ones",
    "release",
    "same_as",
    "set_file_times",
    "stated",
    "take_back",
    "wait_for_any",
    "wait_until",
)
