"""Counts the memories and tables of a component, and divides a limit among them.

The theory. wasmtime limits each memory separately, with one number for all memories of
a store, and tables likewise. We promise a limit for their sum. So before anything runs
we count what instantiating the component will create, and compute from that the one
number that keeps the sum within the limit (`fair_cap`). The engine gets the counts as
limits too: if we had counted too few, it would refuse the component.

Counting is exact because it follows what the engine does: each instantiation of a core
module creates the memories and tables which that module defines, and nothing else does.
What a module imports was created by another one. The file shows which module is
instantiated, unless the module comes from outside; that is refused.

The heap of garbage-collected objects, including exceptions, is *not* a memory to the
engine's count. It has the same limit, so it would double the promised sum: the promise
holds for engines with `wasm_gc` and `wasm_exceptions` off.

The format is `design/mvp/Binary.md` of WebAssembly/component-model, with the names with
options that wasmtime 48 also reads.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, TypeAlias, final

import attrs

from ._binary import (
    CoreModule,
    NotOffered,
    Range,
    Reader,
    Uncountable,
    Unreadable,
    read_core_module,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_COMPONENT = b"\0asm\x0d\0\x01\0"

_IMPORTS = 10
_EXPORTS = 11
"""The sections of imports and of exports."""
_RUN = "wasi:cli/run@0.2."
_HANDLER = "wasi:http/incoming-handler@0.2."
_LIFECYCLE = "airssys:core/component-lifecycle@"
_DEEPEST = 100
"""Nested components, so that reading them cannot exhaust the stack."""
_CONNECTION = 64
"""Bytes that the engine needs for a canonical function, or for a type's resources."""
_MOST = 10_000
"""Instances, memories, tables: the number wasmtime allows in a store by default."""


@final
@attrs.frozen
class Footprint:
    """What one instance of a component consists of."""

    memories: tuple[Range, ...]
    """In bytes; each one as often as it will be created."""
    tables: tuple[Range, ...]
    """In elements; each one as often as it will be created."""
    core_instances: int
    """Instantiations of core modules; the engine adds adapters between components."""
    functions: int
    """Functions in the file: each core module counts once, instantiated or not."""
    largest_function: int
    """Bytes of the largest function body."""
    instance_bytes: int
    """The engine's memory for an instance besides its memories and tables, at most:
    globals, functions, segments, and what connects components to each other."""
    steps: int
    """The steps of making an instance, in units of about 0.1 us, at most."""


def footprint(code: bytes) -> Footprint:
    """Count what instantiating a component creates.

    It does not validate the component, which the engine does. For bytes that no engine
    accepts, the result may be anything.

    Args:
        code: The component in its binary format.

    Returns:
        The memories and tables in the order in which they are created.

    Raises:
        Unreadable: These bytes are not a component, or one of a later format.
        NotOffered: It uses what the engine does not offer. This is an `Unreadable` too.
        Uncountable: It has a part that cannot be counted, because it instantiates what
            it imports or takes from an instance; or it is beyond what wasmtime runs by
            default. This is an `Unreadable` too.
    """
    root = _read_component(Reader(code), None)
    memories: list[Range] = []
    tables: list[Range] = []
    core_instances = instance_bytes = steps = 0
    for part in _instantiations(root):
        instance_bytes += part.instance_bytes
        steps += part.steps
        if isinstance(part, _Component):
            continue
        memories += part.memories
        tables += part.tables
        core_instances += 1
        if max(len(memories), len(tables)) > _MOST:
            raise Uncountable(f"it has more than {_MOST} memories or tables")
    return Footprint(
        tuple(memories),
        tuple(tables),
        core_instances,
        root.functions,
        root.largest_function,
        instance_bytes,
        steps,
    )


def import_names(code: bytes) -> list[str]:
    """Read the names of a component's imports, and nothing else.

    Raises:
        Unreadable: These bytes are not a component, or one of a later format.
    """
    reader = Reader(code)
    reader.skip(len(_COMPONENT))
    names: list[str] = []
    for section, body in reader.sections():
        if section == _IMPORTS:
            for _ in body.items():
                names.append(_read_external_name(body))  # not all of it
                _read_description(body)
    return names


def export_names(code: bytes) -> list[str]:
    """Read the names of a component's exports, and nothing else.

    Raises:
        Unreadable: as of `import_names`.
    """
    reader = Reader(code)
    reader.skip(len(_COMPONENT))
    names: list[str] = []
    for section, body in reader.sections():
        if section == _EXPORTS:
            for _ in body.items():
                names.append(_read_external_name(body))  # not all of it
                _read_sort(body)
                body.number()
                if _read_flag(body):
                    _read_description(body)
    return names


