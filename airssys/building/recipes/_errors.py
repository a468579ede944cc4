"""Errors while a guest is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from airssys.contracts import AirssysError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence


class BuildFailed(AirssysError):
    """No component was built; the text says whose fault it is and what to do.

    The source is wrong, unless it is one of the subclasses.
    """


@final
class ToolMissing(BuildFailed):
    """A compiler that this kind of source needs is not installed."""

    def __init__(self, tool: str, why: str, how_to_get_it: str) -> None:
        self.tool, self.why, self.how_to_get_it = tool, why, how_to_get_it
        super().__init__(tool, why, how_to_get_it)

    def __str__(self) -> str:
        return f"{self.tool} {self.why}.\nTo install it: {self.how_to_get_it}"


@final
class CoreModuleUnfit(BuildFailed):
    """A core module does not fit the world; `problems` holds all the reasons."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = "\n".join(f"  - {one_line(problem)}" for problem in self.problems)
        return f"the core module cannot become a component:\n{lines}"
