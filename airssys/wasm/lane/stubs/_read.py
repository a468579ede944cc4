"""What a component says of itself, with the names of its types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import attrs
import wasmtime
from wasmtime.component import Component as Compiled

from airssys.contracts import Artifact, ComponentRefused, EngineSettings
from airssys.wasm.artifacts import (
    advice_for,
    count,
    first_lines,
    read,
    to_binary,
)
from airssys.wasm.engine import Engine
from airssys.wasm.host import AnyWorld, read_types, read_world
from airssys.wasm.lane.components import skeleton
from airssys.wasm.values import WitType


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
        ComponentRefused: It is malformed, or has types that cannot be passed.
    """
    label = artifact.label
    binary = to_binary(read(artifact, settings.component_bytes), label)
    count(binary, label)
    engine = Engine(settings)
    try:
        compiled = Compiled(engine.wasmtime, skeleton(binary))
        try:
            return _described(engine, compiled, label)
        finally:
            compiled.close()
    except wasmtime.WasmtimeError as error:
        raise ComponentRefused(
            label,
            f"wasmtime refuses it: {first_lines(error)}",
            advice_for(str(error)),
        ) from error
    finally:
        engine.close()


def _described(engine: Engine, compiled: Compiled, label: str) -> Described:
    world = read_world(engine.wasmtime, compiled, label, own_resources=True)
    types, resources = read_types(engine.wasmtime, compiled)
    return Described(label, world, types, resources)
