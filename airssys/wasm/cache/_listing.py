"""What a cache directory holds, for people to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from . import _entries as _cache_entries
from ._artifact_cache import made_with
from ._private_directory import PrivateDirectory
from ._record import Record
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
    """When it was used last; seconds since 1970."""
    label: str | None = None
    """What the component was called when it was compiled; None if the entry is not one
    that we have written, and so will not be used."""
    digest: str | None = None
    """SHA-256 of the component."""
    is_current: bool = False
    """It was made with this wasmtime and with these settings."""


def list_cache(directory: Path, settings: EngineSettings) -> list[CacheEntry]:
    """List what is kept, the entry used last first; makes no directory.

    Raises:
        OSError: the directory is not the user's alone, or cannot be read.
    """
    if not directory.exists():
        return []
    files, secret = PrivateDirectory(directory), load_secret(user_state_directory())
    current = made_with(settings)
    found = []
    for key, size, used_at in _cache_entries.keys(files):
        try:
            record = Record.read(files, secret, _cache_entries.record_name(key))
        except (OSError, ValueError):
            found.append(CacheEntry(size, used_at))
        else:
            is_current = record.made_with == current
            found.append(
                CacheEntry(size, used_at, record.label, record.digest, is_current)
            )
    return found


def clear_cache(directory: Path) -> tuple[int, int]:
    """Remove what is kept, and nothing else; returns how many entries, and bytes.

    A program that runs keeps what it has loaded.

    Raises:
        OSError: the directory is not the user's alone, or cannot be written.
    """
    if not directory.exists():
        return 0, 0
    return _cache_entries.clear(PrivateDirectory(directory))
