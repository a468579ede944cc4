"""What must be done to instantiate a component from its core modules, as values.

The theory. Instantiating a component does nothing but this, in an order that can be
computed beforehand: core modules are instantiated, each with core functions, memories,
tables and globals that exist already. A core function exists because a core instance
exports it, or because it is *canonical*: made by lowering a function of the component,
or an operation on a resource. Nested components, their instances, aliases and bundles
only say which thing is meant; `make_plan` follows them all, once, by running through the
definitions as an instantiation would. What is left is a flat list.

Two things stay distinct for each instance of a nested component, because the canonical
ABI keeps them apart: its table of handles with the flags for entering and leaving it
(`Plan.parents` counts these), and each resource that it defines, which is another type
in another instance.

It is assumed that the component was validated (`_skeleton`). An index that does not
exist is still an error and never resolves to an unrelated part: a plan is also made of
files that are validated later.
"""

from __future__ import annotations

from typing import Final, TypeAlias, cast, final

import attrs

from airssys.wasm.artifacts import Unreadable
from airssys.wasm.values import (
    Borrow,
    Enum,
    Flags,
    Function,
    List,
    Option,
    Own,
    Record,
    Result,
    Tuple,
    Variant,
    WitType,
)

from . import _definitions as d
from ._core_modules import CoreImport, core_imports
from ._definitions import Sort
from ._parser import Unsupported
from ._plan import (
    Abi,
    Canonical,
    CanonicalFunction,
    ComponentFunction,
    CopyType,
    CoreExport,
    CoreItem,
    ImportedFunction,
    Instantiation,
    LiftedFunction,
    LoweredFunction,
    Plan,
    ResourceFunction,
    ResourceType,
    TaskFunction,
)

_MOST_INSTANCES: Final = 10_000
"""Of components and core modules: a few bytes can ask for exponentially many."""
_MOST_TYPE_PARTS: Final = 10_000
"""In one type: a few bytes can double it again and again."""


def make_plan(component: d.Component) -> Plan:
    """Work out how a component is instantiated.

    Raises:
        Unreadable: An index or a name in it leads nowhere.
        Unsupported: It needs something that this lane does not do.
    """
    planner = _Planner()
    exported = planner.run(component, None, {}, None)
    return planner.finish(exported)


@final
@attrs.frozen
class _InstanceType:
    """The type of an instance, with the scope that its outer aliases refer to."""

    of: d.InstanceOf
    scope: _Scope = attrs.field(repr=False, eq=False)


@final
@attrs.frozen
class _ComponentType:
    """The type of a component; only that it is one."""


@final
@attrs.frozen(eq=False)
class _Definition:
    """A nested component, with the scope in which it stands."""

    component: d.Component
    scope: _Scope


@final
@attrs.frozen
class _AsyncFunction:
    """The type of an asynchronous function."""

    function: Function


_Type: TypeAlias = (
    WitType | Function | _AsyncFunction | ResourceType | _InstanceType | _ComponentType
)
_CoreInstance: TypeAlias = int | dict[str, CoreItem]
"""The number of an instantiation, or a bundle."""
_Exports: TypeAlias = dict[str, tuple[Sort, object]]
"""What an instance of a component exports: sort and thing, by name."""


@final
class _Scope:
    """The index spaces of one component instance, or of one type."""

    def __init__(self, outer: _Scope | None, instance: int) -> None:
        self.outer, self.instance = outer, instance
        self._spaces: dict[Sort, list[object]] = {sort: [] for sort in Sort}

    def add(self, sort: Sort, thing: object) -> None:
        self._spaces[sort].append(thing)

    def find(self, sort: Sort, index: int) -> object:
        space = self._spaces[sort]
        if index >= len(space):
            raise Unreadable(f"there is no {_in_words(sort)} {index}")
        return space[index]

    def item(self, sort: Sort, index: int | None) -> CoreItem | None:
        """Find a core item; None stands for none."""
        return None if index is None else cast("CoreItem", self.find(sort, index))

    def type(self, index: int) -> _Type:
        return cast("_Type", self.find(Sort.TYPE, index))

    def outward(self, levels: int) -> _Scope:
        scope: _Scope | None = self
        for _ in range(levels):
            scope = scope and scope.outer
        if scope is None:
            raise Unreadable(f"there are no {levels} components around one of them")
        return scope


