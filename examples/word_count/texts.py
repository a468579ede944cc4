"""Reads texts and cuts them into pieces of some lines each."""

import sys
from pathlib import Path
from typing import NamedTuple

LINES_PER_PIECE = 5
LONGEST_LINE = 64 * 1024


class Piece(NamedTuple):
    """Some lines of one file."""

    name: str
    text: bytes


def read_pieces(files: list[Path]) -> list[Piece]:
    """Read files, `-` being standard input; skip files that are not text.

    Exits with status 2 if one cannot be read.
    """
    pieces: list[Piece] = []
    for file in files:
        lines = _read_lines(file)
        for first in range(0, len(lines), LINES_PER_PIECE):
            some = lines[first : first + LINES_PER_PIECE]
            name = f"{file.name}:{first + 1}-{first + len(some)}"
            pieces.append(Piece(name, b"".join(some)))
    print(f"texts    {len(files)} files, in {len(pieces):,} pieces of some lines each")
    return pieces


def _read_lines(file: Path) -> list[bytes]:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        print(f"word count: {file}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    lines = data.splitlines(keepends=True)
    if b"\0" in data or any(len(line) > LONGEST_LINE for line in lines):
        print(f"texts    {file} is left out: not lines of text")
        return []
    return lines
