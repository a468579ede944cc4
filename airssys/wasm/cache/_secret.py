"""The secret that marks compiled components as ours, one for each user.

It is kept with the program's other state, not in the cache. So a cache that was
unpacked from elsewhere, for instance from a build server, does not include the secret,
and its contents do not count as ours.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, final

from ._private_directory import PrivateDirectory

if TYPE_CHECKING:
    from mmap import mmap

_NAME: Final = "cache-secret"
_SIZE: Final = 32

Content: TypeAlias = "bytes | bytearray | mmap"


@final
class Secret:
    """Makes and checks message authentication codes (HMAC-SHA256)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def mark(self, purpose: str, name: str, content: Content) -> bytes:
        """Mark content as ours, for one purpose and under one name."""
        code = hmac.new(self._key, f"{purpose}\0{name}\0".encode(), hashlib.sha256)
        code.update(content)
        return code.digest()

    def is_ours(self, mark: bytes, purpose: str, name: str, content: Content) -> bool:
        """Say whether we made `mark` for the same content, purpose and name."""
        return hmac.compare_digest(mark, self.mark(purpose, name, content))


def user_cache_directory() -> Path:
    """Return where the `airssys` command keeps compiled components of the user.

    It is `airssys/compiled` in $XDG_CACHE_HOME, or in `~/.cache` if that is not set. It
    may not exist yet.

    Raises:
        FileNotFoundError: There is no home directory.
    """
    return _home("XDG_CACHE_HOME", ".cache") / "airssys" / "compiled"


def user_state_directory() -> Path:
    """Return where the secret is: `airssys` in $XDG_STATE_HOME, or `~/.local/state`."""
    return _home("XDG_STATE_HOME", ".local/state") / "airssys"


def _home(variable: str, otherwise: str) -> Path:
    """Find a base directory; relative ones are ignored, as the specification says."""
    named = Path(os.environ.get(variable, ""))
    if named.is_absolute():
        return named
    try:
        return Path.home() / otherwise
    except RuntimeError as error:
        raise FileNotFoundError(
            f"there is no home directory: set {variable} to a directory you own"
        ) from error


def load_secret(directory: Path) -> Secret:
    """Read the secret in a directory, or create it.

    If several processes create it at the same time, all get the same one.

    Raises:
        OSError: The directory, or the secret in it, is not private or cannot be
            created.
    """
    try:
        place = PrivateDirectory(directory)
    except OSError as error:
        error.add_note(
            "The secret of the artifact cache is kept there; set XDG_STATE_HOME to a "
            "directory that you can write to."
        )
        raise
    for attempt in range(2):
        with suppress(FileNotFoundError):
            with place.opened(_NAME) as (fd, _):
                key = os.read(fd, _SIZE + 1)
            if len(key) == _SIZE:
                return Secret(key)
            if attempt == 0:
                place.remove(_NAME)  # damaged; what it marked is compiled again
        with suppress(FileExistsError):
            place.write_first(_NAME, secrets.token_bytes(_SIZE))
    return Secret(place.read(_NAME, most=4096))
