"""Folders: those that a guest begins with, and what is in one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from airssys.contracts import LogLevel

from ._codes import FileRefused, code_of
from ._descriptors import Descriptor, files_of
from ._open_file import Disk, OpenFile, in_thread

if TYPE_CHECKING:
    from airssys.wasm.host.wasi.base import WasiContext

    from ._descriptors import Files
    from ._mounts import Mount

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK
_ENTRY: Final = 64
"""Bytes that an entry takes beside its name."""


def none_opened(context: WasiContext) -> list[tuple[Descriptor, str]] | None:
    """Report that a guest has no folder; None: it has some, which have to be opened."""
    if files_of(context).mounts():
        return None
    context.may("files", "list", "/")
    return []


async def preopened(context: WasiContext) -> list[tuple[Descriptor, str]]:
    """Open the folders that a guest has some grant for."""
    files = files_of(context)
    found = []
    for mount in files.mounts():
        opened = await _open_mount(files, mount)
        if opened is not None:
            found.append((opened, mount.name))
    return found


async def _open_mount(files: Files, mount: Mount) -> Descriptor | None:
    """Open the host's folder of a mount; None, with a line in the log, if that fails."""

    def open_it() -> tuple[int, Disk]:
        fd = os.open(mount.host, _FOLDER)
        try:
            return fd, Disk.of(fd)
        except BaseException:
            os.close(fd)
            raise

    try:
        files.usage.open(files.limits)
    except FileRefused:
        return None
    try:
        fd, disk = await in_thread(open_it, undo=lambda found: os.close(found[0]))
    except OSError as error:
        files.usage.note_closed()
        _log_missing(files.context, mount, error)
        return None
    except BaseException:
        files.usage.note_closed()
        raise
    file = OpenFile(fd, disk, files.usage)
    changes = files.verbs_of(mount) & {"write", "delete"}
    flags = frozenset({"read", "mutate-directory"} if changes else {"read"})
    return Descriptor(files, file, (mount, ""), flags, is_folder=True)


def _log_missing(context: WasiContext, mount: Mount, error: OSError) -> None:
    if context.services is not None:
        text = f"{mount.name} is not there: {mount.host}: {code_of(error)}"
        context.services.log(LogLevel.WARN, text, (("stream", "files"),))


def listed(folder: int, most: int) -> list[tuple[str, str]]:
    """The kinds and names of what is in a folder; names that are not valid text are left out.

    Raises:
        FileRefused: there is too much, by a number of bytes.
        OSError: as of `os.scandir`.
    """
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            most -= len(entry.name) + _ENTRY
            if most < 0:
                raise FileRefused("insufficient-memory")
            if _is_text(entry.name):
                found.append((_kind_of(entry), entry.name))
    return found


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind_of(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "symbolic-link"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    return "regular-file" if entry.is_file(follow_symlinks=False) else "unknown"
