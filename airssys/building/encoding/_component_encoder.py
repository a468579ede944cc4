"""Turns a core module into a component, in plain Python.

Toolchains without support for components produce core modules. A module whose exports
and imports have the names and types that the canonical ABI gives to the world's
functions can be turned into a component here: the component around it is written as
text and assembled, and the module is inserted, byte by byte unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
from wasmtime import (
    Config,
    Engine,
    FuncType,
    MemoryType,
    Module,
    WasmtimeError,
    wat2wasm,
)

from airssys.building.recipes import CoreModuleUnfit, wit_directory

from ._component_text import (
    INITIALIZE,
    MEMORY,
    POST_RETURN,
    REALLOC,
    CoreFunction,
    component_text,
)
from ._flattening import CoreType, core_type
from ._wit_text import read_world

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wasmtime import ImportType

    from ._wit_text import WitWorld

_CORE: Final = b"\0asm\x01\0\0\0"
_COMPONENT: Final = b"\0asm\x0d\0\x01\0"
_CORE_MODULE_SECTION: Final = 1
_REALLOC_TYPE: Final = CoreType(("i32",) * 4, ("i32",))
_START_TYPE: Final = CoreType((), ())
_OPTIONAL: Final = "state-handover"
_NO_WASI: Final = (
    "components for airssys cannot use WASI: build for a target without it, such as "
    "wasm32-unknown-unknown"
)


def encode_component(core: bytes) -> bytes:
    """Make a component from a core module, for the world `airssys:core/runtime-host`.

    The module exports `memory`, `cabi_realloc` and every function of the life cycle, as
    `airssys:core/component-lifecycle@1.0.0#handle-message` and so on. It may export a
    `cabi_post_` function for each, and `_initialize`. It imports what it uses of the
    world, e.g. `log` from `airssys:core/host-services@1.0.0`. How its code uses
    pointers is not checked; a mistake there causes a trap when it runs.

    Raises:
        CoreModuleUnfit: The module does not fit; the text has everything that is wrong.
    """
    module = _read(core)
    world = _with_optional(read_world(wit_directory()), module)
    problems: list[str] = []
    imports = _imports(world, module, problems)
    exports = [
        CoreFunction(interface, name, core_type(world, interface, it, is_import=False))
        for interface in world.exports
        for name, it in world.interfaces[interface].functions.items()
    ]
    found = {export.name: export.type for export in module.exports}
    extras = _extras(world, exports, found)
    problems += _wrong_exports(world, exports, found, extras)
    if problems:
        raise CoreModuleUnfit(problems)
    text, stand_in = component_text(world, imports, exports, extras)
    return _with_core_module(bytes(wat2wasm(text)), stand_in, core)


def _with_optional(world: WitWorld, module: Module) -> WitWorld:
    """Add the optional interface to the world if the module exports it."""
    begin = f"{world.full_name(_OPTIONAL)}#"
    if any(export.name.startswith(begin) for export in module.exports):
        return attrs.evolve(world, exports=(*world.exports, _OPTIONAL))
    return world


def _read(core: bytes) -> Module:
    if not core.startswith(_CORE):
        found = (
            "already a component"
            if core.startswith(_COMPONENT)
            else "not a WebAssembly module"
        )
        raise CoreModuleUnfit([f"it is {found}"])
    config = Config()
    config.cranelift_opt_level = "none"  # it is compiled only to be checked
    try:
        return Module(Engine(config), core)
    except WasmtimeError as error:
        raise CoreModuleUnfit([f"it is not valid: {error}"]) from error


def _imports(
    world: WitWorld, module: Module, problems: list[str]
) -> list[CoreFunction]:
    """Return the imported functions; adds the mistakes to `problems`."""
    known = {world.full_name(interface): interface for interface in world.imports}
    found: dict[tuple[str, str], CoreFunction] = {}
    for one in module.imports:
        name = one.name or ""
        interface = known.get(one.module)
        if interface is None or name not in world.interfaces[interface].functions:
            problems.append(_unknown(one, known))
            continue
        function = world.interfaces[interface].functions[name]
        wanted = core_type(world, interface, function, is_import=True)
        if (interface, name) in found:
            problems.append(
                f"it imports {one.module}#{name} twice, which a component may not do:"
                " declare it in one place"
            )
        elif _core_type(one.type) == wanted:
            found[interface, name] = CoreFunction(interface, name, wanted)
        else:
            problems.append(
                f"it imports {one.module}#{name} as {_shown(one.type)};"
                f" the world has {wanted}"
            )
    return list(found.values())


def _unknown(one: ImportType, known: Mapping[str, str]) -> str:
    what = f"it imports {one.module}#{one.name}"
    if one.module.startswith("wasi"):
        return f"{what}: {_NO_WASI}"
    if one.module in known:
        return f"{what}, a function that the world does not have"
    if not isinstance(one.type, FuncType):
        return f"{what}, which is not a function: the module must define its own"
    return f"{what}; the world only has {', '.join(known)}"


def _extras(
    world: WitWorld, exports: list[CoreFunction], found: Mapping[str, object]
) -> frozenset[str]:
    optional = {POST_RETURN + one.export_name(world) for one in exports}
    return frozenset((optional | {INITIALIZE}) & found.keys())


def _wrong_exports(
    world: WitWorld,
    exports: list[CoreFunction],
    found: Mapping[str, object],
    extras: frozenset[str],
) -> Iterator[str]:
    wanted = {one.export_name(world): one.core_type for one in exports}
    wanted |= {
        post: CoreType(one.core_type.results, ())
        for one in exports
        if (post := POST_RETURN + one.export_name(world)) in extras
    }
    if INITIALIZE in extras:
        wanted[INITIALIZE] = _START_TYPE
    wanted[REALLOC] = _REALLOC_TYPE
    for name, core in wanted.items():
        if name not in found:
            yield f"it does not export the function {name}"
        elif _core_type(found[name]) != core:
            yield f"it exports {name} as {_shown(found[name])}; the world has {core}"
    memory = found.get(MEMORY)
    if not isinstance(memory, MemoryType):
        yield f"it does not export a memory called {MEMORY}"
    elif memory.is_64:
        yield "its memory has 64-bit addresses; the world needs 32-bit ones"


def _core_type(extern: object) -> CoreType | None:
    if not isinstance(extern, FuncType):
        return None
    params, results = map(str, extern.params), map(str, extern.results)
    return CoreType(tuple(params), tuple(results))


def _shown(extern: object) -> str:
    found = _core_type(extern)
    return str(found) if found else f"a {type(extern).__name__.removesuffix('Type')}"


def _with_core_module(component: bytes, number: int, core: bytes) -> bytes:
    """Replace the core module of this number in a component."""
    result = bytearray(_COMPONENT)
    at, seen = len(result), 0
    while at < len(component):
        size, start = _read_number(component, at + 1)
        end = start + size
        if component[at] == _CORE_MODULE_SECTION and seen == number:
            result += bytes([_CORE_MODULE_SECTION]) + _number(len(core)) + core
        else:
            result += component[at:end]
        seen += component[at] == _CORE_MODULE_SECTION
        at = end
    return bytes(result)


def _read_number(data: bytes, at: int) -> tuple[int, int]:
    """Read an unsigned LEB128 number; returns it and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004  # the highest bit says that there is more
            return value, at


def _number(value: int) -> bytes:
    """Write an unsigned LEB128 number."""
    found = bytearray()
    while value > 0x7F:  # noqa: PLR2004  # seven bits a byte
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
