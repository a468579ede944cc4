"""Remembers what was made for types, as long as they are small.

Code for a type is made once for all engines, because that takes long. But a component
may declare types of any size, in many variations. What is made for large types exists
as long as the component's marshallers, and is not kept for others.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from ._types import Borrow, Enum, Flags, Own, Record, Variant, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_P = ParamSpec("_P")
_R = TypeVar("_R")
_LARGEST: Final = 1000
"""Parts and characters of names, in total, of what is remembered; the largest types of
the world of actors have half of that."""
MOST_KEPT: Final = 256


def remember_small(make: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a function of a type, or of a type and a path, remember its results."""
    kept = functools.lru_cache(maxsize=MOST_KEPT)(make)

    @functools.wraps(kept)
    def remembering(*parts: _P.args, **names: _P.kwargs) -> _R:
        if _is_small(parts):
            return kept(*parts, **names)  # type: ignore[arg-type]  # types and paths can be hashed
        return make(*parts, **names)

    return remembering


def _is_small(parts: Iterable[object]) -> bool:
    left, waiting = _LARGEST, list(parts)
    while waiting and left >= 0:
        one = waiting.pop()
        if isinstance(one, str):
            left -= len(one)
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
