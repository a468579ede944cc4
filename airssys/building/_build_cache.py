"""Built guests on disk, keyed by everything they were built from.

The theory. A name is the digest of everything that went into a build: the kind of
guest, the tools with their versions, and each file by name and content. So any change
results in a new name, entries are never out of date, and nothing must be compared. A
file is written beside its destination and then renamed, so that readers and other
builders see all of it or nothing.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def default_build_cache() -> Path:
    """Return `airssys/built` in the user's cache directory; it may not exist yet.

    That is `$XDG_CACHE_HOME`, or `~/.cache`.

    Raises:
        FileNotFoundError: There is no home directory.
    """
    home = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    except RuntimeError as error:
        raise FileNotFoundError(
            "there is no home directory: set XDG_CACHE_HOME to a directory you own"
        ) from error
    return base / "airssys" / "built"


def digest(made_with: Iterable[str], files: Mapping[str, bytes]) -> str:
    """Compute the name of a build from the words that describe it and its files."""
    found = hashlib.sha256()
    words = [word.encode(errors="surrogatepass") for word in made_with]
    parts = [str(len(words)).encode(), *words]
    for name, content in sorted(files.items()):
        parts += [name.encode(errors="surrogatepass"), content]
    for part in parts:
        # Each part has its length before it, and the words have their count, so that
        # different inputs never give the same bytes.
        found.update(len(part).to_bytes(8, "little") + part)
    return found.hexdigest()


def find_or_make(
    directory: Path, name: str, make: Callable[[Path], None], *, fresh: bool = False
) -> tuple[Path, bool]:
    """Return a file of this name, and whether `make` had to write it now.

    Args:
        directory: Created for its owner alone if it does not exist.
        name: The file's name.
        make: Writes the path it is given. What it raises is passed on, and nothing is
            kept then.
        fresh: Build it even if it exists.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = directory / name
    if kept.is_file() and not fresh:
        return kept, False
    with tempfile.TemporaryDirectory(dir=directory, prefix=".making-") as working:
        unfinished = Path(working) / name
        make(unfinished)
        unfinished.replace(kept)
    return kept, True
