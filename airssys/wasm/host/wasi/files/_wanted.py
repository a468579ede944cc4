"""What `open-at` asks for: which accesses that needs, and how it is opened."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.wasm.host.wasi.base import open_beneath

from ._codes import FileRefused
from ._opening import Way

if TYPE_CHECKING:
    from ._descriptors import Descriptor, Files

_UNSUPPORTED: Final = frozenset(
    {"file-integrity-sync", "data-integrity-sync", "requested-write-sync"}
)
_MODE: Final = 0o666


@final
@attrs.frozen
class Wanted:
    """The flags of one call."""

    follow: bool
    reads: bool
    writes: bool
    is_folder: bool
    creates: bool
    exclusive: bool
    truncates: bool

    @classmethod
    def of(
        cls,
        path_flags: frozenset[str],
        open_flags: frozenset[str],
        flags: frozenset[str],
    ) -> Wanted:
        """Read the flags.

        Raises:
            FileRefused: they do not go together, or ask for what is not offered.
        """
        if flags & _UNSUPPORTED:
            raise FileRefused("unsupported")
        creates, truncates = "create" in open_flags, "truncate" in open_flags
        is_folder = "directory" in open_flags
        if is_folder and (creates or truncates):
            raise FileRefused("invalid")
        return cls(
            "symlink-follow" in path_flags,
            "read" in flags,
            "write" in flags,
            is_folder,
            creates,
            "exclusive" in open_flags,
            truncates,
        )

    def way(self, files: Files, descriptor: Descriptor, path: str) -> Way:
        """How it is opened, and what has to be allowed for that."""
        mount = descriptor.mount
        as_folder = self._is_only_a_folder(files, descriptor, path)
        verbs = [] if as_folder else self._verbs()

        def decide(inside: str) -> None:
            for verb in verbs:
                files.check(mount, verb, inside)
            if not verbs:
                files.check_any(mount, inside)

        make = None
        if self.creates or self.truncates:
            make = _Making(files, self).open
        return Way(decide, self._flags(as_folder=as_folder), self.follow, make)

    def _verbs(self) -> list[str]:
        changes = self.writes or self.creates or self.truncates
        wants = (self.reads, "read"), (changes, "write")
        return [verb for asked, verb in wants if asked]

    def _is_only_a_folder(
        self, files: Files, descriptor: Descriptor, path: str
    ) -> bool:
        """Whether it may be opened only if it is a folder, which is not read itself."""
        if self.writes or self.creates or self.truncates:
            return False
        if self.is_folder or not self.reads:
            return self.is_folder
        allowed = set(files.quietly(descriptor.mount, descriptor.path(path)))
        return bool(allowed) and "read" not in allowed

    def _flags(self, *, as_folder: bool) -> int:
        flags = os.O_RDONLY
        if self.writes or self.truncates:
            flags = os.O_RDWR if self.reads else os.O_WRONLY
        return flags | (os.O_DIRECTORY if as_folder or self.is_folder else 0)

    def explain(
        self, files: Files, descriptor: Descriptor, path: str, error: BaseException
    ) -> None:
        """Refuse, with a report, a file that was opened as if it were a folder.

        Raises:
            FileRefused: that is what happened.
        """
        is_not_one = isinstance(error, OSError) and error.errno == errno.ENOTDIR
        if is_not_one and not self.is_folder and self.reads and not self.writes:
            files.check(descriptor.mount, "read", descriptor.path(path))


@final
class _Making:
    """Opens a file, or makes it, and counts that."""

    def __init__(self, files: Files, wanted: Wanted) -> None:
        self._files, self._wanted = files, wanted

    def open(self, folder: int, path: str, flags: int) -> int:
        """Open it, make it if that is asked for, and make it empty if that is.

        Raises:
            FileRefused: it exceeds a quota.
            OSError: as of `open_beneath`.
        """
        wanted = self._wanted
        makes_it = wanted.creates and (wanted.exclusive or path.endswith("/"))
        if not makes_it:  # which is an error, and the kernel says which
            try:
                return self._found(open_beneath(folder, path, flags))
            except FileNotFoundError:
                if not wanted.creates:
                    raise
        return self._made(folder, path, flags)

    def _made(self, folder: int, path: str, flags: int) -> int:
        usage, limits = self._files.usage, self._files.limits
        usage.make(limits)
        try:
            how = flags | os.O_CREAT | os.O_EXCL
            return open_beneath(folder, path, how, mode=_MODE)
        except OSError as error:
            usage.give_back(files=1)
            if error.errno == errno.EEXIST and not self._wanted.exclusive:
                return self._found(open_beneath(folder, path, flags))
            raise

    def _found(self, fd: int) -> int:
        try:
            self._use(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _use(self, fd: int) -> None:
        """Make what was there empty, if that is asked for; a folder cannot be made so."""
        found = os.fstat(fd)
        if stat.S_ISDIR(found.st_mode):
            raise FileRefused("is-directory")
        if self._wanted.truncates and stat.S_ISREG(found.st_mode):
            os.ftruncate(fd, 0)
            self._files.usage.give_back(size=found.st_size)
