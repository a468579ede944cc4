"""Core modules between the host and a guest, written for the functions of a component.

A call into a guest goes through an *export adapter*: it moves the parameters from the
scratch memory into the guest's, calls the function, lets the host take the result from
where it lies, and calls `post-return`. A call of a guest to the host goes through an
*import adapter*: it lets the host begin, pauses until there is an answer unless that is
there at once, and moves it from the scratch memory to the guest.

So the host never calls into a guest from within a call, and whatever a guest's
`realloc`, `post-return` or destructor does can be interrupted like the rest of it.

Pausing: the host sets the guest's deadline to now before it returns; the function
called next checks the deadline when it is entered, and yields. A loop would not yield,
because loops compare with a deadline that was read earlier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.wasm.lane.abi import Core, ExportSignature, ImportSignature, flat_all
from airssys.wasm.values import Function, Tuple

from . import _assembler as asm
from ._assembler import Module
from ._movers import (
    ANSWERED,
    IMAGE,
    NOT_BEGUN,
    Movers,
    Scratch,
    has_pointers,
)

if TYPE_CHECKING:
    from airssys.wasm.lane.components import Encoding

SCRATCH: Final = "scratch"
"""The name of the scratch memory."""
SLOT: Final = "slot"
"""The name of the global variable of the shim that says where in the scratch memory the
part of an instance begins. The host sets it before the guest begins to run."""
PAGES: Final = (256, 2**15)
"""Of the scratch memory: at first, which costs nothing until they are used, and at most:
2 GiB, because the highest bit of a pointer says that it is none."""
_OWN_PAGES: Final = (1, 1)
"""Of the scratch memory of a guest that is asynchronous."""


@final
@attrs.frozen
class ExportNeeds:
    """What crossing into an exported function takes besides the call itself."""

    function: Function
    has_post_return: bool

    @property
    def is_direct(self) -> bool:
        """Whether it can be called as it is: with core values, and nothing to move."""
        signature = ExportSignature(self.function)
        moved = any(has_pointers(wit) for _, wit in self.function.params)
        in_memory = signature.parameters_in_memory or signature.result_in_memory
        return not (moved or in_memory or self.has_post_return)


def shim_module(pausing: dict[str, Function], imported: dict[str, _Core]) -> bytes:
    """Write the module that stands between the host's callbacks and everything else.

    It passes on what the host defines, and makes the functions that pause but need no
    memory of the guest.

    Args:
        pausing: functions of the host whose result is at most one core value, by
            their names.
        imported: all callbacks, with their core types.
    """
    module = Module()
    callbacks = {
        name: module.import_function("host", name, *core)
        for name, core in imported.items()
    }
    scratch = Scratch(-1, asm.get_global(module.add_i32()))
    if pausing:
        memory = module.import_shared_memory("host", SCRATCH, *PAGES)
        scratch = attrs.evolve(scratch, memory=memory)
    module.export_global(SLOT, 0)
    pause = _pause(module)
    module.export_function("pause", pause)
    for name, callback in callbacks.items():
        if name not in pausing:
            module.export_function(name, callback)
            continue
        signature = ImportSignature(pausing[name])
        results = signature.core_results
        adapter = module.declare(signature.core_parameters, results)
        body = _begin(len(signature.core_parameters), callback, pause, scratch)
        for core in results:
            body += scratch.load(_CODES[core], IMAGE)
        module.define(adapter, [], body)
        module.export_function(name, adapter)
    return module.binary()


def task_shim(waiting: dict[str, _Core], at_once: dict[str, _Core]) -> bytes:
    """Write the module that stands between the host and guests that are asynchronous.

    Args:
        waiting: the core types of functions that may pause; the host answers these in the
            scratch memory, right before it goes on with the guest that waits.
        at_once: the core types of those that never do, and return by themselves.
    """
    module = Module()
    passed = {
        name: module.import_function("host", name, *core)
        for name, core in at_once.items()
    }
    callbacks = {
        name: module.import_function("host", name, core[0], [])
        for name, core in waiting.items()
    }
    scratch = Scratch(module.add_memory(*_OWN_PAGES), asm.i32(0))
    module.export_memory(SCRATCH, scratch.memory)
    pause = _pause(module)
    for name, function in passed.items():
        module.export_function(name, function)
    for name, (parameters, results) in waiting.items():
        adapter = module.declare(parameters, results)
        body = _begin(len(parameters), callbacks[name], pause, scratch)
        for core in results:
            body += scratch.load(_CODES[core], IMAGE)
        module.define(adapter, [], body)
        module.export_function(name, adapter)
    return module.binary()


_Core = tuple[tuple[Core, ...], tuple[Core, ...]]
"""Parameters and results of a core function."""
_CODES: Final[dict[Core, str]] = {"i32": "I", "i64": "Q", "f32": "f", "f64": "d"}


DROP: Final = "drop"
"""The name under which a `drop_module` exports its function."""


def drop_module() -> bytes:
    """Write the adapter of `resource.drop` for a resource that has a destructor.

    It imports the host's callback, which takes a handle and returns the representation
    and whether it was the owner's, and the destructor, which then runs here: on the
    guest's fiber, like anything else that the guest does.
    """
    module = Module()
    let_go = module.import_function("shim", DROP, ["i32"], ["i32", "i32"])
    destroy = module.import_function("core", DROP, ["i32"], [])
    handle, representation = 0, 1
    body = asm.get(handle) + asm.call(let_go) + asm.put(handle)
    body += asm.put(representation) + asm.get(handle)
    body += asm.when(asm.get(representation) + asm.call(destroy))
    adapter = module.declare(["i32"], [])
    module.define(adapter, ["i32"], body)
    module.export_function(DROP, adapter)
    return module.binary()


def _pause(module: Module) -> int:
    pause = module.declare([], [])
    module.define(pause, [], b"")
    return pause


def _begin(parameters: int, callback: int, pause: int, scratch: Scratch) -> bytes:
    """Let the host begin, and wait until it has answered.

    A callback that could not even begin has noted nothing; the guest ends there.
    """
    answered = scratch.load("I", ANSWERED)
    body = scratch.say(ANSWERED, NOT_BEGUN)
    body += b"".join(asm.get(local) for local in range(parameters))
    body += asm.call(callback)
    is_lost = answered + asm.i32(NOT_BEGUN) + asm.I32_EQ
    body += is_lost + asm.when(asm.UNREACHABLE)
    wait = asm.call(pause) + answered + asm.I32_EQZ + asm.br_if(0)
    return body + answered + asm.I32_EQZ + asm.when(asm.loop(wait))


@final
class AdapterModule:
    """The adapters for one memory and `realloc` of a component.

    It imports `guest` `memory` and `realloc`, from `host` the scratch memory, from `shim`
    its slot, `pause`, `fill`, `take` and the callbacks of imports, and from `core`
    functions of the guest.
    """

    def __init__(
        self, encoding: Encoding, *, has_realloc: bool, has_memory: bool = True
    ) -> None:
        self._encoding = encoding
        self._has_realloc, self._has_memory = has_realloc, has_memory
        self._imports: dict[str, Function] = {}
        self._exports: dict[str, ExportNeeds] = {}

    def add_import(self, name: str, function: Function) -> None:
        """Add an adapter for what a guest imports, under the name of its callback."""
        self._imports[name] = function

    def add_export(self, name: str, needs: ExportNeeds) -> None:
        """Add an adapter for what a guest exports."""
        self._exports[name] = needs

    def wanted(self) -> list[tuple[str, str]]:
        """Name what it imports, in order."""
        names = [("guest", "memory")] if self._has_memory else []
        names.append(("host", SCRATCH))
        if self._has_realloc:
            names.append(("guest", "realloc"))
        names.append(("shim", SLOT))
        names += [("shim", "fill"), ("shim", "take"), ("shim", "pause")]
        names += [("shim", name) for name in self._imports]
        for name, needs in self._exports.items():
            names.append(("core", name))
            if needs.has_post_return:
                names.append(("post", name))
        return names

    def binary(self) -> bytes:
        """Write the module; its exports have the names of what they adapt."""
        module = Module()
        guest = module.import_memory("guest", "memory") if self._has_memory else -1
        memory = module.import_shared_memory("host", SCRATCH, *PAGES)
        realloc = None
        if self._has_realloc:
            realloc = module.import_function("guest", "realloc", ["i32"] * 4, ["i32"])
        scratch = Scratch(memory, asm.get_global(module.import_i32("shim", SLOT)))
        fill = module.import_function("shim", "fill", ["i32"] * 3, [])
        take = module.import_function("shim", "take", ["i32"], [])
        pause = module.import_function("shim", "pause", [], [])
        callbacks = {
            name: module.import_function(
                "shim", name, ImportSignature(function).core_parameters, []
            )
            for name, function in self._imports.items()
        }
        cores = {
            name: _import_core(module, name, n) for name, n in self._exports.items()
        }
        movers = Movers(module, guest, scratch, realloc, fill, self._encoding)
        for name, function in self._imports.items():
            code = _begin(
                len(ImportSignature(function).core_parameters),
                callbacks[name],
                pause,
                scratch,
            )
            self._add(module, name, *_import_adapter(function, code, movers, scratch))
        for name, needs in self._exports.items():
            self._add(
                module,
                name,
                *_export_adapter(needs, cores[name], take, movers, scratch),
            )
        return module.binary()

    def _add(
        self,
        module: Module,
        name: str,
        kind: _Core,
        locals_: list[Core],
        body: bytes,
    ) -> None:
        adapter = module.declare(*kind)
        module.define(adapter, locals_, body)
        module.export_function(name, adapter)


def _import_core(
    module: Module, name: str, needs: ExportNeeds
) -> tuple[int, int | None]:
    """Import a function of the guest, and its `post-return` if it has one."""
    signature = ExportSignature(needs.function)
    core = module.import_function(
        "core", name, signature.core_parameters, signature.core_results
    )
    if not needs.has_post_return:
        return core, None
    post = module.import_function("post", name, signature.core_results, [])
    return core, post


def _import_adapter(
    function: Function, begin: bytes, movers: Movers, scratch: Scratch
) -> tuple[_Core, list[Core], bytes]:
    """Begin, wait if need be, then move the result to where the guest wants it."""
    signature = ImportSignature(function)
    parameters = signature.core_parameters
    assert function.result is not None  # noqa: S101  # else it needs no memory
    move = movers.into(function.result, len(parameters) - 1)
    body = begin + scratch.may_leave(False) + move + scratch.may_leave(True)  # noqa: FBT003  # as in the specification
    return (parameters, ()), [], body


def _export_adapter(
    needs: ExportNeeds,
    core: tuple[int, int | None],
    take: int,
    movers: Movers,
    scratch: Scratch,
) -> tuple[_Core, list[Core], bytes]:
    """Move parameters in, call, let the host take the result, clean up."""
    signature = ExportSignature(needs.function)
    function, post = core
    wits = tuple(wit for _, wit in needs.function.params)
    locals_: list[Core] = [*signature.core_parameters, *signature.core_results]
    row = Tuple(wits)
    body = scratch.may_leave(False)  # noqa: FBT003  # as in the specification
    if signature.parameters_in_memory:
        body += movers.row(row, 0)
    else:
        targets = [(n, kind) for n, kind in enumerate(flat_all(wits))]
        body += movers.flat(row, 0, targets)
    body += scratch.may_leave(True)  # noqa: FBT003  # as above
    body += b"".join(asm.get(n) for n in range(len(signature.core_parameters)))
    body += asm.call(function)
    result = asm.get(len(signature.core_parameters))
    if signature.core_results:
        body += asm.put(len(signature.core_parameters))
    if signature.result_in_memory:
        body += result + asm.call(take)
    if post is not None:
        body += scratch.may_leave(False)  # noqa: FBT003  # as above
        body += (result if signature.core_results else b"") + asm.call(post)
        body += scratch.may_leave(True)  # noqa: FBT003  # as above
    results = () if signature.result_in_memory else signature.core_results
    return ((), results), locals_, body + (result if results else b"")
