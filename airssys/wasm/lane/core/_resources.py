"""Resources between the host and the guests of this lane.

To a guest a resource of the host is a number, for which `HostThings` has the object. To
the host a resource of a guest is a `GuestResource`: the host owns it until it gives it
back or closes it, and lends it to calls.

A resource of a guest has a destructor, which is code of the guest. So it runs like a
call: on a fiber, in turns, within the limits of the instance. `GuestResource.aclose`
makes that call. A `GuestResource` that the garbage collector finds may be found at any
moment, also while guest code runs: its finaliser only notes what must be dropped, and
the instance drops it before its next call.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, Self, final

from airssys.contracts import EngineMisused
from airssys.wasm.engine import HeldThings, HostResources
from airssys.wasm.lane.abi import (
    CallScope,
    ComponentState,
    Entry,
    drop,
    lift_borrow,
    lift_own,
    lower_borrow,
    lower_own,
)
from airssys.wasm.lane.components import ResourceVerb
from airssys.wasm.values import ValueUnfit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airssys.wasm.engine import OpenStore
    from airssys.wasm.lane.components import Plan, ResourceFunction, ResourceType

    from ._linking import Linking, Source


class ResourceUser(Protocol):
    """The caller of an instance, which alone can run what its resources need."""

    async def call(self, name: str, *values: Any) -> Any:
        """Call an export."""
        ...

    async def drop_abandoned(self) -> None:
        """Drop what the instance has noted, now or before the next call."""
        ...


@final
class GuestResources:
    """What one instance of a component knows of the resources that it defines."""

    def __init__(
        self, names: Mapping[str, str], destructors: Mapping[str, Source]
    ) -> None:
        self._names, self._destructors = names, destructors
        self.abandoned: deque[GuestResource | AbandonedResource] = deque()
        """What has to be dropped before the next call."""
        self.user: Callable[[], ResourceUser | None] | None = None
        """The caller of the instance, if there is one that can run destructors."""
        self.made: weakref.WeakSet[GuestResource] = weakref.WeakSet()
        """What the host was given."""

    @property
    def are_held(self) -> bool:
        """Whether the host holds some, or has not dropped them yet."""
        return bool(self.abandoned) or any(each.is_owned for each in self.made)

    def name_of(self, resource: str) -> str:
        """Give the name under which the component exports a resource."""
        return self._names.get(resource, "resource that it does not export")

    async def close(self, resource: GuestResource) -> None:
        """Run the destructor of a resource, as a call of the instance."""
        resource.give_away()
        user = None if self.user is None else self.user()
        if user is not None and resource.resource in self._destructors:
            self.abandoned.append(resource)
            await user.drop_abandoned()

    async def call_method(
        self, resource: GuestResource, name: str, values: tuple[Any, ...]
    ) -> Any:
        """Call a method of a resource."""
        user = None if self.user is None else self.user()
        if user is None:
            raise EngineMisused("the instance that defines this resource is closed")
        interface, _, own = resource.name.rpartition("#")
        method = f"[method]{own}.{name}"
        full = f"{interface}#{method}" if interface else method
        return await user.call(full, resource, *values)

    def next_to_drop(self) -> tuple[Source, int] | None:
        """Take what is to be dropped next: its destructor, and its representation."""
        while self.abandoned:
            left = self.abandoned.popleft()
            source = self._destructors.get(left.resource)
            if source is not None:
                return source, left.representation
        return None


@final
class AbandonedResource:
    """What is left of a `GuestResource` that the garbage collector has found."""

    __slots__ = ("representation", "resource")

    def __init__(self, resource: str, representation: int) -> None:
        self.resource, self.representation = resource, representation


@final
class GuestResource:
    """A resource that a guest defines and that the host owns.

    It may be given to functions of the same instance: where they take `own`, the guest
    has it from then on; where they take `borrow`, it is lent for that call. Close it
    when it is not needed any more; `async with` does so.
    """

    __slots__ = (
        "__weakref__",
        "is_owned",
        "lends",
        "owner",
        "representation",
        "resource",
    )

    def __init__(
        self, owner: GuestResources, resource: str, representation: int
    ) -> None:
        self.owner, self.resource = owner, resource
        self.representation = representation
        self.is_owned = True
        """Whether it is the host's still: neither given away nor closed."""
        self.lends = 0
        """How many times it is lent to the present call."""
        owner.made.add(self)

    @property
    def name(self) -> str:
        """The name of the resource, as the component exports it."""
        return self.owner.name_of(self.resource)

    async def call(self, name: str, /, *values: Any) -> Any:
        """Call a method of this resource, by its own name; returns its result.

        Raises:
            KeyError: The resource has no such method.
            ValueUnfit: A value does not fit, or this resource was given away or closed.
            GuestTrapped: The call was stopped; the instance is spent.
        """
        return await self.owner.call_method(self, name, values)

    async def aclose(self) -> None:
        """Have the guest's destructor run, unless it was given away or closed before.

        While the instance is in a call of its own, the destructor runs before the next
        call. If the instance is closed or spent, there is nothing left to be done.

        Raises:
            EngineMisused: It is lent to a call that has not ended.
            GuestTrapped: The destructor was stopped; the instance is spent.
        """
        if self.is_owned:
            await self.owner.close(self)

    def give_away(self) -> None:
        """Note that the host has it no more.

        Raises:
            EngineMisused: It is lent to a call that has not ended.
        """
        if self.lends:
            raise EngineMisused(f"this {self.name} is lent to a call: wait for its end")
        self.is_owned = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "" if self.is_owned else ", given away or closed"
        return f"<{self.name} of a guest{state}>"

    def __del__(self) -> None:
        if getattr(self, "is_owned", False):
            left = AbandonedResource(self.resource, self.representation)
            self.owner.abandoned.append(left)


