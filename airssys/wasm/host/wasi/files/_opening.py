"""Opening files by paths: what was decided is what is opened.

Theory. What a path means is decided by its names, without links; and it is opened so that
the kernel refuses every link. If there is one, the kernel resolves the path beneath the
folder, `/proc` names what it found, and that path is decided and opened in the same way,
as if the guest had asked for it. So no link leads past a decision, however it is
changed meanwhile, and paths without links, which are nearly all, cost one call.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, final

from airssys.wasm.host.wasi.base import open_beneath

from ._codes import FileRefused
from ._mounts import below, joined
from ._open_file import OpenFile, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._descriptors import Descriptor

_MOST_LINKS: Final = 4
"""Paths that are resolved again because what they lead through was exchanged."""
_ALWAYS: Final = os.O_NONBLOCK | os.O_NOCTTY
_UNCACHED: Final = frozenset({errno.EAGAIN, errno.ELOOP, errno.EINVAL})
"""Errors after which a thread tries again; the last is how Linux before 5.12 answers."""


@final
class Way(NamedTuple):
    """How something is opened."""

    decide: Callable[[str], None]
    """Takes a path in the mount; raises `FileRefused`."""
    flags: int
    follow: bool
    """Whether the last name may be a link."""
    make: Callable[[int, str, int], int] | None = None
    """Opens or makes it, in place of `open_beneath`."""

    @property
    def all_flags(self) -> int:
        """Its flags, with what holds for all; `openat2` takes few beside `O_PATH`."""
        always = 0 if self.flags & os.O_PATH else _ALWAYS
        return self.flags | always | (0 if self.follow else os.O_NOFOLLOW)


def open_cached(descriptor: Descriptor, path: str, way: Way) -> tuple[int, str] | None:
    """Open a path if that needs no disk; returns it with its path in the mount.

    Raises:
        FileRefused: it is not allowed, or leaves the folder.
        OSError: as of `open_beneath`.
    """
    inside = descriptor.path(path)
    folder = descriptor.opened()
    way.decide(inside)
    if way.make is not None or not folder.disk.may_be_quick():
        return None
    try:
        flags = way.all_flags
        fd = folder.apply(lambda fd: open_beneath(fd, path, flags, cached=True))
    except OSError as error:
        if error.errno in _UNCACHED:
            return None
        raise _inside(error) from error
    return fd, inside


async def open_path(descriptor: Descriptor, path: str, way: Way) -> tuple[int, str]:
    """Open a path; returns it with its path in the mount, without links.

    Raises:
        FileRefused: it is not allowed, leaves the folder, or leads through too many links.
        OSError: as of `open_beneath`.
    """
    inside, rest = descriptor.path(path), path
    folder, flags = descriptor.opened(), way.all_flags
    for _ in range(_MOST_LINKS):
        way.decide(inside)
        found = await in_thread(
            _opening(folder, rest, flags, way), folder, undo=_close_found
        )
        if found is not None:
            return found, inside
        rest = await in_thread(_resolving(folder, rest, way), folder)
        inside = below(descriptor.inside, "" if rest == "." else rest)
    raise FileRefused("loop")


def _close_found(found: int | None) -> None:
    if found is not None:
        os.close(found)


def _opening(
    folder: OpenFile, rest: str, flags: int, way: Way
) -> Callable[[], int | None]:
    """What opens a path, or finds that it leads through a link."""

    def act() -> int | None:
        make = way.make or open_beneath
        try:
            return folder.apply(lambda fd: make(fd, rest, flags))
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None
            raise _inside(error) from error

    return act


def _resolving(folder: OpenFile, path: str, way: Way) -> Callable[[], str]:
    """What finds the path of what a path leads to, relative to the same folder."""

    def act() -> str:
        try:
            return folder.apply(lambda fd: _resolved(fd, path, follow=way.follow))
        except FileNotFoundError:
            if way.make is None:
                raise
            head, _, name = path.rstrip("/").rpartition("/")
            return folder.apply(lambda fd: _made_at(fd, head or ".", name))
        except OSError as error:
            raise _inside(error) from error

    return act


def _made_at(folder: int, head: str, name: str) -> str:
    """Find the path of what would be made: where a link leads that leads to nothing."""
    where = _resolved(folder, head, follow=True)
    last = f"{where}/{name}"
    try:
        found = open_beneath(folder, last, os.O_PATH | os.O_NOFOLLOW)
    except FileNotFoundError:
        return last
    try:
        target = os.readlink("", dir_fd=found)
    except FileNotFoundError:  # it is something else, which has just come
        return last
    finally:
        os.close(found)
    if target.startswith("/"):
        raise FileRefused("not-permitted")
    return joined("", f"{where}/{target}")


def _resolved(folder: int, path: str, *, follow: bool) -> str:
    flags = os.O_PATH | (0 if follow else os.O_NOFOLLOW)
    found = open_beneath(folder, path, flags, follow=True)
    try:
        beginning, whole = _name_of(folder), _name_of(found)
    finally:
        os.close(found)
    if whole == beginning:
        return "."
    if not whole.startswith(f"{beginning.rstrip('/')}/"):
        raise FileRefused("not-permitted")
    return whole[len(beginning.rstrip("/")) + 1 :]


def _name_of(fd: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{fd}").readlink())
    except FileNotFoundError:  # no /proc: then no links either
        raise FileRefused("loop") from None


def _inside(error: OSError) -> Exception:
    """Say of what leaves the folder that it is not permitted; other errors stay."""
    if error.errno == errno.EXDEV:
        return FileRefused("not-permitted")
    return error


async def open_parent(
    descriptor: Descriptor, path: str, decide: Callable[[str], None], unnamed: str
) -> tuple[OpenFile, str, str]:
    """Open the folder of the last name of a path, for a call that takes such a name.

    Returns the folder, which the caller lets go; the name, with the slash that stood behind
    it; and the path in the mount.

    Raises:
        FileRefused: the path is not allowed, leaves the folder, or has no last name, as
            `.`: that has the code `unnamed`.
        OSError: as of `open_beneath`.
    """
    decide(descriptor.path(path))
    head, _, name = path.rstrip("/").rpartition("/")
    if name in {"", ".", ".."}:
        raise FileRefused(unnamed)
    way = Way(lambda _inside: None, os.O_PATH | os.O_DIRECTORY, follow=True)
    fd, inside = await open_path(descriptor, head or ".", way)
    folder = OpenFile(fd, descriptor.opened().disk)
    try:
        decide(below(inside, name))
    except FileRefused:
        folder.let_go()
        raise
    slash = "/" if path.endswith("/") else ""
    return folder, name + slash, below(inside, name)
