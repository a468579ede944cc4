"""Where a component's code comes from; nothing is read or compiled yet."""

from __future__ import annotations

from pathlib import Path
from typing import final

import attrs


@final
@attrs.frozen
class Artifact:
    """A component to load: a path, WebAssembly bytes, or WAT text.

    Two artifacts that are equal are loaded once.
    """

    source: Path | bytes | str = attrs.field(repr=False)
    """A path is read when the system opens; bytes are the binary format; a str is
    WAT text, never a path."""
    label: str
    """What errors call it."""

    @classmethod
    def at(cls, path: str | Path) -> Artifact:
        """Name a file: `.wasm` binary or `.wat` text, told apart by its content."""
        return cls(Path(path), str(path))

    @classmethod
    def from_bytes(cls, code: bytes, label: str = "component bytes") -> Artifact:
        """Take a component in the binary format, or WAT text as UTF-8."""
        return cls(bytes(code), label)

    @classmethod
    def from_text(cls, wat: str, label: str = "component text") -> Artifact:
        """Take a component as WAT text."""
        return cls(wat, label)
