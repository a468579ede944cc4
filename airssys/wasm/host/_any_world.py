"""Components of any world: what they import and export, and who gives it to them.

Actors live in one world, `_world`. This is for everybody else: the types are read from
the component itself, and the host's side is a table of Python functions and resources.
Names are `interface#function`, or the function's name alone where it stands in none.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, final

import attrs
from wasmtime import component as their

from airssys.contracts import ComponentRefused
from airssys.wasm.engine import (
    Destructor,
    HandleTable,
    HostResources,
    Owners,
    refuse_awaitable,
)
from airssys.wasm.values import Function, Marshaller, Unspeakable, read_function

from ._core_functions import HostFunction

if TYPE_CHECKING:
    import wasmtime

_ADVICE: Final = "Build it for a world whose values can be moved"


@final
@attrs.frozen
class AnyWorld:
    """What one component imports and exports, by name."""

    imports: Mapping[str, Function]
    exports: Mapping[str, Function]
    resources: Mapping[str, str]
    """The host's resources by the names they are imported under. A resource that is
    imported twice has two names; the value is the first of them."""


@final
@attrs.frozen
class SameAs:
    """Another name of a resource: `SameAs("acme:shop/till#drawer")`."""

    resource: str


@final
@attrs.frozen
class Host:
    """What the host gives to components of any world.

    Raises:
        ValueError: a `SameAs` names what is no resource of its own here.
    """

    functions: Mapping[str, Callable[..., Any]] = attrs.field(factory=dict)
    """By name; those that are async, or objects with an async `__call__`, may wait."""
    resources: Mapping[str, Destructor | SameAs | None] = attrs.field(factory=dict)
    """Destructors by the name of the resource, such as `acme:shop/till#drawer`. Two
    names are two resources, unless one is `SameAs` the other. An object that was given
    away several times has its destructor called once, when the last guest lets it go.
    """
    _owners: Owners = attrs.field(factory=Owners, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        for name, meant in self.resources.items():
            if isinstance(meant, SameAs) and (
                meant.resource not in self.resources
                or isinstance(self.resources[meant.resource], SameAs)
            ):
                raise ValueError(
                    f"the resource {name} is to be the same as {meant.resource}, which "
                    "is no resource of its own: name one that has a destructor or None"
                )

    def check(self, world: AnyWorld, label: str) -> None:
        """See that nothing is missing.

        Raises:
            ComponentRefused: naming all that is.
        """
        missing = [name for name in world.imports if name not in self.functions]
        missing += [name for name in world.resources if name not in self.resources]
        if missing:
            raise ComponentRefused(
                label,
                f"it imports {', '.join(missing)}, which nobody provides",
                "Give the host these functions and resources",
            )
        unlike = [
            f"{name} and {first}"
            for name, first in world.resources.items()
            if self._kind_of(name) != self._kind_of(first)
        ]
        if unlike:
            raise ComponentRefused(
                label,
                f"it takes for one resource what are two: {', '.join(unlike)}",
                "Build it for the world that the host provides, or say SameAs there",
            )

    def _kind_of(self, name: str) -> str:
        meant = self.resources[name]
        return meant.resource if isinstance(meant, SameAs) else name

    def functions_for(self, world: AnyWorld) -> tuple[HostFunction, ...]:
        """Make the table of a component's imports; its order is their number."""
        return tuple(
            _host_function(name, signature, self.functions[name])
            for name, signature in world.imports.items()
        )

    def resources_for(self, world: AnyWorld) -> HostResources:
        """Number the resources that a component imports."""
        kinds = {name: self._kind_of(name) for name in world.resources.values()}
        destructors = {
            name: None if isinstance(found, SameAs) else found
            for name, kind in kinds.items()
            for found in (self.resources[kind],)
        }
        return HostResources(destructors, kinds, self._owners)


def _is_async(act: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine: also for an object that is called."""
    while isinstance(act, functools.partial):
        act = act.func
    called = getattr(type(act), "__call__", None)  # noqa: B004  # its kind is asked for
    return inspect.iscoroutinefunction(act) or inspect.iscoroutinefunction(called)


def _host_function(
    name: str, signature: Function, act: Callable[..., Any]
) -> HostFunction:
    waits, whose = _is_async(act), f"the host function {name}"

    def answer(handles: HandleTable, *arguments: Any) -> Any:
        handles.drop_noted()
        result = act(*arguments)
        refuse_awaitable(
            result, whose, "write it with `async def`, so that it may wait"
        )
        return result

    async def answer_later(handles: HandleTable, *arguments: Any) -> Any:
        handles.drop_noted()
        return await act(*arguments)

    interface, _, own_name = name.rpartition("#")
    implementation = answer_later if waits else answer
    marshaller = Marshaller(signature)
    return HostFunction(interface, own_name, marshaller, implementation, waits)


def read_world(
    engine: wasmtime.Engine, compiled: their.Component, label: str
) -> AnyWorld:
    """Read what a component says of itself.

    Raises:
        ComponentRefused: naming all that cannot be spoken to.
    """
    kind = compiled.type
    imported, exported = _Side(engine), _Side(engine)
    imported.read("", kind.imports(engine))
    exported.read("", kind.exports(engine))
    wrong = [f"its import {name} is {what}" for name, what in imported.others.items()]
    first = {
        name: next(other for other, same in imported.resources.items() if same == each)
        for name, each in imported.resources.items()
    }
    known = {name: imported.resources[name] for name in first.values()}
    functions = []
    for side, word in ((imported, "import"), (exported, "export")):
        read = {}
        for name, stated in side.functions.items():
            try:
                read[name] = read_function(stated, known)
            except Unspeakable as error:
                wrong.append(f"its {word} {name} has {error}")
        functions.append(read)
    if wrong:
        raise ComponentRefused(label, "; ".join(wrong), _ADVICE)
    return AnyWorld(functions[0], functions[1], first)


@final
class _Side:
    """The imports, or the exports, by name and by what they are."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = engine
        self.functions: dict[str, their.FuncType] = {}
        self.resources: dict[str, their.ResourceType] = {}
        self.others: dict[str, str] = {}

    def read(self, interface: str, items: Mapping[str, Any]) -> None:
        for name, item in items.items():
            full = f"{interface}#{name}" if interface else name
            try:
                kind = getattr(item, "ty", item)  # wasmtime 48 gives the type itself
            except TypeError:
                continue  # a type that no function here may mention
            if isinstance(kind, their.FuncType):
                self.functions[full] = kind
            elif isinstance(kind, their.ResourceType):
                self.resources[full] = kind
            elif isinstance(kind, their.ComponentInstanceType) and not interface:
                self.read(name, kind.exports(self._engine))
            elif not isinstance(kind, their.ValType):
                word = type(kind).__name__.removesuffix("Type").lower()
                self.others[full] = f"a {word}"
