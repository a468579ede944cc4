"""What a blueprint lets each of its actors do: for tests of a policy, and for reports.

The answers come from the blueprint alone. An actor can reach a resource if one of its
grants and the pattern that is asked for have something in common; a grant to send to an
actor that can do more is not followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

import attrs

from airssys.contracts import (
    ActorSpec,
    Blueprint,
    ComponentSpec,
    Grant,
    walk,
)
from airssys.security.capabilities import (
    KINDS,
    AtLeast,
    Endpoint,
    Everything,
    LogLines,
    Origin,
    Rule,
    Rules,
    Words,
    read_grants,
)
from airssys.security.patterns import (
    KeyPattern,
    NamePattern,
    PathPattern,
    SubscriptionPattern,
    TopicPattern,
    overlap,
    tokens_of,
)

from ._checks import Bound, bound_of, rules_held

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALL: Final = Rules((Rule("*", "*", Everything(), (), Grant("*", ("*",))),))


@final
@attrs.frozen
class Reach:
    """Something that an actor of a blueprint may do, and by what."""

    actor: str
    """Its name, as text."""
    asked: str
    """What was asked for, in words: `files write /data/**`."""
    rule: str
    """The grant that allows it, in words."""
    path: str
    """Where the grant stands in the blueprint: `$.root.children[2].can`."""
    place: str = ""
    """The file and line of the actor's declaration, if they are known."""
    bounds: tuple[str, ...] = ()
    """The bounds above it that let it through: `bound of shop: files write /data/**`."""

    def __str__(self) -> str:
        where = self.place or self.path
        by = f"{self.actor} may do {self.asked}, by {self.rule} ({where})"
        return f"{by}, within {', '.join(self.bounds)}" if self.bounds else by


def read_question(text: str) -> Rules:
    """Read what is asked for: `write /data/**`, `send shop/orders`, `files write /a`.

    A verb without its kind stands for each kind that has it, such as `write` for files
    and storage, as far as the rest is a resource of that kind. A verb without a resource
    asks whether there is any that it may be done to.

    Raises:
        ValueError: there is no such verb, or it is not a resource of one.
    """
    first, _, rest = text.strip().partition(" ")
    kind = KINDS.get(first)
    named = kind is not None and rest.split(" ")[0] in kind.verbs
    verb, _, resource = (rest if named else text.strip()).partition(" ")
    wanted = [first] if named else [k.name for k in KINDS.values() if verb in k.verbs]
    if not wanted:
        verbs = sorted({each for kind in KINDS.values() for each in kind.verbs})
        raise ValueError(f"{text!r} has no verb that is known: {', '.join(verbs)}")
    grants = [Grant(kind, (verb,), resource.strip()) for kind in wanted]
    if not resource.strip():
        return Rules(tuple(Rule(g.kind, verb, Everything(), (), g) for g in grants))
    rules, problems = read_grants(grants)
    if not rules.rules:
        raise ValueError(f"{text!r} is not a resource of {wanted[0]}: {problems[0]}")
    return rules


def who_can(blueprint: Blueprint, question: str) -> list[Reach]:
    """Find the actors that may do something, each with the grant that allows it.

    Raises:
        ValueError: the question is not valid; see `read_question`.
    """
    asked = read_question(question)
    return [
        reach
        for path, spec, bounds in _actors(blueprint)
        for reach in _reaches(path, spec, bounds, asked)
    ]


def can_reach(blueprint: Blueprint, actor: str, question: str) -> list[Reach]:
    """Find by what an actor may do something; an empty list if it may not.

    Raises:
        ValueError: there is no such actor, or the question is not valid.
    """
    named = NamePattern.parse(actor)
    asked, names = read_question(question), list[str]()
    found: list[Reach] = []
    is_there = False
    for path, spec, bounds in _actors(blueprint):
        names.append(spec.id.text)
        if named.matches(spec.id.text):
            is_there = True
            found += _reaches(path, spec, bounds, asked)
    if not is_there:
        raise ValueError(f"there is no actor {actor!r}; there are {', '.join(names)}")
    return found


def _actors(
    blueprint: Blueprint,
) -> Iterator[tuple[str, ActorSpec | ComponentSpec, tuple[Bound, ...]]]:
    above: dict[str, tuple[Bound, ...]] = {}
    for path, spec in walk(blueprint.root):
        bounds = above.get(path.rpartition(".")[0], ())
        if isinstance(spec, (ActorSpec, ComponentSpec)):
            yield path, spec, bounds
        else:
            above[path] = (*bounds, *bound_of(spec))


def _reaches(
    path: str,
    spec: ActorSpec | ComponentSpec,
    bounds: tuple[Bound, ...],
    asked: Rules,
) -> Iterator[Reach]:
    if spec.can is not None:
        held = rules_held(spec.can)
    else:
        held = bounds[-1].rules if bounds else _ALL
    origin = spec.origin
    place = "" if origin is None else f"{origin.file}:{origin.line}"
    for wanted in asked.rules:
        rule = next((r for r in held.rules if meets(r, wanted)), None)
        if rule is None:
            continue
        limits = [
            f"bound of {bound.supervisor}: {limit}"
            for bound in bounds
            for limit in bound.rules.rules
            if meets(limit, wanted)
        ]
        by = "having no can=" if spec.can is None else str(rule)
        asked_for = str(wanted).rstrip()
        yield Reach(spec.id.text, asked_for, by, f"{path}.can", place, tuple(limits))


def meets(one: Rule, other: Rule) -> bool:
    """Say whether two rules have something in common; yes is the safe answer."""
    if one.kind == "*":
        return True
    if (one.kind, one.verb) != (other.kind, other.verb):
        return False
    resources = one.resource, other.resource
    return any(type(each) is Everything for each in resources) or _meet(*resources)


def _meet(one: Any, other: Any) -> bool:  # noqa: ANN401, C901, PLR0911, PLR0912  # two patterns of one class; a case for each
    match one:
        case NamePattern(segments):
            pairs = zip(segments, other.segments, strict=True)
            return all(a == b or "*" in {a, b} for a, b in pairs)
        case TopicPattern():
            return SubscriptionPattern(one).touches(other.text)
        case SubscriptionPattern(topics):
            return _meet(topics, other.topics)
        case PathPattern(alternatives=mine):
            return any(overlap(a, b, "/") for a in mine for b in other.alternatives)
        case KeyPattern(text):
            return overlap(tokens_of(text), tokens_of(other.text), "/")
        case Endpoint(host, ports):
            has_port = (
                ports.first <= other.ports.last and other.ports.first <= ports.last
            )
            return has_port and _meet(host, other.host)
        case Origin(schemes, endpoint):
            is_nested = one.path.startswith(other.path) or other.path.startswith(
                one.path
            )
            return (
                is_nested
                and bool(schemes & other.schemes)
                and _meet(endpoint, other.endpoint)
            )
        case Words(words):
            return None in {words, other.words} or bool(words & other.words)
        case AtLeast():
            return True
        case LogLines():
            return one.overlaps(other)
        case _:  # hosts are nested or apart, and so are patterns of a program's own
            return bool(one.includes(other) or other.includes(one))
