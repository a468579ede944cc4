"""What the C library does with a descriptor, and Python does not offer."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final

_EMPTY_PATH: Final = 0x1000
_NO_FAMILY: Final = bytes(16)
"""An address of the family `AF_UNSPEC`, which is 0."""
_libc: Final = ctypes.CDLL(None, use_errno=True)


def set_file_times(
    fd: int, accessed: tuple[int, int], modified: tuple[int, int]
) -> None:
    """Set the times of a file, a folder, or a link itself, which may be open by `O_PATH`.

    Python sets those of a link by its name only, which may be another file's meanwhile.

    Args:
        fd: its descriptor.
        accessed: seconds, and nanoseconds or a word of the system.
        modified: the same.

    Raises:
        OSError: `EINVAL` for what is open by `O_PATH`, before Linux 5.8.
    """
    times = (ctypes.c_long * 4)(*accessed, *modified)
    _check(_libc.utimensat(fd, b"", ctypes.byref(times), _EMPTY_PATH))


def disconnect(fd: int) -> None:
    """Let a socket for datagrams have no other side any more.

    Raises:
        OSError: it is not such a socket.
    """
    try:
        _check(_libc.connect(fd, _NO_FAMILY, len(_NO_FAMILY)))
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT:  # as BSD answers when it has done it
            raise


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
