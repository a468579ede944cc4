"""Compiled components on disk, so that the second start takes milliseconds.

A compiled component is native code, and loading it runs it. So nothing is loaded that
we have not written: every file has a message authentication code, made with a secret of
the user, over its content and what it was made from (the component, the compiled-in
settings, wasmtime's version). A file without one, or a damaged file, is treated as
missing.

Between check and use. Small code is read once, and the bytes that were checked are
loaded. Large code is not read: wasmtime maps the file, which for a Python guest (56 MB)
takes 2 ms, where reading, checking and copying take 130. It is opened once, and checked
and mapped with that descriptor, so that both use the same file whatever happens to its
name. Other users cannot change it in between, because they cannot enter the directory;
and our own processes never write to a file that already has its name. Code that runs
with the user's rights needs no cache to run other code.

Recognising. Even one pass over large code costs more than the rest of a start. So after
a check, its record contains which file that was: device, inode, size and times. The
kernel sets the time of the last change (`st_ctime`), and no process can set it back. A
file is only recognised if it was unchanged for a while when it was checked: any later
change would give it another time. A file with another value in any of these is checked
completely. Large component files are recognised in the same way, and then not even
read.
"""

from __future__ import annotations

import hashlib
import logging
import mmap
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar, final

import attrs
import wasmtime
from wasmtime.component import Component as Compiled

from airssys.contracts import UserCache, one_line
from airssys.wasm.artifacts import Footprint
from airssys.wasm.host import EXPORTS, IMPORTS, STATE_EXPORTS
from airssys.wasm.lane.core import CoreParts, PartsReader, SharedModule

from ._entries import code_name, record_name, seen_name, state_name, surplus
from ._private_directory import NotPrivate, PrivateDirectory
from ._record import CacheRecord, Seen, identity_of
from ._secret import (
    Secret,
    load_secret,
    user_cache_directory,
    user_state_directory,
)

if TYPE_CHECKING:
    from airssys.contracts import EngineSettings


LARGE: Final = 1 << 20
"""Size in bytes from which a file is recognised instead of read."""
_AT_REST: Final = 50_000_000
"""Nanoseconds after a change within which a second one could have the same time; the
kernel's clock for files has steps of up to 10 ms."""
_FORMAT: Final = 4
"""Increased when records change, how components are counted or checked, or the modules
that go between a component and its host."""
_FUNCTIONS: Final = repr((EXPORTS, STATE_EXPORTS, IMPORTS))
_WORLD: Final = hashlib.sha256(_FUNCTIONS.encode()).hexdigest()[:16]

_CAN_MAP_DESCRIPTORS: Final = sys.platform == "linux"

WallClock: TypeAlias = Callable[[], int]

_log = logging.getLogger("airssys.cache")


@final
@attrs.frozen
class Kept:
    """A component from the cache."""

    compiled: Compiled
    footprint: Footprint


@final
@attrs.frozen
class KeptParts:
    """A component as it was kept in parts."""

    parts: CoreParts
    footprint: Footprint


_APART: Final = " apart"
_MODULE: Final = " module"
_STATE: Final = " state"
_PROGRAM: Final = " program"
_MARK: Final = 32
"""Bytes of a message authentication code."""
_AROUND_STATE: Final = 16 << 20
"""Bytes of a snapshot besides its pages."""
_NOTHING_COUNTED: Final = Footprint((), (), 0, 0, 0, 0, 0)
"""Of a module: what a component needs is counted for the whole of it."""
_T = TypeVar("_T")
_Read_co = TypeVar("_Read_co", covariant=True)


class _Form(Protocol[_Read_co]):
    """Reads compiled code of one kind."""

    def deserialize(self, engine: wasmtime.Engine, encoded: bytes, /) -> _Read_co: ...

    def deserialize_file(self, engine: wasmtime.Engine, path: str, /) -> _Read_co: ...


