"""What changes the names of a file system: folders, links, removing, renaming."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from ._codes import FileRefused
from ._descriptors import files_of
from ._open_file import in_thread
from ._opening import open_parent

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.wasm.host.wasi.base import WasiContext

    from ._descriptors import Descriptor, Files
    from ._open_file import OpenFile


async def _in_parent(
    context: WasiContext,
    descriptor: Descriptor,
    path: str,
    rule: tuple[str, str],
    act: Callable[[Files, int, str], None],
) -> None:
    """Decide and do something with the last name of a path, in its folder.

    Args:
        context: of the instance.
        descriptor: the path begins there.
        path: as the guest gives it.
        rule: the verb that has to be allowed, and the code for a path without a last name.
        act: takes the files, the folder, and the name.
    """
    verb, unnamed = rule
    files, mount = files_of(context), descriptor.mount

    def decide(inside: str) -> None:
        files.check(mount, verb, inside)

    folder, name, _inside = await open_parent(descriptor, path, decide, unnamed)
    try:
        await in_thread(lambda: folder.apply(lambda fd: act(files, fd, name)), folder)
    finally:
        folder.let_go()


def _making(
    make: Callable[[int, str], None],
) -> Callable[[Files, int, str], None]:
    """Count what is created, and take that back if it was not."""

    def act(files: Files, folder: int, name: str) -> None:
        files.usage.make(files.limits)
        try:
            make(folder, name)
        except OSError:
            files.usage.give_back(files=1)
            raise

    return act


async def create_directory_at(
    context: WasiContext, descriptor: Descriptor, path: str
) -> None:
    """Create a folder."""
    act = _making(lambda folder, name: os.mkdir(name, dir_fd=folder))
    await _in_parent(context, descriptor, path, ("write", "exist"), act)


async def symlink_at(
    context: WasiContext, descriptor: Descriptor, target: str, path: str
) -> None:
    """Create a symbolic link; one that begins at the root is refused."""
    if target.startswith("/"):
        raise FileRefused("not-permitted")
    if not target:
        raise FileRefused("no-entry")
    _check_text(target)
    act = _making(lambda folder, name: os.symlink(target, name, dir_fd=folder))
    await _in_parent(context, descriptor, path, ("write", "exist"), act)


def _check_text(path: str) -> None:
    if "\0" in path:
        raise FileRefused("illegal-byte-sequence")


async def remove_directory_at(
    context: WasiContext, descriptor: Descriptor, path: str
) -> None:
    """Remove an empty folder."""

    def act(files: Files, folder: int, name: str) -> None:
        os.rmdir(name, dir_fd=folder)
        files.usage.give_back(files=1)

    await _in_parent(context, descriptor, path, ("delete", "invalid"), act)


async def unlink_file_at(
    context: WasiContext, descriptor: Descriptor, path: str
) -> None:
    """Remove a file or a link."""

    def act(files: Files, folder: int, name: str) -> None:
        plain = name.rstrip("/")
        found = os.stat(plain, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            raise FileRefused("is-directory")
        if plain != name:
            raise FileRefused("not-directory")
        os.unlink(name, dir_fd=folder)
        is_last = found.st_nlink == 1 and stat.S_ISREG(found.st_mode)
        files.usage.give_back(files=1, size=found.st_size if is_last else 0)

    rule = ("delete", "is-directory")
    await _in_parent(context, descriptor, path, rule, act)


def _narrowing(
    files: Files, old: tuple[Descriptor, str], new: tuple[Descriptor, str]
) -> None:
    """See that a file cannot be used in more ways under its new name.

    Raises:
        FileRefused: it could.
    """
    before = set(files.quietly(old[0].mount, old[1]))
    after = set(files.quietly(new[0].mount, new[1]))
    for verb in sorted((after - before) & {"read", "write"}):
        files.check(old[0].mount, verb, old[1])


async def rename_at(
    context: WasiContext,
    descriptor: Descriptor,
    path: str,
    other: Descriptor,
    new: str,
) -> None:
    """Give a file or a folder another name, which may be one of another folder."""
    old = _Old(descriptor, path, "delete", "busy", "busy")
    await _move(context, old, (other, new), os.rename)


async def link_at(
    context: WasiContext,
    descriptor: Descriptor,
    flags: frozenset[str],
    path: str,
    other: Descriptor,
    new: str,
) -> None:
    """Give a file a further name. A link is not followed."""
    if "symlink-follow" in flags:
        raise FileRefused("invalid")

    def link(name: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        def act(folder: int, last: str) -> None:
            os.link(
                name,
                last,
                src_dir_fd=src_dir_fd,
                dst_dir_fd=folder,
                follow_symlinks=False,
            )

        _making(act)(files_of(context), dst_dir_fd, target)

    old = _Old(descriptor, path, "write", "not-permitted", "exist")
    await _move(context, old, (other, new), link)


class _Old(NamedTuple):
    """What gets another name, and what has to be allowed for that."""

    descriptor: Descriptor
    path: str
    verb: str
    unnamed: str
    """The code if its path has no last name."""
    new_unnamed: str
    """The code if the other path has none."""


async def _move(
    context: WasiContext,
    old: _Old,
    new: tuple[Descriptor, str],
    act: Callable[..., None],
) -> None:
    files = files_of(context)
    one, path, verb, unnamed, new_unnamed = old
    other, target = new

    def may_go(inside: str) -> None:
        files.check(one.mount, verb, inside)

    def may_come(inside: str) -> None:
        files.check(other.mount, "write", inside)

    folder, name, inside = await open_parent(one, path, may_go, unnamed)
    opened = [folder]
    try:
        second, new_name, new_inside = await open_parent(
            other, target, may_come, new_unnamed
        )
        opened.append(second)
        _narrowing(files, (one, inside), (other, new_inside))
        await in_thread(
            lambda: _across(act, (folder, name), (second, new_name)), *opened
        )
    finally:
        for each in opened:
            each.let_go()


def _across(
    act: Callable[..., None], old: tuple[OpenFile, str], new: tuple[OpenFile, str]
) -> None:
    def move(one: int) -> None:
        new[0].apply(lambda two: act(old[1], new[1], src_dir_fd=one, dst_dir_fd=two))

    old[0].apply(move)
