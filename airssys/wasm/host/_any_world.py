"""Components of any world: what they import and export.

Actors use one world, `_core_world`. For every other component the types are read from
the component itself, and the host's side is a list of `HostInterface`s. A name is
`interface#function`, or the function's name alone if it is not in an interface.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, final

import attrs
from wasmtime import component as their

from airssys.contracts import ComponentRefused
from airssys.wasm.engine import Destructor
from airssys.wasm.values import (
    Function,
    Unspeakable,
    WitType,
    read_function,
    read_type,
)

from ._host_interface import HostFunction, HostInterface, SameAs, is_async

if TYPE_CHECKING:
    import wasmtime

_ADVICE: Final = "Build it for a world whose values can be moved"


@final
@attrs.frozen
class ImportedTypes:
    """What one component imports, by name."""

    functions: Mapping[str, Function]
    resources: Mapping[str, str]
    """The host's resources by the names they are imported under. A resource that is
    imported twice has two names; the value is the first of them."""


@final
@attrs.frozen
class AnyWorld:
    """What one component imports and exports, by name."""

    imports: Mapping[str, Function]
    exports: Mapping[str, Function]
    resources: Mapping[str, str]
    """As in `ImportedTypes`."""

    @property
    def imported(self) -> ImportedTypes:
        """What it imports."""
        return ImportedTypes(self.imports, self.resources)


@final
@attrs.frozen
class Host:
    """The predecessor of `HostInterface`; the next version removes it.

    Raises:
        ValueError: a `SameAs` names a resource that is missing here or is a `SameAs`
            itself.
    """

    functions: Mapping[str, Callable[..., Any]] = attrs.field(factory=dict)
    """By full name; they get no context."""
    resources: Mapping[str, Destructor | SameAs | None] = attrs.field(factory=dict)
    """By full name."""
    interfaces: tuple[HostInterface, ...] = attrs.field(
        init=False, eq=False, repr=False
    )
    """The same functions and resources, as a list of `HostInterface` values."""

    @interfaces.default
    def _make_interfaces(self) -> tuple[HostInterface, ...]:
        text = "Host is a list of HostInterface now; it goes with the next version"
        warnings.warn(text, DeprecationWarning, stacklevel=3)
        return interfaces_of(self.functions, self.resources)


def interfaces_of(
    functions: Mapping[str, Callable[..., Any]] | None = None,
    resources: Mapping[str, Destructor | SameAs | None] | None = None,
) -> tuple[HostInterface, ...]:
    """Make interfaces of functions, which get no context, and resources by full name.

    Raises:
        ValueError: a `SameAs` names a resource that is missing here or is a `SameAs`
            itself.
    """
    functions, resources = functions or {}, resources or {}
    for name, meant in resources.items():
        if isinstance(meant, SameAs) and (
            meant.resource not in resources
            or isinstance(resources[meant.resource], SameAs)
        ):
            raise ValueError(
                f"the resource {name} is to be the same as {meant.resource}, which is "
                "missing or a SameAs itself: name one that has a destructor or None"
            )
    names = [name.rpartition("#")[0] for name in (*functions, *resources)]
    return tuple(
        HostInterface(
            name,
            {own: _without_context(act) for own, act in _inside(name, functions)},
            resources=dict(_inside(name, resources)),
        )
        for name in dict.fromkeys(names)
    )


def _inside(interface: str, named: Mapping[str, Any]) -> list[tuple[str, Any]]:
    parted = [(full.rpartition("#"), value) for full, value in named.items()]
    return [(name, value) for (where, _, name), value in parted if where == interface]


def _without_context(act: Callable[..., Any]) -> HostFunction:
    if is_async(act):

        async def later(_context: object, *arguments: Any) -> Any:
            return await act(*arguments)

        return HostFunction(later)

    def now(_context: object, *arguments: Any) -> Any:
        return act(*arguments)

    return HostFunction(now)


def read_imports(
    engine: wasmtime.Engine,
    compiled: their.Component,
    label: str,
    besides: Sequence[HostInterface] = (),
) -> ImportedTypes:
    """Read what a component imports, besides what some interfaces give.

    Raises:
        ComponentRefused: naming all that cannot be spoken to.
    """
    side = _Side(engine)
    items = compiled.type.imports(engine)
    others = {n: i for n, i in items.items() if not any(b.gives(n) for b in besides)}
    side.read("", others)
    wrong = _others(side)
    functions = side.functions_read(side.known(), "import", wrong)
    if wrong:
        raise ComponentRefused(label, "; ".join(wrong), _ADVICE)
    return ImportedTypes(functions, side.first_names())


def read_world(
    engine: wasmtime.Engine,
    compiled: their.Component,
    label: str,
    *,
    own_resources: bool = False,
) -> AnyWorld:
    """Read what a component says of itself.

    Args:
        engine: What it was compiled by.
        compiled: The component.
        label: Its name in messages.
        own_resources: Whether resources that it defines may be among its values.

    Raises:
        ComponentRefused: naming all that cannot be spoken to.
    """
    kind = compiled.type
    imported, exported = _Side(engine), _Side(engine)
    imported.read("", kind.imports(engine))
    exported.read("", kind.exports(engine))
    wrong, known = _others(imported), imported.known()
    imports = imported.functions_read(known, "import", wrong)
    if own_resources:
        known = {**known, **exported.known()}
    exports = exported.functions_read(known, "export", wrong)
    if wrong:
        raise ComponentRefused(label, "; ".join(wrong), _ADVICE)
    return AnyWorld(imports, exports, imported.first_names())


def read_types(
    engine: wasmtime.Engine, compiled: their.Component
) -> tuple[dict[str, WitType], frozenset[str]]:
    """Read the types that a component names, and the names of the resources it defines.

    Types that cannot be passed are left out.
    """
    kind = compiled.type
    imported, exported = _Side(engine), _Side(engine)
    imported.read("", kind.imports(engine))
    exported.read("", kind.exports(engine))
    own = frozenset(exported.resources) - frozenset(
        name
        for name, each in exported.resources.items()
        if any(each == other for other in imported.resources.values())
    )
    known = {**imported.known(), **exported.known()}
    found = {}
    for name, stated in (imported.types | exported.types).items():
        try:
            found[name] = read_type(stated, known)
        except Unspeakable:
            continue
    return found, own


def _others(imported: _Side) -> list[str]:
    return [f"its import {name} is {what}" for name, what in imported.others.items()]


@final
class _Side:
    """The imports, or the exports, by name and by what they are."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = engine
        self.functions: dict[str, their.FuncType] = {}
        self.resources: dict[str, their.ResourceType] = {}
        self.types: dict[str, their.ValType] = {}
        self.others: dict[str, str] = {}

    def first_names(self) -> dict[str, str]:
        """By the name of a resource: the first name of the same one."""
        return {
            name: next(other for other, same in self.resources.items() if same == each)
            for name, each in self.resources.items()
        }

    def known(self) -> dict[str, their.ResourceType]:
        """Each resource under the first of its names."""
        return {n: self.resources[n] for n in self.first_names().values()}

    def functions_read(
        self, known: Mapping[str, their.ResourceType], word: str, wrong: list[str]
    ) -> dict[str, Function]:
        """Read the signatures; what cannot be read is added to what is wrong."""
        read = {}
        for name, stated in self.functions.items():
            try:
                read[name] = read_function(stated, known)
            except Unspeakable as error:
                wrong.append(f"its {word} {name} has {error}")
        return read

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
            elif isinstance(kind, their.ValType):
                self.types[full] = kind
            else:
                word = type(kind).__name__.removesuffix("Type").lower()
                self.others[full] = f"a {word}"