@final
class HostThings(HeldThings):
    """The host's objects that the guest of one store may hold, by number."""

    __slots__ = ("_lent",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._lent: dict[int, object] = {}
        """What the present call of the guest was lent."""

    def give(self, resource: str, thing: object) -> int:
        """Give an object away; returns its number."""
        number = self._free_number()
        self._things[number] = resource, thing
        self._resources.note_owner(resource, thing)
        return number

    def lend(self, thing: object) -> int:
        """Lend an object until the end of the call; returns its number."""
        number = self._free_number()
        self._lent[number] = thing
        return number

    def find(self, number: int) -> Any:
        """Look an object up."""
        return self._lent[number] if number in self._lent else self._things[number][1]

    def take(self, number: int) -> Any:
        """Take an object back: it is the host's again as soon as that is accepted."""
        entry = self._things.pop(number)
        self._taken.append(entry)
        return entry[1]

    def end_call(self) -> None:
        """Take back what was lent for the call."""
        self._lent.clear()

    def _free_number(self) -> int:
        while True:
            number = self._new_number()
            if number not in self._lent:
                return number


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
        owner: GuestResources,
        instance: int,
        state: ComponentState,
        resources: Mapping[str, ResourceType],
        things: HostThings,
    ) -> None:
        self._owner, self._instance, self._state = owner, instance, state
        self._resources, self._things = resources, things
        self._lent: list[GuestResource] = []
        """What the host has lent for this call."""
        self._borrowed: list[tuple[int, str]] = []
        self._given: list[tuple[int, str, Any]] = []
        """Handles of what the host has given away, until the call has begun."""
        self.scope = CallScope()

    def lift_own(self, handle: int, resource: str) -> Any:
        """Take what a handle stands for."""
        representation = lift_own(self._state, handle, resource)
        if self._resources[resource].instance is None:
            return self._things.take(representation)
        return GuestResource(self._owner, resource, representation)

    def lift_borrow(self, handle: int, resource: str) -> Any:
        """Look up what a handle stands for; only the host's own are lent to it."""
        representation = lift_borrow(self._state, handle, resource, self.scope)
        return self._things.find(representation)

    def accept(self) -> None:
        """Accept the resources in a value, after the whole value was read."""
        self._things.accept()

    def lower_own(self, thing: Any, resource: str) -> int:
        """Give something away."""
        if self._resources[resource].instance is None:
            number = self._things.give(resource, _some(thing, resource))
        else:
            number = self._own(thing, resource).representation
            if thing.lends:
                raise ValueUnfit(f"this {thing.name} is lent to the same call")
            thing.is_owned = False
        handle = lower_own(self._state, number, resource)
        self._given.append((handle, resource, thing))
        return handle

    def lower_borrow(self, thing: Any, resource: str) -> int:
        """Lend something for this call."""
        if self._resources[resource].instance is None:
            number = self._things.lend(_some(thing, resource))
        else:
            number = self._own(thing, resource).representation
            thing.lends += 1
            self._lent.append(thing)
            if self._resources[resource].instance == self._instance:
                return number
        handle = lower_borrow(self._state, number, resource, self.scope)
        self._borrowed.append((handle, resource))
        return handle

    def undo(self) -> None:
        """Take back what was given away and lent: the value does not fit."""
        given, self._given = self._given, []
        for handle, resource, thing in given:
            number = lift_own(self._state, handle, resource)
            if isinstance(thing, GuestResource):
                thing.is_owned = True
            else:
                self._things.take(number)
                self._things.accept()
        borrowed, self._borrowed = self._borrowed, []
        for handle, resource in borrowed:
            drop(self._state, handle, resource)
        self._return_lent()

    def end(self) -> None:
        """Return what was lent.

        Raises:
            RuleBroken: something that was borrowed is still there.
        """
        self._return_lent()
        self.scope.end()

    def _return_lent(self) -> None:
        lent, self._lent = self._lent, []
        for thing in lent:
            thing.lends -= 1

    def _own(self, thing: Any, resource: str) -> GuestResource:
        if (
            not isinstance(thing, GuestResource)
            or thing.owner is not self._owner
            or thing.resource != resource
        ):
            name = self._owner.name_of(resource)
            raise ValueUnfit(f"{thing!r:.80} is not a {name} of this instance")
        if not thing.is_owned:
            raise ValueUnfit(f"this {thing.name} was given away or closed")
        return thing


