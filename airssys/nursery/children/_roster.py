"""The children of one supervisor by name, in start order."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from airssys.contracts import SUPERVISOR_SPECS, ChildCounts, ChildInfo, Presence

from ._slot_states import PRESENCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ._slots import Slot


@final
class Roster:
    """Slots by name; iterating gives them in start order."""

    def __init__(self, slots: Iterable[Slot] = ()) -> None:
        self._slots = {slot.name: slot for slot in slots}

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots.values())

    def __len__(self) -> int:
        return len(self._slots)

    def __reversed__(self) -> Iterator[Slot]:
        return reversed(self._slots.values())

    def __contains__(self, slot: Slot) -> bool:
        return self._slots.get(slot.name) is slot

    def find(self, name: str) -> Slot | None:
        """Return the slot of that name."""
        return self._slots.get(name)

    def add(self, slot: Slot) -> None:
        """Add a slot; its child starts last and stops first."""
        self._slots[slot.name] = slot

    def remove(self, slot: Slot) -> None:
        """Forget a slot."""
        self._slots.pop(slot.name, None)

    def reorder(self, names: Iterable[str]) -> None:
        """Put the slots into another order; all of them must be named."""
        self._slots = {name: self._slots[name] for name in names}

    def which(self) -> tuple[ChildInfo, ...]:
        """Describe all, the newest first, as OTP's `which_children` does."""
        return tuple(slot.info() for slot in reversed(self))

    def count(self) -> ChildCounts:
        """Count all."""
        presences = [PRESENCES[slot.state] for slot in self]
        supervisors = sum(isinstance(slot.spec, SUPERVISOR_SPECS) for slot in self)
        return ChildCounts(
            specs=len(self),
            active=presences.count(Presence.RUNNING),
            supervisors=supervisors,
            workers=len(self) - supervisors,
        )
