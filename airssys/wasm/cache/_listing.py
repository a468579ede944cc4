"""The contents of a cache directory, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from . import _entries as _cache_entries
from ._artifact_cache import made_with
from ._private_directory import PrivateDirectory
from ._record import CacheRecord
from ._secret import load_secret, user_state_directory

if TYPE_CHECKING:
    from pathlib import Path

    from airssys.contracts import EngineSettings


@final
@attrs.frozen
class CacheEntry:
    """One compiled component."""

    size: int
    """Bytes."""
    used_at: float
    """When it was last used; seconds since 1970."""
    label: str | None = None
    """The component's label when it was compiled; None if the entry was not written by
    us, and so will not be used."""
    digest: str | None = None
    """SHA-256 of the component."""
    is_current: bool = False
    """Whether it was made with this wasmtime and these settings."""


def list_cache(directory: Path, settings: EngineSettings) -> list[CacheEntry]:
    """List the entries, the most recently used first; does not create the directory.

    Raises:
        OSError: The directory does not belong to the user alone, or cannot be read.
    """
    if not directory.exists():
        return []
    files, secret = PrivateDirectory(directory), load_secret(user_state_directory())
    current = made_with(settings)
    found = []
    for key, size, used_at in _cache_entries.keys(files):
        try:
            record = CacheRecord.read(files, secret, _cache_entries.record_name(key))
        except (OSError, ValueError):
            found.append(CacheEntry(size, used_at))
        else:
            is_current = record.made_with == current
            found.append(
                CacheEntry(size, used_at, record.label, record.digest, is_current)
            )
    return found


def clear_cache(directory: Path) -> tuple[int, int]:
    """Remove the entries, and nothing else; returns their number, and bytes.

    A running program keeps what it has loaded.

    Raises:
        OSError: The directory does not belong to the user alone, or cannot be written.
    """
    if not directory.exists():
        return 0, 0
    return _cache_entries.clear(PrivateDirectory(directory))
