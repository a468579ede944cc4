"""What one child is declared to be, and how that changes while the system runs. Pure.

The specification of a child is needed in three places: by the slot, to know how the child
is stopped and restarted; by the cell, to make the next incarnation; and, of a supervisor,
by the present incarnation, which goes by its strategy and its limits. None of them keeps
a copy. All three refer to one `Declared`, whose `declaration` is replaced as a whole.

A declaration is three specifications. A change comes from one of three sides:

| the change                                   | `spec`          | `running`             | `given`      |
|----------------------------------------------|-----------------|-----------------------|--------------|
| the one above declares something new         | what it says    | its place; keeps its inside | what it says |
| the one above declares the same inside again | what it says    | its place; keeps its inside | stays        |
| it is asked to change itself                 | takes its inside| takes its inside      | what was asked |
| a supervisor below changed                   | has that change | has that change       | stays        |
| an incarnation starts                        | stays           | becomes `spec`        | stays        |

The *place* is how a child is named, started, stopped and restarted, which is for the
one above it. The *inside* of a supervisor is its children and the rules for them.

So a change holds until the system ends: the specification of a supervisor contains those
of the supervisors below it, as they are now, up to the root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from airssys.contracts import (
    SUPERVISOR_SPECS,
    ChildSpec,
    ComponentSpec,
    DynamicSupervisorSpec,
    SupervisorSpec,
    child_name,
    component_quotas,
)
from airssys.security.policies import bound_of, find_grant_mistakes

from ._spec_change import (
    ChangeableSpec,
    declares,
    given_below,
    merged,
    says_the_same,
    with_child,
    with_inside,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airssys.contracts import ActorSpec, Mistake, Quota
    from airssys.security.policies import Bound
    from airssys.security.quotas import Account, Accounts


@final
@attrs.frozen
class Declaration:
    """What one child is declared to be now, with all that is declared below it."""

    spec: ChildSpec
    """What its next incarnation starts by."""
    given: ChildSpec
    """What was last given as its specification; `spec` may contain changes below since."""
    running: ChildSpec
    """What its present incarnation goes by, if it is a supervisor."""

    @classmethod
    def of(cls, spec: ChildSpec) -> Declaration:
        """Declare a child for the first time."""
        return cls(spec, spec, spec)

    def started(self) -> Declaration:
        """Return it as it is when an incarnation starts."""
        if self.running is self.spec:
            return self  # as it is almost always
        return attrs.evolve(self, running=self.spec)

    def declared_again(self, spec: ChildSpec) -> Declaration:
        """Return it as the supervisor above declares the child from now on."""
        is_new = not (_is_changeable(spec) and says_the_same(spec, self.spec))
        given, running = spec if is_new else self.given, self.running
        if type(running) is type(spec):
            running = with_inside(spec, running)
        return Declaration(spec, given, running)

    def changed(self, wanted: ChangeableSpec) -> Declaration:
        """Return it with the inside that was asked for; how it is restarted stays.

        Supervisors below that are wanted as they were given keep what they have.
        """
        inside, running = merged(self.given, self.spec, wanted), self.running
        if type(self.spec) is not type(wanted):  # the next one is of another kind
            return attrs.evolve(self, running=with_inside(running, inside))
        spec = with_inside(self.spec, inside)
        return Declaration(spec, wanted, with_inside(running, inside))

    def with_child(self, before: ChildSpec, changed: ChildSpec) -> Declaration:
        """Return it with a change of one of the children that it declares."""
        return attrs.evolve(
            self,
            spec=with_child(self.spec, before, changed),
            running=with_child(self.running, before, changed),
        )

    def of_child(self, spec: ChildSpec) -> Declaration:
        """Declare a child of this one; what was given for it before is remembered."""
        if not (_is_changeable(spec) and declares(self.running, spec)):
            return Declaration.of(spec)
        return Declaration(spec, given_below(self.given, spec) or spec, spec)


def _is_changeable(spec: ChildSpec) -> bool:
    return isinstance(spec, (SupervisorSpec, DynamicSupervisorSpec))


@final
class Declared:
    """Where the slot, the cell and the incarnations of one child find its declaration.

    Args:
        spec: what the child is declared to be at first.
        above: that of its supervisor; None for the root, and for what is in no tree.
    """

    __slots__ = ("above", "declaration")

    def __init__(self, spec: ChildSpec, above: Declared | None = None) -> None:
        self.above = above
        """That of its supervisor; None for the root."""
        of = Declaration.of if above is None else above.declaration.of_child
        self.declaration: Declaration = of(spec)
        """What it is now."""

    def those_above(self) -> Iterator[ChildSpec]:
        """Visit what the supervisors above go by, the nearest first."""
        above = self.above
        while above is not None:
            yield above.running
            above = above.above

    @property
    def spec(self) -> ChildSpec:
        """What the next incarnation starts by."""
        return self.declaration.spec

    @property
    def running(self) -> ChildSpec:
        """What the present incarnation goes by, if it is a supervisor."""
        return self.declaration.running

    def start(self) -> ChildSpec:
        """Return what an incarnation that is made now goes by."""
        self.declaration = self.declaration.started()
        return self.declaration.spec

    def declare_again(self, spec: ChildSpec) -> None:
        """Take over what the supervisor above declares."""
        self.declaration = self.declaration.declared_again(spec)

    def change(self, wanted: ChangeableSpec) -> None:
        """Take over another inside, in all that is declared from here to the root."""
        before = self.declaration.spec
        self.declaration = self.declaration.changed(wanted)
        changed, above = self.declaration.spec, self.above
        while above is not None and changed is not before:
            own = above.declaration
            above.declaration = own.with_child(before, changed)
            before, changed = own.spec, above.declaration.spec
            above = above.above


def bounds_above(declared: Declared) -> tuple[Bound, ...]:
    """Return the bounds of the supervisors above a child, the nearest last."""
    bounds: list[Bound] = []
    above = declared.above
    while above is not None:
        spec, above = above.declaration.running, above.above
        if getattr(spec, "bound", None) is not None:  # few have one
            bounds += bound_of(spec)
    return tuple(reversed(bounds))


def grant_mistakes_below(spec: ChildSpec, above: Declared) -> list[Mistake]:
    """Check the grants of a child that a supervisor is to have."""
    bounds = (*bounds_above(above), *bound_of(above.running))
    return find_grant_mistakes(spec, above=bounds)


def grant_mistakes_of(spec: ChildSpec, declared: Declared) -> list[Mistake]:
    """Check the grants of what a child is to be from now on."""
    return find_grant_mistakes(spec, above=bounds_above(declared))


def quotas_above(declared: Declared) -> tuple[tuple[str, Mapping[str, Quota]], ...]:
    """Return the quotas of the supervisors above a child by path, the nearest last."""
    above = declared.above
    while above is not None and getattr(above.running, "quotas", None) is None:
        above = above.above
    if above is None:
        return ()  # as it is almost always
    path, found = "", list[tuple[str, "Mapping[str, Quota]"]]()
    for spec in reversed(tuple(declared.those_above())):
        path = f"{path}/{child_name(spec)}" if path else child_name(spec)
        if isinstance(spec, SUPERVISOR_SPECS) and spec.quotas is not None:
            found.append((path, spec.quotas.named))
    return tuple(found)


def open_account(
    accounts: Accounts,
    spec: ActorSpec | ComponentSpec,
    declared: Declared,
) -> Account | None:
    """Return the account of an actor; None if no quota is declared for it."""
    above = quotas_above(declared)
    if isinstance(spec, ComponentSpec):
        own = component_quotas(spec.quotas, spec.limits).named
        return accounts.open(spec.id.text, own, above)
    named = None if spec.quotas is None else spec.quotas.named
    return accounts.open(spec.id.text, named, above)
