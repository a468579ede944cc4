"""A directory that belongs to its owner alone, with files that are complete or missing.

The directory is held open, so that all its files are in the directory that was checked,
even if it is renamed. Only its owner can access its contents: permissions on a file
inside do not help without permission to search the directory.
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
"""The start of the names of unfinished files, which a dead process may have left."""


class NotPrivate(PermissionError):
    """A directory belongs to another user, or other users can enter it."""


@final
class PrivateDirectory:
    """A directory, created if it does not exist, and closed when it is garbage.

    So a thread that still writes at the end writes into the right directory.

    Raises:
        NotPrivate: It belongs to another user, or other users can enter it.
        OSError: It cannot be created or opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        found = os.fstat(self._fd)
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise NotPrivate(
                f"{path} holds code that will be run, or the key to it, but other "
                "users may write there: make it private (chmod 700), or choose "
                "another directory"
            )

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            os.close(self._fd)

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[int, os.stat_result]]:
        """Open a file to read; returns its descriptor and status.

        Raises:
            OSError: It does not exist, is not a regular file of ours, or other users
                may write it.
        """
        # Not blocking: a pipe would wait for a writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(name, flags, dir_fd=self._fd)
        try:
            found = os.fstat(fd)
            is_ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid()
            if not is_ours or stat.S_IMODE(found.st_mode) & 0o077:
                raise PermissionError(f"{name} does not belong to us alone")
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
        """Create or replace a file; other processes see all of it or nothing.

        It is on disk before it has its name, so that after a crash of the machine the
        name never refers to something else.
        """
        with self._unfinished(content) as unfinished:
            os.rename(unfinished, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def write_first(self, name: str, content: bytes) -> None:
        """Create a file that does not exist yet.

        Raises:
            FileExistsError: It exists, and stays as it is.
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
        """Record that a file was used now; does nothing if it does not exist."""
        with suppress(OSError):
            os.utime(name, dir_fd=self._fd, follow_symlinks=False)

    def remove(self, name: str) -> None:
        """Remove a file; does nothing if it does not exist."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the name and status of each file."""
        for name in os.listdir(self._fd):  # noqa: PTH208  # by its descriptor
            with suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    yield name, found


def is_unfinished(name: str) -> bool:
    """Say whether a file of that name was never finished."""
    return name.startswith(_UNFINISHED)
