"""A component compiled for this lane: its core modules, and the callbacks they end in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, final

import wasmtime
from trio.lowlevel import enable_ki_protection

from airssys.wasm.lane.abi import Core, ExportSignature, ImportSignature
from airssys.wasm.lane.components import LoweredFunction
from airssys.wasm.values import Block, error_text

from . import _c_api as c
from ._linking import SHIM, Linking, name_of
from ._memory import CoreValues, address_of, answer_epoch, callback_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airssys.wasm.lane.components import Plan

_TYPES = {
    "i32": wasmtime.ValType.i32,
    "i64": wasmtime.ValType.i64,
    "f32": wasmtime.ValType.f32,
    "f64": wasmtime.ValType.f64,
}


class Running(Protocol):
    """The side of an instance that callbacks see."""

    failure: BaseException | None

    def run_canonical(self, number: int, at: int) -> None:
        """Do what a core module calls."""
        ...

    def fill(self, place: int, pointer: int, size: int) -> None:
        """Write a large value where the guest wants it."""
        ...

    def take(self, place: int) -> None:
        """Take the result of a call."""
        ...

    def close(self) -> None:
        """Give back everything."""
        ...


class CoreRefused(Exception):  # not for users: the loader says which component
    """wasmtime refused a core module; says why."""


@final
class CoreCode:
    """What all instances of one component share."""

    def __init__(self, engine: wasmtime.Engine, plan: Plan, linking: Linking) -> None:
        self.engine, self.plan, self.linking = engine, plan, linking
        self.pointer = c_pointer(engine)
        self.running: dict[int, Running] = {}
        """The instances, by the context of their store."""
        self.imports = {
            number: ImportSignature(one.function.type)
            for number, one in enumerate(plan.canonical)
            if isinstance(one, LoweredFunction)
        }
        self.exports = {
            full: ExportSignature(entrance.lifted.type)
            for full, entrance in linking.entrances.items()
        }
        self.values = {
            full: CoreValues(one.core_parameters, one.core_results)
            for full, one in self.exports.items()
        }
        self.callback_values = [CoreValues(*one.core) for one in linking.callbacks]
        self._kept: list[Any] = []
        self._linker = self.shim = 0
        self.modules: list[int] = []
        epoch = c.EpochCallback(_give_way)
        self._kept.append(epoch)
        self.epoch = callback_address(epoch)
        try:
            self._compile()
        except BaseException:
            self.close()
            raise

    def _compile(self) -> None:
        made: dict[bytes, int] = {}
        out = Block(8)
        for step in self.linking.steps:
            if step.code not in made:
                code = step.code
                error = c.module_new(
                    self.pointer, address_of(code), len(code), out.base
                )
                if error:
                    raise CoreRefused(error_text(error))
                made[code] = out.words[0]
                self.modules.append(out.words[0])
            else:
                self.modules.append(made[step.code])
        self._linker = c.linker_new(self.pointer)
        for callback in self.linking.callbacks:
            act = _canonical(self.running, callback.number)
            self._define(name_of(callback.number), *callback.core, act)
        self._define("fill", ("i32", "i32", "i32"), (), _fill(self.running))
        self._define("take", ("i32",), (), _take(self.running))
        error = c.linker_instantiate_pre(self._linker, self.modules[SHIM], out.base)
        if error:
            raise CoreRefused(error_text(error))
        self.shim = out.words[0]

    def _define(
        self,
        name: str,
        parameters: Sequence[Core],
        results: Sequence[Core],
        act: Callable[..., int],
    ) -> None:
        callback = c.UncheckedCallback(act)
        kinds = [[_TYPES[core]() for core in side] for side in (parameters, results)]
        kind = wasmtime.FuncType(*kinds)
        self._kept.append(callback)
        encoded = name.encode()
        error = c.linker_define_func_unchecked(
            self._linker,
            b"host",
            4,
            encoded,
            len(encoded),
            c_pointer(kind),
            callback_address(callback),
            None,
            None,
        )
        if error:
            raise CoreRefused(error_text(error))

    def close(self) -> None:
        """Delete all of it; its instances are closed before."""
        for instance in list(self.running.values()):
            instance.close()
        shim, self.shim = self.shim, 0
        if shim:
            c.instance_pre_delete(shim)
        linker, self._linker = self._linker, 0
        if linker:
            c.linker_delete(linker)
        modules, self.modules = set(self.modules), []
        for module in modules:
            c.module_delete(module)


def c_pointer(thing: Any) -> int:
    """The address in C of an object of wasmtime-py."""
    return callback_address(thing.ptr())


@enable_ki_protection
def _give_way(_context: int, _data: int | None, update: int, kind: int) -> int:
    answer_epoch(update, kind)
    return 0


_FAILED = b"the host failed"


def _guarded(
    running: dict[int, Running], act: Callable[[Running, int], None]
) -> Callable[..., int]:
    """Make a callback of what may raise: nothing may leave a callback."""
    context_of, trap_new = c.caller_context, c.trap_new

    @enable_ki_protection
    def callback(_env: int | None, caller: int, values: int, _count: int) -> int:
        instance = None
        try:
            instance = running[context_of(caller)]
            act(instance, values)
        except BaseException as error:  # noqa: BLE001, ASYNC103  # nothing may leave a callback
            if instance is not None:
                instance.failure = error
            trap: int = trap_new(_FAILED, len(_FAILED))
            return trap  # noqa: ASYNC104  # as above
        return 0

    return callback


def _canonical(running: dict[int, Running], number: int) -> Callable[..., int]:
    return _guarded(running, lambda instance, at: instance.run_canonical(number, at))


_three = CoreValues(("i32", "i32", "i32"), ())
_one = CoreValues(("i32",), ())


def _fill(running: dict[int, Running]) -> Callable[..., int]:
    return _guarded(running, lambda instance, at: instance.fill(*_three.read(at)))


def _take(running: dict[int, Running]) -> Callable[..., int]:
    return _guarded(running, lambda instance, at: instance.take(*_one.read(at)))
