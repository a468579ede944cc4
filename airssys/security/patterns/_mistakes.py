"""What is wrong with a pattern."""

from __future__ import annotations

from airssys.contracts import one_line


class PatternMistake(ValueError):
    """A pattern is not valid; says which and why."""

    def __init__(self, pattern: str, problem: str) -> None:
        super().__init__(f"{one_line(repr(pattern))}: {one_line(problem)}")
        self.pattern, self.problem = pattern, problem
