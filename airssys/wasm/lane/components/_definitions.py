"""A component's binary as frozen values: one list of definitions, in their order.

The theory. A component is a list of definitions. Each definition gets the next index in
the index space of its sort (core functions, types, instances ...), and later ones refer
to earlier ones by index only. Nothing is resolved here: an index stays a number, and a
type that stands for another one stays a reference. `_plan` resolves them.

What is not here, because no toolchain writes it and nothing runs it: values, core type
definitions that something refers to, `start`, contexts of errors, and threads.
The format is `design/mvp/Binary.md` of WebAssembly/component-model.
"""

from __future__ import annotations

import enum
from typing import Final, TypeAlias, final

import attrs

from airssys.wasm.values import Char, Float, Number, String


@final
class Sort(enum.Enum):
    """The index spaces of a component, by their code; core sorts are above 0xFF."""

    FUNCTION = 0x01
    TYPE = 0x03
    COMPONENT = 0x04
    INSTANCE = 0x05
    CORE_FUNCTION = 0x100
    CORE_TABLE = 0x101
    CORE_MEMORY = 0x102
    CORE_GLOBAL = 0x103
    CORE_TAG = 0x104
    CORE_TYPE = 0x110
    CORE_MODULE = 0x111
    CORE_INSTANCE = 0x112


# ---------------------------------------------------------------- types

Simple: TypeAlias = Number | Float | Char | String
"""The types that have no parts."""
TypeReference: TypeAlias = Simple | int
"""A type without parts, or an index in the space of types."""


@final
@attrs.frozen
class ListOf:
    """`list<element>`."""

    element: TypeReference


@final
@attrs.frozen
class RecordOf:
    """`record`: names and types of the fields."""

    fields: tuple[tuple[str, TypeReference], ...]


@final
@attrs.frozen
class TupleOf:
    """`tuple`."""

    elements: tuple[TypeReference, ...]


@final
@attrs.frozen
class VariantOf:
    """`variant`: names of the cases, with the types of their values."""

    cases: tuple[tuple[str, TypeReference | None], ...]


@final
@attrs.frozen
class EnumOf:
    """`enum`: names of the cases."""

    cases: tuple[str, ...]


@final
@attrs.frozen
class FlagsOf:
    """`flags`: names of the flags."""

    names: tuple[str, ...]


@final
@attrs.frozen
class OptionOf:
    """`option<some>`."""

    some: TypeReference


@final
@attrs.frozen
class ResultOf:
    """`result<ok, err>`."""

    ok: TypeReference | None
    err: TypeReference | None


@final
@attrs.frozen
class OwnOf:
    """`own<resource>`; the index is in the space of types."""

    resource: int


@final
@attrs.frozen
class BorrowOf:
    """`borrow<resource>`; the index is in the space of types."""

    resource: int


@final
@attrs.frozen
class StreamOf:
    """`stream<element>`."""

    element: TypeReference | None


@final
@attrs.frozen
class FutureOf:
    """`future<element>`."""

    element: TypeReference | None


@final
@attrs.frozen
class FunctionOf:
    """The type of a function."""

    parameters: tuple[tuple[str, TypeReference], ...]
    result: TypeReference | None
    is_async: bool = False


@final
@attrs.frozen
class InstanceOf:
    """The type of an instance: declarations with index spaces of their own."""

    declarations: tuple[Declaration, ...]


@final
@attrs.frozen
class ComponentOf:
    """The type of a component: declarations, without those of imports."""

    declarations: tuple[Declaration, ...]


@final
@attrs.frozen
class ResourceOf:
    """A resource that the component defines; its representation is an i32."""

    destructor: int | None
    """A core function."""


DefinedType: TypeAlias = (
    Simple
    | ListOf
    | RecordOf
    | TupleOf
    | VariantOf
    | EnumOf
    | FlagsOf
    | OptionOf
    | ResultOf
    | OwnOf
    | BorrowOf
    | StreamOf
    | FutureOf
    | FunctionOf
    | InstanceOf
    | ComponentOf
    | ResourceOf
)


@final
@attrs.frozen
class TypeBound:
    """A type that is imported or exported: equal to one, or a fresh resource (None)."""

    equals: int | None


@final
@attrs.frozen
class Described:
    """What else is imported or exported: its sort, and the index of its type."""

    sort: Sort
    type: int


Description: TypeAlias = TypeBound | Described


# ---------------------------------------------------------------- definitions


@final
@attrs.frozen
class CoreModule:
    """A core module, as the bytes of its own binary."""

    code: bytes = attrs.field(repr=False)


@final
@attrs.frozen
class CoreInstance:
    """A core module instantiated; each argument is a core instance."""

    module: int
    arguments: tuple[tuple[str, int], ...]


@final
@attrs.frozen
class CoreBundle:
    """A core instance that is made of things which exist already."""

    exports: tuple[tuple[str, Sort, int], ...]


@final
@attrs.frozen
class CoreType:
    """A core type. Nothing that runs here needs to know which."""


@final
@attrs.frozen
class Instance:
    """A component instantiated."""

    component: int
    arguments: tuple[tuple[str, Sort, int], ...]


@final
@attrs.frozen
class Bundle:
    """An instance that is made of things which exist already."""

    exports: tuple[tuple[str, Sort, int], ...]


