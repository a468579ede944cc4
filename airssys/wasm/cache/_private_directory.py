"""A directory that is its owner's alone, and files in it that are whole or not there.

It is held open, so that all its files are those of the directory that was checked, even
if somebody renames it. Nobody but its owner can reach what is in it: no permission on a
file inside helps without the right to search the directory.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_UNFINISHED: Final = ".unfinished-"
"""Begins the names of files that are being written, or were when a process died."""


class NotPrivate(PermissionError):
    """A directory belongs to others, or they can enter it."""


@final
class PrivateDirectory:
    """A directory, made if it is not there; closed when it is garbage.

    So a thread that still writes when everybody else is gone writes where it should.

    Raises:
        NotPrivate: the directory belongs to, or can be entered by, others.
        OSError: it cannot be made or opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        found = os.fstat(self._fd)
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise NotPrivate(
                f"{path} holds code that will be run, or the key to it, but others may "
                f"write there: make it yours alone (chmod 700), or name another "
                f"directory"
            )

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            os.close(self._fd)

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[int, os.stat_result]]:
        """Open a file to read: its descriptor and what it is.

        Raises:
            OSError: it is not there, no regular file of ours, or one that others may
                write.
        """
        # Not blocking: a pipe would wait for a writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(name, flags, dir_fd=self._fd)
        try:
            found = os.fstat(fd)
            is_ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid()
            if not is_ours or stat.S_IMODE(found.st_mode) & 0o077:
                raise PermissionError(f"{name} is no file of ours alone")
            yield fd, found
        finally:
            os.close(fd)

    def read(self, name: str, most: int) -> bytes:
        """Read a file of up to `most` bytes; `OSError` as of `opened`."""
        with self.opened(name) as (fd, found):
            if found.st_size > most:
                raise OSError(f"{name} has more than {most} bytes")
            with os.fdopen(fd, "rb", closefd=False) as file:
                return file.read(most)

    def write(self, name: str, content: bytes | bytearray) -> None:
        """Make or replace a file; others see all of it or nothing of it.

        It is on the disk before it has its name, so that a machine that stops leaves no
        name with something else behind it.
        """
        with self._unfinished(content) as unfinished:
            os.rename(unfinished, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def write_first(self, name: str, content: bytes) -> None:
        """Make a file that is not there yet.

        Raises:
            FileExistsError: it is there; it stays as it is.
        """
        with self._unfinished(content) as unfinished:
            os.link(unfinished, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    @contextmanager
    def _unfinished(self, content: bytes | bytearray) -> Iterator[str]:
        name = _UNFINISHED + secrets.token_hex(8)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=self._fd)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(fd)
            yield name
        finally:
            self.remove(name)

    def touch(self, name: str) -> None:
        """Note that a file was used now; does nothing if it is gone."""
        with suppress(OSError):
            os.utime(name, dir_fd=self._fd, follow_symlinks=False)

    def remove(self, name: str) -> None:
        """Remove a file; does nothing if it is gone."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the name of each file and what it is."""
        for name in os.listdir(self._fd):  # noqa: PTH208  # by its descriptor
            with suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    yield name, found


def is_unfinished(name: str) -> bool:
    """Say whether a file of that name was never finished."""
    return name.startswith(_UNFINISHED)
