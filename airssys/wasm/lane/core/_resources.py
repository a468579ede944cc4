"""Resources between the host and the guests of this lane.

To a guest a resource of the host is a number, for which `HostThings` has the object. To
the host a resource of a guest is a `GuestResource`, which the guest's store keeps alive
until it is given back or dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from airssys.wasm.lane.abi import (
    CallScope,
    ComponentState,
    drop,
    lift_borrow,
    lift_own,
    lower_borrow,
    lower_own,
)
from airssys.wasm.values import ValueUnfit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airssys.wasm.lane.components import ResourceType

_NUMBERS: Final = 2**32


@final
class GuestResource:
    """A resource that a guest defines and the host owns."""

    __slots__ = ("is_owned", "owner", "representation", "resource")

    def __init__(self, owner: object, resource: str, representation: int) -> None:
        self.owner, self.resource = owner, resource
        self.representation = representation
        self.is_owned = True
        """Whether it is the host's still."""


@final
class HostThings:
    """The host's objects that the guest of one store may hold, by number."""

    def __init__(self) -> None:
        self._things: dict[int, tuple[str, Any]] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._things)

    def add(self, resource: str, thing: object) -> int:
        """Give an object a number."""
        while True:
            self._last = (self._last + 1) % _NUMBERS
            if self._last not in self._things:
                self._things[self._last] = resource, thing
                return self._last

    def find(self, number: int) -> Any:
        """Look an object up."""
        return self._things[number][1]

    def remove(self, number: int) -> tuple[str, Any]:
        """Forget an object; returns its resource and itself."""
        return self._things.pop(number)

    def clear(self) -> list[tuple[str, Any]]:
        """Forget all objects; returns them."""
        left, self._things = list(self._things.values()), {}
        return left


@final
class CallHandles:
    """The handles of one component instance, for the values of one call."""

    __slots__ = (
        "_borrowed",
        "_given",
        "_instance",
        "_lent",
        "_owner",
        "_resources",
        "_state",
        "_things",
        "scope",
    )

    def __init__(
        self,
        owner: object,
        instance: int,
        state: ComponentState,
        resources: Mapping[str, ResourceType],
        things: HostThings,
    ) -> None:
        self._owner, self._instance, self._state = owner, instance, state
        self._resources, self._things = resources, things
        self._lent: list[int] = []
        """Numbers of what the host has lent for this call."""
        self._borrowed: list[tuple[int, str]] = []
        self._given: list[tuple[int, str, Any]] = []
        """Handles of what the host has given away, until the call has begun."""
        self.scope = CallScope()

    def lift_own(self, handle: int, resource: str) -> Any:
        """Take what a handle stands for."""
        representation = lift_own(self._state, handle, resource)
        if self._resources[resource].instance is None:
            return self._things.remove(representation)[1]
        return GuestResource(self._owner, resource, representation)

    def lift_borrow(self, handle: int, resource: str) -> Any:
        """Look up what a handle stands for."""
        representation = lift_borrow(self._state, handle, resource, self.scope)
        if self._resources[resource].instance is None:
            return self._things.find(representation)
        return GuestResource(self._owner, resource, representation)

    def lower_own(self, thing: Any, resource: str) -> int:
        """Give something away."""
        number = self._number(thing, resource)
        if isinstance(thing, GuestResource):
            thing.is_owned = False
        handle = lower_own(self._state, number, resource)
        self._given.append((handle, resource, thing))
        return handle

    def lower_borrow(self, thing: Any, resource: str) -> int:
        """Lend something for this call."""
        number = self._number(thing, resource)
        if self._resources[resource].instance == self._instance:
            return number
        if not isinstance(thing, GuestResource):
            self._lent.append(number)
        handle = lower_borrow(self._state, number, resource, self.scope)
        self._borrowed.append((handle, resource))
        return handle

    def undo(self) -> None:
        """Take back what was given away and lent: the call does not begin."""
        given, self._given = self._given, []
        for handle, resource, thing in given:
            number = lift_own(self._state, handle, resource)
            if isinstance(thing, GuestResource):
                thing.is_owned = True
            else:
                self._things.remove(number)
        borrowed, self._borrowed = self._borrowed, []
        for handle, resource in borrowed:
            drop(self._state, handle, resource)
        self.end()

    def end(self) -> None:
        """Return what was lent.

        Raises:
            RuleBroken: something that was borrowed is still there.
        """
        lent, self._lent = self._lent, []
        for number in lent:
            self._things.remove(number)
        self.scope.end()

    def _number(self, thing: Any, resource: str) -> int:
        if self._resources[resource].instance is None:
            if thing is None:
                raise ValueUnfit(f"None is not a {resource}")
            return self._things.add(resource, thing)
        if (
            not isinstance(thing, GuestResource)
            or thing.owner is not self._owner
            or thing.resource != resource
            or not thing.is_owned
        ):
            problem = f"this is not a {resource} of the instance, or is given away"
            raise ValueUnfit(problem)
        return thing.representation
