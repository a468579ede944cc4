"""What components told of themselves, so that equal ones are not asked again.

A guest's `metadata` must not depend on messages (WIT: `component-lifecycle`). So what an
instance of some code tells under some configuration holds for every other one, and
asking them all would make a tenth of what it costs to start an actor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from airssys.contracts import (
        Artifact,
        ComponentConfig,
        ComponentMetadata,
        ComponentSpec,
    )

KEPT: Final = 1000
"""Of how many codes under a configuration it is kept; the oldest one goes first."""


@final
class MetadataCache:
    """What the components of one system told of themselves."""

    def __init__(self) -> None:
        self._told: dict[tuple[Artifact, ComponentConfig], ComponentMetadata] = {}

    def find(self, spec: ComponentSpec) -> ComponentMetadata | None:
        """Return what another instance told; None if none was asked."""
        return self._told.get((spec.artifact, spec.config))

    def note(self, spec: ComponentSpec, told: ComponentMetadata) -> None:
        """Take note of what an instance told."""
        if len(self._told) >= KEPT:
            del self._told[next(iter(self._told))]
        self._told[spec.artifact, spec.config] = told
