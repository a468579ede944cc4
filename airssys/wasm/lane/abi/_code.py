"""What both generators of code have in common: lines, names, and how deep they nest.

Straight code is generated because a closure for each value of a message costs more than
the call itself. Generated text holds types, offsets and names of cases, as literals; a
value that is moved, of a guest or of the host, is never part of it.
"""

from __future__ import annotations

import struct
from typing import Any, Final

DEEPEST: Final = 8
"""The number of levels of a type that go into one generated function. Python limits how
deep code can be nested."""


class Code:
    """The body of one generated function, and the names that it refers to."""

    def __init__(self, head: str, names: dict[str, Any]) -> None:
        self._lines = [head]
        self.names = dict(names)
        self._depth = 1
        self.nested = 0
        """How many types are around the one that is written."""
        self._variables = 0

    def say(self, line: str) -> None:
        """Write one line."""
        self._lines.append("    " * self._depth + line)

    def begin(self, line: str) -> None:
        """Write a line that opens a block."""
        self.say(line)
        self._depth += 1

    def end(self) -> None:
        """Close the innermost block."""
        self._depth -= 1

    def fresh(self) -> str:
        """Think of a new variable."""
        self._variables += 1
        return f"v{self._variables}"

    def add(self, value: object) -> str:
        """Give a value a name in the code."""
        name = f"x{len(self.names)}"
        self.names[name] = value
        return name

    def compile(self, name: str) -> Any:
        """Make the function that the first line defines under this name."""
        code = compile("\n".join(self._lines), f"<{name}>", "exec")
        exec(code, self.names)  # noqa: S102  # see the head of this module
        return self.names[name]


def pattern_of(slots: list[tuple[int, str]]) -> str:
    """The words of `struct` for numbers at these offsets, which grow."""
    pattern, at = "<", 0
    for offset, code in slots:
        pattern += "x" * (offset - at) + code
        at = offset + struct.calcsize(code)
    return pattern
