"""What one call of an instance needs: its values on the way in and out."""

from __future__ import annotations

from typing import Any, final

import attrs

from ._code import Exported
from ._host import Imported
from ._memory import GuestMemory
from ._resources import CallHandles


@final
@attrs.frozen
class Asked:
    """What a guest waits for."""

    number: int
    """Its place in `Plan.canonical`."""
    imported: Imported
    cores: tuple[Any, ...]
    handles: CallHandles | None


@final
class Lowered:
    """The arguments of a call that has not begun; made for each call."""

    __slots__ = ("cores", "handles", "keep", "ready")

    def __init__(
        self,
        ready: Ready,
        cores: tuple[int | float, ...],
        handles: CallHandles | None,
        keep: int,
    ) -> None:
        self.ready, self.cores = ready, cores
        self.handles, self.keep = handles, keep


@final
@attrs.frozen(eq=False)
class Ready:
    """An export of one instance, looked up."""

    exported: Exported
    function: int
    """The address of its extern."""
    memory: GuestMemory
