"""Where a component's code comes from. Nothing is read or compiled here."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable


@final
@attrs.frozen
class Resource:
    """A file inside an installed package."""

    package: str
    """Its import name."""
    parts: tuple[str, ...]
    """Folders and the file name below it."""

    def find(self) -> Traversable:
        """Locate the file; this imports the package.

        Raises:
            ModuleNotFoundError: the package does not exist, or has no files.
        """
        return files(self.package).joinpath(*self.parts)


class NamedInterface(Protocol):
    """Functions that the host gives to guests; what else it is, its engine knows."""

    @property
    def name(self) -> str: ...


@final
@attrs.frozen
class Artifact:
    """A component to load: a file, a resource, WebAssembly bytes, or WAT text.

    Equal artifacts are loaded once.
    """

    source: Path | Resource | Traversable | bytes | str = attrs.field(repr=False)
    """Files and resources are read when the system opens; bytes are the binary format;
    a str is WAT text, never a path."""
    label: str
    """The name that errors use for it."""
    host: tuple[NamedInterface, ...] = attrs.field(default=(), repr=False)
    """What it may import in addition to `airssys:core`: each an
    `airssys.wasm.HostInterface`."""
    sha256: str | None = attrs.field(default=None, repr=False)
    """The digest that its code must have, in 64 small hexadecimal digits; other code is
    refused when it is loaded. None: any code."""

    @classmethod
    def at(cls, path: str | Path) -> Artifact:
        """Refer to a file: `.wasm` binary or `.wat` text, recognised by its content."""
        return _file(str(path))

    @classmethod
    def resource(cls, where: str | Traversable, *parts: str) -> Artifact:
        """Refer to a file inside an installed package, zipped or not.

        Args:
            where: The import name of a package, or what `importlib.resources.files`
                returned or led to. A package given by name is located when the artifact
                is loaded; artifacts with equal names are equal.
            parts: Folders and the file name below it.

        Example:
            >>> Artifact.resource("my_program", "guests", "echo.wasm").label
            'my_program:guests/echo.wasm'
        """
        if isinstance(where, str):
            return cls(Resource(where, parts), f"{where}:{'/'.join(parts)}")
        found = where.joinpath(*parts) if parts else where
        return cls(found, str(found) if isinstance(found, Path) else found.name)

    def given(self, host: Iterable[NamedInterface]) -> Artifact:
        """This component, with what it may import beside `airssys:core`."""
        return attrs.evolve(self, host=tuple(host))

    @classmethod
    def from_bytes(cls, code: bytes, label: str = "component bytes") -> Artifact:
        """Use a component in the binary format, or WAT text as UTF-8."""
        return cls(bytes(code), label)

    @classmethod
    def from_text(cls, wat: str, label: str = "component text") -> Artifact:
        """Use a component as WAT text."""
        return cls(wat, label)


# Equal artifacts are compared and hashed whenever an actor starts: sharing one is
# faster.
@lru_cache(maxsize=1024)
def _file(path: str) -> Artifact:
    return Artifact(Path(path), path)
