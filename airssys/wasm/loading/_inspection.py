"""Finds out what a component is and needs, without running it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, final

import attrs

from airssys.contracts import (
    USER_CACHE,
    Artifact,
    ComponentRefused,
    EngineSettings,
    UserCache,
)
from airssys.wasm.artifacts import (
    Footprint,
    Unreadable,
    check_counts,
    check_wasi,
    check_world,
    count,
    export_names,
    instances,
    is_program,
    producers,
    read,
    to_binary,
)
from airssys.wasm.cache import chosen_cache
from airssys.wasm.engine import Engine
from airssys.wasm.host.wasi import wasi_beside
from airssys.wasm.lane.components import Unsupported, make_plan, parse
from airssys.wasm.lane.core import NotTakenApart, take_apart

from ._component_loader import compile_binary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from wasmtime.component import Component as Compiled

    from airssys.wasm.artifacts import Range
    from airssys.wasm.cache import ArtifactCache
    from airssys.wasm.host import HostInterface


@final
@attrs.frozen
class Inspection:
    """The findings about one component; fields stay empty if finding them failed."""

    label: str
    size: int | None = None
    """Size of the file in bytes."""
    digest: str | None = None
    """SHA-256 of the file, in hexadecimal digits."""
    is_text: bool = False
    binary_size: int | None = None
    """Size in bytes in the binary format."""
    made_with: tuple[str, ...] = ()
    """The languages and tools that it says it was made with."""
    footprint: Footprint | None = None
    imports: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
    """By interface, the names of its functions, sorted."""
    exports: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
    why_whole: str | None = None
    """Why it cannot be split and run on the lane `"own"`; None if it can."""
    refusal: ComponentRefused | None = None
    """Why it would not be loaded; None if it would."""

    @property
    def memories(self) -> tuple[Range, ...]:
        """Its linear memories."""
        return self.footprint.memories if self.footprint else ()

    @property
    def tables(self) -> tuple[Range, ...]:
        """Its tables."""
        return self.footprint.tables if self.footprint else ()


def inspect(
    artifact: Artifact,
    settings: EngineSettings | None = None,
    *,
    cache_directory: Path | UserCache | None = USER_CACHE,
) -> Inspection:
    """Read and compile a component, and describe it; takes as long as loading it.

    It is really compiled, because only that tells whether the loader accepts it.

    Args:
        artifact: The component.
        settings: How it would be run, which affects what is refused.
        cache_directory: Where compiled components are kept, as for `open_runtime`.

    Raises:
        PermissionError: Other users can access the given cache directory.
    """
    engine = Engine(settings or EngineSettings())
    found: dict[str, Any] = {"label": artifact.label}
    try:
        _examine(
            artifact, engine, chosen_cache(cache_directory, engine.settings), found
        )
    except ComponentRefused as refusal:
        found["refusal"] = refusal
    finally:
        engine.close()
    return Inspection(**found)


def _examine(
    artifact: Artifact,
    engine: Engine,
    cache: ArtifactCache | None,
    found: dict[str, Any],
) -> None:
    """Do what the loader does, and record each fact when it is known."""
    label = artifact.label
    code = read(artifact, engine.settings.component_bytes)
    found["size"], found["digest"] = len(code), hashlib.sha256(code).hexdigest()
    found["is_text"] = not code.startswith(b"\0asm")
    binary = to_binary(code, label)
    found["binary_size"] = len(binary)
    found["made_with"] = producers(binary)
    found["footprint"] = counted = count(binary, label)
    check_counts(counted, label, engine.settings)
    try:
        take_apart(binary)
    except NotTakenApart as error:
        found["why_whole"] = str(error)
    digest = found["digest"]
    kept = _find_kept(cache, engine, digest)
    compiled = kept or compile_binary(engine.wasmtime, binary, label)
    fits = False
    try:
        kind = compiled.type
        for direction in ("imports", "exports"):
            items = getattr(kind, direction)(engine.wasmtime)
            found[direction] = {
                name: tuple(sorted(m for m, kind in members.items() if kind))
                for name, members in sorted(instances(items, engine.wasmtime).items())
            }
        given = wasi_beside((), found["imports"])
        if is_program(found["exports"]):
            check_wasi(_not_given(found["imports"], given), label)
        else:
            check_world(engine.wasmtime, compiled, label, given)
            fits = True
    finally:
        if cache is not None and kept is None:
            cache.keep(digest, compiled, counted, label, any_world=not fits)
        compiled.close()


def _not_given(imported: Iterable[str], given: Sequence[HostInterface]) -> list[str]:
    return [name for name in imported if not any(each.gives(name) for each in given)]


def _find_kept(
    cache: ArtifactCache | None, engine: Engine, digest: str
) -> Compiled | None:
    if cache is None:
        return None
    kept = cache.find(engine.wasmtime, digest)
    kept = kept or cache.find(engine.wasmtime, digest, any_world=True)
    return None if kept is None else kept.compiled


def exports_of(artifact: Artifact, settings: EngineSettings) -> list[str]:
    """Read the names of what a component exports; it is not compiled.

    Raises:
        ComponentRefused: it cannot be read, or is not a component.
    """
    binary = to_binary(read(artifact, settings.component_bytes), artifact.label)
    count(binary, artifact.label)
    return export_names(binary)


def functions_imported(
    artifact: Artifact, settings: EngineSettings
) -> dict[str, tuple[str, ...]] | None:
    """Read which functions a component imports; nothing of it is compiled.

    Returns:
        By interface the names of its functions, sorted. None if only loading it can tell:
        the file is not there, is not a component, or has parts that are not read here.
    """
    label = artifact.label
    try:
        binary = to_binary(read(artifact, settings.component_bytes), label)
        names = make_plan(parse(binary)).imports
    except (ComponentRefused, Unreadable, Unsupported, RecursionError):
        return None
    found: dict[str, list[str]] = {}
    for full in sorted(names):
        interface, _, name = full.rpartition("#")
        found.setdefault(interface, []).append(name)
    return {interface: tuple(each) for interface, each in found.items()}
