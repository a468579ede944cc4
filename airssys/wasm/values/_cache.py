"""Remembers what was made for types, as long as they are small.

Code for a type is made once for all engines, because that takes long. But a component
may declare types of any size, in many variations. What is made for large types exists
as long as the component's marshallers, and is not kept for others.

Only while something is made for a large type, what is made for its parts is kept as
well: otherwise the time would double with each level that types are nested.
"""

from __future__ import annotations

import functools
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from ._types import Borrow, Enum, Flags, Own, Record, Variant, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_P = ParamSpec("_P")
_R = TypeVar("_R")
_LARGEST: Final = 1000
"""Parts and characters of names, in total, of what is remembered; the largest types of
the world of actors have half of that."""
MOST_KEPT: Final = 256


class _Large(threading.local):
    """What a thread has made for large types, until it has what it wanted."""

    def __init__(self) -> None:
        self.made: dict[object, Any] | None = None


_large: Final = _Large()


def remember_small(make: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a function of types, or of a type and a path, remember its results."""
    kept: dict[object, _R] = {}
    lock = threading.Lock()

    @functools.wraps(make)
    def remembering(*parts: _P.args, **names: _P.kwargs) -> _R:
        key = (parts, *names.items())
        if key in kept:  # asked far more often than anything is made
            with suppress(KeyError):  # another thread may have taken it out
                return kept[key]
        if not _is_small(parts):
            return _make_large(make, *parts, **names)
        made = make(*parts, **names)
        with lock:
            if len(kept) >= MOST_KEPT:
                kept.pop(next(iter(kept)))
            kept[key] = made
        return made

    return remembering


def _make_large(make: Callable[_P, _R], *parts: _P.args, **names: _P.kwargs) -> _R:
    made = _large.made
    if made is None:
        _large.made = {}
        try:
            return make(*parts, **names)
        finally:
            _large.made = None
    key = make, parts, *names.items()
    if key not in made:
        made[key] = make(*parts, **names)
    found: _R = made[key]
    return found


def _is_small(parts: Iterable[object]) -> bool:
    left, waiting = _LARGEST, list(parts)
    while waiting and left >= 0:
        one = waiting.pop()
        if isinstance(one, str):
            left -= len(one)
        elif isinstance(one, tuple):
            waiting += one
        else:
            left -= 1 + sum(map(len, _names(one)))
            waiting += parts_of(one)  # type: ignore[arg-type]  # a type
    return left >= 0


def _names(wit: object) -> Iterable[str]:
    match wit:
        case Record(named) | Variant(named):
            return [name for name, _ in named]
        case Enum(names) | Flags(names):
            return names
        case Own(name) | Borrow(name):
            return (name,)
        case _:
            return ()