def is_program(exported: Iterable[str]) -> bool:
    """Whether a component exports `wasi:cli/run` or handles requests, and is not made to be an actor."""
    names = tuple(exported)
    is_actor = any(name.startswith(_LIFECYCLE) for name in names)
    return not is_actor and any(name.startswith((_RUN, _HANDLER)) for name in names)


def fair_cap(total: int, ranges: Sequence[Range]) -> int | None:
    """Find the largest limit for each range that keeps the sum of all within `total`.

    The theory is that of water filling: fill all vessels to the same level; those that
    are full (at their maximum) leave the rest to the others. One range that can grow,
    with no others, may have everything. Several without a maximum get equal shares, and
    none can use what another leaves: that is the price of a sum that cannot be
    exceeded. The author of a component can avoid it by declaring a maximum for its
    small memories.

    Args:
        total: The limit for the sum; 0 or more.
        ranges: The ranges, in the same unit.

    Returns:
        The limit for each, at least the minimum of every range and at most `total`.
        None if there is none, even where the sum of the minimums is within `total`: a
        large minimum needs a large limit, which the others would have too.

    Example:
        >>> fair_cap(100, [Range(1, 10), Range(1, None), Range(1, None)])
        45
        >>> fair_cap(100, [Range(60, 60), Range(1, None)]) is None
        True
        >>> fair_cap(100, [Range(60, 60), Range(1, 40)])
        100
    """
    level = _level(total, ranges)
    return level if all(one.minimum <= level for one in ranges) else None


def _level(total: int, ranges: Sequence[Range]) -> int:
    maximums = sorted(one.maximum for one in ranges if one.maximum is not None)
    left = total
    for filled, maximum in enumerate(maximums):
        share = left // (len(ranges) - filled)
        if share < maximum:
            return share
        left -= maximum
    growing = len(ranges) - len(maximums)
    return left // growing if growing else total


@final
class _Sort(enum.Enum):
    """What an index counts."""

    CORE = 0x00
    """All core sorts except modules."""
    FUNCTION = 0x01
    VALUE = 0x02
    TYPE = 0x03
    COMPONENT = 0x04
    INSTANCE = 0x05
    MODULE = 0x11


@final
@attrs.define(eq=False)
class _Component:
    """A component: what each of its instances instantiates."""

    outer: _Component | None
    depth: int
    known: dict[_Sort, list[_Definition]] = attrs.Factory(
        lambda: {_Sort.MODULE: [], _Sort.COMPONENT: []}
    )
    """By index; other sorts are not needed here."""
    instantiates: list[_Definition] = attrs.Factory(list)
    functions: int = 0
    """Its own and those of its inner components."""
    largest_function: int = 0
    """Like `functions`."""
    steps: int = 1
    """Types and canonical functions: the largest number an instance has data for."""

    @property
    def instance_bytes(self) -> int:
        """The engine's memory for one instance besides its core instances."""
        return _CONNECTION * self.steps

    def define(self, sort: _Sort, definition: _Definition) -> None:
        """Give a definition the next index of its sort."""
        if sort in self.known:
            self.known[sort].append(definition)

    def find(self, sort: _Sort, index: int) -> _Definition:
        """Look up an index; None for anything but a module or component."""
        known = self.known.get(sort)
        if known is None:
            return None
        if index >= len(known):
            raise Unreadable(f"there is no {sort.name.lower()} {index} in a component")
        return known[index]

    def include(self, part: CoreModule | _Component) -> None:
        """Note that a module or component is part of this one."""
        self.functions += part.functions
        self.largest_function = max(self.largest_function, part.largest_function)

    def instantiate(self, sort: _Sort, index: int) -> None:
        """Note that each instance of this component instantiates that definition."""
        self.instantiates.append(self.find(sort, index))

    def outward(self, steps: int) -> _Component:
        """Return this component for 0, the one around it for 1, and so on."""
        found: _Component = self
        for _ in range(steps):
            if found.outer is None:
                raise Unreadable(f"an alias refers to {steps} components around it")
            found = found.outer
        return found


_Definition: TypeAlias = CoreModule | _Component | None
"""None is a module or component that is only known when it is linked."""


def _read_component(reader: Reader, outer: _Component | None) -> _Component:
    if reader.take(len(_COMPONENT)) != _COMPONENT:
        raise reader.error("this is not a component in a known binary format")
    component = _Component(outer, 0 if outer is None else outer.depth + 1)
    if component.depth > _DEEPEST:
        raise reader.error(f"more than {_DEEPEST} components are nested")
    for section, body in reader.sections():
        _read_section(section, body, component)
    return component


