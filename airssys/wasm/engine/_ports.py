"""The stores and calls that guests are driven with, whatever runs in them.

`airssys.wasm.lane` runs components as core modules, `airssys.wasm.fallback` by wasmtime's
component API. The stores and calls of both obey the same rules (`_fiber`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airssys.wasm.values import Budget

    from ._callbacks import HostCall
    from ._handles import HeldThings, HostResources

UNLIMITED_FUEL: Final = 2**63 - 1


class GuestCall(Protocol):
    """One call of a guest, from its start until it is closed.

    What is called a marshaller moves the values of one function, if the lane needs it.
    """

    answered: bool
    finished: bool
    owner: object

    @property
    def host_call(self) -> HostCall | None:
        """What the guest waits for; None while it runs or after the answer."""
        ...

    def poll(self, owner: object) -> bool:
        """Run the guest until it finishes, calls the host or has used up its epochs."""
        ...

    def take_arguments(self, marshaller: Any, budget: Budget) -> list[Any]:
        """Read the arguments of the host call."""
        ...

    def answer(self, owner: object, marshaller: Any, value: Any) -> None:
        """Give the guest the answer to its host call."""
        ...

    def renew_deadline(self) -> None:
        """Give the guest a whole slice to continue after its host call."""
        ...

    def take_result(self, marshaller: Any, budget: Budget) -> Any:
        """Read what the guest answered, once."""
        ...

    def close(self) -> None:
        """End the call wherever it is; calling it again does nothing."""
        ...


class GuestStore(Protocol):
    """One guest: its memories, and one call at a time."""

    @property
    def closed(self) -> bool:
        """Whether the store is deleted."""
        ...

    def limit(
        self, memory_bytes: int, table_elements: int, memories: int, tables: int
    ) -> None:
        """Limit each memory in bytes and each table in elements, and their numbers."""
        ...

    def refuel(self, fuel: int) -> None:
        """Refill the fuel to `fuel`, whatever was left."""
        ...

    def instantiate(self, linker: int, component: int, *, owner: object) -> GuestCall:
        """Begin to make an instance; the call is done when it exists."""
        ...

    def number_functions(self, export_indices: Iterable[int]) -> None:
        """Number the exports."""
        ...

    def lower(
        self, number: int, marshaller: Any, values: Sequence[Any], keep: int
    ) -> Any:
        """Lay out arguments of the next call; its result may have `keep` bytes."""
        ...

    def call(
        self, number: int, marshaller: Any, frame: Any, *, owner: object
    ) -> GuestCall:
        """Begin to call a function; the frame belongs to the call from now on."""
        ...

    def call_and_poll(
        self,
        number: int,
        marshaller: Any,
        frame: Any,
        budget: Budget,
        *,
        owner: object,
    ) -> tuple[GuestCall | None, Any]:
        """Begin a call and poll it once; returns it, or its result if it finished."""
        ...

    def give_resources(self, resources: HostResources) -> HeldThings:
        """Let the guest hold the host's resources; the store owns their table."""
        ...

    def close(self) -> None:
        """Delete the store, its call first; calling it again does nothing."""
        ...
