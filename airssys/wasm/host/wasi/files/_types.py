"""`wasi:filesystem`: the names of its functions, above what knows Trio and the system."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, Any, Final

from airssys.wasm.host import HostFunction
from airssys.wasm.host.wasi.base import NANO, interface, same_as
from airssys.wasm.values import Case, Ok

from . import _changes as changes
from ._codes import FileRefused, code_of
from ._descriptors import Descriptor, Listing, files_of
from ._file_streams import FileInput, FileOutput, put, put_now, read_now
from ._folders import listed, none_opened, preopened
from ._open_file import OpenFile, in_thread
from ._opening import Way, open_cached, open_path
from ._times import NewTimes
from ._wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airssys.wasm.host.wasi.base import WasiContext

    from ._descriptors import Files

_MOST_READ: Final = 1024 * 1024
_Stat = tuple[str, int, int, Any, Any, Any]


# ---------------------------------------------------------------- open


async def _open_at(
    context: WasiContext,
    descriptor: Descriptor,
    path_flags: frozenset[str],
    path: str,
    open_flags: frozenset[str],
    flags: frozenset[str],
) -> Descriptor:
    files = files_of(context)
    wanted = Wanted.of(path_flags, open_flags, flags)
    files.usage.open(files.limits)
    try:
        way = wanted.way(files, descriptor, path)
        fd, inside = await open_path(descriptor, path, way)
    except BaseException as error:
        files.usage.note_closed()
        wanted.explain(files, descriptor, path, error)
        raise
    return _opened(files, descriptor, (fd, inside), flags)


def _open_now(
    context: WasiContext,
    descriptor: Descriptor,
    path_flags: frozenset[str],
    path: str,
    open_flags: frozenset[str],
    flags: frozenset[str],
) -> Descriptor | None:
    files = files_of(context)
    wanted = Wanted.of(path_flags, open_flags, flags)
    files.usage.open(files.limits)
    found = None
    try:
        way = wanted.way(files, descriptor, path)
        found = open_cached(descriptor, path, way)
    except (FileRefused, OSError) as error:
        wanted.explain(files, descriptor, path, error)
        raise
    finally:
        if found is None:
            files.usage.note_closed()
    return None if found is None else _opened(files, descriptor, found, flags)


def _opened(
    files: Files, parent: Descriptor, found: tuple[int, str], flags: frozenset[str]
) -> Descriptor:
    fd, inside = found
    is_folder = stat.S_ISDIR(os.fstat(fd).st_mode)
    file = OpenFile(fd, parent.opened().disk, files.usage)
    if not (is_folder or flags & {"read", "write"}):  # as POSIX, whose `O_RDONLY` is 0
        flags |= set(files.quietly(parent.mount, inside)) & {"read"}
    return Descriptor(files, file, (parent.mount, inside), flags, is_folder=is_folder)


# ---------------------------------------------------------------- what it is


def _kind(mode: int) -> str:
    for test, name in (
        (stat.S_ISREG, "regular-file"),
        (stat.S_ISDIR, "directory"),
        (stat.S_ISLNK, "symbolic-link"),
        (stat.S_ISCHR, "character-device"),
        (stat.S_ISBLK, "block-device"),
        (stat.S_ISFIFO, "fifo"),
        (stat.S_ISSOCK, "socket"),
    ):
        if test(mode):
            return name
    return "unknown"


def _time(nanoseconds: int) -> tuple[int, int] | None:
    return divmod(nanoseconds, NANO) if nanoseconds >= 0 else None


def _stat(found: os.stat_result) -> _Stat:
    times = found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns
    return (
        _kind(found.st_mode),
        found.st_nlink,
        found.st_size,
        *map(_time, times),
    )  # type: ignore[return-value]  # three times


def _hash(found: os.stat_result) -> tuple[int, int]:
    what = b"%d %d" % (found.st_dev, found.st_ino)
    text = hashlib.blake2b(what, digest_size=16).digest()
    return int.from_bytes(text[:8], "little"), int.from_bytes(text[8:], "little")


def _about(tell: Callable[[os.stat_result], Any]) -> HostFunction:
    """Make a function that says something of a descriptor."""

    def now(_context: WasiContext, descriptor: Descriptor) -> Any:
        file = descriptor.opened()
        return tell(file.apply(os.fstat)) if file.disk.may_be_quick() else None

    async def later(_context: WasiContext, descriptor: Descriptor) -> Any:
        file = descriptor.opened()
        return tell(await in_thread(lambda: file.apply(os.fstat), file))

    return HostFunction(later, at_once=now)


def _about_path(tell: Callable[[os.stat_result], Any]) -> HostFunction:
    """Make a function that says something of what a path leads to."""

    def way(context: WasiContext, descriptor: Descriptor, flags: frozenset[str]) -> Way:
        files, mount = files_of(context), descriptor.mount
        follow = "symlink-follow" in flags
        return Way(lambda inside: files.check_any(mount, inside), os.O_PATH, follow)

    def of(found: tuple[int, str]) -> Any:
        try:
            return tell(os.fstat(found[0]))
        finally:
            os.close(found[0])

    def now(
        context: WasiContext, descriptor: Descriptor, flags: frozenset[str], path: str
    ) -> Any:
        found = open_cached(descriptor, path, way(context, descriptor, flags))
        return None if found is None else of(found)

    async def later(
        context: WasiContext, descriptor: Descriptor, flags: frozenset[str], path: str
    ) -> Any:
        return of(await open_path(descriptor, path, way(context, descriptor, flags)))

    return HostFunction(later, at_once=now)


def _same(_context: WasiContext, one: Descriptor, other: Descriptor) -> bool:
    try:
        found = [each.opened().apply(os.fstat) for each in (one, other)]
    except (FileRefused, OSError):
        return one is other
    return os.path.samestat(*found)


# ---------------------------------------------------------------- reading and writing


def _file(
    descriptor: Descriptor, verb: str, otherwise: str = "bad-descriptor"
) -> OpenFile:
    """See that bytes of it may be read or written.

    Raises:
        FileRefused: they may not, or it is a folder; or it was not opened for that, which
            has the code `otherwise`.
    """
    if descriptor.is_folder:
        raise FileRefused("is-directory")
    file = descriptor.check(verb)
    if verb not in descriptor.flags:
        raise FileRefused(otherwise)
    return file


def _read_now(
    context: WasiContext, descriptor: Descriptor, length: int, offset: int
) -> tuple[bytes, bool] | None:
    file = _file(descriptor, "read")
    most = min(length, _MOST_READ, context.limits.host_call_bytes)
    found = read_now(file, most, _offset(offset))
    return None if found is None else (found, not found and length > 0)


async def _read(
    context: WasiContext, descriptor: Descriptor, length: int, offset: int
) -> tuple[bytes, bool]:
    file = _file(descriptor, "read")
    most = min(length, _MOST_READ, context.limits.host_call_bytes)
    found = await in_thread(
        lambda: file.apply(lambda fd: os.pread(fd, most, _offset(offset))), file
    )
    return found, not found and length > 0


def _offset(offset: int) -> int:
    if offset >= 2**63:
        raise FileRefused("invalid")
    return offset


def _write_now(
    context: WasiContext, descriptor: Descriptor, data: bytes, offset: int
) -> int | None:
    file = _file(descriptor, "write")
    if not file.disk.may_be_quick():
        return None
    return put_now(files_of(context), file, data, _offset(offset))


async def _write(
    context: WasiContext, descriptor: Descriptor, data: bytes, offset: int
) -> int:
    file, files = _file(descriptor, "write"), files_of(context)
    _offset(offset)
    return await in_thread(
        lambda: file.apply(lambda fd: put(files, fd, data, offset)), file
    )


def _reader(_context: WasiContext, descriptor: Descriptor, offset: int) -> FileInput:
    _file(descriptor, "read")
    return FileInput(descriptor, _offset(offset))


def _writer(_context: WasiContext, descriptor: Descriptor, offset: int) -> FileOutput:
    _file(descriptor, "write")
    return FileOutput(descriptor, _offset(offset))


def _appender(_context: WasiContext, descriptor: Descriptor) -> FileOutput:
    _file(descriptor, "write")
    return FileOutput(descriptor, None)


# ---------------------------------------------------------------- size, times, the disk


async def _set_size(context: WasiContext, descriptor: Descriptor, size: int) -> None:
    file, files = _file(descriptor, "write", "invalid"), files_of(context)
    _offset(size)

    def resize(fd: int) -> None:
        more = size - os.fstat(fd).st_size
        files.usage.grow(more, files.limits)
        try:
            os.ftruncate(fd, size)
        except OSError:
            files.usage.give_back(size=more)
            raise
        files.usage.give_back(size=-more)

    await in_thread(lambda: file.apply(resize), file)


async def _set_times(
    context: WasiContext, descriptor: Descriptor, *times: Case
) -> None:
    file, files = descriptor.opened(), files_of(context)
    files.check(descriptor.mount, "write", descriptor.inside)
    new = NewTimes.of(*times)
    await in_thread(lambda: file.apply(new.give_to), file)


async def _set_times_at(
    context: WasiContext,
    descriptor: Descriptor,
    flags: frozenset[str],
    path: str,
    *times: Case,
) -> None:
    files, mount = files_of(context), descriptor.mount
    new, follow = NewTimes.of(*times), "symlink-follow" in flags
    way = Way(lambda inside: files.check(mount, "write", inside), os.O_PATH, follow)
    fd, _inside = await open_path(descriptor, path, way)
    opened = OpenFile(fd, descriptor.opened().disk)
    try:
        await in_thread(lambda: opened.apply(new.give_to), opened)
    finally:
        opened.let_go()


async def _sync(_context: WasiContext, descriptor: Descriptor) -> None:
    file = descriptor.opened()
    if "write" in descriptor.flags or descriptor.is_folder:
        await in_thread(lambda: file.apply(os.fsync), file)


async def _sync_data(_context: WasiContext, descriptor: Descriptor) -> None:
    file = descriptor.opened()
    if "write" in descriptor.flags or descriptor.is_folder:
        await in_thread(lambda: file.apply(os.fdatasync), file)


def _advise(
    _context: WasiContext, descriptor: Descriptor, _at: int, _size: int, _advice: str
) -> Ok:
    descriptor.opened()
    return Ok()


# ---------------------------------------------------------------- folders


async def _read_directory(context: WasiContext, descriptor: Descriptor) -> Listing:
    file, files = descriptor.opened(), files_of(context)
    if not descriptor.is_folder:
        raise FileRefused("not-directory")
    files.check(descriptor.mount, "list", descriptor.inside)
    most = context.limits.host_call_bytes
    found = await in_thread(lambda: file.apply(lambda fd: listed(fd, most)), file)
    return Listing(context, found)


async def _readlink_at(context: WasiContext, descriptor: Descriptor, path: str) -> str:
    files, mount = files_of(context), descriptor.mount
    way = Way(lambda inside: files.check_any(mount, inside), os.O_PATH, follow=False)
    fd, _inside = await open_path(descriptor, path, way)
    try:
        target = os.readlink("", dir_fd=fd)
    except FileNotFoundError:  # it is something else
        raise FileRefused("invalid") from None
    finally:
        os.close(fd)
    if target.startswith("/"):
        raise FileRefused("not-permitted")
    return target


def _methods(
    functions: dict[
        str, HostFunction | Callable[..., Any] | Callable[..., Awaitable[Any]]
    ],
) -> dict[str, Any]:
    return {f"[method]descriptor.{name}": each for name, each in functions.items()}


_ERRORS: Final = {FileRefused: lambda error: error.code, OSError: code_of}
_METHODS: Final = _methods(
    {
        "read-via-stream": _reader,
        "write-via-stream": _writer,
        "append-via-stream": _appender,
        "advise": _advise,
        "sync-data": _sync_data,
        "get-flags": lambda _context, descriptor: (
            descriptor.opened() and Ok(descriptor.flags)
        ),
        "get-type": _about(lambda found: _kind(found.st_mode)),
        "set-size": _set_size,
        "set-times": _set_times,
        "read": HostFunction(_read, at_once=_read_now),
        "write": HostFunction(_write, at_once=_write_now),
        "read-directory": _read_directory,
        "sync": _sync,
        "create-directory-at": changes.create_directory_at,
        "stat": _about(_stat),
        "stat-at": _about_path(_stat),
        "set-times-at": _set_times_at,
        "link-at": changes.link_at,
        "open-at": HostFunction(_open_at, at_once=_open_now),
        "readlink-at": _readlink_at,
        "remove-directory-at": changes.remove_directory_at,
        "rename-at": changes.rename_at,
        "symlink-at": changes.symlink_at,
        "unlink-file-at": changes.unlink_file_at,
        "is-same-object": _same,
        "metadata-hash": _about(_hash),
        "metadata-hash-at": _about_path(_hash),
    }
)


def file_interfaces(error_code: Callable[..., object]) -> tuple[Any, ...]:
    """Make the interfaces; `error_code` gives the code of an error of a stream."""
    return (
        interface(
            "filesystem/types",
            _METHODS
            | {
                "[method]directory-entry-stream.read-directory-entry": (
                    lambda _context, listing: Ok(listing.next_entry())
                ),
                "filesystem-error-code": error_code,
            },
            owns=["descriptor", "directory-entry-stream"],
            uses=same_as("io/streams", "input-stream", "output-stream")
            | same_as("io/error", "error"),
            errors=_ERRORS,
        ),
        interface(
            "filesystem/preopens",
            {"get-directories": HostFunction(preopened, at_once=none_opened)},
            uses=same_as("filesystem/types", "descriptor"),
        ),
    )