def _in_words(sort: Sort) -> str:
    return sort.name.lower().replace("_", " ")


@final
class _Planner:
    """Runs through the definitions of a component as its instantiation would."""

    def __init__(self) -> None:
        self._modules: list[bytes] = []
        self._imports_of: list[tuple[CoreImport, ...]] = []
        self._instantiations: list[Instantiation] = []
        self._canonical: list[Canonical] = []
        self._parents: list[int | None] = []
        self._imports: dict[str, Function] = {}
        self._resources: dict[str, ResourceType] = {}
        self._type_sizes: dict[int, tuple[object, int]] = {}
        self._copied: dict[str, CopyType] = {}

    def finish(self, exported: _Exports) -> Plan:
        exports: dict[str, ComponentFunction] = {}
        resources: dict[str, str] = {}
        for name, thing in _flattened(exported):
            if isinstance(thing, (ImportedFunction, LiftedFunction)):
                exports[name] = thing
            elif isinstance(thing, ResourceType):
                resources[name] = thing.name
        return Plan(
            modules=tuple(self._modules),
            instantiations=tuple(self._instantiations),
            canonical=tuple(self._canonical),
            parents=tuple(self._parents),
            imports=self._imports,
            exports=exports,
            resources=self._resources,
            exported_resources=resources,
            copied=self._copied,
        )

    def run(
        self,
        component: d.Component,
        outer: _Scope | None,
        arguments: _Exports,
        parent: int | None,
    ) -> _Exports:
        """Instantiate a component with these arguments; returns what it exports."""
        self._check_number()
        self._parents.append(parent)
        scope = _Scope(outer, len(self._parents) - 1)
        exports: _Exports = {}
        for definition in component.definitions:
            match definition:
                case d.Import():
                    self._import(
                        scope, definition, arguments, is_outermost=outer is None
                    )
                case d.Export():
                    thing = scope.find(definition.sort, definition.index)
                    scope.add(definition.sort, thing)
                    exports[definition.name] = definition.sort, thing
                case _:
                    self._define(scope, definition)
        return exports

    def _check_number(self) -> None:
        if len(self._parents) + len(self._instantiations) > _MOST_INSTANCES:
            raise Unsupported(f"more than {_MOST_INSTANCES} instances")

    def _define(self, scope: _Scope, definition: d.Definition) -> None:  # noqa: C901, PLR0912  # one match over a closed union
        match definition:
            case d.CoreModule():
                scope.add(Sort.CORE_MODULE, len(self._modules))
                self._modules.append(definition.code)
                self._imports_of.append(core_imports(definition.code))
            case d.CoreInstance():
                scope.add(Sort.CORE_INSTANCE, self._instantiate(scope, definition))
            case d.CoreBundle():
                bundle = {n: scope.find(s, i) for n, s, i in definition.exports}
                scope.add(Sort.CORE_INSTANCE, bundle)
            case d.CoreType():
                scope.add(Sort.CORE_TYPE, definition)
            case d.Component():
                scope.add(Sort.COMPONENT, _Definition(definition, scope))
            case d.Instance():
                scope.add(Sort.INSTANCE, self._nested(scope, definition))
            case d.Bundle():
                exports = {n: (s, scope.find(s, i)) for n, s, i in definition.exports}
                scope.add(Sort.INSTANCE, exports)
            case d.ExportAlias() | d.OuterAlias():
                scope.add(definition.sort, _aliased(scope, definition))
            case d.Type():
                scope.add(Sort.TYPE, self._type(scope, definition.type))
            case d.Lift():
                scope.add(Sort.FUNCTION, _lifted(scope, definition))
            case d.Lower() | d.ResourceOperation() | d.TaskOperation():
                scope.add(
                    Sort.CORE_FUNCTION, self._canonical_function(scope, definition)
                )
            case _:
                raise Unreadable("an import or export stands where none can")

    # -------------------------------------------------------- instances

    def _instantiate(self, scope: _Scope, definition: d.CoreInstance) -> int:
        self._check_number()
        module = cast("int", scope.find(Sort.CORE_MODULE, definition.module))
        arguments = {
            name: cast("_CoreInstance", scope.find(Sort.CORE_INSTANCE, index))
            for name, index in definition.arguments
        }
        imports = tuple([_supplied(one, arguments) for one in self._imports_of[module]])
        self._instantiations.append(Instantiation(module, imports, scope.instance))
        return len(self._instantiations) - 1

    def _nested(self, scope: _Scope, definition: d.Instance) -> _Exports:
        found = scope.find(Sort.COMPONENT, definition.component)
        if not isinstance(found, _Definition):
            raise Unsupported("an imported component")
        arguments = {n: (s, scope.find(s, i)) for n, s, i in definition.arguments}
        return self.run(found.component, found.scope, arguments, scope.instance)

    def _import(
        self,
        scope: _Scope,
        definition: d.Import,
        arguments: _Exports,
        *,
        is_outermost: bool,
    ) -> None:
        if is_outermost:
            sort, thing = self._given(scope, definition.name, definition.description)
        elif definition.name in arguments:
            sort, thing = arguments[definition.name]
        else:
            raise Unreadable(f"an inner component is not given {definition.name!r}")
        scope.add(sort, thing)

    def _given(
        self, scope: _Scope, name: str, description: d.Description
    ) -> tuple[Sort, object]:
        """Make what the host gives for an import."""
        match description:
            case d.TypeBound(equals=None):
                return Sort.TYPE, self._resource(ResourceType(name, None))
            case d.TypeBound(equals=index):
                return Sort.TYPE, scope.type(cast("int", index))
            case d.Described(sort=Sort.FUNCTION, type=index):
                function, is_async = _function(scope, index)
                self._imports[name] = function
                return Sort.FUNCTION, ImportedFunction(name, function, is_async)
            case d.Described(sort=Sort.INSTANCE, type=index):
                return Sort.INSTANCE, self._given_instance(scope, name, index)
            case _:
                raise Unsupported(f"an imported {_in_words(description.sort)}")

    def _given_instance(self, scope: _Scope, name: str, index: int) -> _Exports:
        kind = scope.type(index)
        if not isinstance(kind, _InstanceType):
            raise Unreadable(f"type {index} is not that of an instance")
        if "#" in name:
            raise Unsupported("an imported instance inside an instance")
        inside = _Scope(kind.scope, scope.instance)
        exports: _Exports = {}
        for one in kind.of.declarations:
            match one:
                case d.ExportDeclaration():
                    full = f"{name}#{one.name}"
                    sort, thing = self._given(inside, full, one.description)
                    inside.add(sort, thing)
                    exports[one.name] = sort, thing
                case _:
                    self._define(inside, one)
        return exports

    # -------------------------------------------------------- functions

    def _canonical_function(
        self,
        scope: _Scope,
        definition: d.Lower | d.ResourceOperation | d.TaskOperation,
    ) -> CanonicalFunction:
        match definition:
            case d.TaskOperation():
                made: Canonical = self._task_function(scope, definition)
            case d.Lower():
                found = scope.find(Sort.FUNCTION, definition.function)
                function = cast("ComponentFunction", found)
                abi = _abi(scope, definition.options)
                made = LoweredFunction(function, abi, scope.instance)
            case d.ResourceOperation():
                resource = scope.type(definition.resource)
                if not isinstance(resource, ResourceType):
                    raise Unreadable(f"type {definition.resource} is not a resource")
                made = ResourceFunction(definition.verb, resource, scope.instance)
        self._canonical.append(made)
        return CanonicalFunction(len(self._canonical) - 1)

    def _task_function(
        self, scope: _Scope, definition: d.TaskOperation
    ) -> TaskFunction:
        copied = None
        if definition.type is not None:
            kind = scope.type(definition.type)
            copied = self._copied.get(kind.resource) if isinstance(kind, Own) else None
            if copied is None:
                raise Unreadable(
                    f"type {definition.type} is not that of a stream or future"
                )
        return TaskFunction(
            definition.verb,
            scope.instance,
            _abi(scope, definition.options),
            copied,
            self._optional(scope, definition.result),
            definition.flag,
            definition.place,
            definition.is_wide,
        )

    # -------------------------------------------------------- types

    def _resource(self, resource: ResourceType) -> ResourceType:
        if resource.name in self._resources:
            raise Unreadable(f"the resource {resource.name!r} is imported twice")
        self._resources[resource.name] = resource
        return resource

    def _type(self, scope: _Scope, of: d.DefinedType) -> _Type:
        match of:
            case d.InstanceOf():
                return _InstanceType(of, scope)
            case d.ComponentOf():
                return _ComponentType()
            case d.ResourceOf():
                destructor = scope.item(Sort.CORE_FUNCTION, of.destructor)
                name = f"%{len(self._resources)}"
                return self._resource(ResourceType(name, scope.instance, destructor))
            case d.FunctionOf():
                value = self._value
                parameters = tuple((n, value(scope, t)) for n, t in of.parameters)
                function = Function(parameters, self._optional(scope, of.result))
                return _AsyncFunction(function) if of.is_async else function
            case _:
                return self._counted(self._value_type(scope, of))

    def _value_type(self, scope: _Scope, of: d.DefinedType) -> WitType:  # noqa: C901, PLR0911, PLR0912  # one match over a closed union
        value, optional = self._value, self._optional
        match of:
            case d.RecordOf():
                return Record(tuple((n, value(scope, t)) for n, t in of.fields))
            case d.VariantOf():
                return Variant(tuple((n, optional(scope, t)) for n, t in of.cases))
            case d.ListOf():
                return List(value(scope, of.element))
            case d.TupleOf():
                return Tuple(tuple(value(scope, t) for t in of.elements))
            case d.EnumOf():
                return Enum(of.cases)
            case d.FlagsOf():
                if len(of.names) > 32:  # the bits of one i32
                    raise Unsupported("more than 32 flags")
                return Flags(of.names)
            case d.OptionOf():
                return Option(value(scope, of.some))
            case d.ResultOf():
                return Result(optional(scope, of.ok), optional(scope, of.err))
            case d.OwnOf():
                return Own(_resource_name(scope, of.resource))
            case d.BorrowOf():
                return Borrow(_resource_name(scope, of.resource))
            case d.StreamOf() | d.FutureOf():
                return self._copy_type(scope, of)
            case _:
                return self._value(scope, cast("d.Simple", of))

    def _copy_type(self, scope: _Scope, of: d.StreamOf | d.FutureOf) -> Own:
        """Let a handle stand for a stream or future; equal types have equal names."""
        element = self._optional(scope, of.element)
        is_stream = isinstance(of, d.StreamOf)
        name = f"{'stream' if is_stream else 'future'}<{element!r}>"
        self._copied[name] = CopyType(is_stream, element)
        return Own(name)

    def _value(self, scope: _Scope, reference: d.TypeReference) -> WitType:
        if not isinstance(reference, int):
            return reference
        kind = scope.type(reference)
        if isinstance(kind, _NOT_VALUES):
            raise Unreadable(f"type {reference} is not that of a value")
        return kind

    def _optional(
        self, scope: _Scope, reference: d.TypeReference | None
    ) -> WitType | None:
        return None if reference is None else self._value(scope, reference)

    def _counted(self, kind: WitType) -> WitType:
        """Note how many parts a type has, counting each as often as it is written."""
        size = 1 + sum(self._size(part) for part in _parts(kind))
        if size > _MOST_TYPE_PARTS:
            raise Unsupported(f"a type of more than {_MOST_TYPE_PARTS} parts")
        self._type_sizes[id(kind)] = kind, size  # kept, so that its id stays its own
        return kind

    def _size(self, kind: WitType) -> int:
        return self._type_sizes.get(id(kind), (kind, 1))[1]


