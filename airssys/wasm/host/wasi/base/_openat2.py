"""The system call `openat2`, which Python does not offer: opening beneath a folder.

The kernel resolves the path, and refuses each step that would leave the folder, whatever
others change at the same time. To compare paths first and open them afterwards is not the
same: a link that is exchanged in between leads out.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from typing import Final

_NUMBER: Final = 437
"""Of the system call, on every machine that has it."""
_MAGICLINKS, _SYMLINKS, _BENEATH, _CACHED = 0x02, 0x04, 0x08, 0x20


_libc: Final = ctypes.CDLL(None, use_errno=True)


def open_beneath(
    folder: int,
    path: str,
    flags: int,
    *,
    mode: int = 0,
    follow: bool = False,
    cached: bool = False,
) -> int:
    """Open a path beneath an open folder; the descriptor is not inherited.

    Args:
        folder: its descriptor.
        path: what to open; neither it nor a link on the way may leave the folder.
        flags: as of `os.open`.
        mode: of a file that is created.
        follow: whether there may be symbolic links.
        cached: only if the kernel need not wait for a disk.

    Raises:
        OSError: `EXDEV` for what leaves the folder; `ELOOP` for a link; `EAGAIN` for what
            is not cached; `ENOSYS` where there is no such call.
    """
    if "\0" in path:
        raise OSError(errno.EILSEQ, "a path with a NUL")
    resolve = _BENEATH | _MAGICLINKS | (0 if follow else _SYMLINKS)
    resolve |= _CACHED if cached else 0
    how = (ctypes.c_uint64 * 3)(flags | os.O_CLOEXEC, mode, resolve)
    size = ctypes.sizeof(how)
    name = os.fsencode(path)
    found: int = _libc.syscall(_NUMBER, folder, name, ctypes.byref(how), size)
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return found


@functools.cache
def has_openat2() -> bool:
    """Whether this system opens beneath a folder; without that, no files are given."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.close(open_beneath(folder, ".", os.O_PATH))
        finally:
            os.close(folder)
    except OSError:  # an old kernel, or a filter that does not know the call
        return False
    return True