class KnownResources(Protocol):
    """What a component's code says of its resources."""

    plan: Plan
    linking: Linking
    host_resources: list[str]
    """Those of the host, by name."""
    shown_names: dict[str, str]
    """By name: one that it is exported under."""


class ResourceHolder:
    """The resources of one instance, each side of which is made when it is needed."""

    __slots__ = ("_known", "_resources", "_states", "_things", "dropped", "opened")

    def __init__(self, known: KnownResources, opened: OpenStore) -> None:
        self._known, self.opened = known, opened
        self._states: list[ComponentState] | None = None
        self._things: HostThings | None = None
        self._resources: GuestResources | None = None
        self.dropped: list[int] = []
        """Numbers of the host's things that the guest has let go."""

    @property
    def states(self) -> list[ComponentState]:
        """The handles of each component instance in it."""
        states = self._states
        if states is None:
            states = self._states = []
            for parent in self._known.plan.parents:
                around = None if parent is None else states[parent]
                states.append(ComponentState(around))
        return states

    @property
    def things(self) -> HostThings:
        """The host's resources that the guest may hold."""
        if self._things is None:
            names = dict.fromkeys(self._known.host_resources)
            return self.give_resources(HostResources(names))
        return self._things

    @property
    def resources(self) -> GuestResources:
        """The resources that the guest defines."""
        if self._resources is None:
            destructors = self._known.linking.destructors
            self._resources = GuestResources(self._known.shown_names, destructors)
        return self._resources

    @property
    def has_abandoned(self) -> bool:
        """Whether something that the guest defines is to be dropped."""
        return self._resources is not None and bool(self._resources.abandoned)

    def give_resources(self, resources: HostResources) -> HostThings:
        """Say what the host's resources are that the guest may hold."""
        things = self._things = HostThings(resources, self.dropped)
        if resources.destructors:
            self.opened.handles = things
        return things

    def handles_for(self, instance: int) -> CallHandles:
        """Make the handles for one call."""
        state = self.states[instance]
        kinds = self._known.plan.resources
        return CallHandles(self.resources, instance, state, kinds, self.things)


def _some(thing: Any, resource: str) -> Any:
    if thing is None:
        raise ValueUnfit(f"None is not a {resource}")
    return thing


def work_on_handle(
    one: ResourceFunction, state: ComponentState, core: int, dropped: list[int]
) -> tuple[int, ...]:
    """Do what a core module wants with a handle; returns the core results.

    The numbers of the host's things that are dropped are added to `dropped`. What is
    dropped of a resource with a destructor is returned to its adapter, which runs that.

    Raises:
        RuleBroken: it may not be done.
    """
    name = one.resource.name
    if one.verb is ResourceVerb.REP:
        return (state.find(core, name).representation,)
    if one.verb is ResourceVerb.NEW:
        return (state.add(Entry(name, core, None)),)
    representation = drop(state, core, name)
    if one.resource.instance is None:
        if representation is not None:
            dropped.append(representation)
        return ()
    if one.resource.destructor is None:
        return ()
    return representation or 0, int(representation is not None)
