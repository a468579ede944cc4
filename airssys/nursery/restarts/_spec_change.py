"""How a change of specifications is merged with those of the children below. Pure.

Three specifications of one supervisor meet in a change: the one that was *given* last,
the *present* one, which is that and what was changed below it since, and the one that
is *wanted*. A supervisor below that is wanted as it was given before keeps what it has.
`_declaration` says where these three are kept, and who changes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import attrs

from airssys.contracts import (
    ChildSpec,
    DynamicSupervisorSpec,
    Mistake,
    SupervisorSpec,
    child_name,
    find_spec_mistakes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

ChangeableSpec: TypeAlias = SupervisorSpec | DynamicSupervisorSpec

_S = TypeVar("_S", SupervisorSpec, DynamicSupervisorSpec)

_INSIDE: Final = {
    SupervisorSpec: ("children", "strategy", "intensity", "auto_shutdown"),
    DynamicSupervisorSpec: ("template", "max_children", "intensity"),
}
"""What a specification says of a supervisor itself; the rest is for the one above it."""


def mistakes_of_change(
    present: ChangeableSpec, wanted: ChildSpec, *, above: int
) -> tuple[Mistake, ...]:
    """Return what is wrong with a change of a running supervisor.

    Its children may become anything with their next start. It cannot itself: it
    already has its way of keeping children.

    Args:
        present: the specification that it has.
        wanted: the one it is given.
        above: the number of supervisors above it.
    """
    if mistakes := tuple(find_spec_mistakes(wanted, above=above)):
        return mistakes
    if type(present) is type(wanted):
        return ()
    has, given = type(present).__name__, type(wanted).__name__
    found = f"a {given} for a running supervisor that was made from a {has}"
    hint = f"give a {has}, or change what the supervisor above declares"
    return (Mistake("$", found, hint),)


def merged_order(before: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """Put the wanted children first, in their order, and the others behind them.

    A child that is no longer wanted keeps running (OTP's rule 56); it now starts last,
    so it stops first.
    """
    first = tuple(wanted)
    named = set(first)
    return first + tuple(name for name in before if name not in named)


def in_place_of(place: _S, content: _S) -> _S:
    """Return a specification with another one's inside.

    Its name, and how it is started, stopped and restarted itself, stay.
    """
    inside = {name: getattr(content, name) for name in _INSIDE[type(place)]}
    return attrs.evolve(place, **inside)


def with_inside(place: ChildSpec, content: ChildSpec) -> ChildSpec:
    """Do as `in_place_of`; a specification of another kind stays as it is."""
    match place, content:
        case SupervisorSpec(), SupervisorSpec():
            return in_place_of(place, content)
        case DynamicSupervisorSpec(), DynamicSupervisorSpec():
            return in_place_of(place, content)
        case _:
            return place


def merged(
    given: ChildSpec, present: ChildSpec, wanted: ChangeableSpec
) -> ChangeableSpec:
    """Return what is wanted, with the supervisors below it as they are.

    Those of which it says something new are as it says.
    """
    match given, present, wanted:
        case SupervisorSpec(), SupervisorSpec(), SupervisorSpec():
            children = (_merged_child(c, given, present) for c in wanted.children)
            return attrs.evolve(wanted, children=tuple(children))
        case _:
            return wanted


def with_child(spec: ChildSpec, before: ChildSpec, changed: ChildSpec) -> ChildSpec:
    """Put a change of a child into the specification of its supervisor.

    It is put nowhere if what was changed is not the child that stands there: then
    the specification stays the same object.
    """
    if not isinstance(spec, SupervisorSpec):
        return spec
    stands = [_are_the_same(child, before) for child in spec.children]
    if not any(stands):
        return spec
    pairs = zip(spec.children, stands, strict=True)
    return attrs.evolve(
        spec, children=tuple(changed if is_it else child for child, is_it in pairs)
    )


def declares(spec: ChildSpec, child: ChildSpec) -> bool:
    """Say whether a specification has this very child."""
    children = spec.children if isinstance(spec, SupervisorSpec) else ()
    return any(each is child for each in children)


def given_below(given: ChildSpec, child: ChildSpec) -> ChildSpec | None:
    """Return what was given as the specification of a child; None if nothing was."""
    return _find(given, child) if isinstance(given, SupervisorSpec) else None


def says_the_same(one: ChildSpec, other: ChildSpec) -> bool:
    """Say whether two specifications have the same inside."""
    return type(one) is type(other) and _are_the_same(with_inside(one, other), one)


def _merged_child(
    wanted: ChildSpec, given: SupervisorSpec, present: SupervisorSpec
) -> ChildSpec:
    before, now = _find(given, wanted), _find(present, wanted)
    if before is None or now is None or not says_the_same(before, wanted):
        return wanted
    return with_inside(wanted, now)


def _find(spec: SupervisorSpec, wanted: ChildSpec) -> ChildSpec | None:
    name, kind = child_name(wanted), type(wanted)
    found = (c for c in spec.children if child_name(c) == name and type(c) is kind)
    return next(found, None)


def _are_the_same(one: ChildSpec, other: ChildSpec) -> bool:
    """Compare two specifications, which may hold objects that cannot be compared."""
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001  # whatever a user's `__eq__` raises
        return False
