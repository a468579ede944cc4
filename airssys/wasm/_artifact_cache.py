"""Compiled components on disk, so that the second start takes milliseconds.

A compiled component is native code, and loading it runs it. The directory is therefore
made for its owner alone, and refused when somebody else could have written to it. What
a file is called says what it was made from: the component, the engine's settings and
wasmtime's version; a file that cannot be loaded is compiled anew.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, final

import wasmtime
from wasmtime.component import Component as Compiled

if TYPE_CHECKING:
    from pathlib import Path

    from airssys.contracts import EngineSettings


@final
class ArtifactCache:
    """Finds and keeps compiled components in one directory.

    Raises:
        PermissionError: the directory belongs to, or can be written by, others.
    """

    def __init__(self, directory: Path, settings: EngineSettings) -> None:
        self._directory = directory
        self._made_with = f"{version('wasmtime')} {settings!r}"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
        others = stat.S_IMODE(found.st_mode) & 0o077
        if found.st_uid != os.getuid() or others:
            raise PermissionError(
                f"{directory} holds code that will be run, but others may write there: "
                f"make it yours alone (chmod 700), or name another directory"
            )

    def find(self, engine: wasmtime.Engine, code: bytes) -> Compiled | None:
        """Load what `code` was compiled to, or None if that is not here."""
        path = self._path(code)
        if not path.exists():
            return None
        try:
            return Compiled.deserialize_file(engine, str(path))
        except wasmtime.WasmtimeError:
            return None

    def keep(self, compiled: Compiled, code: bytes) -> None:
        """Write what `code` was compiled to; readers see all of it or nothing."""
        path = self._path(code)
        unfinished = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        unfinished.write_bytes(compiled.serialize())
        unfinished.replace(path)

    def _path(self, code: bytes) -> Path:
        digest = hashlib.sha256(self._made_with.encode())
        digest.update(code)
        return self._directory / f"{digest.hexdigest()}.cwasm"
