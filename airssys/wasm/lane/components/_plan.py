"""The plan of a component: what must be done to instantiate it, as values."""

from __future__ import annotations

from typing import TypeAlias, final

import attrs

from airssys.wasm.values import Float, Function, Number, WitType

from ._definitions import Encoding, ResourceVerb, TaskVerb


@final
@attrs.frozen
class CoreExport:
    """What a core instance exports under a name."""

    instance: int
    """The number of its instantiation in `Plan.instantiations`."""
    name: str


@final
@attrs.frozen
class CanonicalFunction:
    """A core function that the host makes."""

    number: int
    """Its place in `Plan.canonical`."""


CoreItem: TypeAlias = CoreExport | CanonicalFunction
"""A core function, memory, table or global, by where it comes from."""


@final
@attrs.frozen
class Instantiation:
    """One core module to instantiate, with what each of its imports gets, in order."""

    module: int
    """Its place in `Plan.modules`."""
    imports: tuple[CoreItem, ...]
    owner: int = 0
    """The component instance that it is part of."""


@final
@attrs.frozen
class ResourceType:
    """A resource: of the host, or of one instance of a component in this one."""

    name: str
    """Unique in a plan. `Own` and `Borrow` refer to it."""
    instance: int | None
    """The component instance that defines it; None: the host does."""
    destructor: CoreItem | None = None


@final
@attrs.frozen
class Abi:
    """How values of one function move between a memory and outside."""

    encoding: Encoding
    memory: CoreItem | None
    realloc: CoreItem | None
    post_return: CoreItem | None
    callback: CoreItem | None = None
    is_async: bool = False
    """Whether the guest is not held up: it returns by `task.return`, or goes on."""


@final
@attrs.frozen
class CopyType:
    """The type of a stream or future."""

    is_stream: bool
    element: WitType | None

    @property
    def is_plain(self) -> bool:
        """Whether its values are numbers, or nothing."""
        element = self.element
        return element is None or (
            isinstance(element, (Number, Float)) and element is not Number.BOOL
        )


@final
@attrs.frozen
class ImportedFunction:
    """A function that the component imports."""

    name: str
    """Such as `wasi:io/streams@0.2.0#[method]input-stream.read`."""
    type: Function
    is_async: bool = False


@final
@attrs.frozen
class LiftedFunction:
    """A function of the component, made of a core function."""

    type: Function
    core: CoreItem
    abi: Abi
    instance: int
    is_async: bool = False
    """Whether its type is that of an asynchronous function."""


ComponentFunction: TypeAlias = ImportedFunction | LiftedFunction


@final
@attrs.frozen
class LoweredFunction:
    """The canonical function by which a core module calls a function."""

    function: ComponentFunction
    abi: Abi
    instance: int


@final
@attrs.frozen
class ResourceFunction:
    """The canonical function by which a core module works on handles."""

    verb: ResourceVerb
    resource: ResourceType
    instance: int


@final
@attrs.frozen
class TaskFunction:
    """The canonical function by which a core module works with tasks."""

    verb: TaskVerb
    instance: int
    abi: Abi
    copied: CopyType | None
    result: WitType | None
    flag: bool
    place: int
    is_wide: bool


Canonical: TypeAlias = LoweredFunction | ResourceFunction | TaskFunction


@final
@attrs.frozen
class Plan:
    """All that instantiating a component and calling its functions takes."""

    modules: tuple[bytes, ...] = attrs.field(repr=False)
    """The binaries of the core modules, instantiated or not."""
    instantiations: tuple[Instantiation, ...]
    """In the order in which they must be made."""
    canonical: tuple[Canonical, ...]
    parents: tuple[int | None, ...]
    """For each component instance the one around it; the first is the whole."""
    imports: dict[str, Function]
    """The functions that it imports, by full name."""
    exports: dict[str, LiftedFunction | ImportedFunction]
    """The functions that it exports, by full name: `interface#function`."""
    resources: dict[str, ResourceType]
    """All resources, by name."""
    exported_resources: dict[str, str]
    """By full name of the export: the name of the resource."""
    copied: dict[str, CopyType] = attrs.field(factory=dict)
    """Streams and futures, by the name that stands for them in `Own`: when a value is
    given away, its readable end is a handle like that of a resource."""

    @property
    def is_concurrent(self) -> bool:
        """Whether anything in it is asynchronous."""
        return any(map(_is_concurrent, (*self.canonical, *self.exports.values())))

    @property
    def is_composed(self) -> bool:
        """Whether components inside it call each other."""
        return any(
            isinstance(one, LoweredFunction)
            and isinstance(one.function, LiftedFunction)
            for one in self.canonical
        )


def _is_concurrent(one: Canonical | ComponentFunction) -> bool:
    match one:
        case TaskFunction():
            return True
        case LoweredFunction():
            return one.abi.is_async or _is_concurrent(one.function)
        case LiftedFunction():
            return one.abi.is_async or one.is_async
        case ImportedFunction():
            return one.is_async
        case _:
            return False
