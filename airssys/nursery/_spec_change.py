"""In which order children stand after their specifications were changed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def merged_order(before: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """Put the wanted children first, in their order, and the others behind them.

    A child that is no longer wanted keeps running (OTP's rule 56); it now starts last,
    so it stops first.
    """
    first = tuple(wanted)
    named = set(first)
    return first + tuple(name for name in before if name not in named)
