"""A component taken apart and compiled, before an engine's ledger has any of it.

It can be written down and read again. What is written is the component's skeleton, from
which everything is planned anew (40 ms for a Python guest of 19 MB, most of it reading),
and the compiled modules. The skeleton lacks start functions and most names, so what was
exported of each module in addition is written too.

Large modules may be kept elsewhere, by the digest of their code, because components share
them: each Python guest contains the same interpreter, which takes 15 s to compile.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, final

import attrs
import wasmtime
from wasmtime.component import Component as Compiled

from airssys.wasm.artifacts import NotOffered, Reader, Unreadable, first_lines
from airssys.wasm.lane.components import (
    Plan,
    Unsupported,
    make_plan,
    parse,
    skeleton,
)
from airssys.wasm.lane.modules import Exposed

from ._code import CoreRefused, compile_modules
from ._linking import Linking, link

_MAGIC_SIZE: Final = 8
_START: Final = 8
"""The number of the section with the start function."""
LARGE_MODULE: Final = 64 << 10
"""Bytes of a core module from which it is kept by itself. Smaller ones are compiled in the
time that one more file takes."""

FindModule: TypeAlias = Callable[[str], "wasmtime.Module | None"]
"""Finds a compiled module by the SHA-256 of its code."""


def _find_none(_digest: str) -> None:
    return None


class NotTakenApart(Exception):  # not for users: the loader goes another way
    """This lane cannot run a component; says why."""


@final
@attrs.frozen(eq=False)
class SharedModule:
    """A large module, which other components may contain too."""

    digest: str
    """SHA-256 of its code, as it is compiled."""
    module: wasmtime.Module
    is_new: bool = False
    """Whether it was compiled now, and not found."""


@final
@attrs.frozen(eq=False)
class CoreParts:
    """What a component is run from; the code of its modules is in compiled form only."""

    plan: Plan
    linking: Linking
    modules: Sequence[wasmtime.Module]
    """Of each step; those of the same code are one."""
    skeleton: bytes = attrs.field(repr=False)
    shared: Sequence[SharedModule] = ()
    """The large ones among the modules."""

    @classmethod
    def of(  # its fields
        cls,
        plan: Plan,
        linking: Linking,
        modules: Sequence[wasmtime.Module],
        skeleton: bytes,
        shared: Sequence[SharedModule] = (),
    ) -> CoreParts:
        """Put parts together, without code that is compiled already."""
        steps = tuple(attrs.evolve(step, code=b"") for step in linking.steps)
        return cls(
            attrs.evolve(plan, modules=()),
            attrs.evolve(linking, steps=steps),
            modules,
            skeleton,
            shared,
        )

    def serialize(self) -> bytes:
        """Write it down: a line that says what follows, then that."""
        return self._write({})

    def serialize_unshared(self) -> bytes:
        """Write it down without its shared modules; they are found by their digests."""
        return self._write({each.module: each.digest for each in self.shared})

    def _write(self, elsewhere: Mapping[wasmtime.Module, str]) -> bytes:
        unique = list(dict.fromkeys(self.modules))
        written = {
            module: bytes(module.serialize())
            for module in unique
            if module not in elsewhere
        }
        head = {
            "skeleton": len(self.skeleton),
            "starts": [step.start for step in self.linking.steps],
            "exposed": [_fields_of(step.exposed) for step in self.linking.steps],
            "modules": [
                elsewhere[module] if module in elsewhere else len(written[module])
                for module in unique
            ],
            "steps": [unique.index(module) for module in self.modules],
        }
        line = json.dumps(head).encode()
        return b"".join([line, b"\n", self.skeleton, *written.values()])

    @classmethod
    def deserialize(
        cls, engine: wasmtime.Engine, written: bytes, find: FindModule = _find_none
    ) -> CoreParts:
        """Read what was written; `find` finds the modules that are kept elsewhere.

        It must not have been written by anything else, because the compiled code in it
        is run.

        Raises:
            ValueError: it was written by another version, or a module is not found.
            WasmtimeError: wasmtime does not take it, for instance on another processor.
        """
        line, _, rest = written.partition(b"\n")
        try:
            head = json.loads(line)
            size, starts, steps = head["skeleton"], head["starts"], head["steps"]
            state = [found and Exposed(**found) for found in head["exposed"]]
            skeleton = rest[:size]
            unique, shared = _read_modules(engine, head["modules"], rest[size:], find)
            plan, linking = take_apart(skeleton)
            modules = [unique[index] for index in steps]
            started = tuple(
                attrs.evolve(step, start=start, exposed=exposed)
                for step, start, exposed in zip(
                    linking.steps, starts, state, strict=True
                )
            )
        except (KeyError, IndexError, TypeError, NotTakenApart) as error:
            raise ValueError("these parts are of another version") from error
        linking = attrs.evolve(linking, steps=started)
        return cls.of(plan, linking, modules, skeleton, shared)


@final
@attrs.frozen
class PartsReader:
    """Reads parts whose large modules are kept elsewhere; used like wasmtime's classes."""

    find: FindModule

    def deserialize(self, engine: wasmtime.Engine, written: bytes) -> CoreParts:
        """Read what was written; errors as of `CoreParts.deserialize`."""
        return CoreParts.deserialize(engine, written, self.find)

    def deserialize_file(self, engine: wasmtime.Engine, path: str) -> CoreParts:
        """Read what was written to a file; errors as of `CoreParts.deserialize`."""
        return self.deserialize(engine, Path(path).read_bytes())


