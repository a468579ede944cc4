"""Checks the grants of a tree: each is valid, and none is beyond a bound above it.

A supervisor's `bound` holds for all that is below it, at any depth, whether it stands in
the blueprint, is a template, or is started later. So what is checked always comes with
the bounds of all supervisors above it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs

from airssys.contracts import (
    MAX_DEPTH,
    Access,
    ActorSpec,
    Blueprint,
    ChildSpec,
    ComponentSpec,
    DynamicSupervisorSpec,
    Grant,
    Mistake,
    PoolSpec,
    SupervisorSpec,
    is_kind,
)
from airssys.security.capabilities import (
    KINDS,
    Rule,
    Rules,
    read_grants,
    with_log_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINT: Final = (
    "write a list of grants, such as can=[send('shop/*')], from airssys.security"
)
_ACTORS: Final = (ComponentSpec, ActorSpec)
_Place: TypeAlias = "tuple[str, ChildSpec, tuple[Bound, ...], int]"


@final
@attrs.frozen
class Bound:
    """What a supervisor allows at most to all that is below it."""

    supervisor: str
    """Its name, for people."""
    grants: tuple[Grant, ...]
    rules: Rules = attrs.field(eq=False, repr=False)


@lru_cache(maxsize=1024)
def _rules(grants: tuple[Grant, ...], kinds: int) -> Rules:
    del kinds  # the number of kinds that there were: what is remembered is of these
    return read_grants(grants)[0]


def rules_of_grants(grants: tuple[Grant, ...]) -> Rules:
    """Return what grants allow; those that are not valid allow nothing."""
    return _rules(grants, len(KINDS))


def rules_held(grants: tuple[Grant, ...]) -> Rules:
    """Return what a whole list allows, `can=` or `bound=`: also what it need not name."""
    return rules_of_grants(with_log_lines(grants))


def bound_of(spec: ChildSpec) -> tuple[Bound, ...]:
    """Return the bound that a child puts on what is below it: one, or none."""
    if not isinstance(spec, (SupervisorSpec, DynamicSupervisorSpec)):
        return ()
    if spec.bound is None:
        return ()
    grants = _valid(spec.bound)
    return (Bound(spec.name, grants, rules_held(grants)),)


def find_grant_mistakes(
    spec: ChildSpec, path: str = "$", *, above: tuple[Bound, ...] = ()
) -> list[Mistake]:
    """Check the grants of a child, and of all that is below it.

    Args:
        spec: The child.
        path: Where it stands, for the mistakes.
        above: The bounds of the supervisors above it.
    """
    mistakes: list[Mistake] = []
    entered: set[int] = set()
    stack: list[_Place] = [(path, spec, above, 0)]
    while stack:
        at, each, bounds, depth = stack.pop()
        if isinstance(each, (ComponentSpec, ActorSpec)):
            mistakes += _actor_mistakes(each, at, bounds)
            continue
        if id(each) in entered or depth > MAX_DEPTH:
            continue  # which is another mistake
        entered.add(id(each))
        if isinstance(each, (SupervisorSpec, DynamicSupervisorSpec)):
            mistakes += _bound_mistakes(each, at, bounds)
            bounds = (*bounds, *bound_of(each))
        if isinstance(each, PoolSpec) and isinstance(each.member, _ACTORS):
            mistakes += _topic_mistakes(each.member, each.topics, f"{at}.topics")
        below = [(p, s, bounds, depth + 1) for p, s in _children(each, at)]
        stack.extend(reversed(below))
    return mistakes


def grant_mistakes(blueprint: Blueprint) -> list[Mistake]:
    """Check the grants of a whole blueprint: one more check for `check_all`."""
    return find_grant_mistakes(blueprint.root, "$.root")


def _children(spec: ChildSpec, path: str) -> Iterator[tuple[str, ChildSpec]]:
    match spec:
        case SupervisorSpec(children=children) if is_kind(children, (tuple, list)):
            for index, child in enumerate(children):
                yield f"{path}.children[{index}]", child
        case DynamicSupervisorSpec(template=template) if template is not None:
            yield f"{path}.template", template
        case PoolSpec(member=member):
            yield f"{path}.member", member
        case _:
            return


def _valid(grants: object) -> tuple[Grant, ...]:
    """Return what of a list are grants; what is not is reported once."""
    if not isinstance(grants, tuple):
        return ()
    return tuple(each for each in grants if is_kind(each, Grant))


def _actor_mistakes(
    spec: ComponentSpec | ActorSpec,
    path: str,
    bounds: tuple[Bound, ...],
) -> Iterator[Mistake]:
    if spec.can is None and isinstance(spec, ActorSpec):
        return
    yield from _list_mistakes(spec.can, f"{path}.can")
    grants = _valid(spec.can)
    yield from _beyond(grants, f"{path}.can", bounds)
    yield from _topic_mistakes(spec, spec.topics, f"{path}.topics")


def _topic_mistakes(
    spec: ComponentSpec | ActorSpec,
    topics: tuple[str, ...],
    path: str,
) -> Iterator[Mistake]:
    """Check that an actor is granted the topics that it, or its pool, is subscribed to."""
    if spec.can is None:
        return
    rules = rules_of_grants(_valid(spec.can))
    for topic in topics if is_kind(topics, tuple) else ():
        access = Access("messaging", "subscribe", f"{topic}")
        if not rules.allows(access):
            text = f"it is subscribed to {topic!r}, which it is not granted"
            hint = f"add subscribe({topic!r}) to can=, or leave the topic out"
            yield Mistake(path, text, hint)


def _bound_mistakes(
    spec: SupervisorSpec | DynamicSupervisorSpec,
    path: str,
    bounds: tuple[Bound, ...],
) -> Iterator[Mistake]:
    if spec.bound is None:
        return
    yield from _list_mistakes(spec.bound, f"{path}.bound")
    yield from _beyond(_valid(spec.bound), f"{path}.bound", bounds)


def _list_mistakes(grants: object, path: str) -> Iterator[Mistake]:
    """Check what the grants of one list mean; the blueprint's check finds what is none."""
    if not isinstance(grants, tuple):
        return
    valid = _valid(grants)
    places = {id(each): index for index, each in enumerate(grants)}
    if len(rules_of_grants(valid).rules) == sum(len(each.verbs) for each in valid):
        return  # all were read, and are remembered
    for problem in read_grants(valid)[1]:
        at = f"{path}[{places[id(problem.grant)]}]"
        hint = "docs/reference/grants has the grammar of each kind"
        yield Mistake(at, f"{problem.grant.resource!r}: {problem}", hint)


def _beyond(
    grants: tuple[Grant, ...],
    path: str,
    bounds: tuple[Bound, ...],
) -> Iterator[Mistake]:
    for bound in bounds:
        for rule in _wider(grants, bound.grants, len(KINDS)):
            text = f"{rule} goes beyond the bound of {bound.supervisor}"
            hint = f"grant less here, or widen bound= of {bound.supervisor}"
            yield Mistake(path, text, hint)


@lru_cache(maxsize=1024)
def _wider(
    grants: tuple[Grant, ...], bound: tuple[Grant, ...], kinds: int
) -> tuple[Rule, ...]:
    return _rules(grants, kinds).beyond(_rules(with_log_lines(bound), kinds))
