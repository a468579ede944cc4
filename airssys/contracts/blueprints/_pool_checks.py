"""Checks pools, and the subscriptions of actors and pools."""

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
    choices,
    is_callable,
    is_kind,
    is_number,
    is_time,
    shown,
)

from ._restart_checks import significance_mistakes

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMBERS: Final = f"write a whole number from 1 to {MAX_MEMBERS}"


def pool_mistakes(spec: PoolSpec, path: str) -> Iterator[Mistake]:
    """Check what only pools have. Their members are checked as children."""
    if not is_kind(spec.id, ComponentId):
        hint = "write a name, or 'namespace/name/0', as ComponentId.parse reads"
        yield Mistake(f"{path}.id", f"{shown(spec.id)} is not a ComponentId", hint)
    elif spec.id.instance.isdecimal() and spec.id.instance != "0":
        text = f"{spec.id} could be the name of a member"
        hint = "the names of members end in 1, 2, ...: leave the number out"
        yield Mistake(f"{path}.id", text, hint)
    yield from _member_mistakes(spec.member, f"{path}.member")
    yield from _size_mistakes(spec.size, f"{path}.size")
    if not is_kind(spec.routing, Routing):
        text = f"{shown(spec.routing)} is not a valid routing"
        yield Mistake(f"{path}.routing", text, choices(Routing, spec.routing))
    yield from _key_mistakes(spec, f"{path}.key")
    yield from subscription_mistakes(spec, path)


def _key_mistakes(spec: PoolSpec, path: str) -> Iterator[Mistake]:
    if spec.key is None:
        return
    if not is_callable(spec.key):
        text = f"{shown(spec.key)} cannot be called"
        yield Mistake(path, text, "write a function from an envelope to a str or bytes")
    elif is_kind(spec.routing, Routing) and spec.routing is not Routing.CONSISTENT_HASH:
        text = f"the routing {spec.routing.value} does not use keys"
        yield Mistake(path, text, "leave the key out, or route by 'consistent-hash'")


def _member_mistakes(member: object, path: str) -> Iterator[Mistake]:
    if not isinstance(member, (ComponentSpec, ActorSpec)):
        hint = "write component(...) or actor(...)"
        yield Mistake(path, f"{shown(member)} is not an actor specification", hint)
        return
    restart, marked = member.restart, member.significant
    yield from significance_mistakes(marked, restart, AutoShutdown.NEVER, path)
    if is_kind(restart, RestartType) and restart is not RestartType.PERMANENT:
        text = f"a member of a pool must be permanent, not {restart.value}"
        yield Mistake(f"{path}.restart", text, "leave restart out")
    if member.topics:
        text = "each member would get every message"
        hint = "name the topics on the pool, so that one member gets each message"
        yield Mistake(f"{path}.topics", text, hint)


def _size_mistakes(size: int | PoolSize, path: str) -> Iterator[Mistake]:
    if not is_kind(size, PoolSize):
        if not is_number(size, 1, MAX_MEMBERS, whole=True):
            hint = f"{_MEMBERS}, or PoolSize(minimum=..., maximum=...)"
            yield Mistake(path, f"{shown(size)} is not a valid size", hint)
        return
    assert isinstance(size, PoolSize)  # noqa: S101  # checked by is_kind
    counts = {"minimum": size.minimum, "maximum": size.maximum}
    wrong = [
        name
        for name, number in counts.items()
        if not is_number(number, 1, MAX_MEMBERS, whole=True)
    ]
    for name in wrong:
        text = f"{shown(counts[name])} is not a valid number of members"
        yield Mistake(f"{path}.{name}", text, _MEMBERS)
    if not wrong and size.minimum > size.maximum:
        text = f"{shown(size.maximum)} is below the minimum, {shown(size.minimum)}"
        yield Mistake(f"{path}.maximum", text, "write the minimum, or more")
    loads = {"grow_above": size.grow_above, "shrink_below": size.shrink_below}
    wrong = [
        name
        for name, load in loads.items()
        if not is_number(load, 0, math.inf, whole=False)
    ]
    for name in wrong:
        text = f"{shown(loads[name])} is not a valid load"
        yield Mistake(f"{path}.{name}", text, "write a number of 0 or more")
    if not wrong and size.shrink_below > size.grow_above:
        text = "it would shrink at a load at which it grows"
        yield Mistake(f"{path}.shrink_below", text, "write at most grow_above")
    if not is_time(size.patience, allow_infinity=True):
        text = f"patience must be a number of seconds, not {shown(size.patience)}"
        yield Mistake(f"{path}.patience", text, "write a number of seconds above 0")


def subscription_mistakes(
    spec: ComponentSpec | ActorSpec | PoolSpec, path: str
) -> Iterator[Mistake]:
    """Check the topics of an actor or a pool, and its lag policy."""
    if not is_kind(spec.topics, tuple):
        text = f"{shown(spec.topics)} is not a tuple"
        yield Mistake(f"{path}.topics", text, "write ('topic', ...)")
    else:
        for index, pattern in enumerate(spec.topics):
            try:
                read_pattern(pattern)
            except BadTopic as bad:
                text, hint = bad.problem, BadTopic.advice
                yield Mistake(f"{path}.topics[{index}]", text, hint)
    if not is_kind(spec.lag, Lag):
        text = f"{shown(spec.lag)} is not a valid lag policy"
    elif spec.lag is Lag.DROP_OLDEST:
        text = "an actor cannot drop the oldest message, which may not be published"
    else:
        return
    yield Mistake(f"{path}.lag", text, choices(Lag, spec.lag, but=Lag.DROP_OLDEST))
