"""Log lines: which a component may write, and how many bytes of them.

Its log is how a program learns what went wrong in a component. So a list of grants that
does not name log lines allows all of them; one that does allows those and no others.
"""

from __future__ import annotations

import math
from typing import Final, Self, final

import attrs

from airssys.contracts import EVERYTHING, Grant, LogLevel
from airssys.security.patterns import PatternMistake

LOG: Final = "log"
ANY_LINE: Final = Grant(LOG, ("emit",), "*")
"""What a list allows that does not name log lines; this very object, in such lists."""
_NONE: Final = "off"


@final
@attrs.frozen
class LogLines:
    """Lines of a level and above: `warn`, `off`, `*`; with bytes a second: `info 1000`."""

    levels: frozenset[str]
    most: float = math.inf
    """Bytes a second."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a level, and perhaps a number of bytes.

        Raises:
            PatternMistake: there is no such level, or it is not a number from 1 on.
        """
        level, space, most = text.partition(" ")
        levels = {each.value: each.and_above for each in LogLevel}
        known = {"*": levels["trace"], _NONE: frozenset[LogLevel](), **levels}
        if level not in known:
            raise PatternMistake(text, f"write one of {', '.join(known)}")
        is_number = most.isascii() and most.isdigit() and len(most) <= 18  # noqa: PLR2004  # no rate is larger
        if space and not (is_number and int(most)):
            raise PatternMistake(text, "write bytes a second, a whole number from 1 on")
        names = frozenset(each.value for each in known[level])
        return cls(names, float(most) if space else math.inf)

    def matches(self, resource: str) -> bool:
        """Say whether a line of this level may be written, at this rate if one is named."""
        level, _, rate = resource.partition(" ")
        try:
            return level in self.levels and float(rate or 0) <= self.most
        except ValueError:
            return False

    def includes(self, other: Self) -> bool:
        """Say whether all lines of the other are among these."""
        is_within = other.levels <= self.levels and other.most <= self.most
        return is_within or not other.levels

    def overlaps(self, other: Self) -> bool:
        """Say whether some line is one of both."""
        return bool(self.levels & other.levels)


def with_log_lines(grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
    """Add what a list of grants allows without naming it: log lines, if it names none."""
    if any(each.kind in {LOG, EVERYTHING.kind} for each in grants):
        return grants
    return (*grants, ANY_LINE)
