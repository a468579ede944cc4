"""Puts text from outside into one line: of an error, of a log, of a terminal.

The text of a guest or of a user's error may contain anything: escape sequences that a
terminal obeys, line ends that would start a forged log line, or marks that change the
direction of the text after them. So each such text passes through `one_line` where it
becomes part of a line that we write, and not before: values keep it unchanged.
"""

from __future__ import annotations

from typing import Final

MAX_LINE: Final = 2000
"""Characters of a text that go into a line, unless the caller chooses otherwise."""


def one_line(text: str, most: int = MAX_LINE) -> str:
    r"""Return a text as part of one line: shortened, then escaped.

    Line ends, tabs, other control and format characters (including bidirectional ones),
    separators other than the space, and lone surrogates are written as in Python's
    literals, e.g. `\n` or `\u202e`. Shortening comes first, so the time does not depend
    on the length of the text. The result has at most `most` characters.
    """
    line = str.__getitem__(text, slice(most + 1))  # a subclass may override it
    if not line.isprintable():
        line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return line if len(line) <= most else line[: most - 1] + "…"
