"""The names that were given to children made from templates, in one system.

A name is never given twice while the system lives, whatever is restarted, removed or
added again meanwhile: a name that was kept reaches that child or no child. For
names that are no longer used, one number is kept for each stem, so this does not grow with the children.
"""

from __future__ import annotations

from typing import Final, final

_DIGITS: Final = "0123456789"


@final
class GivenNames:
    """Numbers what is made from templates; shared by all supervisors of a system."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        """The last number that was given, by what the names begin as."""
        self._present: set[str] = set()

    def next_number(self, stem: str) -> int:
        """Return the number that has not followed this stem yet; it is not given."""
        return self._last.get(stem, 0) + 1

    def give(self, stem: str) -> None:
        """Take note that the next number of a stem was given."""
        self._last[stem] = self.next_number(stem)

    def note_present(self, name: str) -> None:
        """Take note that there is a child of a name that was given."""
        self._present.add(name)

    def note_gone(self, name: str) -> None:
        """Take note that the child of that name is gone for good."""
        self._present.discard(name)

    def is_present(self, name: str) -> bool:
        """Say whether a child made from a template has this name now."""
        return name in self._present

    def is_over(self, name: str) -> bool:
        """Say whether a name was given, and its child is gone for good."""
        stem = name.rstrip(_DIGITS)
        number, last = name[len(stem) :], self._last.get(stem, 0)
        # What has more digits was not given, and may be too long to read.
        is_given = 0 < len(number) <= len(str(last)) and 1 <= int(number) <= last
        return is_given and number == str(int(number)) and name not in self._present
