"""What one call of an instance needs: its values on the way in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast, final

import attrs

from airssys.contracts import EngineMisused
from airssys.wasm.lane.abi import Context

from ._code import Exported, Imported
from ._resources import CallHandles

if TYPE_CHECKING:
    from airssys.wasm.lane.abi import Handles
    from airssys.wasm.lane.components import Encoding

    from ._memory import LinearMemory


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
@attrs.frozen(eq=False)
class Lowered:
    """The arguments of a call that has not begun."""

    ready: Ready
    cores: tuple[int | float, ...]
    handles: CallHandles | None
    keep: int


@final
class GuestMemory(Context):
    """Values in a memory of the guest, which cannot be asked for more of it here."""

    __slots__ = ("memory",)

    def __init__(self, encoding: Encoding, memory: LinearMemory | None) -> None:
        super().__init__(encoding, NO_HANDLES)
        self.memory = memory

    def begin(self, handles: CallHandles | None, keep: int) -> None:
        """Get ready for the values of one call."""
        self.handles, self.left = handles or NO_HANDLES, keep
        if self.memory is not None:
            self.view = self.memory.refresh()

    def allocate(self, alignment: int, size: int) -> int:
        """Refuse: what needs memory goes through an adapter."""
        raise EngineMisused(f"no {size} bytes aligned to {alignment} can be had here")


NO_HANDLES: Final = cast("Handles", None)
"""For values that contain no resources: code that moves these never uses the handles."""


@final
@attrs.frozen(eq=False)
class Ready:
    """An export of one instance, looked up."""

    exported: Exported
    function: int
    """The address of its extern."""
    memory: GuestMemory
