"""OTP's simple_one_for_one and Elixir's DynamicSupervisor as plain Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from airssys.contracts import (
    ActorSpec,
    ChildSpec,
    ComponentId,
    DynamicSupervisorSpec,
    find_spec_mistakes,
)

from ._supervisor import ModelSupervisor

if TYPE_CHECKING:
    from ._child import ModelChild
    from ._clock_and_habits import Script
    from ._supervisor import AnySupervisorSpec


@final
class ModelDynamicSupervisor(ModelSupervisor):
    """Children that are added and removed: each on its own, and forgotten when it ends.

    It only supports templates that are Python actors.
    """

    template: ActorSpec | None = None
    max_children: int | None = None

    def _adopt(self, spec: AnySupervisorSpec) -> None:
        super()._adopt(spec)
        if isinstance(spec, DynamicSupervisorSpec):
            template, self.max_children = spec.template, spec.max_children
            self.template = template if isinstance(template, ActorSpec) else None

    def _forgets(self, child: ModelChild) -> bool:
        return True

    def close(self) -> None:
        """Stop all children at once; it takes as long as the slowest of them (41)."""
        began = self.world.now
        over = began
        for child in self.children:
            self.world.now = began
            self._stop(child)
            over = max(over, self.world.now)
        self.world.now = over
        self.children.clear()

    def start_child(self, spec: ChildSpec) -> str:
        """Add a child by a specification of its own; refused if there is a template."""
        if self._is_full():
            return "MAX_CHILDREN"
        return "INVALID_SPEC" if self.template else super().start_child(spec)

    def start_from_template(self, *arguments: object) -> str:
        """Add a child made from the template and arguments (28)."""
        if self._is_full():
            return "MAX_CHILDREN"
        if self.template is None:
            return "INVALID_SPEC"
        name = self.world.next_name(_stem_of(self.template))
        own, both = _id_of(name), self.template.arguments + arguments
        return super().start_child(attrs.evolve(self.template, id=own, arguments=both))

    def terminate_child(self, name: str) -> str:
        """Stop a child; a former child of this supervisor counts as stopped."""
        if self.find(name) is None and self.world.was_given(name):
            return "Done"
        return super().terminate_child(name)

    def kill_child(self, name: str) -> str:
        """Kill a child; a former child of this supervisor counts as killed."""
        if self.find(name) is None and self.world.was_given(name):
            return "Done"
        return super().kill_child(name)

    def restart_child(self, name: str) -> str:
        """Refuse (28)."""
        return "DYNAMIC"

    def delete_child(self, name: str) -> str:
        """Refuse (28)."""
        return "DYNAMIC"

    def change_specs(self, spec: AnySupervisorSpec) -> str:
        """Replace flags and template; its children use the new one (56)."""
        if not isinstance(spec, DynamicSupervisorSpec) or find_spec_mistakes(spec):
            return "INVALID_SPEC"
        self.world.inits[self.path] = spec
        self._adopt(spec)
        for child in self.children:
            present = child.spec
            if self.template is not None and isinstance(present, ActorSpec):
                own = present.arguments
                child.spec = attrs.evolve(self.template, id=present.id, arguments=own)
        return "Done"

    def _is_full(self) -> bool:
        limit = self.max_children
        return limit is not None and len(self.children) >= limit


def _stem_of(template: ActorSpec) -> str:
    return f"{template.id.namespace}/{template.id.name}"


def _id_of(name: str) -> ComponentId:
    return ComponentId(*name.split("/"))


def model_of(spec: AnySupervisorSpec, path: str, world: Script) -> ModelSupervisor:
    """Make the model of a supervisor, and of everything below it."""
    kind = ModelSupervisor
    if isinstance(spec, DynamicSupervisorSpec):
        kind = ModelDynamicSupervisor
    return kind(spec, path, world, model_of)
