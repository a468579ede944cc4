"""Reads the code of an artifact, within a limit; a path is not trusted.

A path may lead to a pipe without a writer, or to an endless device. So only regular
files are read, and no more of them than the limit.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, final

import wasmtime

from airssys.contracts import Artifact, ComponentRefused, Resource, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

_MOST_COLUMNS: Final = 200
"""Of a line of WAT text that is quoted."""
_KINDS: Final = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@final
class Reading:
    """A file that is open to be read once."""

    def __init__(self, file: BinaryIO, label: str, most: int) -> None:
        self._file, self._label, self._most = file, label, most

    def status(self) -> os.stat_result:
        """What the file is now."""
        return os.fstat(self._file.fileno())

    def read(self) -> bytes:
        """Read all of it.

        Raises:
            ComponentRefused: It cannot be read, or is larger than the limit.
        """
        try:
            code = self._file.read(self._most + 1)
        except OSError as error:
            raise unreadable(self._label, error) from error
        check_size(len(code), self._label, self._most)
        return code


@contextmanager
def opened(path: Path, label: str, most: int) -> Iterator[Reading]:
    """Open a file to read; `ComponentRefused` if that is not possible."""
    try:
        # Not blocking: a pipe would wait for a writer.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        file = _buffered(fd)
    except (OSError, ValueError) as error:
        raise unreadable(label, error) from error
    with file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            kind = next((k for test, k in _KINDS if test(found.st_mode)), "special")
            raise ComponentRefused(
                label, f"it is {kind}, not a file", "Name the component's file"
            )
        check_size(found.st_size, label, most)
        yield Reading(file, label, most)


def _buffered(fd: int) -> BinaryIO:
    """Make a file of a descriptor; a directory is closed and refused."""
    try:
        return os.fdopen(fd, "rb")
    except OSError:
        os.close(fd)
        raise


def read_resource(resource: Resource | Traversable, label: str, most: int) -> bytes:
    """Read a file of a package; `ComponentRefused` if that is not possible."""
    try:
        found = resource.find() if isinstance(resource, Resource) else resource
        if isinstance(found, Path):
            with opened(found, label, most) as reading:
                return reading.read()
        with found.open("rb") as file:
            code = file.read(most + 1)
    except ComponentRefused:
        raise
    except ImportError as error:
        raise ComponentRefused(
            label, f"its package cannot be imported: {error}", "Install the package"
        ) from error
    except Exception as error:  # the package's own code finds and reads resources
        raise unreadable(label, error) from error
    check_size(len(code), label, most)
    return bytes(code)


def read_given(code: bytes | str, label: str, most: int) -> bytes:
    """Accept code as bytes; `ComponentRefused` if it is too large."""
    check_size(len(code), label, most)
    if isinstance(code, str):
        code = code.encode(errors="surrogatepass")
        check_size(len(code), label, most)
    return code


def read(artifact: Artifact, most: int) -> bytes:
    """Read an artifact of any kind.

    Raises:
        ComponentRefused: It cannot be read, has more than `most` bytes, or is not the
            code that its digest names.
    """
    code = _read(artifact, most)
    if artifact.sha256 is not None:
        check_digest(artifact, hashlib.sha256(code).hexdigest())
    return code


def _read(artifact: Artifact, most: int) -> bytes:
    match artifact.source:
        case Path() as path:
            with opened(path, artifact.label, most) as reading:
                return reading.read()
        case bytes() | str() as code:
            return read_given(code, artifact.label, most)
        case resource:
            return read_resource(resource, artifact.label, most)


def check_digest(artifact: Artifact, found: str) -> None:
    """Check that code is that which was named with the artifact.

    Raises:
        ComponentRefused: It is other code.
    """
    if artifact.sha256 not in {None, found}:
        raise ComponentRefused(
            artifact.label,
            f"its SHA-256 is {found}, not {artifact.sha256}",
            "This is other code than its manifest names: get the right file, or write "
            "the digest of this one there",
        )


def check_size(size: int, label: str, most: int) -> None:
    """Check the size of code.

    Raises:
        ComponentRefused: It is too large.
    """
    if size > most:
        raise ComponentRefused(
            label,
            f"it has more than {most} bytes (component_bytes)",
            "Make it smaller (wasm-tools strip), or raise "
            "EngineSettings.component_bytes",
        )


def unreadable(label: str, error: Exception) -> ComponentRefused:
    """Make the error for what cannot be read."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return ComponentRefused(label, f"cannot be read: {reason}", "Check the path")


def to_binary(code: bytes, label: str) -> bytes:
    """Convert WAT text to the binary format; binaries are returned unchanged.

    Raises:
        ComponentRefused: It is neither, or is not a component.
    """
    if not code or code.isspace():
        raise ComponentRefused(label, "it is empty", "Build the component again")
    try:
        if not code.startswith(b"\0asm"):
            code = bytes(wasmtime.wat2wasm(code.decode()))
    except (UnicodeDecodeError, wasmtime.WasmtimeError) as error:
        refused = ComponentRefused(
            label,
            f"neither WebAssembly nor WAT text: {first_lines(error).split(' --> ')[0]}",
            "Pass a .wasm component or its .wat text",
        )
        for line in _quoted(error):
            refused.add_note(line)
        raise refused from error
    if code[4:8] == b"\1\0\0\0":
        raise ComponentRefused(
            label,
            "this is a core module, not a component",
            "Make a component of it: airssys build core.wasm",
        )
    return code


def _quoted(error: Exception) -> list[str]:
    """Return the line of WAT text that an error quotes, with place and caret."""
    _, arrow, quote = str(error).partition("-->")
    lines = [
        one_line(line, _MOST_COLUMNS) for line in quote.strip("\n").split("\n")[:5]
    ]
    return [f"  at{lines[0]}", *(f"  {line}" for line in lines[1:])] if arrow else []


def first_lines(error: Exception) -> str:
    """Shorten wasmtime's message so that it fits into a sentence.

    It quotes the file, so characters that would control a terminal are removed.
    """
    words = " ".join(str(error).split())[:300]
    return "".join(each if each.isprintable() else "?" for each in words)