_NOT_VALUES: Final = (
    Function,
    _AsyncFunction,
    ResourceType,
    _InstanceType,
    _ComponentType,
)


def _parts(kind: WitType) -> list[WitType]:
    match kind:
        case List():
            return [kind.element]
        case Record():
            return [part for _, part in kind.fields]
        case Tuple():
            return list(kind.elements)
        case Variant():
            return [part for _, part in kind.cases if part is not None]
        case Option():
            return [kind.some]
        case Result():
            return [part for part in (kind.ok, kind.err) if part is not None]
        case _:
            return []


def _resource_name(scope: _Scope, index: int) -> str:
    kind = scope.type(index)
    if not isinstance(kind, ResourceType):
        raise Unreadable(f"type {index} is not a resource")
    return kind.name


def _function(scope: _Scope, index: int) -> tuple[Function, bool]:
    """Look up the type of a function, and whether it is asynchronous."""
    kind = scope.type(index)
    if isinstance(kind, _AsyncFunction):
        return kind.function, True
    if not isinstance(kind, Function):
        raise Unreadable(f"type {index} is not that of a function")
    return kind, False


def _lifted(scope: _Scope, definition: d.Lift) -> LiftedFunction:
    core = scope.item(Sort.CORE_FUNCTION, definition.core_function)
    function, is_async = _function(scope, definition.type)
    return LiftedFunction(
        function,
        cast("CoreItem", core),
        _abi(scope, definition.options),
        scope.instance,
        is_async,
    )