def _read_modules(
    engine: wasmtime.Engine,
    listed: Sequence[int | str],
    written: bytes,
    find: FindModule,
) -> tuple[list[wasmtime.Module], list[SharedModule]]:
    """Read modules: the sizes of those that are written here, the digests of others."""
    modules, shared, at = [], [], 0
    for each in listed:
        if isinstance(each, str):
            module = find(each)
            if module is None:
                raise ValueError(f"the module {each:.12} in it is missing")
            shared.append(SharedModule(each, module))
        else:
            code = written[at : at + each]
            module = wasmtime.Module.deserialize(engine, code)
            at += each
        modules.append(module)
    return modules, shared


@final
class Compiling:
    """Compiles modules, but for the large ones that are found."""

    def __init__(self, find: FindModule) -> None:
        self._find = find
        self.shared: list[SharedModule] = []
        """The large ones, found or compiled."""

    def compile(self, engine: wasmtime.Engine, code: bytes) -> wasmtime.Module:
        """Find or compile one.

        Raises:
            WasmtimeError: wasmtime refuses it.
        """
        if len(code) < LARGE_MODULE:
            return wasmtime.Module(engine, code)
        digest = hashlib.sha256(code).hexdigest()
        found = self._find(digest)
        module = wasmtime.Module(engine, code) if found is None else found
        self.shared.append(SharedModule(digest, module, is_new=found is None))
        return module


def _fields_of(exposed: Exposed | None) -> dict[str, Any] | None:
    return None if exposed is None else attrs.asdict(exposed)


def take_apart(code: bytes) -> tuple[Plan, Linking]:
    """Plan how to run a component; nothing of it is validated by that.

    Raises:
        NotTakenApart: this lane cannot run it.
        NotOffered: no lane may run it, because a memory is shared.
    """
    try:
        plan = make_plan(parse(code))
        return plan, link(plan)
    except NotOffered:
        raise
    except Unsupported as error:
        raise NotTakenApart(f"it has {error}") from error
    except (Unreadable, RecursionError) as error:
        raise NotTakenApart(f"it cannot be read ({error})") from error


def compile_parts(
    engine: wasmtime.Engine,
    plan: Plan,
    linking: Linking,
    skeleton: bytes,
    find: FindModule = _find_none,
) -> CoreParts:
    """Compile what a component was taken apart into, without large modules that are found.

    Without those, it takes as long as compiling the component.

    Raises:
        CoreRefused: wasmtime refuses one of its modules.
        NotOffered: one of them has a shared memory.
    """
    compiling = Compiling(find)
    modules = compile_modules(engine, linking.steps, compiling.compile)
    return CoreParts.of(plan, linking, modules, skeleton, compiling.shared)


@final
@attrs.frozen
class TakenApart:
    """A component that was taken apart, before its code is compiled."""

    plan: Plan
    linking: Linking
    skeleton: bytes = attrs.field(repr=False)
    validated: Compiled
    """The skeleton as wasmtime has it, which says what the component is; to be closed."""

    @classmethod
    def of(cls, engine: wasmtime.Engine, binary: bytes) -> TakenApart:
        """Take a component apart, and have wasmtime validate its skeleton.

        Raises:
            NotTakenApart: The lane cannot run it, or it is not valid.
            NotOffered: No lane may run it, because a memory is shared.
        """
        plan, linking = take_apart(binary)
        bones = skeleton(binary)
        try:
            return cls(plan, linking, bones, Compiled(engine, bones))
        except wasmtime.WasmtimeError as error:
            raise NotTakenApart(f"it is not valid ({first_lines(error)})") from error

    def compile(
        self, engine: wasmtime.Engine, find: FindModule = _find_none
    ) -> CoreParts:
        """Compile its modules, without large ones that are found.

        Raises:
            NotTakenApart: wasmtime refuses one of them.
            NotOffered: One of them has a shared memory; no lane may run it.
        """
        try:
            self._validate_others(engine)
            return compile_parts(engine, self.plan, self.linking, self.skeleton, find)
        except (CoreRefused, wasmtime.WasmtimeError) as error:
            raise NotTakenApart(f"it has a module that is refused ({error})") from error

    def _validate_others(self, engine: wasmtime.Engine) -> None:
        """Validate the modules that are not compiled as they are in the component.

        These are the ones that are never instantiated, and those whose start function
        is made an export, which may be of any type.

        Raises:
            WasmtimeError: one of them is not valid.
        """
        used = {one.module for one in self.plan.instantiations}
        for number, code in enumerate(self.plan.modules):
            if number not in used or _has_start(code):
                wasmtime.Module.validate(engine, code)


def _has_start(code: bytes) -> bool:
    reader = Reader(code)
    reader.take(_MAGIC_SIZE)
    return any(number == _START for number, _ in reader.sections())
