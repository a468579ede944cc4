"""The programs beside the suite, as perf/README.md lists them: what each compares and prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import attrs

_FOLDER: Final = Path(__file__).resolve().parents[1]
_LINE: Final = re.compile(
    r"^\| `python perf/(\w+\.py)` \| (.+?) \| (.*?) ?\|$", re.MULTILINE
)
_OTHERS: Final = frozenset({"__main__.py"})


@attrs.frozen
class Program:
    """One program.

    Attributes:
        name: of its file.
        prints: what is compared with what.
        cases: those of the suite that measure the same, as `python -m perf run` takes them.
    """

    name: str
    prints: str
    cases: str


def programs() -> list[Program]:
    """Read the table of perf/README.md."""
    text = (_FOLDER / "README.md").read_text("utf-8")
    return [
        Program(name, prints, cases.replace("`", ""))
        for name, prints, cases in _LINE.findall(text)
    ]


def files() -> set[str]:
    """Return the names of all files that are programs."""
    return {path.name for path in _FOLDER.glob("*.py")} - _OTHERS