@final
class ArtifactCache:
    """Finds and stores compiled components in one directory.

    Args:
        directory: Created if it does not exist.
        settings: How components are compiled, and how large the cache may become.
        secret: What marks files as ours; by default the user's.
        wall_clock: Nanoseconds since 1970, like those of the file system.

    Raises:
        PermissionError: Other users can access the directory, or the secret.
        OSError: One of them cannot be created.
    """

    def __init__(
        self,
        directory: Path,
        settings: EngineSettings,
        *,
        secret: Secret | None = None,
        wall_clock: WallClock = time.time_ns,
    ) -> None:
        self._files = PrivateDirectory(directory)
        self._secret = secret or load_secret(user_state_directory())
        self._most_bytes = settings.cache_bytes
        self._wall_clock = wall_clock
        self._made_with = made_with(settings)
        self._has_warned = False
        """Whether a failure to store was logged."""

    def find(
        self, engine: wasmtime.Engine, digest: str, *, any_world: bool = False
    ) -> Kept | None:
        """Load the compiled form of the code with this digest.

        Args:
            engine: what will run it.
            digest: SHA-256 of the component.
            any_world: it need not fit the world of actors.

        Returns:
            None if it is missing, or is not what we have written.
        """
        key = self._key(digest, " any world" if any_world else "")
        found = self._find(engine, digest, key, Compiled)
        return None if found is None else Kept(*found)

    def find_parts(self, engine: wasmtime.Engine, digest: str) -> KeptParts | None:
        """Load what the component of that digest was taken apart into, as `find`."""
        reader = PartsReader(partial(self.find_module, engine))
        found = self._find(engine, digest, self._key(digest, _APART), reader)
        return None if found is None else KeptParts(*found)

    def find_module(
        self, engine: wasmtime.Engine, digest: str
    ) -> wasmtime.Module | None:
        """Load a core module that some component contains, as `find`.

        digest: SHA-256 of its code.
        """
        key = self._key(digest, _MODULE)
        found = self._find(engine, digest, key, wasmtime.Module)
        return None if found is None else found[0]

    def _find(
        self, engine: wasmtime.Engine, digest: str, key: str, form: _Form[_T]
    ) -> tuple[_T, Footprint] | None:
        try:
            record = CacheRecord.read(self._files, self._secret, record_name(key))
            compiled = self._load(engine, key, record, form)
        except (OSError, ValueError, wasmtime.WasmtimeError) as error:
            if not isinstance(error, FileNotFoundError):
                _log.info("%s is compiled anew: %s", digest, one_line(str(error)))
            return None
        self._files.touch(record_name(key))
        return compiled, record.footprint

    def keep(  # what a record holds
        self,
        digest: str,
        compiled: Compiled | CoreParts,
        footprint: Footprint,
        label: str,
        *,
        any_world: bool = False,
    ) -> None:
        """Write the compiled form of the code with this digest.

        `any_world`: it was not checked against the world of actors.

        If writing fails, it is not stored; a full disk is not an error.
        """
        record = self._record(digest, footprint, label)
        with self._failure_logged(label):
            if isinstance(compiled, CoreParts):
                self._keep_parts(compiled, record)
            else:
                form = " any world" if any_world else ""
                self._write(form, compiled.serialize(), record, self._most_bytes)

    def keep_modules(self, modules: Sequence[SharedModule], label: str) -> None:
        """Write the large modules of a component that are new, as `keep`.

        label: Of the component.
        """
        with self._failure_logged(label):
            self._keep_shared(modules, self._record("", _NOTHING_COUNTED, label))

    def _record(self, digest: str, footprint: Footprint, label: str) -> CacheRecord:
        return CacheRecord(
            mark="",
            size=0,
            identity=None,
            footprint=footprint,
            digest=digest,
            label=label,
            made_with=self._made_with,
            made_at=self._wall_clock() / 1e9,
        )

    @contextmanager
    def _failure_logged(self, label: str) -> Iterator[None]:
        """Log a failure to write; once as a warning, for the next fails likewise."""
        try:
            yield
        except (OSError, ValueError) as error:
            level = logging.INFO if self._has_warned else logging.WARNING
            self._has_warned = True
            words = label, str(self._files.path), str(error)
            _log.log(level, "%s is not kept in %s: %s", *map(one_line, words))

    def _keep_parts(self, parts: CoreParts, record: CacheRecord) -> None:
        """Write parts: each new large module, then what refers to all of them."""
        room = self._keep_shared(parts.shared, record)
        if room >= 0:
            self._write(_APART, parts.serialize_unshared(), record, room)

    def _keep_shared(self, modules: Sequence[SharedModule], record: CacheRecord) -> int:
        """Write each new large module while there is room; returns what is left."""
        room = self._most_bytes
        for each in modules:
            if each.is_new and room >= 0:
                of_module = attrs.evolve(
                    record,
                    digest=each.digest,
                    footprint=_NOTHING_COUNTED,
                    label=f"a module of {record.label}",
                )
                room = self._write(_MODULE, each.module.serialize(), of_module, room)
        return room

    def _write(
        self, form: str, code: bytes | bytearray, record: CacheRecord, room: int
    ) -> int:
        """Write code with its record, if there is room; returns the room that is left."""
        room -= len(code)
        if room < 0:
            return room
        key = self._key(record.digest, form)
        mark = self._secret.mark("code", key, code).hex()
        record = attrs.evolve(record, mark=mark, size=len(code))
        self._files.write(code_name(key, mark), code)
        if record.size >= LARGE:
            del code
            record = self._recognisable(key, record)
        record.write(self._files, self._secret, record_name(key))
        self._make_room()
        return room

    def find_state(self, digest: str, most: int) -> bytes | None:
        """Read a snapshot of a guest that was kept under this digest; None if there is none.

        Args:
            digest: of the component and of what it was given.
            most: bytes that the snapshot may have.
        """
        key = self._key(digest, _STATE)
        name = state_name(key)
        try:
            whole = self._files.read(name, most=most + _AROUND_STATE)
        except OSError:
            return None
        mark, content = whole[:_MARK], whole[_MARK:]
        if not self._secret.is_ours(mark, "state", key, content):
            _log.info("%s is taken anew: it is not what was written", name)
            return None
        self._files.touch(name)
        return content

    def keep_state(self, digest: str, snapshot: bytes) -> None:
        """Write a snapshot of a guest; if that fails, it is not kept."""
        key = self._key(digest, _STATE)
        if len(snapshot) > self._most_bytes:
            return
        mark = self._secret.mark("state", key, snapshot)
        try:
            self._files.write(state_name(key), mark + snapshot)
            self._make_room()
        except OSError as error:
            _log.info("a snapshot is not kept: %s", one_line(str(error)))

    def note_program(self, digest: str) -> None:
        """Remember that the component of this digest is a program; see `is_program`."""
        self.keep_state(digest + _PROGRAM, b"")

    def is_program(self, digest: str) -> bool:
        """Whether it was found to be a program before; False if that is not known."""
        return self.find_state(digest + _PROGRAM, 0) is not None

    def recognise(self, path: Path, found: os.stat_result) -> str | None:
        """Return the digest of a large file that was read before.

        Args:
            path: The file.
            found: What it is now.
        """
        if found.st_size < LARGE:
            return None
        with suppress(OSError, ValueError):
            seen = Seen.read(self._files, self._secret, self._seen_name(path))
            if seen.identity == identity_of(found):
                return seen.digest
        return None

    def remember(
        self, path: Path, before: os.stat_result, after: os.stat_result, digest: str
    ) -> None:
        """Store the digest of a large file, unless it changed while it was read."""
        identity = identity_of(before)
        at_rest = self._wall_clock() - before.st_ctime_ns > _AT_REST
        if before.st_size >= LARGE and at_rest and identity == identity_of(after):
            with suppress(OSError):
                seen = Seen(identity, digest)
                seen.write(self._files, self._secret, self._seen_name(path))

    def _key(self, digest: str, form: str = "") -> str:
        text = f"{self._made_with} {digest}{form}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _seen_name(self, path: Path) -> str:
        where = os.fsencode(path.absolute())
        return seen_name(self._secret.mark("path", "", where).hex())

    def _load(
        self, engine: wasmtime.Engine, key: str, record: CacheRecord, form: _Form[_T]
    ) -> _T:
        """Check code and load it.

        Raises:
            OSError: It does not exist.
            ValueError: It is not what we have written.
            WasmtimeError: wasmtime refuses it, for instance on another processor.
        """
        name = code_name(key, record.mark)
        if record.size < LARGE or not _CAN_MAP_DESCRIPTORS:
            code = self._files.read(name, most=record.size)
            if not self._secret.is_ours(bytes.fromhex(record.mark), "code", key, code):
                raise ValueError(f"{name} is not what was written")
            return form.deserialize(engine, code)
        with self._files.opened(name) as (fd, found):
            if record.identity != identity_of(found):
                renewed = self._checked(key, record, fd)
                if renewed.identity is not None:
                    renewed.write(self._files, self._secret, record_name(key))
            return form.deserialize_file(engine, f"/proc/self/fd/{fd}")

    def _recognisable(self, key: str, record: CacheRecord) -> CacheRecord:
        """Wait until new code cannot change unnoticed, and check it."""
        time.sleep(1.2 * _AT_REST / 1e9)  # noqa: TID251  # in a compiler's thread
        with self._files.opened(code_name(key, record.mark)) as (fd, _):
            return self._checked(key, record, fd)

    def _checked(self, key: str, record: CacheRecord, fd: int) -> CacheRecord:
        """Check a whole file; its record then says how to recognise it, if possible."""
        before = os.fstat(fd)
        at_rest = self._wall_clock() - before.st_ctime_ns > _AT_REST
        with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as content:
            mark = bytes.fromhex(record.mark)
            if not self._secret.is_ours(mark, "code", key, content):
                raise ValueError(f"the code of {key} is not what was written")
        identity = identity_of(before)
        is_same = at_rest and identity == identity_of(os.fstat(fd))
        return attrs.evolve(record, identity=identity if is_same else None)

    def _make_room(self) -> None:
        now = self._wall_clock() / 1e9
        for name in list(surplus(self._files.files(), self._most_bytes, now)):
            self._files.remove(name)


