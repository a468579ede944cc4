"""How a pool distributes messages over its members, and how many members it has."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final, TypeAlias, final

import attrs

from airssys.contracts.values import ComponentId, Envelope

MAX_MEMBERS: Final = 10_000
"""The number of members that a pool may have at most."""
DEFAULT_GROW_ABOVE: Final = 5.0
DEFAULT_SHRINK_BELOW: Final = 0.5
DEFAULT_PATIENCE: Final = 10.0

KeyFunction: TypeAlias = Callable[[Envelope], str | bytes]
"""Returns the key of a message. It is called in the sender's step, so it must decide at
once, and must always return the same key for the same message."""


class Routing(enum.Enum):
    """Which member of a pool gets a message."""

    ROUND_ROBIN = "round-robin"
    """Each in turn; a member without room is skipped if another member has room."""
    LEAST_MAILBOX = "least-mailbox"
    """A member with the least to do: messages queued, and one being handled."""
    CONSISTENT_HASH = "consistent-hash"
    """All messages of one key go to the same member, even if it has no room. When the
    pool grows or shrinks, few keys change their member."""


@final
@attrs.frozen(kw_only=True)
class PoolSize:
    """The range for the number of members of a pool, and when it changes.

    The load of a member is the number of messages queued for it, plus one while it
    handles one or is being restarted.
    """

    minimum: int = 1
    """It starts with this many."""
    maximum: int
    grow_above: float = DEFAULT_GROW_ABOVE
    """It grows as soon as the average load of its members exceeds this, to as many
    members as bring the load down to it."""
    shrink_below: float = DEFAULT_SHRINK_BELOW
    """It gives up one member when the average load stayed below this for `patience`
    seconds."""
    patience: float = DEFAULT_PATIENCE
    """Seconds, above 0."""


@final
@attrs.frozen
class PoolMember:
    """One member of a pool that gets messages."""

    id: ComponentId
    load: int
    """Messages queued, plus one while it handles one or is being restarted."""


@final
@attrs.frozen
class PoolStatus:
    """A pool at one moment."""

    id: ComponentId
    wanted: int
    """The number of members that it should have now."""
    members: tuple[PoolMember, ...]
    """Those that get messages, the oldest first."""