def _abi(scope: _Scope, options: d.Options) -> Abi:
    return Abi(
        options.encoding,
        scope.item(Sort.CORE_MEMORY, options.memory),
        scope.item(Sort.CORE_FUNCTION, options.realloc),
        scope.item(Sort.CORE_FUNCTION, options.post_return),
        scope.item(Sort.CORE_FUNCTION, options.callback),
        options.is_async,
    )


def _aliased(scope: _Scope, definition: d.Alias) -> object:
    match definition:
        case d.OuterAlias():
            around = scope.outward(definition.levels)
            return around.find(definition.sort, definition.index)
        case d.ExportAlias(is_core=True):
            found = scope.find(Sort.CORE_INSTANCE, definition.instance)
            return _core_export(cast("_CoreInstance", found), definition.name)
        case _:
            found = scope.find(Sort.INSTANCE, definition.instance)
            exports = cast("_Exports", found)
            if definition.name not in exports:
                raise Unreadable(f"an instance does not export {definition.name!r}")
            return exports[definition.name][1]


def _core_export(instance: _CoreInstance, name: str) -> CoreItem:
    if isinstance(instance, int):
        return CoreExport(instance, name)
    if name not in instance:
        raise Unreadable(f"a core instance does not export {name!r}")
    return instance[name]


def _supplied(wanted: CoreImport, arguments: dict[str, _CoreInstance]) -> CoreItem:
    if wanted.module not in arguments:
        raise Unreadable(f"a core module is not given {wanted.module!r}")
    return _core_export(arguments[wanted.module], wanted.name)


def _flattened(exported: _Exports) -> list[tuple[str, object]]:
    """List what is exported, with the members of instances under their full names."""
    found: list[tuple[str, object]] = []
    for name, (sort, thing) in exported.items():
        if sort is Sort.INSTANCE:
            members = cast("_Exports", thing)
            found += [(f"{name}#{member}", one) for member, (_, one) in members.items()]
        else:
            found.append((name, thing))
    return found
