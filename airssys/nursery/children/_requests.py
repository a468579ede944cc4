"""What may be asked of a running supervisor, as values."""

from __future__ import annotations

from typing import Final, TypeAlias, final

import attrs

from airssys.contracts import ChildSpec, DynamicSupervisorSpec, SupervisorSpec


@final
@attrs.frozen
class StartChild:
    """Add a child and start it."""

    spec: ChildSpec


@final
@attrs.frozen
class StartFromTemplate:
    """Add a child made from the template of a dynamic supervisor, and start it."""

    arguments: tuple[object, ...]


@final
@attrs.frozen
class TerminateChild:
    """Stop a child; its specification stays, unless it is temporary."""

    name: str


@final
@attrs.frozen
class KillChild:
    """Cancel a child, as if it had failed."""

    name: str


@final
@attrs.frozen
class RestartChild:
    """Start a child that does not run."""

    name: str


@final
@attrs.frozen
class DeleteChild:
    """Forget a child that does not run."""

    name: str


@final
@attrs.frozen
class ChangeSpecs:
    """Take over other flags and specifications (OTP: `code_change`)."""

    spec: SupervisorSpec | DynamicSupervisorSpec


Request: TypeAlias = (
    StartChild
    | StartFromTemplate
    | TerminateChild
    | KillChild
    | RestartChild
    | DeleteChild
    | ChangeSpecs
)

REORDERING: Final = (StartChild, RestartChild, DeleteChild, ChangeSpecs)
"""Requests that start children or change their order."""
