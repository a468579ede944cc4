"""From the bytes of a component to its definitions.

The bytes are not trusted. What the format does not have is `Unreadable`; what it has and
this lane does not run is `Unsupported`, with the name of the feature: such a component
goes to wasmtime's own lane, which runs or refuses it. So nothing is ever skipped that
could have a meaning: a section, a type or an option that is unknown here ends the reading.

Whether indices exist, names are well-formed and types fit is validation, and wasmtime's
part (see `_skeleton`). The limits of `Reader` bound how long reading takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from airssys.wasm.artifacts import Reader
from airssys.wasm.values import CHAR, STRING, Float, Number

from ._definitions import (
    CANCELLING,
    COPYING,
    OF_A_TYPE,
    Alias,
    BorrowOf,
    Bundle,
    Component,
    ComponentOf,
    CoreBundle,
    CoreInstance,
    CoreModule,
    CoreType,
    Declaration,
    DefinedType,
    Definition,
    Described,
    Description,
    Encoding,
    EnumOf,
    Export,
    ExportAlias,
    ExportDeclaration,
    FlagsOf,
    FunctionOf,
    FutureOf,
    Import,
    Instance,
    InstanceOf,
    Lift,
    ListOf,
    Lower,
    OptionOf,
    Options,
    OuterAlias,
    OwnOf,
    RecordOf,
    ResourceOf,
    ResourceOperation,
    ResourceVerb,
    ResultOf,
    Simple,
    Sort,
    StreamOf,
    TaskOperation,
    TaskVerb,
    TupleOf,
    Type,
    TypeBound,
    TypeReference,
    VariantOf,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")

_MAGIC: Final = b"\0asm\x0d\0\x01\0"
_DEEPEST: Final = 100
"""Components, and types, inside each other: reading them is recursive."""
_I32: Final = 0x7F
_I64: Final = 0x7E

_SIMPLE: Final[dict[int, Simple]] = {
    0x7F: Number.BOOL,
    0x7E: Number.S8,
    0x7D: Number.U8,
    0x7C: Number.S16,
    0x7B: Number.U16,
    0x7A: Number.S32,
    0x79: Number.U32,
    0x78: Number.S64,
    0x77: Number.U64,
    0x76: Float.F32,
    0x75: Float.F64,
    0x74: CHAR,
    0x73: STRING,
}
_CORE_SORTS: Final = {
    0x00: Sort.CORE_FUNCTION,
    0x01: Sort.CORE_TABLE,
    0x02: Sort.CORE_MEMORY,
    0x03: Sort.CORE_GLOBAL,
    0x04: Sort.CORE_TAG,
    0x10: Sort.CORE_TYPE,
    0x11: Sort.CORE_MODULE,
    0x12: Sort.CORE_INSTANCE,
}
_SORTS: Final = {
    0x01: Sort.FUNCTION,
    0x03: Sort.TYPE,
    0x04: Sort.COMPONENT,
    0x05: Sort.INSTANCE,
}
_LATER: Final = {
    0x63: "a map",
    0x64: "an error context",
    0x67: "a list of fixed length",
    0x3E: "a resource with an asynchronous destructor",
}
"""Types that the format has and this lane does not run."""


class Unsupported(Exception):  # not for users: `airssys inspect` says it in a sentence
    """A component uses something that this lane does not run; says what."""


def parse(code: bytes, *, concurrent: bool = False) -> Component:
    """Read a component.

    Args:
        code: The component in its binary format.
        concurrent: Whether it may have asynchronous functions, streams and futures.

    Raises:
        Unreadable: These bytes are not a component in the format that is known here.
        Unsupported: It has parts that this lane does not run.
    """
    component = _component(Reader(code), 0)
    if not concurrent:
        for found in _concurrent_parts(component.definitions):
            raise Unsupported(found)
    return component


def _concurrent_parts(  # noqa: C901  # one match over a closed union
    definitions: tuple[Definition | Declaration, ...],
) -> Iterator[str]:
    for one in definitions:
        match one:
            case Component(inside):
                yield from _concurrent_parts(inside)
            case Type(InstanceOf(inside) | ComponentOf(inside)):
                yield from _concurrent_parts(inside)
            case Type(FunctionOf(is_async=True)):
                yield "an asynchronous function"
            case Type(StreamOf()):
                yield "a stream"
            case Type(FutureOf()):
                yield "a future"
            case Lift(options=options) | Lower(options=options):
                if options.is_async or options.callback is not None:
                    yield "an asynchronous function"
            case TaskOperation(verb):
                code = f"{verb.value:#04x}"
                yield f"the canonical function {code}, which is asynchronous"
            case _:
                pass


def _component(reader: Reader, depth: int) -> Component:
    if depth > _DEEPEST:
        raise reader.error(f"more than {_DEEPEST} components are inside each other")
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise reader.error("this is not a component in the binary format that we know")
    definitions: list[Definition] = []
    for section, body in reader.sections():
        definitions += _section(section, body, depth)
    return Component(tuple(definitions))


def _section(section: int, body: Reader, depth: int) -> Iterator[Definition]:
    match section:
        case 0:  # custom: names, producers
            return
        case 1:
            yield CoreModule(body.rest())
        case 4:
            yield _component(body, depth + 1)
        case 9 | 12:
            raise Unsupported("a start function or a value of a component")
        case _:
            read = _ITEMS.get(section)
            if read is None:
                raise body.error(f"a component has a section {section}")
            for _ in body.items():
                yield read(body)
            body.finish()


# ---------------------------------------------------------------- small parts


def _flag(reader: Reader) -> bool:
    flag = reader.byte()
    if flag > 1:
        raise reader.error(f"{flag:#04x} stands where 0 or 1 must stand")
    return bool(flag)


def _external_name(reader: Reader) -> str:
    kind = reader.byte()
    name = reader.exact_name()
    if kind > 0x02:
        raise reader.error("a name is of a kind that we do not know")
    if kind == 0x02:
        raise Unsupported("an import or export with attributes")
    return name


def _core_sort(reader: Reader) -> Sort:
    return _known(reader, _CORE_SORTS, "core sort")


def _sort(reader: Reader) -> Sort:
    code = reader.byte()
    if code == 0x00:
        return _core_sort(reader)
    if code == 0x02:
        raise Unsupported("a value of a component")
    if code not in _SORTS:
        raise reader.error(f"{code:#04x} is not a sort of definition that we know")
    return _SORTS[code]


def _known(reader: Reader, table: dict[int, Sort], what: str) -> Sort:
    code = reader.byte()
    if code not in table:
        raise reader.error(f"{code:#04x} is not a {what} that we know")
    return table[code]


def _all(reader: Reader, read: Callable[[Reader], _T]) -> tuple[_T, ...]:
    return tuple([read(reader) for _ in reader.items()])


def _optional(reader: Reader, read: Callable[[Reader], _T]) -> _T | None:
    return read(reader) if _flag(reader) else None


# ---------------------------------------------------------------- types


def _type_reference(reader: Reader) -> TypeReference:
    """Read a value type: negative numbers are types without parts, others indices."""
    code = reader.peek()
    if 0x40 <= code < 0x80:
        return _simple(reader, reader.byte())
    return reader.signed_index()


def _simple(reader: Reader, code: int) -> Simple:
    if code in _SIMPLE:
        return _SIMPLE[code]
    if code in _LATER:
        raise Unsupported(_LATER[code])
    raise reader.error(f"{code:#04x} is not a type that we know")


def _optional_type(reader: Reader) -> TypeReference | None:
    return _optional(reader, _type_reference)


def _field(reader: Reader) -> tuple[str, TypeReference]:
    return reader.exact_name(), _type_reference(reader)


def _case(reader: Reader) -> tuple[str, TypeReference | None]:
    case = reader.exact_name(), _optional_type(reader)
    if reader.byte() != 0x00:
        raise reader.error("a case refines another one, which no component can")
    return case


def _function_type(reader: Reader) -> FunctionOf:
    return FunctionOf(_all(reader, _field), _result(reader))


def _async_function_type(reader: Reader) -> FunctionOf:
    return FunctionOf(_all(reader, _field), _result(reader), is_async=True)


def _result(reader: Reader) -> TypeReference | None:
    if not _flag(reader):
        return _type_reference(reader)
    if reader.byte() != 0x00:
        raise reader.error("a function has named results, which no component can")
    return None


def _resource_type(reader: Reader) -> ResourceOf:
    if reader.byte() != _I32:
        raise Unsupported("a resource whose representation is not an i32")
    return ResourceOf(_optional(reader, Reader.number))


def _instance_type(reader: Reader) -> InstanceOf:
    with reader.deeper(_DEEPEST):
        return InstanceOf(_all(reader, _declaration))


def _component_type(reader: Reader) -> ComponentOf:
    declarations: list[Declaration] = []
    with reader.deeper(_DEEPEST):
        for _ in reader.items():
            if reader.peek() == 0x03:  # only a component imports
                reader.byte()
                _external_name(reader)
                _description(reader)
            else:
                declarations.append(_declaration(reader))
    return ComponentOf(tuple(declarations))


_TYPES: Final[dict[int, Callable[[Reader], DefinedType]]] = {
    0x72: lambda reader: RecordOf(_all(reader, _field)),
    0x71: lambda reader: VariantOf(_all(reader, _case)),
    0x70: lambda reader: ListOf(_type_reference(reader)),
    0x6F: lambda reader: TupleOf(_all(reader, _type_reference)),
    0x6E: lambda reader: FlagsOf(_all(reader, Reader.exact_name)),
    0x6D: lambda reader: EnumOf(_all(reader, Reader.exact_name)),
    0x6B: lambda reader: OptionOf(_type_reference(reader)),
    0x6A: lambda reader: ResultOf(_optional_type(reader), _optional_type(reader)),
    0x69: lambda reader: OwnOf(reader.number()),
    0x68: lambda reader: BorrowOf(reader.number()),
    0x66: lambda reader: StreamOf(_optional_type(reader)),
    0x65: lambda reader: FutureOf(_optional_type(reader)),
    0x40: _function_type,
    0x43: _async_function_type,
    0x41: _component_type,
    0x42: _instance_type,
    0x3F: _resource_type,
}


def _defined_type(reader: Reader) -> DefinedType:
    code = reader.byte()
    read = _TYPES.get(code)
    return _simple(reader, code) if read is None else read(reader)


def _declaration(reader: Reader) -> Declaration:
    match reader.byte():
        case 0x00:
            return _core_type(reader)
        case 0x01:
            return Type(_defined_type(reader))
        case 0x02:
            return _alias(reader)
        case 0x04:
            return ExportDeclaration(_external_name(reader), _description(reader))
        case code:
            raise reader.error(f"{code:#04x} is not a declaration that we know")


def _core_type(reader: Reader) -> CoreType:
    """Pass over the type of a core function or module: it restricts, and adds nothing."""
    match reader.byte():
        case 0x60:
            _core_function_type(reader)
        case 0x50:
            for _ in reader.items():
                _core_module_declaration(reader)
        case code:
            raise Unsupported(f"a core type {code:#04x}")
    return CoreType()


def _core_function_type(reader: Reader) -> None:
    for _ in range(2):  # parameters, results
        _all(reader, _core_value_type)


def _core_value_type(reader: Reader) -> None:
    if not 0x6F <= reader.byte() <= 0x7F:
        raise Unsupported("a core type of garbage collection")


def _core_module_declaration(reader: Reader) -> None:
    match reader.byte():
        case 0x00:
            reader.exact_name()
            reader.exact_name()
            _core_description(reader)
        case 0x01:
            _core_type(reader)
        case 0x02:
            if _core_sort(reader) is not Sort.CORE_TYPE or reader.byte() != 0x01:
                raise reader.error("a core type aliases what is not a core type")
            reader.number()
            reader.number()
        case 0x03:
            reader.exact_name()
            _core_description(reader)
        case code:
            raise reader.error(f"{code:#04x} is not a declaration that we know")


def _core_description(reader: Reader) -> None:
    match reader.byte():
        case 0x00:
            reader.number()
        case 0x01:
            _core_value_type(reader)
            _core_limits(reader)
        case 0x02:
            _core_limits(reader)
        case 0x03:
            _core_value_type(reader)
            _flag(reader)
        case code:
            raise Unsupported(f"a core module with a part {code:#04x}")


def _core_limits(reader: Reader) -> None:
    flags = reader.byte()
    if flags > 1:
        raise Unsupported("a memory that is shared, or larger than 4 GiB")
    for _ in range(1 + flags):
        reader.number()


def _description(reader: Reader) -> Description:
    sort = _sort(reader)
    if sort is Sort.CORE_MODULE:
        raise Unsupported("an imported or exported core module")
    if sort not in _SORTS.values():
        raise reader.error("it imports or exports what no component can")
    if sort is not Sort.TYPE:
        return Described(sort, reader.number())
    is_fresh = _flag(reader)
    return TypeBound(None if is_fresh else reader.number())


# ---------------------------------------------------------------- definitions


def _core_instance(reader: Reader) -> CoreInstance | CoreBundle:
    if _flag(reader):
        return CoreBundle(_all(reader, _core_export))
    return CoreInstance(reader.number(), _all(reader, _core_argument))


def _core_export(reader: Reader) -> tuple[str, Sort, int]:
    return reader.exact_name(), _core_sort(reader), reader.number()


def _core_argument(reader: Reader) -> tuple[str, int]:
    name = reader.exact_name()
    if _core_sort(reader) is not Sort.CORE_INSTANCE:
        raise reader.error("a core module is given what is not a core instance")
    return name, reader.number()


def _instance(reader: Reader) -> Instance | Bundle:
    if _flag(reader):
        return Bundle(_all(reader, _bundle_export))
    return Instance(reader.number(), _all(reader, _argument))


def _bundle_export(reader: Reader) -> tuple[str, Sort, int]:
    return _external_name(reader), _sort(reader), reader.number()


def _argument(reader: Reader) -> tuple[str, Sort, int]:
    return reader.exact_name(), _sort(reader), reader.number()


def _alias(reader: Reader) -> Alias:
    sort = _sort(reader)
    match reader.byte():
        case 0x00:
            return ExportAlias(
                sort, reader.number(), reader.exact_name(), is_core=False
            )
        case 0x01:
            return ExportAlias(sort, reader.number(), reader.exact_name(), is_core=True)
        case 0x02:
            return OuterAlias(sort, reader.number(), reader.number())
        case _:
            raise reader.error("an alias is of a kind that we do not know")


def _options(reader: Reader) -> Options:
    found: dict[str, int] = {}
    encoding, is_async = Encoding.UTF8, False
    for _ in reader.items():
        code = reader.byte()
        if code in {0x00, 0x01, 0x02}:
            encoding = Encoding(code)
        elif code in _INDEX_OPTIONS:
            found[_INDEX_OPTIONS[code]] = reader.number()
        elif code == 0x06:
            is_async = True
        else:
            raise Unsupported(f"the canonical option {code:#04x}")
    return Options(encoding, is_async=is_async, **found)


_INDEX_OPTIONS: Final = {
    0x03: "memory",
    0x04: "realloc",
    0x05: "post_return",
    0x07: "callback",
}


def _canonical(reader: Reader) -> Lift | Lower | ResourceOperation | TaskOperation:
    code = reader.byte()
    if code in {0x00, 0x01}:
        if reader.byte() != 0x00:
            raise reader.error("a canonical function is of a kind that we do not know")
        index, options = reader.number(), _options(reader)
        return Lower(index, options) if code else Lift(index, options, reader.number())
    if code in {verb.value for verb in ResourceVerb}:
        return ResourceOperation(ResourceVerb(code), reader.number())
    if code in _TASK_VERBS:
        return _task_operation(reader, TaskVerb(code))
    raise Unsupported(f"the canonical function {code:#04x}, which is asynchronous")


_TASK_VERBS: Final = frozenset(verb.value for verb in TaskVerb)


def _task_operation(reader: Reader, verb: TaskVerb) -> TaskOperation:  # noqa: C901  # one for each form
    if verb in COPYING:
        return TaskOperation(verb, reader.number(), options=_options(reader))
    if verb in CANCELLING:
        return TaskOperation(verb, reader.number(), flag=_flag(reader))
    if verb in OF_A_TYPE:
        return TaskOperation(verb, reader.number())
    match verb:
        case TaskVerb.TASK_RETURN:
            result = _result(reader)
            return TaskOperation(verb, result=result, options=_options(reader))
        case TaskVerb.CONTEXT_GET | TaskVerb.CONTEXT_SET:
            kind, place = reader.byte(), reader.number()
            if kind not in {_I32, _I64} or place > 1:
                raise Unsupported("a context of another kind")
            return TaskOperation(verb, place=place, is_wide=kind == _I64)
        case TaskVerb.SET_WAIT | TaskVerb.SET_POLL:
            flag, memory = _flag(reader), reader.number()
            return TaskOperation(verb, options=Options(memory=memory), flag=flag)
        case TaskVerb.SUBTASK_CANCEL | TaskVerb.YIELD:
            return TaskOperation(verb, flag=_flag(reader))
        case _:
            return TaskOperation(verb)


def _import(reader: Reader) -> Import:
    return Import(_external_name(reader), _description(reader))


def _export(reader: Reader) -> Export:
    name, sort, index = _external_name(reader), _sort(reader), reader.number()
    return Export(name, sort, index, _optional(reader, _description))


_ITEMS: Final[dict[int, Callable[[Reader], Definition]]] = {
    2: _core_instance,
    3: _core_type,
    5: _instance,
    6: _alias,
    7: lambda reader: Type(_defined_type(reader)),
    8: _canonical,
    10: _import,
    11: _export,
}
"""How one item of a section is read, for the sections that are lists of them."""
