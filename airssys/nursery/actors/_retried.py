"""The mark on a message that comes again after its actor crashed over it."""

from __future__ import annotations

from typing import final

from airssys.contracts import Envelope


@final
class Retried(Envelope):
    """A message that one incarnation has crashed over."""

    __slots__ = ()
