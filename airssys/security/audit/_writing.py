"""The file that a log is written to: continued, rotated, locked. It blocks: use a thread.

What is written becomes part of the chain only when it was written as a whole. After an
error the file is cut to where it was before, and the same records can be written again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, final

from airssys.contracts import AuditFailed

from ._chain import Head, head_after, head_before, verify, write_record
from ._files import (
    FileFlaw,
    damaged,
    files_of,
    full_files,
    head_path,
    lines_of,
    read_head,
    write_head,
)
from ._records import record_of
from ._signing import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ._options import AuditLog
    from ._records import Noted

_OWNER_ONLY: Final = 0o600
_TAIL: Final = 1024 * 1024
"""Bytes at the end of a file that are verified before it is continued."""
_CHUNK: Final = 256 * 1024
_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@final
class AuditFile:
    """A log that is being written, by one system at a time.

    Raises:
        AuditFailed: it is damaged, written by another system, or cannot be written.
    """

    def __init__(self, log: AuditLog) -> None:
        self._log, self._path = log, log.path
        self._descriptor = -1
        self._size = 0
        self._is_torn = False
        """Whether something that is not part of the chain may stand at the end."""
        self._unsigned = 0
        """Records since the last checkpoint."""
        try:
            self._heads = _open_heads(self._path)
        except OSError as error:
            raise _unusable(self._path, error) from error
        try:
            self.head = self._continued()
            self._open()
        except OSError as error:
            os.close(self._heads)
            raise _unusable(self._path, error) from error
        except AuditFailed:
            os.close(self._heads)
            raise

    # ------------------------------------------------------------ opening

    def _continued(self) -> Head:
        """Find the end of the chain.

        Raises:
            AuditFailed: it is not what was last written.
        """
        text = os.pread(self._heads, 100, 0)
        files = [file for file in files_of(self._path) if file.stat().st_size]
        if not text and not files:
            _write_all(self._heads, write_head(Head()))
            return Head()
        known = read_head(text)
        if known is None:
            flaw = FileFlaw(head_path(self._path), 1, "it is not the end of a log")
            raise damaged(self._path, flaw, "the records may be intact")
        if not files:
            if known == Head():
                return known
            flaw = FileFlaw(self._path, 1, f"all {known.number} records are missing")
            raise damaged(self._path, flaw, "nothing can be read")
        return _verified_end(files[-1], known)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _FLAGS
        self._descriptor = os.open(self._path, flags, _OWNER_ONLY)
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            os.close(self._descriptor)
            self._descriptor = -1
            raise OSError(errno.EINVAL, "it is not a plain file with one name")
        self._size = found.st_size

    # ------------------------------------------------------------ writing

    def append(self, noted: Iterable[Noted]) -> tuple[int, str | None]:
        """Record what was noted; returns how much is written for good, and why no more is."""
        done = written = 0
        text, head = "", self.head
        try:
            for each in noted:
                for record in (*self._due_checkpoint(head), record_of(each)):
                    line, head = write_record(record, head)
                    text += f"{line}\n"
                written += 1
                if len(text) >= _CHUNK or self._is_filled_by(text):
                    self._commit(text, head)
                    done, text = written, ""
                    self._settle()
            if text:
                self._commit(text, head)
                done = written
            self._settle()
            if self._log.sync == "always":
                os.fsync(self._descriptor)
        except OSError as error:
            return done, error.strerror or str(error)
        return done, None

    def _is_filled_by(self, text: str) -> bool:
        return self._size + len(text) >= self._log.file_bytes

    def _commit(self, text: str, head: Head) -> None:
        if self._descriptor < 0:  # the last rotation was not finished
            self._open()
        if os.fstat(self._descriptor).st_nlink != 1:
            raise OSError(errno.EIO, "it was removed, or has another name besides")
        self._cut()
        self._is_torn = True
        try:
            _write_all(self._descriptor, text.encode())
        except OSError:
            with suppress(OSError):  # then it is tried before the next writing
                self._cut()
            raise
        self._is_torn = False
        self._size += len(text)
        self.head = head

    def _settle(self) -> None:
        """Note the end of the chain beside the log, and begin another file if it is full.

        What fails here is done after the next writing: the records stand in the log.
        """
        _write_at_start(self._heads, write_head(self.head))
        if self._is_filled_by("") and self._descriptor >= 0:
            self._rotate()

    def _cut(self) -> None:
        """Remove what an error has left behind the last record."""
        if self._is_torn:
            os.ftruncate(self._descriptor, self._size)
            self._is_torn = False

    def _rotate(self) -> None:
        if self._log.sync != "never":
            os.fsync(self._descriptor)
        numbers = full_files(self._path)
        number = numbers[-1][0] + 1 if numbers else 1
        self._path.rename(self._path.with_name(f"{self._path.name}.{number}"))
        os.close(self._descriptor)
        self._descriptor = -1
        self._open()

    def _due_checkpoint(self, head: Head) -> list[dict[str, Any]]:
        signer = self._log.signer
        self._unsigned += 1
        if signer is None or self._unsigned <= self._log.checkpoint_records:
            return []
        self._unsigned = 1
        return [checkpoint(signer, head)]

    def close(self) -> str | None:
        """Sign the end, force it to the disk, and close; returns what went wrong."""
        problem: str | None = None
        try:
            if self._log.signer is not None and self._descriptor >= 0:
                line, head = write_record(
                    checkpoint(self._log.signer, self.head), self.head
                )
                self._commit(f"{line}\n", head)
                self._settle()
            if self._log.sync != "never" and self._descriptor >= 0:
                os.fsync(self._descriptor)
        except OSError as error:
            problem = error.strerror or str(error)
        for descriptor in (self._descriptor, self._heads):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._heads = -1
        return problem


def _verified_end(file: Path, known: Head) -> Head:
    """Verify the end of a file, which another chain than the known one may not have.

    Raises:
        AuditFailed: something is wrong with it.
    """
    size = file.stat().st_size
    start = max(0, size - _TAIL)
    lines = list(lines_of(file, start))
    if start:
        del lines[0]  # the rest of a line
    before = head_before(lines[0]) if lines else None
    reached = {before}
    for line in lines:
        reached.add(head_after(line))
    flaws = list(verify(lines, before))
    offset = sum(1 for _ in lines_of(file)) - len(lines)
    if flaws:
        flaw = FileFlaw(file, offset + flaws[0].line, flaws[0].problem)
        bad = {each.line for each in flaws}
        intact = len(lines) - len(bad)
        raise damaged(
            file, flaw, f"{intact} of the last {len(lines)} records are intact"
        )
    end = head_after(lines[-1]) if lines else None
    if end is None or (
        known not in reached and not (start and known.number < end.number)
    ):
        problem = (
            f"it does not end with record {known.number - 1}, the last one written"
        )
        flaw = FileFlaw(file, offset + len(lines) + 1, problem)
        raise damaged(file, flaw, "all that is there is intact")
    return end


def _open_heads(path: Path) -> int:
    """Open the file with the end of the chain, for this system alone.

    Raises:
        AuditFailed: another system has it.
        OSError: it cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | _FLAGS
    descriptor = os.open(head_path(path), flags, _OWNER_ONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        problem = f"the audit log {path} is written by another system"
        raise AuditFailed(problem, "Give each system a log of its own") from error
    return descriptor


def _unusable(path: Path, error: OSError) -> AuditFailed:
    reason = error.strerror or str(error)
    return AuditFailed(
        f"the audit log {path} cannot be opened: {reason}",
        "Its folder has to exist, and the file has to be a plain one that may be written",
    )


def _write_all(descriptor: int, data: bytes) -> None:
    """Write all of some bytes; what stands between this and the disk is not ours."""
    while data:
        data = data[os.write(descriptor, data) :]


def _write_at_start(descriptor: int, data: bytes) -> None:
    while data:
        # It always has the same length, so a part of it is written again as a whole.
        written = os.pwrite(descriptor, data, 0)
        if written == len(data):
            return
