"""The metadata of components, so that equal ones are not asked again.

A guest's `metadata` must not depend on messages (WIT: `component-lifecycle`). So what an
instance of some code returns under some configuration holds for every other one, and
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
    """The metadata of the components of one system."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Artifact, ComponentConfig], ComponentMetadata] = {}

    def find(self, spec: ComponentSpec) -> ComponentMetadata | None:
        """Return the metadata of another instance; None if none was asked."""
        return self._kept.get((spec.artifact, spec.config))

    def note(self, spec: ComponentSpec, metadata: ComponentMetadata) -> None:
        """Take note of the metadata of an instance."""
        if len(self._kept) >= KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[spec.artifact, spec.config] = metadata
