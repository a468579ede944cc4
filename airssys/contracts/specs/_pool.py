"""How a pool spreads messages over its members, and how many members it has."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final, TypeAlias, final

import attrs

from airssys.contracts.values import ComponentId, Envelope

MAX_MEMBERS: Final = 10_000
"""Members that a pool may have, whatever else it says."""
DEFAULT_GROW_ABOVE: Final = 5.0
DEFAULT_SHRINK_BELOW: Final = 0.5
DEFAULT_PATIENCE: Final = 10.0

KeyFunction: TypeAlias = Callable[[Envelope], str | bytes]
"""Reads the key of a message; called in its sender's step, so it decides at once. The
same message has the same key whenever it is asked."""


class Routing(enum.Enum):
    """Which member of a pool a message goes to."""

    ROUND_ROBIN = "round-robin"
    """To each in turn; past one that has no room while another has."""
    LEAST_MAILBOX = "least-mailbox"
    """To one that has least to do: messages queued, and one being handled."""
    CONSISTENT_HASH = "consistent-hash"
    """All messages of one key to the same member, also if that one has no room. When the
    pool grows or shrinks, few keys change their member."""


@final
@attrs.frozen(kw_only=True)
class PoolSize:
    """Between how many members a pool may have, and when it takes or gives up some.

    The load of a member is what it has to do: the messages queued for it, and one more
    while it handles one or is being restarted.
    """

    minimum: int = 1
    """It begins with so many."""
    maximum: int
    grow_above: float = DEFAULT_GROW_ABOVE
    """It grows as soon as its members have a greater load than this on average, to as
    many members as bring the load down to it."""
    shrink_below: float = DEFAULT_SHRINK_BELOW
    """It gives up one member when for `patience` seconds the load was never as great as
    this on average."""
    patience: float = DEFAULT_PATIENCE
    """Seconds, above 0."""


@final
@attrs.frozen
class PoolMember:
    """One member of a pool that gets messages."""

    id: ComponentId
    load: int
    """Messages queued, and one more while it handles one or is being restarted."""


@final
@attrs.frozen
class PoolStatus:
    """A pool at one moment."""

    id: ComponentId
    wanted: int
    """How many members it should have now."""
    members: tuple[PoolMember, ...]
    """Those that get messages, the oldest first."""
