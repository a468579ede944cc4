"""Folders of the host that a guest sees, made from its grants, and paths in them.

Theory. A grant for files speaks of paths as the guest sees them, and may name the folder
of the host that stands for their fixed beginning: `read_files("/data/**", at="/srv/shop")`.
Each such pair is a *mount*. A grant without a folder speaks of a mount that contains it,
and otherwise makes its own, where the host's folder has the same path. Which paths are
allowed is not decided here: each call asks for it, with the mount in the question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.contracts import Access

from ._codes import FileRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airssys.contracts import Grant

VERBS: Final = ("read", "list", "write", "delete")
_LONGEST: Final = 4096
"""Bytes of a path, as of the operating system."""


@final
@attrs.frozen
class Mount:
    """One folder of the host."""

    guest: str
    """The path that the guest sees it under, without a slash at its end; "" is the root."""
    host: str

    def access(self, verb: str, inside: str) -> Access:
        """What has to be allowed for something to be done to a path in it."""
        path = f"{self.guest}/{inside}" if inside else self.guest or "/"
        return Access("files", verb, path, (("at", self.host),))

    @property
    def name(self) -> str:
        """The path that the guest sees."""
        return self.guest or "/"


def mounts_of(grants: Iterable[Grant]) -> tuple[Mount, ...]:
    """Make the mounts of some grants, in the order of their names."""
    places = [
        (_fixed_beginning(grant.resource), dict(grant.limits).get("at"))
        for grant in grants
        if grant.kind == "files"
    ]
    named = {Mount(guest, at) for guest, at in places if at is not None}
    own = {Mount(guest, guest or "/") for guest, at in places if at is None}
    outside = {
        each for each in own if not any(_is_in(each.guest, m.guest) for m in named)
    }
    mounts = {
        each
        for each in named | outside
        if each in named
        or not any(_is_in(each.guest, m.guest) for m in outside - {each})
    }
    return tuple(sorted(mounts, key=lambda mount: (mount.guest, mount.host)))


def _fixed_beginning(pattern: str) -> str:
    """The folders of a pattern before its first wildcard, or before its last name."""
    fixed = []
    *folders, last = pattern.strip("/").split("/")
    for each in folders:
        if "*" in each:
            break
        fixed.append(each)
    del last  # a name, or a wildcard: what is in the folder
    return "".join(f"/{each}" for each in fixed)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def joined(inside: str, path: str) -> str:
    """The path in a mount that a path means, beginning at a folder of that mount.

    Links are not known here: where there are none, it is the path that the system finds.

    Raises:
        FileRefused: it is absolute, leaves the folder, or is not a path.
    """
    _check(path)
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if not kept:
                raise FileRefused("not-permitted")
            kept.pop()
        elif segment not in {"", "."}:
            kept.append(segment)
    return below(inside, "/".join(kept))


def _check(path: str) -> None:
    if path.startswith("/"):
        raise FileRefused("not-permitted")
    if not path:
        raise FileRefused("no-entry")
    if "\0" in path:
        raise FileRefused("illegal-byte-sequence")
    if len(path) > _LONGEST:
        raise FileRefused("name-too-long")


def below(inside: str, rest: str) -> str:
    """Join a path in a mount and one below it; either may be empty."""
    return f"{inside}/{rest}" if inside and rest else inside or rest
