"""The component around a core module, as WebAssembly text.

A host function can only be lowered once there is a memory to pass strings in, and the
memory belongs to the core module that imports the function. So the module is first
instantiated with a *shim*, whose functions jump through a table that is still empty;
then the host functions are lowered with the module's memory, and a *fixup* module fills
the table. Both are left out if there are no imports.

The core module itself is a stand-in with the same imports and exports; its bytes are
inserted later, because as text it would have to be disassembled first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from ._wit_text import PLAIN, Name, Of, Record, Variant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._flattening import CoreType
    from ._wit_text import Function, Type, WitWorld

_Reference: TypeAlias = Callable[[str], str]

MEMORY: Final = "memory"
REALLOC: Final = "cabi_realloc"
POST_RETURN: Final = "cabi_post_"
"""Begins the name of the function to call after the host has read an answer."""
INITIALIZE: Final = "_initialize"
"""Static constructors, which run before anything else."""
_OPTIONS: Final = (
    f'(memory (core memory $main "{MEMORY}")) (realloc (core func $main "{REALLOC}"))'
)


class CoreFunction(NamedTuple):
    """A function of the world, as seen from a core module."""

    interface: str
    name: str
    core_type: CoreType

    def export_name(self, world: WitWorld) -> str:
        """Return the name under which a core module exports it."""
        return f"{world.full_name(self.interface)}#{self.name}"


def component_text(
    world: WitWorld,
    imports: Sequence[CoreFunction],
    exports: Sequence[CoreFunction],
    extras: frozenset[str],
) -> tuple[str, int]:
    """Return the text of a component, and the index of the stand-in core module.

    Args:
        world: What the component is for.
        imports: The host functions that the core module uses, each once.
        exports: The functions that it has.
        extras: Names of its optional exports: post-returns and `_initialize`.
    """
    used = {one.interface for one in imports}
    lines = ["(component"]
    for interface in _in_order(world, {*used, *(one.interface for one in exports)}):
        if interface in used or not world.interfaces[interface].functions:
            names = [one.name for one in imports if one.interface == interface]
            lines += _import(world, interface, names)
    if imports:
        lines += _shim(imports)
    lines += _stand_in(world, imports, exports, extras)
    lines += _instantiation(world, imports)
    if imports:
        lines += _fixup(imports)
    if INITIALIZE in extras:
        lines += _start()
    for interface in world.exports:
        lines += _export(world, interface, extras)
    return "\n".join([*lines, ")"]), 1 if imports else 0


def _in_order(world: WitWorld, wanted: set[str]) -> list[str]:
    """Return interfaces and all those whose types they use, the used ones first."""
    found: list[str] = []

    def visit(interface: str) -> None:
        if interface not in found:
            for source in world.interfaces[interface].uses.values():
                visit(source)
            found.append(interface)

    for interface in sorted(wanted):
        visit(interface)
    return found


# Types


def _type(wit_type: Type, reference: _Reference) -> str:
    match wit_type:
        case Name(name):
            return name if name in PLAIN else reference(name)
        case Of("result", parts):
            ok, error = (*parts, None, None)[:2]
            sides = [_type(ok, reference)] if ok else []
            sides += [f"(error {_type(error, reference)})"] if error else []
            return f"(result {' '.join(sides)})"
        case Of(kind, parts):
            return f"({kind} {' '.join(_type(p, reference) for p in parts if p)})"
        case Record(fields):
            inner = (f'(field "{name}" {_type(t, reference)})' for name, t in fields)
            return f"(record {' '.join(inner)})"
        case Variant(cases, is_enum=True):
            return "(enum " + " ".join(f'"{name}"' for name, _ in cases) + ")"
        case Variant(cases):
            inner = (
                f'(case "{name}"{" " + _type(t, reference) if t else ""})'
                for name, t in cases
            )
            return f"(variant {' '.join(inner)})"


def _signature(function: Function, reference: _Reference) -> str:
    parts = [f'(param "{n}" {_type(t, reference)})' for n, t in function.params]
    if function.result is not None:
        parts.append(f"(result {_type(function.result, reference)})")
    return " ".join(parts)


def _local(name: str) -> str:
    return f"${name}"


def _import(world: WitWorld, interface: str, functions: Sequence[str]) -> Iterator[str]:
    """Import an interface with these functions; its types become `$interface.t`."""
    found = world.interfaces[interface]
    yield f'(import "{world.full_name(interface)}" (instance ${interface}'
    for name, source in found.uses.items():
        yield f"  (alias outer 1 ${source}.{name} (type ${name}'))"
        yield f'  (export "{name}" (type ${name} (eq ${name}\')))'
    for name, meant in found.types.items():
        yield f"  (type ${name}' {_type(meant, _local)})"
        yield f'  (export "{name}" (type ${name} (eq ${name}\')))'
    for name in functions:
        yield f'  (export "{name}" (func {_signature(found.functions[name], _local)}))'
    yield "))"
    for name in (*found.uses, *found.types):
        yield f'(alias export ${interface} "{name}" (type ${interface}.{name}))'


def _export(world: WitWorld, interface: str, extras: frozenset[str]) -> Iterator[str]:
    found = world.interfaces[interface]
    full = world.full_name(interface)

    def reference(name: str) -> str:
        return f"${found.uses.get(name, interface)}.{name}"

    for name, meant in found.types.items():
        here = f"${interface}.{name}"
        yield f"(type {here}' {_type(meant, reference)})"
        yield f'(export {here} "{name}" (type {here}\'))'
    for name, function in found.functions.items():
        options = _OPTIONS
        post = f"{POST_RETURN}{full}#{name}"
        if post in extras:
            options += f' (post-return (core func $main "{post}"))'
        here = f"${interface}.{name}-function"
        yield f"(func {here} {_signature(function, reference)}"
        yield f'  (canon lift (core func $main "{full}#{name}") {options}))'
    yield f"(instance ${interface}"
    for name in found.types:
        yield f'  (export "{name}" (type ${interface}.{name}))'
    for name in found.functions:
        yield f'  (export "{name}" (func ${interface}.{name}-function))'
    yield f') (export "{full}" (instance ${interface}))'


# Core modules


def _core(core_type: CoreType) -> str:
    params, results = " ".join(core_type.params), " ".join(core_type.results)
    return (f"(param {params})" if params else "") + (
        f" (result {results})" if results else ""
    )


def _shim(imports: Sequence[CoreFunction]) -> Iterator[str]:
    count = len(imports)
    yield f'(core module $shim (table (export "table") {count} {count} funcref)'
    for number, one in enumerate(imports):
        arguments = " ".join(f"(local.get {n})" for n in range(len(one.core_type[0])))
        yield f"  (type ${number} (func {_core(one.core_type)}))"
        yield f'  (func (export "{number}") (type ${number}) {arguments}'
        yield f"    (call_indirect (type ${number}) (i32.const {number})))"
    yield ") (core instance $shim (instantiate $shim))"


def _fixup(imports: Sequence[CoreFunction]) -> Iterator[str]:
    for number, one in enumerate(imports):
        yield f"(core func $lowered{number} (canon lower"
        yield f'  (func ${one.interface} "{one.name}") {_OPTIONS}))'
    count = len(imports)
    yield f'(core module $fixup (import "shim" "table" (table {count} {count} funcref))'
    for number, one in enumerate(imports):
        yield f'  (import "host" "{number}" (func ${number} {_core(one.core_type)}))'
    yield f"  (elem (i32.const 0) func {' '.join(f'${n}' for n in range(count))}))"
    yield '(core instance (instantiate $fixup (with "shim" (instance $shim))'
    yield '  (with "host" (instance'
    for number in range(count):
        yield f'    (export "{number}" (func $lowered{number}))'
    yield "  ))))"


def _stand_in(
    world: WitWorld,
    imports: Sequence[CoreFunction],
    exports: Sequence[CoreFunction],
    extras: frozenset[str],
) -> Iterator[str]:
    yield "(core module $main"
    for one in imports:
        full = world.full_name(one.interface)
        yield f'  (import "{full}" "{one.name}" (func {_core(one.core_type)}))'
    yield f'  (memory (export "{MEMORY}") 0)'
    yield f'  (func (export "{REALLOC}") (param i32 i32 i32 i32) (result i32) unreachable)'
    for one in exports:
        name = one.export_name(world)
        yield f'  (func (export "{name}") {_core(one.core_type)} unreachable)'
        if (post := POST_RETURN + name) in extras:
            taken = " ".join(one.core_type.results)
            yield f'  (func (export "{post}") (param {taken}))'
    if INITIALIZE in extras:
        yield f'  (func (export "{INITIALIZE}"))'
    yield ")"


def _instantiation(world: WitWorld, imports: Sequence[CoreFunction]) -> Iterator[str]:
    interfaces = list(dict.fromkeys(one.interface for one in imports))
    yield "(core instance $main (instantiate $main"
    for interface in interfaces:
        yield f'  (with "{world.full_name(interface)}" (instance'
        for number, one in enumerate(imports):
            if one.interface == interface:
                yield f'    (export "{one.name}" (func $shim "{number}"))'
        yield "  ))"
    yield "))"


def _start() -> Iterator[str]:
    yield '(core module $start (import "main" "start" (func $start)) (start $start))'
    yield '(core instance (instantiate $start (with "main" (instance'
    yield f'  (export "start" (func $main "{INITIALIZE}"))))))'
