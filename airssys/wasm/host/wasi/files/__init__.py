"""`wasi:filesystem`: folders of the host that a component was granted.

Theory. A grant speaks of paths as the guest sees them and names the folder of the host
behind them (`_mounts`). Each call asks the permissions of the component for the path that
it names, and what is opened is that path and no other, because the kernel resolves it
beneath the folder and refuses every link (`_openat2`, `_opening`). Without the system
call `openat2` there are no files. Nothing waits for a disk in the Trio thread: what is in
memory is answered at once, and the rest is done in threads (`_open_file`).
"""

from airssys.wasm.host.wasi.base import has_openat2, open_beneath

from ._codes import FileRefused, code_of
from ._mounts import Mount, mounts_of
from ._open_file import in_thread
from ._types import file_interfaces

__all__ = (
    "FileRefused",
    "Mount",
    "code_of",
    "file_interfaces",
    "has_openat2",
    "in_thread",
    "mounts_of",
    "open_beneath",
)
