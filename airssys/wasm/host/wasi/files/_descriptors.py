"""What a guest holds of the file system: descriptors, and the listing of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from airssys.wasm.host.wasi.base import Held, Scoped, has_openat2

from ._codes import FileRefused
from ._mounts import VERBS, Mount, joined, mounts_of
from ._usage import usage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airssys.wasm.host.wasi.base import WasiContext

    from ._open_file import OpenFile

_REMEMBERED: Final = 256


@final
class Files:
    """The files of one instance: its mounts, and what was decided about their paths."""

    def __init__(self, context: WasiContext) -> None:
        self.context = context
        self.usage = usage_of(context.permissions)
        self.limits = context.limits
        self._version = -1
        self._allowed: set[tuple[Mount, str, str]] = set()

    def mounts(self) -> tuple[Mount, ...]:
        """The folders that it has some grant for; without `openat2` there are none."""
        if not has_openat2():
            return ()
        return mounts_of(self.context.permissions.grants_of("files"))

    def verbs_of(self, mount: Mount) -> frozenset[str]:
        """What its grants let it do to some paths of a mount."""
        grants = self.context.permissions.grants_of("files")
        return frozenset(
            verb
            for grant in grants
            if dict(grant.limits).get("at") in {None, mount.host}
            for verb in grant.verbs
        )

    def may(self, mount: Mount, verb: str, inside: str) -> bool:
        """Whether something may be done to a path; the first of each is recorded."""
        self._forget_changed()
        asked = mount, verb, inside
        if asked in self._allowed:
            return True
        if not self.context.may_access(mount.access(verb, inside)):
            return False
        if len(self._allowed) >= _REMEMBERED:
            self._allowed.clear()
        self._allowed.add(asked)
        return True

    def _forget_changed(self) -> None:
        version = self.context.permissions.version
        if version != self._version:
            self._version = version
            self._allowed.clear()

    def check(self, mount: Mount, verb: str, inside: str) -> None:
        """See that something may be done to a path.

        Raises:
            FileRefused: it may not; that was reported.
        """
        if not self.may(mount, verb, inside):
            raise FileRefused("access")

    def quietly(self, mount: Mount, inside: str) -> Iterator[str]:
        """What may be done to a path; nothing is reported."""
        allows = self.context.permissions.allows
        return (verb for verb in VERBS if allows(mount.access(verb, inside)))

    def check_any(self, mount: Mount, inside: str) -> None:
        """See that a folder on the way, or its names, may be known of.

        Raises:
            FileRefused: nothing may be done to it.
        """
        verb = next(self.quietly(mount, inside), "list")
        self.check(mount, verb, inside)


def files_of(context: WasiContext) -> Files:
    """The files of an instance."""
    return context.keep("files", Files)


@final
class Descriptor(Held):
    """A guest's descriptor: an open file or folder of a mount.

    When what allowed it is revoked, it is closed, and answers `bad-descriptor`.
    """

    __slots__ = ("_scoped", "file", "flags", "inside", "is_folder", "mount")

    def __init__(
        self,
        files: Files,
        file: OpenFile,
        place: tuple[Mount, str],
        flags: frozenset[str],
        *,
        is_folder: bool,
    ) -> None:
        super().__init__(files.context)
        self.file: OpenFile | None = file
        self.mount, self.inside = place
        self.flags, self.is_folder = flags, is_folder
        self._scoped: list[Scoped] = []
        self._stay_allowed()

    def opened(self) -> OpenFile:
        """The file of the host.

        Raises:
            FileRefused: it was closed, because what allowed it was revoked.
        """
        if self.file is None:
            raise FileRefused("bad-descriptor")
        return self.file

    def check(self, verb: str) -> OpenFile:
        """See that something is still allowed.

        Raises:
            FileRefused: it is not, or this was closed.
        """
        file = self.opened()
        files_of(self.context).check(self.mount, verb, self.inside)
        return file

    def path(self, path: str) -> str:
        """The path in its mount that a path relative to it means, without any links.

        Raises:
            FileRefused: it leads out of this folder, or this is a file.
        """
        if not self.is_folder:
            raise FileRefused("not-directory")
        return joined(self.inside, path)

    def _stay_allowed(self) -> None:
        """Go on under what still allows it; close it if something is missing."""
        scoped, self._scoped = self._scoped, []
        for each in scoped:
            each.release()
        if self.file is None:
            return
        files, needed = files_of(self.context), self._needs()
        held = set(files.quietly(self.mount, self.inside))
        is_lost = self.is_folder and self.inside and not held
        if is_lost or not needed <= held:
            self._close()
            return
        for verb in needed or sorted(held)[:1]:
            access = self.mount.access(verb, self.inside)
            self._scoped.append(Scoped(self.context, access, self._stay_allowed))

    def _needs(self) -> set[str]:
        return set() if self.is_folder else set(self.flags) & {"read", "write"}

    def _close(self) -> None:
        file, self.file = self.file, None
        if file is not None:
            file.let_go()

    def let_go(self) -> None:
        """Close it, when the guest has dropped it."""
        for each in self._scoped:
            each.release()
        self._close()


@final
class Listing(Held):
    """The entries of a folder, as they were when it was asked for."""

    __slots__ = ("left",)

    def __init__(self, context: WasiContext, found: list[tuple[str, str]]) -> None:
        super().__init__(context)
        self.left = iter(found)

    def next_entry(self) -> tuple[str, str] | None:
        """The kind and the name of one more; None: there are no more."""
        return next(self.left, None)