def _read_section(section: int, body: Reader, component: _Component) -> None:
    match section:
        case 1:
            module = read_core_module(body)
            component.include(module)
            component.define(_Sort.MODULE, module)
        case 4:
            inner = _read_component(body, component)
            component.include(inner)
            component.define(_Sort.COMPONENT, inner)
        case 7 | 8:  # types, canonical functions
            component.steps += body.number()
        case 0 | 3 | 9:  # custom, core types, start
            pass
        case _:
            read_item = _ITEMS.get(section)
            if read_item is None:
                raise body.error(f"a component has an unknown section {section}")
            for _ in body.items():
                read_item(body, component)
            body.finish()


def _read_core_instance(reader: Reader, component: _Component) -> None:
    is_made_of_others = _read_flag(reader)
    if not is_made_of_others:
        component.instantiate(_Sort.MODULE, reader.number())
    for _ in reader.items():
        reader.name()
        reader.byte()
        reader.number()


def _read_instance(reader: Reader, component: _Component) -> None:
    is_made_of_others = _read_flag(reader)
    if not is_made_of_others:
        component.instantiate(_Sort.COMPONENT, reader.number())
    skip_name = _read_external_name if is_made_of_others else Reader.name
    for _ in reader.items():
        skip_name(reader)
        _read_sort(reader)
        reader.number()


def _read_alias(reader: Reader, component: _Component) -> None:
    sort = _read_sort(reader)
    match reader.byte():
        case 0x00 | 0x01:  # an export of an instance, of a core instance
            reader.number()
            reader.name()
            component.define(sort, None)
        case 0x02:  # of a component around this one
            around = component.outward(reader.number())
            component.define(sort, around.find(sort, reader.number()))
        case _:
            raise reader.error("an alias is of an unknown kind")


def _read_import(reader: Reader, component: _Component) -> None:
    _read_external_name(reader)
    component.define(_read_description(reader), None)


def _read_export(reader: Reader, component: _Component) -> None:
    """Read an export, which gives the exported item one more index."""
    _read_external_name(reader)
    sort = _read_sort(reader)
    component.define(sort, component.find(sort, reader.number()))
    if _read_flag(reader):
        _read_description(reader)


_ITEMS: dict[int, Callable[[Reader, _Component], None]] = {
    2: _read_core_instance,
    5: _read_instance,
    6: _read_alias,
    _IMPORTS: _read_import,
    _EXPORTS: _read_export,
}
"""How one item of a section is read, for the sections that are lists of them."""


def _read_flag(reader: Reader) -> bool:
    flag = reader.byte()
    if flag > 1:
        raise reader.error(f"found {flag:#04x}, expected 0 or 1")
    return bool(flag)


def _read_sort(reader: Reader) -> _Sort:
    sort = reader.byte()
    if sort == _Sort.CORE.value:
        is_module = reader.byte() == _Sort.MODULE.value
        return _Sort.MODULE if is_module else _Sort.CORE
    if sort > _Sort.INSTANCE.value:
        raise reader.error(f"{sort:#04x} is not a known sort of definition")
    return _Sort(sort)


def _read_description(reader: Reader) -> _Sort:
    """Read what an import or export is: its sort and the index of its type."""
    sort = _read_sort(reader)
    if sort in {_Sort.CORE, _Sort.VALUE}:
        raise NotOffered("it imports or exports what no component can yet")
    # A type is equal to an index (0), or a fresh resource (1), which has none.
    if sort is not _Sort.TYPE or not _read_flag(reader):
        reader.number()
    return sort


def _read_external_name(reader: Reader) -> str:
    match reader.byte():
        case 0x00 | 0x01:
            return reader.name()
        case 0x02:  # followed by options, each a kind and a text
            name = reader.name()
            for _ in reader.items():
                reader.byte()
                reader.name()
            return name
        case _:
            raise reader.error("a name is of an unknown kind")


def _instantiations(root: _Component) -> Iterator[CoreModule | _Component]:
    """Yield the modules and components that an instance consists of, in their order.

    A chain of components, each instantiating the next one twice, makes exponentially
    many instances; so there is a limit. The list of waiting ones is never longer than
    the file, because the instances inside a component are followed before those beside
    it.
    """
    waiting: list[_Definition] = [root]
    for _ in range(_MOST):
        match waiting.pop():
            case _Component() as component:
                yield component
                waiting.extend(reversed(component.instantiates))
            case CoreModule() as module:
                yield module
            case None:
                raise Uncountable(
                    "it instantiates a core module or component that it imports, or "
                    "takes from an instance: what that creates cannot be counted"
                )
        if not waiting:
            return
    raise Uncountable(f"it has more than {_MOST} instances")
