"""Text of others as part of one line: of an error, of a log, of a terminal.

What a guest or a user's error says may hold anything: escape sequences that a terminal
obeys, line ends that begin a log line in another's name, marks that turn the direction
of what follows. So each text of others passes through `one_line` where it becomes part
of a line that we write, and nowhere before: values keep it as it was.
"""

from __future__ import annotations

from typing import Final

MAX_LINE: Final = 2000
"""Characters of a text that go into a line, unless its place says otherwise."""


def one_line(text: str, most: int = MAX_LINE) -> str:
    r"""Return a text as part of one line: shortened, then what is not printable escaped.

    Line ends, tabs, other control and format characters (bidirectional ones among
    them), separators other than the space, and lone surrogates are written as in
    Python's literals, `\n` or `\u202e`. It is shortened first, so that it takes the same
    time for texts of any length; the result has no more than `most` characters.
    """
    line = str.__getitem__(text, slice(most + 1))  # a subclass may have its own
    if not line.isprintable():
        line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return line if len(line) <= most else line[: most - 1] + "…"
