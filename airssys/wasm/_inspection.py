"""What a component is and would need, told without running it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, final

import attrs

from airssys.contracts import Artifact, ComponentRefused, EngineSettings

from ._component_loader import check_counts, compile_binary, count
from .artifacts import Footprint, check_world, instances, read, to_binary
from .engine import Engine

if TYPE_CHECKING:
    from .artifacts import Range


@final
@attrs.frozen
class Inspection:
    """What was found out about one component; fields stay empty where that failed."""

    label: str
    size: int | None = None
    """Bytes of the file, as it is."""
    digest: str | None = None
    """SHA-256 of these, in hexadecimal digits."""
    is_text: bool = False
    binary_size: int | None = None
    """Bytes in the binary format."""
    footprint: Footprint | None = None
    imports: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
    """By interface, the names of its functions, sorted."""
    exports: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
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


def inspect(artifact: Artifact, settings: EngineSettings | None = None) -> Inspection:
    """Read and compile a component, and tell what it is; takes as long as loading does.

    It is compiled for good, because no shorter way gives the loader's verdict.

    Args:
        artifact: the component.
        settings: how it would be run, which says what is refused.
    """
    engine = Engine(settings or EngineSettings())
    found: dict[str, Any] = {"label": artifact.label}
    try:
        _examine(artifact, engine, found)
    except ComponentRefused as refusal:
        found["refusal"] = refusal
    finally:
        engine.close()
    return Inspection(**found)


def _examine(artifact: Artifact, engine: Engine, found: dict[str, Any]) -> None:
    """Do what the loader does, and note each thing when it is known."""
    label = artifact.label
    code = read(artifact, engine.settings.component_bytes)
    found["size"], found["digest"] = len(code), hashlib.sha256(code).hexdigest()
    found["is_text"] = not code.startswith(b"\0asm")
    binary = to_binary(code, label)
    found["binary_size"] = len(binary)
    found["footprint"] = counted = count(binary, label)
    check_counts(counted, label, engine.settings)
    compiled = compile_binary(engine.wasmtime, binary, label)
    try:
        kind = compiled.type
        for direction in ("imports", "exports"):
            items = getattr(kind, direction)(engine.wasmtime)
            found[direction] = {
                name: tuple(sorted(m for m, kind in members.items() if kind))
                for name, members in sorted(instances(items, engine.wasmtime).items())
            }
        check_world(engine.wasmtime, compiled, label)
    finally:
        compiled.close()