@final
@attrs.frozen
class ExportAlias:
    """What an instance, or a core instance, exports."""

    sort: Sort
    instance: int
    name: str
    is_core: bool


@final
@attrs.frozen
class OuterAlias:
    """What a component `levels` levels further out has defined."""

    sort: Sort
    levels: int
    index: int


@final
@attrs.frozen
class Type:
    """A type."""

    type: DefinedType


@final
class Encoding(enum.Enum):
    """How strings are encoded in linear memory."""

    UTF8 = 0
    UTF16 = 1
    LATIN1_OR_UTF16 = 2


@final
@attrs.frozen
class Options:
    """The options of a canonical function; all but the first are indices."""

    encoding: Encoding = Encoding.UTF8
    memory: int | None = None
    realloc: int | None = None
    post_return: int | None = None
    callback: int | None = None
    is_async: bool = False


@final
@attrs.frozen
class Lift:
    """A core function made a function of the component."""

    core_function: int
    options: Options
    type: int


@final
@attrs.frozen
class Lower:
    """A function of the component made a core function."""

    function: int
    options: Options


@final
class ResourceVerb(enum.Enum):
    """What a core module can do with a resource."""

    NEW = 0x02
    DROP = 0x03
    REP = 0x04


@final
@attrs.frozen
class ResourceOperation:
    """A core function that works on handles of one resource."""

    verb: ResourceVerb
    resource: int


@final
class TaskVerb(enum.Enum):
    """What a core module can do with tasks, and with what they wait for."""

    TASK_CANCEL = 0x05
    SUBTASK_CANCEL = 0x06
    TASK_RETURN = 0x09
    CONTEXT_GET = 0x0A
    CONTEXT_SET = 0x0B
    YIELD = 0x0C
    SUBTASK_DROP = 0x0D
    STREAM_NEW = 0x0E
    STREAM_READ = 0x0F
    STREAM_WRITE = 0x10
    STREAM_CANCEL_READ = 0x11
    STREAM_CANCEL_WRITE = 0x12
    STREAM_DROP_READABLE = 0x13
    STREAM_DROP_WRITABLE = 0x14
    FUTURE_NEW = 0x15
    FUTURE_READ = 0x16
    FUTURE_WRITE = 0x17
    FUTURE_CANCEL_READ = 0x18
    FUTURE_CANCEL_WRITE = 0x19
    FUTURE_DROP_READABLE = 0x1A
    FUTURE_DROP_WRITABLE = 0x1B
    SET_NEW = 0x1F
    SET_WAIT = 0x20
    SET_POLL = 0x21
    SET_DROP = 0x22
    JOIN = 0x23
    BACKPRESSURE_INC = 0x24
    BACKPRESSURE_DEC = 0x25


COPYING: Final = frozenset(
    [
        TaskVerb.STREAM_READ,
        TaskVerb.STREAM_WRITE,
        TaskVerb.FUTURE_READ,
        TaskVerb.FUTURE_WRITE,
    ]
)
CANCELLING: Final = frozenset(
    [
        TaskVerb.STREAM_CANCEL_READ,
        TaskVerb.STREAM_CANCEL_WRITE,
        TaskVerb.FUTURE_CANCEL_READ,
        TaskVerb.FUTURE_CANCEL_WRITE,
    ]
)
OF_A_TYPE: Final = frozenset(
    [
        TaskVerb.STREAM_NEW,
        TaskVerb.STREAM_DROP_READABLE,
        TaskVerb.STREAM_DROP_WRITABLE,
        TaskVerb.FUTURE_NEW,
        TaskVerb.FUTURE_DROP_READABLE,
        TaskVerb.FUTURE_DROP_WRITABLE,
    ]
)
"""Those that only need the type of a stream or future."""


@final
@attrs.frozen
class TaskOperation:
    """A core function that works with tasks; what its verb has no use for is left out."""

    verb: TaskVerb
    type: int | None = None
    """Of the stream or future."""
    result: TypeReference | None = None
    """What a task returns."""
    options: Options = Options()
    flag: bool = False
    """Whether it does not wait, or can be cancelled while it does."""
    place: int = 0
    """Which word of the context."""
    is_wide: bool = False
    """Whether that word has 64 bits."""


@final
@attrs.frozen
class Import:
    """Something from outside, under a name."""

    name: str
    description: Description


@final
@attrs.frozen
class Export:
    """Something given to the outside, under a name; it gets one more index."""

    name: str
    sort: Sort
    index: int
    description: Description | None


@final
@attrs.frozen
class ExportDeclaration:
    """In the type of an instance: what it exports."""

    name: str
    description: Description


@final
@attrs.frozen
class Component:
    """A component: its definitions in order."""

    definitions: tuple[Definition, ...] = attrs.field(repr=False)


Alias: TypeAlias = ExportAlias | OuterAlias
Declaration: TypeAlias = CoreType | Type | Alias | ExportDeclaration
Definition: TypeAlias = (
    CoreModule
    | CoreInstance
    | CoreBundle
    | CoreType
    | Component
    | Instance
    | Bundle
    | Alias
    | Type
    | Lift
    | Lower
    | ResourceOperation
    | TaskOperation
    | Import
    | Export
)
