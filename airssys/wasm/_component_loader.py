"""From bytes to a component that is checked and compiled, away from the Trio thread."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import attrs
import trio
import wasmtime
from wasmtime.component import Component as Compiled, FuncType

from airssys.contracts import (
    Artifact,
    ComponentRefused,
    Guest,
    HostServices,
    Limits,
)

from . import _c_api as c
from ._footprint import Footprint, footprint
from ._instance import Instance
from ._runtime import Code, Runtime
from ._signatures import fits
from ._world import EXPORTS, IMPORTS, LIFECYCLE, TYPE_ONLY, full_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._artifact_cache import ArtifactCache
    from ._wit_types import Function

_WASI_ADVICE: Final = (
    "WASI is not offered: build without it (componentize-py: --stub-wasi; "
    "componentize-qjs: --stub-wasi; C and Rust: a freestanding wasm32 target)"
)


@final
@attrs.frozen
class Component:
    """A component that can be run (the port `LoadedComponent`)."""

    runtime: Runtime = attrs.field(repr=False)
    code: Code

    async def instantiate(self, limits: Limits, services: HostServices) -> Guest:
        """Make a fresh instance.

        Raises:
            GuestTrapped: its start function trapped, or it needs more than `limits`.
            CapacityReached: the kernel has no more memory maps.
        """
        self.runtime.maps.check()
        instance = Instance(self.runtime, self.code, limits, services)
        try:
            await instance.start()
        except BaseException:
            instance.close()
            raise
        return instance


@final
class Loader:
    """Loads components for one runtime (the port `ComponentLoader`)."""

    def __init__(self, runtime: Runtime, cache: ArtifactCache | None) -> None:
        self._runtime = runtime
        self._cache = cache
        self._loaded: dict[Artifact, Component] = {}
        self._locks: dict[Artifact, trio.Lock] = {}

    async def load(self, artifact: Artifact) -> Component:
        """Read, check and compile; the same artifact twice is compiled once.

        A cancelled load is abandoned: it does not wait for the compiler.

        Raises:
            ComponentRefused: it cannot be run here.
        """
        async with self._locks.setdefault(artifact, trio.Lock()):
            if artifact not in self._loaded:
                work = functools.partial(self._load, artifact)
                compiled = await trio.to_thread.run_sync(
                    work, abandon_on_cancel=True, limiter=self._runtime.compilers
                )
                self._loaded[artifact] = self._adopt(artifact, *compiled)
            return self._loaded[artifact]

    def _load(self, artifact: Artifact) -> tuple[Compiled, Footprint]:
        """Do, in a worker thread, all that takes long.

        Nothing here must be undone if nobody waits for it any more.
        """
        code = to_binary(read(artifact), artifact.label)
        engine = self._runtime.engine.wasmtime
        compiled = None if self._cache is None else self._cache.find(engine, code)
        if compiled is None:
            compiled = compile_binary(engine, code, artifact.label)
            if self._cache is not None:
                self._cache.keep(compiled, code)
        check_world(engine, compiled, artifact.label)
        return compiled, count_memories(code, artifact.label)

    def _adopt(
        self, artifact: Artifact, compiled: Compiled, found: Footprint
    ) -> Component:
        engine = self._runtime.engine
        engine.check()
        pointer = c.component_clone(c.address_of(compiled.ptr()))
        engine.ledger.components.add(pointer)
        compiled.close()
        interface = self._export_index(pointer, None, full_name(LIFECYCLE))
        exports = {
            name: self._export_index(pointer, interface, name) for name in EXPORTS
        }
        return Component(self._runtime, Code(artifact.label, pointer, exports, found))

    def _export_index(self, pointer: int, inside: int | None, name: str) -> int:
        encoded = name.encode()
        index: int = c.component_get_export_index(
            pointer, inside, encoded, len(encoded)
        )
        self._runtime.engine.ledger.indices.add(index)
        return index


def read(artifact: Artifact) -> bytes:
    """Get the bytes of an artifact.

    Raises:
        ComponentRefused: the file cannot be read.
    """
    match artifact.source:
        case Path() as path:
            try:
                return path.read_bytes()
            except OSError as error:
                reason = error.strerror or str(error)
                raise ComponentRefused(
                    artifact.label, f"cannot be read: {reason}", "Check the path"
                ) from error
        case str() as text:
            return text.encode(errors="surrogatepass")
        case code:
            return code


def to_binary(code: bytes, label: str) -> bytes:
    """Turn WAT text into the binary format; binaries pass.

    Raises:
        ComponentRefused: it is neither.
    """
    if not code.strip():
        raise ComponentRefused(label, "it is empty", "Build the component again")
    try:
        if not code.startswith(b"\0asm"):
            code = bytes(wasmtime.wat2wasm(code.decode()))
    except (UnicodeDecodeError, wasmtime.WasmtimeError) as error:
        raise ComponentRefused(
            label,
            f"neither WebAssembly nor WAT text: {_first_lines(error)}",
            "Hand in a .wasm component or its .wat text",
        ) from error
    if code[4:8] == b"\1\0\0\0":
        raise ComponentRefused(
            label,
            "this is a core module, not a component",
            "Wrap it: wasm-tools component new, or build with componentize-py",
        )
    return code


def compile_binary(engine: wasmtime.Engine, code: bytes, label: str) -> Compiled:
    """Compile; takes 5 ms for a small component and 5 s for a Python guest.

    Raises:
        ComponentRefused: it is malformed or uses what this engine does not offer.
    """
    try:
        return Compiled(engine, code)
    except wasmtime.WasmtimeError as error:
        raise ComponentRefused(
            label,
            f"wasmtime refuses it: {_first_lines(error)}",
            "Build it again, for the component model without its async part",
        ) from error


def count_memories(code: bytes, label: str) -> Footprint:
    """Count what an instance will create.

    Raises:
        ComponentRefused: it cannot be known beforehand.
    """
    try:
        return footprint(code)
    except ValueError as error:
        raise ComponentRefused(
            label,
            f"its memories cannot be counted ({error})",
            "Link it into one component that contains its modules",
        ) from error


def check_world(engine: wasmtime.Engine, compiled: Compiled, label: str) -> None:
    """See that a component imports only what we have and exports what we call.

    Raises:
        ComponentRefused: naming what is wrong and the way out.
    """
    kind = compiled.type
    _check_imports(_instances(kind.imports(engine), engine), label)
    exported = _instances(kind.exports(engine), engine)
    wanted = full_name(LIFECYCLE)
    if wanted not in exported:
        others = [name for name in exported if LIFECYCLE in name]
        found = f"it exports {others[0]}" if others else "it does not export it"
        raise ComponentRefused(
            label,
            f"a component must export {wanted}, but {found}",
            "Build it for the world airssys:core/runtime-host@1.0.0",
        )
    missing = [name for name in EXPORTS if name not in exported[wanted]]
    if missing:
        raise ComponentRefused(
            label,
            f"{wanted} lacks {', '.join(missing)}",
            "Export every function of the interface",
        )
    _check_signatures(exported[wanted], EXPORTS, wanted, label)


def _check_imports(
    imported: Mapping[str, Mapping[str, FuncType | None]], label: str
) -> None:
    wasi = sorted(name for name in imported if name.startswith("wasi:"))
    if wasi:
        raise ComponentRefused(label, f"it imports {', '.join(wasi)}", _WASI_ADVICE)
    known = {full_name(name): functions for name, functions in IMPORTS.items()}
    known |= {full_name(name): {} for name in TYPE_ONLY}
    unknown = sorted(set(imported) - set(known))
    both = sorted(set(imported) & set(known))
    for interface in both:
        unknown += [
            f"{interface}#{name}"
            for name, function in imported[interface].items()
            if function is not None and name not in known[interface]
        ]
    if unknown:
        raise ComponentRefused(
            label,
            f"it imports {', '.join(unknown)}, which nobody provides",
            "Import only what the world airssys:core/runtime-host@1.0.0 has",
        )
    for interface in both:
        _check_signatures(imported[interface], known[interface], interface, label)


def _check_signatures(
    found: Mapping[str, FuncType | None],
    wanted: Mapping[str, Function],
    interface: str,
    label: str,
) -> None:
    wrong = [
        name
        for name, function in found.items()
        if name in wanted and (function is None or not fits(function, wanted[name]))
    ]
    if wrong:
        raise ComponentRefused(
            label,
            f"its {interface} has other types for {', '.join(wrong)}",
            "Build it for the world airssys:core/runtime-host@1.0.0",
        )


def _instances(
    items: Mapping[str, Any], engine: wasmtime.Engine
) -> dict[str, dict[str, FuncType | None]]:
    """Instances by name, each with its members: functions, or None for what is none.

    Other things (a plain function, a type) count as instances without members.
    """
    found: dict[str, dict[str, FuncType | None]] = {}
    for name, item in items.items():
        kind = getattr(item, "ty", item)  # wasmtime 48 gives the type itself
        members = kind.exports(engine) if hasattr(kind, "exports") else {}
        found[name] = {
            member: inner if isinstance(inner, FuncType) else None
            for member, inner in (
                (member, getattr(item, "ty", item)) for member, item in members.items()
            )
        }
    return found


def _first_lines(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
