"""Core modules for the world, as a toolchain without components makes them."""

from textwrap import dedent

import wasmtime

from airssys.building.encoding._flattening import core_type
from airssys.building.encoding._wit_text import read_world
from airssys.building.recipes._wit_directory import wit_directory

WORLD = read_world(wit_directory())
LIFECYCLE = "airssys:core/component-lifecycle@1.0.0#"

HOST = [
    (interface, name)
    for interface in WORLD.imports
    for name in WORLD.interfaces[interface].functions
]
"""All functions of the host: interface and name."""


def signature(core):
    params, results = " ".join(core.params), " ".join(core.results)
    return f"(param {params}) (result {results})"


def host_import(interface, name):
    function = WORLD.interfaces[interface].functions[name]
    core = core_type(WORLD, interface, function, is_import=True)
    full = WORLD.full_name(interface)
    return f'(import "{full}" "{name}" (func ${interface}.{name} {signature(core)}))\n'


BASICS = {
    "memory": '(memory (export "memory") 1)',
    "cabi_realloc": """\
        (global $top (mut i32) (i32.const 4096))
        (func (export "cabi_realloc")
          (param $old i32) (param i32) (param $align i32) (param $size i32) (result i32)
          (local $new i32)
          (if (local.get $old) (then unreachable))
          (local.set $new (i32.and
            (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
            (i32.sub (i32.const 0) (local.get $align))))
          (global.set $top (i32.add (local.get $new) (local.get $size)))
          (if (i32.gt_u (global.get $top) (i32.const 65536)) (then unreachable))
          (local.get $new))""",
    "initialize": "(i32.const 64)",
    "handle-message": """\
        (i32.store8 offset=4 (i32.const 64) (i32.const 1))
        (i32.store offset=8 (i32.const 64) (i32.load offset=24 (local.get 0)))
        (i32.store offset=12 (i32.const 64) (i32.load offset=28 (local.get 0)))
        (i32.const 64)""",
    "handle-callback": "(i32.const 64)",
    "metadata": "(i32.const 128)",
    "health": "(i32.const 1)",
    "shutdown": "(i32.const 64)",
}
"""An echo: the result is at 64, metadata without any text at 128."""


HANDOVER = "airssys:core/state-handover@1.0.0#"
STATE = {
    "export-state": """\
        (i32.store8 offset=64 (i32.const 0) (i32.const 0))
        (i32.store offset=68 (i32.const 0) (i32.const 192))
        (i32.store offset=72 (i32.const 0) (i32.load (i32.const 188)))
        (i32.const 64)""",
    "import-state": """\
        (i32.store (i32.const 188) (local.get 1))
        (memory.copy (i32.const 192) (local.get 0) (local.get 1))
        (i32.const 80)""",
}
"""Keeps the state that it is given: its length is at 188, its bytes at 192."""


def state_wat(names=tuple(STATE)):
    """Return more fields for `core_wat`: functions that hand state over."""
    found = []
    for name in names:
        function = WORLD.interfaces["state-handover"].functions[name]
        core = core_type(WORLD, "state-handover", function, is_import=False)
        head = f'(func (export "{HANDOVER}{name}") {signature(core)}'
        found.append(f"{head} {dedent(STATE[name])})")
    return "\n".join(found)


def core_wat(imports=(), extra="", without=(), **bodies):
    """Return the text of a core module; bodies by the function's name with `_`."""
    fields = [host_import(*one) for one in imports]
    for name in sorted(BASICS.keys() - set(without)):
        text = bodies.get(name.replace("-", "_"), BASICS[name])
        if name in WORLD.interfaces["component-lifecycle"].functions:
            function = WORLD.interfaces["component-lifecycle"].functions[name]
            core = core_type(WORLD, "component-lifecycle", function, is_import=False)
            text = f'(func (export "{LIFECYCLE}{name}") {signature(core)} {text})'
        fields.append(dedent(text))
    return "(module\n" + "\n".join(fields) + extra + ")"


def core_module(*arguments, **named):
    return bytes(wasmtime.wat2wasm(core_wat(*arguments, **named)))
