"""What a component says of itself, with the names of its types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, final

import attrs

from airssys.contracts import Artifact, ComponentRefused, EngineSettings
from airssys.wasm.artifacts import count, read, to_binary
from airssys.wasm.engine import Engine
from airssys.wasm.host import AnyWorld, read_types, read_world
from airssys.wasm.lane.core import NotTakenApart, TakenApart
from airssys.wasm.values import WitType

if TYPE_CHECKING:
    from wasmtime.component import Component as Compiled


@final
@attrs.frozen
class Described:
    """What a component imports and exports."""

    label: str
    world: AnyWorld
    types: Mapping[str, WitType]
    """The types that it names, by full name."""
    resources: frozenset[str]
    """The resources that it defines, by full name."""


def describe(artifact: Artifact, settings: EngineSettings) -> Described:
    """Read the types of a component; its code is not compiled.

    Raises:
        ComponentRefused: It cannot be read, or the own lane cannot run it.
    """
    label = artifact.label
    binary = to_binary(read(artifact, settings.component_bytes), label)
    count(binary, label)
    engine = Engine(settings)
    try:
        apart = TakenApart.of(engine.wasmtime, binary)
        try:
            return _described(engine, apart.validated, label)
        finally:
            apart.validated.close()
    except NotTakenApart as error:
        raise ComponentRefused(
            label,
            f"it cannot be described ({error})",
            "Describe a component whose parts the own lane can run",
        ) from error
    finally:
        engine.close()


def _described(engine: Engine, compiled: Compiled, label: str) -> Described:
    world = read_world(engine.wasmtime, compiled, label, own_resources=True)
    types, resources = read_types(engine.wasmtime, compiled)
    return Described(label, world, types, resources)
