"""Checks of values that were passed in, whatever their annotations promise.

Nothing here raises: a value may be of any type, and its `repr` may fail.
"""

from __future__ import annotations

import difflib
import functools
import math
import reprlib
from typing import TYPE_CHECKING, Final, cast

from airssys.contracts.texts import is_a, kind_name, one_line, plain_text

if TYPE_CHECKING:
    import enum
    from collections.abc import Iterable

_MOST_SHOWN: Final = 80
"""Characters of a value that are put into a message."""

_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = _MOST_SHOWN


def shown(value: object) -> str:
    """Describe any value in a few words, shortened if it is long."""
    try:
        text = _SHOWN.repr(value)
    except Exception:  # noqa: BLE001 (a repr may fail in any way)
        text = f"<{kind_name(value)} that cannot be shown>"
    return one_line(text, _MOST_SHOWN)


def is_kind(value: object, kind: type | tuple[type, ...]) -> bool:
    """Say whether a value is of a type, whatever its `__class__` says."""
    return is_a(value, kind)


def is_callable(value: object) -> bool:
    """Say whether a value can be called."""
    return callable(value)


def is_count(value: object, *, at_least: int) -> bool:
    """Say whether a value is a whole number of at least `at_least`."""
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return value >= at_least


def is_number(value: object, low: float, high: float, *, whole: bool) -> bool:
    """Say whether a value is a number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        return False
    # Unlike math.isnan, comparing accepts integers of any size; NaN compares as False.
    return low <= value <= high


def is_time(value: object, *, allow_infinity: bool, allow_zero: bool = False) -> bool:
    """Say whether a value is a number of seconds."""
    if not is_number(value, 0, math.inf, whole=False):
        return False
    return (allow_infinity or value != math.inf) and (allow_zero or value != 0)


def is_text(value: object) -> bool:
    """Say whether a value is text that UTF-8 can encode."""
    if not is_a(value, str):
        return False
    try:
        plain_text(cast("str", value)).encode()
    except UnicodeEncodeError:
        return False
    return True


def choices(kind: type[enum.Enum], found: object, but: object = None) -> str:
    """List the words of an enum for a hint, what is most like `found` first.

    Args:
        kind: The enum. It is named if `found` is one of its words: then a member of it
            is wanted, and not the word.
        found: What was written instead.
        but: A member that is not to be listed.
    """
    words = [str(each.value) for each in kind if each is not but]
    wanted = _plain(found)
    words.sort(key=functools.partial(_likeness, wanted), reverse=True)
    *others, last = [f"'{each}'" for each in words]
    article = "an" if kind.__name__[0] in "AEIOU" else "a"
    made = f" as {article} {kind.__name__}" if wanted in words else ""
    return f"write {', '.join(others)} or {last}{made}"


def meant(found: object, known: Iterable[str], otherwise: str) -> str:
    """Ask whether the known name that is most like a wrong one was meant.

    Args:
        found: What was written.
        known: The names that could have been written.
        otherwise: Returned, followed by all names, if none is like it.
    """
    names = list(known)
    wanted = _plain(found)
    best = max(names, key=functools.partial(_likeness, wanted), default="")
    if best and _likeness(wanted, best) >= _ALIKE:
        return f"did you mean {best}?"
    return f"{otherwise} {', '.join(names)}"


_ALIKE: Final = 0.6
"""From this likeness on, of 0 to 1, one word may have been meant by the other."""


def _plain(found: object) -> str:
    return plain_text(cast("str", found))[:50] if is_text(found) else ""


def _likeness(wanted: str, word: str) -> float:
    sorted_words = _in_order(word), _in_order(wanted)
    return difflib.SequenceMatcher(None, *sorted_words).ratio()


def _in_order(word: str) -> str:
    """Sort the parts of a word: `all-for-one` is most like `one_for_all`."""
    return " ".join(sorted(word.lower().replace("-", "_").split("_")))
