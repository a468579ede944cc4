"""Prints the mistakes of manifests."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from airssys.contracts import lines_of_mistakes

from ._say import say
from ._target import EXIT_MISTAKES

if TYPE_CHECKING:
    from airssys.security.manifest import Described


def report_manifests(described: list[Described]) -> None:
    """Print all mistakes on stderr, if there are any.

    Raises:
        SystemExit: there are mistakes.
    """
    unread = [m for each in described for m in each.mistakes if m.file is None]
    placed = [m for each in described for m in each.mistakes if m.file is not None]
    if not unread and not placed:
        return
    for mistake in unread:
        say(mistake.found, err=True)
    for line in lines_of_mistakes(placed) if placed else ():
        say(line, err=True)
    sys.exit(EXIT_MISTAKES)
