"""The resources that one store of wasmtime's component API holds.

The box that C allocates for a handle is ours until it is deleted. Boxes of arguments
exist as long as their call reads them; the ledger calls `end_call`, which deletes them.
"""

from __future__ import annotations

from typing import final

from airssys.wasm import _c_api as c
from airssys.wasm.engine import HeldThings, HostResources
from airssys.wasm.values import Block


@final
class HandleTable(HeldThings):
    """The resources that one store of wasmtime's component API holds."""

    __slots__ = ("_context", "_in_call", "_made", "_numbers", "_out")

    def __init__(
        self, context: int, resources: HostResources, noted: list[int]
    ) -> None:
        super().__init__(resources, noted)
        self._context = context
        self._numbers = {
            name: resources.number_of(name) for name in resources.destructors
        }
        self._made: list[tuple[int, int, bool]] = []
        """Boxes of values that are being laid out: address, number, whether owned."""
        self._in_call: list[tuple[int, int, bool]] = []
        """Boxes that the current call may read."""
        self._out = Block(8)

    def lower(self, resource: str, thing: object, *, owned: bool) -> int:
        """Make a handle for an object; returns the address of its box, 0 for None."""
        number = self._new_number()
        host = c.resource_host_new(True, number, self._numbers[resource])  # noqa: FBT003  # C has no keywords
        error = c.resource_host_to_any(self._context, host, self._out.base)
        c.resource_host_delete(host)
        if error:
            c.error_delete(error)
            return 0
        self._things[number] = (resource, thing)
        box = self._out.words[0]
        self._made.append((box, number, owned))
        if owned:
            self._resources.note_owner(resource, thing)
        return box

    def lift(self, resource: str, address: int, *, owned: bool) -> object:
        """Return the object of a handle, whose kind wasmtime has checked.

        If it is owned, it belongs to the host from `accept` on.
        """
        number = self._number_in(address)
        if number is None:
            raise LookupError("wasmtime did not return a resource")
        if not owned:
            return self._things[number][1]
        entry = self._things.pop(number)
        self._taken.append(entry)
        return entry[1]

    def undo(self) -> None:
        """Take back all handles in a value that does not fit."""
        made, self._made = self._made, []
        for box, number, owned in made:
            if owned:
                self._is_last(*self._things[number])
            self._take_back(box, number)

    def begin_call(self) -> None:
        """Keep the boxes that were made: they are the arguments of a call."""
        self._in_call, self._made = self._made, []

    def handed_over(self) -> None:
        """Release the boxes that were made: wasmtime has copied them."""
        made, self._made = self._made, []
        for box, _, _ in made:
            c.resource_any_delete(box)

    def end_call(self) -> None:
        """Take back what was lent for the call, and release the other boxes."""
        boxes, self._in_call = self._in_call, []
        for box, number, owned in boxes:
            if owned:
                c.resource_any_delete(box)
            else:
                self._take_back(box, number)

    def _take_back(self, box: int, number: int) -> None:
        """Remove a handle that the host made for itself, or that was not used.

        wasmtime refuses if a guest that was stopped still borrows it. That guest is
        never entered again, so it cannot use the object.
        """
        self._number_in(box)
        self._things.pop(number, None)
        c.resource_any_delete(box)

    def _number_in(self, box: int) -> int | None:
        error = c.resource_any_to_host(self._context, box, self._out.base)
        if error:
            c.error_delete(error)
            return None
        host = self._out.words[0]
        number: int = c.resource_host_rep(host)
        c.resource_host_delete(host)
        return number
