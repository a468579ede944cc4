"""The files of a log: named by numbers, and read without being trusted."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.contracts import AuditFailed

from ._chain import LONGEST_LINE, Flaw, Head, head_after, head_before, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")
_HEAD: Final = re.compile(rb"([0-9]{20}) ([0-9a-f]{64})\n")


@final
@attrs.frozen
class FileFlaw:
    """Something that is wrong with a file of a log."""

    file: Path
    line: int
    """From 1 on."""
    problem: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem}"


def full_files(path: Path) -> list[tuple[int, Path]]:
    """Find the files of a log that are full, by their numbers: `path.1`, `path.2` ..."""
    found: list[tuple[int, Path]] = []
    beginning = f"{path.name}."
    for name in os.listdir(path.parent):  # noqa: PTH208  # names, as text
        number = name.removeprefix(beginning)
        if name.startswith(beginning) and _NUMBER.fullmatch(number):
            found.append((int(number), path.parent / name))
    return sorted(found)


def files_of(path: Path) -> list[Path]:
    """Find all files of a log, the oldest first.

    Raises:
        OSError: its folder cannot be read.
    """
    files = [file for _, file in full_files(path)]
    return [*files, path] if path.exists() else files


def head_path(path: Path) -> Path:
    """Return where the end of a log's chain is kept."""
    return path.with_name(f"{path.name}.head")


def write_head(head: Head) -> bytes:
    """Write an end of a chain; the text has always the same length."""
    return f"{head.number:020d} {head.hash}\n".encode()


def read_head(text: bytes) -> Head | None:
    """Read an end of a chain; None if this is none."""
    found = _HEAD.fullmatch(text)
    return None if found is None else Head(int(found[1]), found[2].decode())


def lines_of(file: Path, start: int = 0) -> Iterator[str]:
    """Read the lines of a file, without their ends; a line that has none is marked.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as opened:
        opened.seek(start)
        while line := opened.readline(LONGEST_LINE + 2):
            # What is not ASCII, or is cut off, is not a record in this form either.
            text = line.decode("ascii", "backslashreplace")
            yield text[:-1] if text.endswith("\n") else f"{text}␤"


def verify_log(path: Path, *, begins_later: bool = False) -> Iterator[FileFlaw]:
    """Find all that is wrong with a log: changed, dropped, moved and added records.

    Args:
        path: Of the file that is written; those before it are found by their names.
        begins_later: Do not report that the first records are not there.

    Raises:
        OSError: a file cannot be read.
    """
    files = files_of(path)
    expected, last = Head(), _known_head(path)
    if last is None:
        yield FileFlaw(head_path(path), 1, "it is not there, or not the end of a log")
    if not files:
        yield FileFlaw(path, 1, "there is no such file")
    yield from _gaps(path)
    reached = _Reached(last)
    for index, file in enumerate(files):
        first = next(lines_of(file), None)
        if first is None and file != path:
            yield FileFlaw(file, 1, "it is empty: its records are missing")
        if index == 0 and begins_later and first is not None:
            expected = head_before(first) or expected
        watched = reached.watch(file, expected)
        for flaw in verify(watched, expected):
            yield FileFlaw(file, flaw.line, flaw.problem)
        expected = reached.head
    if files and last is not None and (problem := reached.problem()):
        yield FileFlaw(files[-1], reached.lines + 1, problem)


def _gaps(path: Path) -> Iterator[FileFlaw]:
    numbers = full_files(path)
    for (one, _), (other, file) in pairwise(numbers):
        if other != one + 1:
            problem = f"the file before it, number {other - 1}, is not there"
            yield FileFlaw(file, 1, problem)


def _known_head(path: Path) -> Head | None:
    try:
        return read_head(head_path(path).read_bytes())
    except FileNotFoundError:
        return None


@final
class _Reached:
    """Where a chain has got to while its lines are read."""

    def __init__(self, last: Head | None) -> None:
        self._last, self._was_seen = last, last == Head()
        self.head = Head()
        self.lines = 0

    def watch(self, file: Path, expected: Head) -> Iterator[str]:
        """Read a file, and note its last record."""
        self.head, self.lines = expected, 0
        for line in lines_of(file):
            self.lines += 1
            self.head = head_after(line) or self.head
            self._was_seen |= self.head == self._last
            yield line

    def problem(self) -> str | None:
        """Say what is missing at the end."""
        if self._was_seen or self._last is None:
            return None
        there = self._last.number - 1
        if self.head.number < self._last.number:
            return f"records {self.head.number} to {there} are missing at the end"
        return f"record {there} is another one than was last written"


def damaged(path: Path, flaw: Flaw | FileFlaw, readable: str) -> AuditFailed:
    """Say why a log is not continued."""
    where = f"{path}:{flaw.line}" if isinstance(flaw, Flaw) else str(flaw)
    problem = f": {flaw.problem}" if isinstance(flaw, Flaw) else ""
    advice = (
        f"Find out why: `airssys audit verify {path}` lists all that is wrong, and "
        "`airssys audit query` shows what can be read. Then keep these files elsewhere, "
        "with the one that ends in .head, or give audit= another path: nothing is "
        "overwritten"
    )
    return AuditFailed(
        f"the audit log is damaged, {where}{problem}; {readable}", advice
    )
