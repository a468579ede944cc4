"""Small files in a cache directory, each marked as ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

import attrs

from airssys.wasm.artifacts import Footprint, Range

if TYPE_CHECKING:
    import os

    from ._private_directory import PrivateDirectory
    from ._secret import Secret

_MARK: Final = 32
_MOST: Final = 4 << 20
"""Bytes of a record; 10,000 memories and as many tables need half a megabyte."""

Identity: TypeAlias = tuple[int, int, int, int, int]
"""Device, inode, size, and the times of the last write and the last change, in ns."""


def identity_of(found: os.stat_result) -> Identity:
    """Identify a file and its state."""
    return (
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )


@final
@attrs.frozen(kw_only=True)
class CacheRecord:
    """What is known about a compiled component."""

    mark: str
    """The message authentication code of the code, in hexadecimal digits."""
    size: int
    """Bytes of the code."""
    identity: Identity | None
    """The file with this code when it was checked; None: it must be checked."""
    footprint: Footprint
    digest: str
    """SHA-256 of what was compiled."""
    label: str
    made_with: str
    made_at: float
    """Seconds since 1970."""

    @classmethod
    def read(cls, files: PrivateDirectory, secret: Secret, name: str) -> CacheRecord:
        """Read a record.

        Raises:
            OSError: It does not exist.
            ValueError: It is not what we have written.
        """
        fields = _read(files, secret, name)
        try:
            return cls(
                **fields
                | {
                    "identity": fields["identity"] and _identity(fields["identity"]),
                    "footprint": _footprint(**fields["footprint"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"{name} is of another version") from error

    def write(self, files: PrivateDirectory, secret: Secret, name: str) -> None:
        """Write a record; `OSError` if that is not possible."""
        _write(files, secret, name, attrs.asdict(self))


@final
@attrs.frozen
class Seen:
    """What a file elsewhere contained when it was read."""

    identity: Identity
    digest: str
    """SHA-256 of its content."""

    @classmethod
    def read(cls, files: PrivateDirectory, secret: Secret, name: str) -> Seen:
        """Read a note; raises like `CacheRecord.read`."""
        fields = _read(files, secret, name)
        try:
            return cls(_identity(fields["identity"]), fields["digest"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{name} is of another version") from error

    def write(self, files: PrivateDirectory, secret: Secret, name: str) -> None:
        """Write a note; `OSError` if that is not possible."""
        _write(files, secret, name, attrs.asdict(self))


def _read(files: PrivateDirectory, secret: Secret, name: str) -> dict[str, Any]:
    whole = files.read(name, most=_MOST)
    content = whole[_MARK:]
    if not secret.is_ours(whole[:_MARK], "record", name, content):
        raise ValueError(f"{name} is not what was written")
    fields: dict[str, Any] = json.loads(content)
    return fields


def _write(
    files: PrivateDirectory, secret: Secret, name: str, fields: dict[str, Any]
) -> None:
    content = json.dumps(fields).encode()
    files.write(name, secret.mark("record", name, content) + content)


def _identity(numbers: list[int]) -> Identity:
    device, inode, size, written, changed = numbers
    return device, inode, size, written, changed


def _footprint(
    memories: list[dict[str, Any]], tables: list[dict[str, Any]], **counts: int
) -> Footprint:
    return Footprint(
        tuple(Range(**each) for each in memories),
        tuple(Range(**each) for each in tables),
        **counts,
    )
