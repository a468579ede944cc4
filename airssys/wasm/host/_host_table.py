"""The host's side of a component's imports: each function under its number.

Interfaces say what the host gives; a component says what it imports, and with which
types. A table brings the two together, once, when the component is loaded: from then on
a call needs no names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from airssys.contracts import ComponentRefused, is_a
from airssys.wasm.engine import HostResources, refuse_awaitable
from airssys.wasm.values import CallValues, Err, Function, Ok, Result

from ._contexts import Contexts
from ._host_interface import (
    FunctionKind,
    HostFunction,
    HostInterface,
    Implementation,
    SameAs,
    other_version,
    same_interface,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ._any_world import ImportedTypes

_PLAIN: Final = frozenset(
    {NoneType, bool, int, float, str, bytes, tuple, list, Ok, Err}
)
"""Classes of answers that cannot be awaitable, so that they need no further check."""


@final
@attrs.frozen
class BoundFunction:
    """One import: where it stands, how its values move, what it does."""

    interface: str
    """As the component imports it."""
    name: str
    kind: FunctionKind
    marshaller: CallValues = attrs.field(eq=False, repr=False)
    implementation: Implementation = attrs.field(eq=False, repr=False)
    """Takes the context and the arguments; returns the answer, or an awaitable of it."""
    context: int
    """The place of its context among those of the instance."""
    at_once: Implementation | None = attrs.field(eq=False, repr=False)
    longest: Callable[..., float] | None = attrs.field(eq=False, repr=False)
    finish: Callable[[Any], Any] | None = attrs.field(eq=False, repr=False)
    counts: bool
    waits: bool = attrs.field(init=False)

    @waits.default
    def _is_waiting(self) -> bool:
        return self.kind is FunctionKind.WAITING

    @property
    def full_name(self) -> str:
        """Interface and name, as the component has them."""
        return f"{self.interface}#{self.name}" if self.interface else self.name


@final
@attrs.frozen
class HostTable:
    """All that one component, or every component of one world, may call."""

    interfaces: tuple[HostInterface, ...]
    functions: tuple[BoundFunction, ...]
    """The place of each is its number in the linker."""
    resources: HostResources = attrs.field(factory=lambda: HostResources({}))
    resource_names: Mapping[str, str] = attrs.field(factory=dict)
    """By the names under which they are imported: the first name of the same one."""
    most_params: int = attrs.field(init=False)

    @most_params.default
    def _count_params(self) -> int:
        return max((f.marshaller.count for f in self.functions), default=0)

    def contexts(self) -> Contexts:
        """Make room for the contexts of one instance."""
        return Contexts(self.interfaces)

    def no_contexts(self) -> Contexts:
        """Return the contexts of an instance that must not call the host."""
        return Contexts.of_nobody(self.interfaces)

    def number_of(self, imported: str) -> int:
        """Find a function by the full name that a component imports it under.

        Raises:
            LookupError: there is none.
        """
        where, _, name = imported.rpartition("#")
        for number, each in enumerate(self.functions):
            if each.name == name and same_interface(each.interface, where):
                return number
        raise LookupError(imported)

    def instant(self, imported: Iterable[str]) -> dict[str, Implementation]:
        """Those of a component's imports that run on the stack of a guest.

        They take the contexts of all interfaces (`Contexts.objects`) first. What moves
        resources is not among them: destructors are called before it.

        Raises:
            LookupError: there is no such function.
        """
        found = ((full, self.functions[self.number_of(full)]) for full in imported)
        return {
            full: _picking(each)
            for full, each in found
            if each.kind is FunctionKind.INSTANT and not each.marshaller.moves_resources
        }

    def moved_by(self, marshaller: Callable[[Function], CallValues]) -> HostTable:
        """Return this table with marshallers of another kind."""
        functions = [
            attrs.evolve(f, marshaller=marshaller(f.marshaller.signature))
            for f in self.functions
        ]
        return attrs.evolve(self, functions=tuple(functions))

    def joined(self, more: HostTable) -> HostTable:
        """This table, and another one behind it, which alone may have resources."""
        moved = [
            attrs.evolve(f, context=f.context + len(self.interfaces))
            for f in more.functions
        ]
        return HostTable(
            (*self.interfaces, *more.interfaces),
            (*self.functions, *moved),
            more.resources,
            more.resource_names,
        )


def _picking(function: BoundFunction) -> Implementation:
    """Let a function take all contexts, and get its own."""
    place, act, finish = function.context, function.implementation, function.finish

    def pick(contexts: Sequence[object], *arguments: Any) -> Any:
        return act(contexts[place], *arguments)

    if finish is None:
        return pick
    return lambda contexts, *arguments: finish(pick(contexts, *arguments))


def bind_all(interfaces: Sequence[HostInterface]) -> HostTable:
    """Make a table of all functions of interfaces that state their types."""
    functions = tuple(
        _bound(interface, place, interface.name, name, function.type)
        for place, interface in enumerate(interfaces)
        for name, function in interface.functions.items()
        if function.type is not None
    )
    return HostTable(tuple(interfaces), functions)


def bind(
    imported: ImportedTypes, interfaces: Sequence[HostInterface], label: str
) -> HostTable:
    """Make the table of what a component imports; its order is that of the imports.

    Raises:
        ComponentRefused: naming all that is missing, or has other types.
    """
    binding = _Binding(interfaces, label)
    binding.check(imported)
    functions = []
    for full, signature in imported.functions.items():
        where, _, name = full.rpartition("#")
        interface = binding.find(where)
        place = binding.interfaces.index(interface)
        functions.append(_bound(interface, place, where, name, signature))
    resources = binding.resources_for(imported)
    return HostTable(
        binding.interfaces, tuple(functions), resources, imported.resources
    )


def _bound(
    interface: HostInterface, place: int, where: str, name: str, signature: Function
) -> BoundFunction:
    given = interface.functions[name]
    guarded = _Guard(interface, name, signature)
    attempt = given.at_once
    return BoundFunction(
        where,
        name,
        given.kind,
        CallValues(signature),
        guarded.wrap(given),
        place,
        attempt and guarded.attempt(attempt),
        given.longest,
        given.finish,
        given.counts,
    )


@final
class _Guard:
    """Makes of what a function returns or raises the answer that its type asks for."""

    def __init__(
        self, interface: HostInterface, name: str, signature: Function
    ) -> None:
        self._errors = interface.errors
        self._is_result = isinstance(signature.result, Result)
        self._caught = tuple(interface.errors) if self._is_result else ()
        self._whose = f"the host function {interface.full_name(name)}"

    def wrap(self, function: HostFunction) -> Implementation:
        act, caught, answer = function.act, self._caught, self._answer
        if function.kind is FunctionKind.WAITING:

            async def act_later(context: Any, *arguments: Any) -> Any:
                try:
                    return answer(await act(context, *arguments))
                except caught as error:
                    return self._case(error)

            return act_later
        if function.kind is FunctionKind.INSTANT and not self._is_result:
            return act

        def act_now(context: Any, *arguments: Any) -> Any:
            try:
                return answer(act(context, *arguments))
            except caught as error:
                return self._case(error)

        return act_now

    def attempt(self, act: Implementation) -> Implementation:
        caught, answer = self._caught, self._answer

        def try_now(context: Any, *arguments: Any) -> Any:
            try:
                value = act(context, *arguments)
            except caught as error:
                return self._case(error)
            return None if value is None else answer(value)

        return try_now

    def _answer(self, value: Any) -> Any:
        kind = type(value)
        if kind not in _PLAIN:
            advice = "write it with `async def`, so that it may wait"
            refuse_awaitable(value, self._whose, advice)
        if self._is_result and kind is not Ok and kind is not Err:
            return Ok(value)
        return value

    def _case(self, error: Exception) -> Err:
        for kind, make in self._errors.items():
            if is_a(error, kind):
                return Err(make(error))
        raise error


@final
class _Binding:
    """Looks up what a component imports among the interfaces it is given."""

    def __init__(self, interfaces: Sequence[HostInterface], label: str) -> None:
        self.interfaces = tuple(interfaces)
        self._label = label

    def find(self, imported: str) -> HostInterface:
        """Find the interface of an import that was checked."""
        return next(each for each in self.interfaces if each.gives(imported))

    def check(self, imported: ImportedTypes) -> None:
        """See that everything is given, once, and has the types that it should.

        Raises:
            ComponentRefused: naming what is not.
        """
        check_distinct(self.interfaces, self._label)
        missing = self._missing(imported.functions, lambda i: i.functions)
        missing += self._missing(imported.resources, lambda i: i.resources)
        if missing:
            raise ComponentRefused(
                self._label,
                not_provided(self.interfaces, missing, ", ".join(missing)),
                "Give the host these functions and resources",
            )
        wrong = [
            full
            for full, read in imported.functions.items()
            if not self._fits(full, read)
        ]
        if wrong:
            raise ComponentRefused(
                self._label,
                f"it imports {', '.join(wrong)} with other types than the host gives it",
                "Build it for the WIT text that the host's interface was written for",
            )
        self._check_kinds(imported.resources)

    def _missing(
        self, names: Iterable[str], part: Callable[[HostInterface], Mapping[str, Any]]
    ) -> list[str]:
        missing = []
        for full in names:
            where, _, name = full.rpartition("#")
            if not any(i.gives(where) and name in part(i) for i in self.interfaces):
                missing.append(full)
        return missing

    def _fits(self, full: str, read: Function) -> bool:
        where, _, name = full.rpartition("#")
        wanted = self.find(where).functions[name].type
        if wanted is None:
            return True
        kinds = [wit for _, wit in read.params], read.result
        return kinds == ([wit for _, wit in wanted.params], wanted.result)

    def _check_kinds(self, resources: Mapping[str, str]) -> None:
        unlike = [
            f"{name} and {first}"
            for name, first in resources.items()
            if self._kind(name) != self._kind(first)
        ]
        if unlike:
            raise ComponentRefused(
                self._label,
                f"it takes for one resource what are two: {', '.join(unlike)}",
                "Build it for the world that the host provides, or say SameAs there",
            )

    def _kind(self, full: str) -> str:
        """The host's own name of a resource that is imported under this one."""
        where, _, name = full.rpartition("#")
        interface = self.find(where)
        meant = interface.resources[name]
        return (
            meant.resource if isinstance(meant, SameAs) else interface.full_name(name)
        )

    def _own(self, kind: str) -> tuple[HostInterface, str]:
        """Find the interface and the name of a resource that is the same as no other.

        Raises:
            ComponentRefused: there is none.
        """
        where, _, name = kind.rpartition("#")
        for interface in self.interfaces:
            found = interface.resources.get(name) if interface.gives(where) else None
            is_there = interface.gives(where) and name in interface.resources
            if is_there and not isinstance(found, SameAs):
                return interface, name
        raise ComponentRefused(
            self._label,
            f"a resource is to be the same as {kind}, which is missing or a SameAs "
            "itself",
            "Name one in SameAs that has a destructor or None",
        )

    def resources_for(self, imported: ImportedTypes) -> HostResources:
        """Number the resources that a component imports."""
        destructors, kinds, owners = {}, {}, {}
        for name in dict.fromkeys(imported.resources.values()):
            kind = kinds[name] = self._kind(name)
            interface, own = self._own(kind)
            found = interface.resources[own]
            destructors[name] = None if isinstance(found, SameAs) else found
            owners[kind] = interface.owners
        return HostResources(destructors, kinds, owners)


def check_distinct(interfaces: Sequence[HostInterface], label: str) -> None:
    """See that no import could be given by two interfaces.

    Raises:
        ComponentRefused: one could.
    """
    for place, one in enumerate(interfaces):
        for other in interfaces[:place]:
            if one.gives(other.name):
                raise ComponentRefused(
                    label,
                    f"the host gives {one.name} and {other.name}, which are for the same "
                    "imports",
                    "Give one interface for each major and minor version",
                )


def not_provided(
    interfaces: Sequence[HostInterface], missing: Sequence[str], listed: str
) -> str:
    """Say what is missing, and which other version of it there is."""
    text = f"it imports {listed}, which this host does not provide"
    for full in missing:
        imported = full.partition("#")[0]
        given = other_version(interfaces, imported)
        if given is not None and not given.gives(imported):
            return (
                f"{text} (the host gives {given.name}; the major and minor number must "
                "be the same)"
            )
    return text