def made_with(settings: EngineSettings) -> str:
    """Describe everything besides the component that compiled code depends on.

    Only components that fit the world are stored, so the world is part of it. Flags of
    the engine that are always the same are known to wasmtime, which refuses code that
    was compiled with other flags.
    """
    tools = f"wasmtime {version('wasmtime')}, format {_FORMAT}, world {_WORLD}"
    return f"{tools}, guest stack {settings.guest_stack_bytes}"


def chosen_cache(
    directory: str | Path | UserCache | None, settings: EngineSettings
) -> ArtifactCache | None:
    """Open the cache that was chosen: a directory, the user's own, or none.

    Raises:
        NotPrivate: others can reach the directory that was named.
    """
    if directory is None:
        return None
    if isinstance(directory, UserCache):
        return open_user_cache(settings)
    return open_cache(Path(directory), settings)


def open_user_cache(settings: EngineSettings) -> ArtifactCache | None:
    """Open the cache in the user's own cache directory, which is the default.

    Because the program did not choose it, it is not an error if other users can access
    it: a warning says what to do, and components are compiled at each start.
    """
    try:
        return open_cache(user_cache_directory(), settings)
    except OSError as error:  # there is no home, or it is not the user's alone
        _log.warning("compiled components will not be cached: %s", one_line(str(error)))
        return None


def open_cache(directory: Path, settings: EngineSettings) -> ArtifactCache | None:
    """Open a cache; without one, components are compiled at each start.

    Returns:
        None, after a warning, if the directory or the secret cannot be used: a full
        disk or a read-only home directory must not prevent a start.

    Raises:
        NotPrivate: Other users can access the directory, or that of the secret. The
            cache contains code that will be run, so a person has to decide what to do.
    """
    try:
        return ArtifactCache(directory, settings)
    except NotPrivate:
        raise
    except (OSError, ValueError) as error:
        words = " ".join([str(error), *getattr(error, "__notes__", ())])
        _log.warning(
            "components are compiled anew, and not kept in %s: %s",
            one_line(str(directory)),
            one_line(words),
        )
        return None
