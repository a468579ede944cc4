"""What can be wrong with a pool, and with what an actor or a pool is subscribed to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from airssys.contracts.errors import BadTopic, Mistake
from airssys.contracts.specs import (
    MAX_MEMBERS,
    ActorSpec,
    ComponentSpec,
    PoolSize,
    PoolSpec,
    Routing,
    read_pattern,
)
from airssys.contracts.values import (
    AutoShutdown,
    ComponentId,
    Lag,
    RestartType,
    is_callable,
    is_kind,
    is_number,
    is_time,
    shown,
)

from ._restart_checks import significance_mistakes

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMBERS: Final = f"a whole number from 1 to {MAX_MEMBERS}"


def pool_mistakes(spec: PoolSpec, path: str) -> Iterator[Mistake]:
    """Look at what only pools have; their members are looked at as children."""
    if not is_kind(spec.id, ComponentId):
        hint = "write a name, or 'namespace/name/0', as ComponentId.parse reads"
        yield Mistake(f"{path}.id", f"{shown(spec.id)} is no ComponentId", hint)
    elif spec.id.instance.isdecimal() and spec.id.instance != "0":
        text = f"{spec.id} could be the name of a member"
        hint = "members are called as the pool, 1, 2, ...: leave the number out"
        yield Mistake(f"{path}.id", text, hint)
    yield from _member_mistakes(spec.member, f"{path}.member")
    yield from _size_mistakes(spec.size, f"{path}.size")
    if not is_kind(spec.routing, Routing):
        words = ", ".join(repr(each.value) for each in Routing)
        text = f"{shown(spec.routing)} is no routing"
        yield Mistake(f"{path}.routing", text, f"one of {words}")
    yield from _key_mistakes(spec, f"{path}.key")
    yield from subscription_mistakes(spec, path)


def _key_mistakes(spec: PoolSpec, path: str) -> Iterator[Mistake]:
    if spec.key is None:
        return
    if not is_callable(spec.key):
        text = f"{shown(spec.key)} cannot be called"
        yield Mistake(path, text, "a function from an envelope to a str or bytes")
    elif is_kind(spec.routing, Routing) and spec.routing is not Routing.CONSISTENT_HASH:
        text = f"keys mean nothing to {spec.routing.value}"
        yield Mistake(path, text, "leave it out, or route by 'consistent-hash'")


def _member_mistakes(member: object, path: str) -> Iterator[Mistake]:
    if not isinstance(member, (ComponentSpec, ActorSpec)):
        hint = "write component(...) or actor(...)"
        yield Mistake(path, f"{shown(member)} is no actor", hint)
        return
    restart, marked = member.restart, member.significant
    yield from significance_mistakes(marked, restart, AutoShutdown.NEVER, path)
    if is_kind(restart, RestartType) and restart is not RestartType.PERMANENT:
        text = f"a {restart.value} actor is no member of a pool, which keeps its size"
        yield Mistake(f"{path}.restart", text, "leave it permanent")
    if member.topics:
        text = "each member would get each message"
        hint = "name the topics of the pool, for one member to get each"
        yield Mistake(f"{path}.topics", text, hint)


def _size_mistakes(size: int | PoolSize, path: str) -> Iterator[Mistake]:
    if not is_kind(size, PoolSize):
        if not is_number(size, 1, MAX_MEMBERS, whole=True):
            hint = f"{_MEMBERS}, or PoolSize(minimum=..., maximum=...)"
            yield Mistake(path, f"{shown(size)} is no size", hint)
        return
    assert isinstance(size, PoolSize)  # noqa: S101  # as is_kind said
    counts = {"minimum": size.minimum, "maximum": size.maximum}
    wrong = [
        name
        for name, number in counts.items()
        if not is_number(number, 1, MAX_MEMBERS, whole=True)
    ]
    for name in wrong:
        text = f"{shown(counts[name])} is no number of members"
        yield Mistake(f"{path}.{name}", text, _MEMBERS)
    if not wrong and size.minimum > size.maximum:
        text = f"{shown(size.maximum)} is below the minimum, {shown(size.minimum)}"
        yield Mistake(f"{path}.maximum", text, "as many as the minimum, or more")
    loads = {"grow_above": size.grow_above, "shrink_below": size.shrink_below}
    wrong = [
        name
        for name, load in loads.items()
        if not is_number(load, 0, math.inf, whole=False)
    ]
    for name in wrong:
        text = f"{shown(loads[name])} is no load"
        yield Mistake(f"{path}.{name}", text, "a number, 0 or more")
    if not wrong and size.shrink_below > size.grow_above:
        text = "it would shrink at a load at which it grows"
        yield Mistake(f"{path}.shrink_below", text, "grow_above at most")
    if not is_time(size.patience, allow_infinity=True):
        text = f"{shown(size.patience)} is no time"
        yield Mistake(f"{path}.patience", text, "seconds, above 0")


def subscription_mistakes(
    spec: ComponentSpec | ActorSpec | PoolSpec, path: str
) -> Iterator[Mistake]:
    """Look at the topics of an actor or a pool, and at its lag policy."""
    if not is_kind(spec.topics, tuple):
        text = f"{shown(spec.topics)} is no tuple"
        yield Mistake(f"{path}.topics", text, "write ('topic', ...)")
    else:
        for index, pattern in enumerate(spec.topics):
            try:
                read_pattern(pattern)
            except BadTopic as bad:
                text, hint = bad.problem, BadTopic.advice
                yield Mistake(f"{path}.topics[{index}]", text, hint)
    words = ", ".join(repr(lag.value) for lag in Lag if lag is not Lag.DROP_OLDEST)
    if not is_kind(spec.lag, Lag):
        text = f"{shown(spec.lag)} is no lag policy"
        yield Mistake(f"{path}.lag", text, f"one of {words}")
    elif spec.lag is Lag.DROP_OLDEST:
        text = "an actor cannot drop the oldest message: others sent some of them"
        yield Mistake(f"{path}.lag", text, f"one of {words}")
