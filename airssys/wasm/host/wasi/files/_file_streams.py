"""Streams of a file: what is in memory is answered at once, the rest comes from a thread."""

from __future__ import annotations

import errno
import functools
import os
import time
from typing import TYPE_CHECKING, Final, final

from airssys.wasm.host.wasi.base import (
    ROOM,
    Input,
    Output,
    StreamClosed,
    StreamFailed,
)

from ._codes import FileRefused, code_of
from ._descriptors import files_of
from ._open_file import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._descriptors import Descriptor, Files
    from ._open_file import OpenFile

_NOT_NOW: Final = frozenset({errno.EAGAIN, errno.ENOTSUP, errno.ENOSYS})


def read_now(file: OpenFile, most: int, offset: int) -> bytes | None:
    """Read what is in memory; None: a disk has to be waited for.

    Raises:
        FileRefused, OSError: it cannot be read.
    """
    room = bytearray(most)
    try:
        size = file.apply(lambda fd: os.preadv(fd, [room], offset, os.RWF_NOWAIT))
    except OSError as error:
        if error.errno in _NOT_NOW:
            return None
        raise
    return bytes(memoryview(room)[:size])


def put(files: Files, fd: int, data: bytes, offset: int | None) -> int:
    """Write bytes at an offset, or at the end; returns how many of them were written.

    Raises:
        FileRefused: they exceed the quota.
        OSError: as of `os.pwrite`.
    """
    if offset is not None and offset + len(data) > _LAST:
        raise FileRefused("file-too-large")
    size = os.fstat(fd).st_size
    start = size if offset is None else offset
    counted = _growth(size, start, len(data))
    files.usage.grow(counted, files.limits)
    written = 0
    try:
        if offset is None:
            written = os.pwritev(fd, [data], 0, os.RWF_APPEND)
        else:
            written = os.pwrite(fd, data, offset)
        return written
    finally:
        files.usage.give_back(size=counted - _growth(size, start, written))


def _growth(size: int, start: int, written: int) -> int:
    """By how many bytes a file gets longer; writing nothing beyond its end is nothing."""
    return max(0, start + written - size) if written else 0


_LAST: Final = 2**63 - 1


def put_now(files: Files, file: OpenFile, data: bytes, offset: int | None) -> int:
    """As `put`, in the Trio thread, for a disk that takes it into memory."""
    began = time.perf_counter()
    try:
        return file.apply(lambda fd: put(files, fd, data, offset))
    finally:
        file.disk.note(time.perf_counter() - began)


def _failure(error: FileRefused | OSError) -> StreamFailed:
    code = error.code if isinstance(error, FileRefused) else code_of(error)
    return StreamFailed(f"a file: {code}", "files", code)


@final
class FileInput(Input):
    """What a guest reads of a file, from an offset on."""

    __slots__ = ("_check", "_failed", "_file", "_found", "_is_reading", "_offset")

    def __init__(self, descriptor: Descriptor, offset: int) -> None:
        super().__init__(descriptor.context)
        files, place = files_of(self.context), (descriptor.mount, descriptor.inside)
        self._check: Callable[[], None] = lambda: files.check(
            place[0], "read", place[1]
        )
        self._file = descriptor.check("read").share()
        self._offset = offset
        self._found = b""
        self._is_reading = False
        self._failed: StreamClosed | StreamFailed | None = None

    def is_ready(self) -> bool:
        """Whether no thread is reading for it."""
        return not self._is_reading

    @property
    def has_ended(self) -> bool:
        """As of `Input`; not the end of a file, which may become longer."""
        return isinstance(self._failed, StreamClosed)

    def read(self, most: int) -> bytes:
        """Return what is in memory, or begin to read it."""
        if self._failed is not None:
            failed, self._failed = self._failed, StreamClosed()
            raise failed
        if self._is_reading:
            return b""
        try:
            self._check()
            found = self._found or read_now(self._file, most, self._offset)
        except (FileRefused, OSError) as error:
            self._failed = StreamClosed()
            raise _failure(error) from error
        if found is None:
            self._is_reading = True
            self.context.start_task(self._read_on)
            return b""
        if not found:
            raise StreamClosed
        self._found = found[most:] if self._found else b""
        self._offset += len(found[:most])
        return found[:most]

    async def _read_on(self) -> None:
        file, offset = self._file, self._offset
        try:
            self._found = await in_thread(
                lambda: file.apply(lambda fd: os.pread(fd, ROOM, offset)), file
            )
            if not self._found:
                self._failed = StreamClosed()
        except (FileRefused, OSError) as error:
            self._failed = _failure(error)
        finally:
            self._is_reading = False
            self.context.note_changed()

    def let_go(self) -> None:
        """Close the file, unless others use it."""
        self._file.let_go()


@final
class FileOutput(Output):
    """What a guest writes to a file, from an offset on, or at its end."""

    __slots__ = ("_check", "_failed", "_file", "_is_writing", "_offset")

    def __init__(self, descriptor: Descriptor, offset: int | None) -> None:
        super().__init__(descriptor.context)
        files, place = files_of(self.context), (descriptor.mount, descriptor.inside)
        self._check: Callable[[], None] = lambda: files.check(
            place[0], "write", place[1]
        )
        self._file = descriptor.check("write").share()
        self._offset = offset
        self._is_writing = False
        self._failed: StreamClosed | StreamFailed | None = None

    def is_flushed(self) -> bool:
        """Whether the system has all that was written; it may not be on the disk yet."""
        self._raise_failed()
        return not self._is_writing

    def room(self) -> int:
        """Return all or nothing: one piece is written at a time."""
        self._raise_failed()
        return 0 if self._is_writing else ROOM

    def _raise_failed(self) -> None:
        if self._failed is not None:
            failed, self._failed = self._failed, StreamClosed()
            raise failed

    def remember(self, error: StreamClosed | StreamFailed) -> None:
        """Keep an error for the next call."""
        self._failed = error

    def write(self, data: bytes) -> None:
        """Write at once what goes to memory; let a thread write the rest."""
        files, file = files_of(self.context), self._file
        left = memoryview(data)
        try:
            self._check()
            while left and file.disk.may_be_quick():
                left = left[
                    self._moved(put_now(files, file, bytes(left), self._offset)) :
                ]
        except (FileRefused, OSError) as error:
            self._failed = StreamClosed()
            raise _failure(error) from error
        if left:
            rest = bytes(left)
            self._is_writing = True
            self.context.start_task(lambda: self._write_on(rest))

    def _moved(self, written: int) -> int:
        if self._offset is not None:
            self._offset += written
        return written

    async def _write_on(self, data: bytes) -> None:
        files, file = files_of(self.context), self._file
        left = memoryview(data)
        try:
            while left:
                work = functools.partial(
                    put, files, data=bytes(left), offset=self._offset
                )
                written = await in_thread(functools.partial(file.apply, work), file)
                left = left[self._moved(written) :]
        except (FileRefused, OSError) as error:
            self._failed = _failure(error)
        finally:
            self._is_writing = False
            self.context.note_changed()

    def let_go(self) -> None:
        """Close the file, unless others use it."""
        self._file.let_go()
