"""Which children may be added to a dynamic supervisor. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from airssys.contracts import (
    ChildSpec,
    DynamicSupervisorSpec,
    Mistake,
    Refusal,
    Refused,
    child_name,
)
from airssys.nursery.children import StartChild, StartFromTemplate
from airssys.nursery.restarts import made_from, stem_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.nursery.children import GivenNames, Roster
    from airssys.nursery.restarts import Template

_WANTS_ARGUMENTS: Final = Mistake(
    "$", "a specification", "children are made from a template: give arguments"
)
_WANTS_SPEC: Final = Mistake(
    "$", "arguments", "there is no template: give a specification"
)


@final
class ChildAdmission:
    """Judges who may join, and numbers those made from the template."""

    def __init__(
        self, names: GivenNames, check: Callable[[ChildSpec], tuple[Mistake, ...]]
    ) -> None:
        self._names, self._check = names, check
        """Finds what is wrong with the specification of one more child."""

    def judge(
        self,
        request: StartChild | StartFromTemplate,
        rules: DynamicSupervisorSpec,
        roster: Roster,
    ) -> ChildSpec | Refused:
        """Return the specification of the child to start, or why there is none.

        Args:
            request: asks for it.
            rules: the specification of the supervisor.
            roster: the children that it has.
        """
        limit = rules.max_children
        if limit is not None and len(roster) >= limit:
            return Refused(Refusal.MAX_CHILDREN)
        spec = self._spec_for(request, rules.template)
        if isinstance(spec, Mistake):
            return Refused(Refusal.INVALID_SPEC, mistakes=(spec,))
        if mistakes := self._check(spec):
            return Refused(Refusal.INVALID_SPEC, mistakes=mistakes)
        if (slot := roster.find(child_name(spec))) is not None:
            occupied = slot.is_occupied
            why = Refusal.ALREADY_STARTED if occupied else Refusal.ALREADY_PRESENT
            return Refused(why, slot.name)
        return spec

    def _spec_for(
        self, request: StartChild | StartFromTemplate, template: Template | None
    ) -> ChildSpec | Mistake:
        match request:
            case StartChild(spec):
                return _WANTS_ARGUMENTS if template is not None else spec
            case StartFromTemplate(arguments):
                if template is None:
                    return _WANTS_SPEC
                stem = stem_of(template)
                made = made_from(template, self._names.next_number(stem), arguments)
                if not isinstance(made, Mistake):
                    self._names.give(stem)
                return made
