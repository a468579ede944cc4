"""How much of the host's files one component uses, by the quotas of its `Limits`."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Final, final

from ._codes import FileRefused

if TYPE_CHECKING:
    from airssys.contracts import Limits, Permissions


@final
class Usage:
    """Counts of one component; they go on when it is restarted. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = self._made = self._open = 0

    @property
    def open_files(self) -> int:
        """Files and folders that are open now."""
        return self._open

    def open(self, limits: Limits) -> None:
        """Count a file that is opened.

        Raises:
            FileRefused: too many are open.
        """
        with self._lock:
            if self._open >= limits.open_files:
                raise FileRefused("quota")
            self._open += 1

    def note_closed(self) -> None:
        """Count a file that is not open any more."""
        with self._lock:
            self._open -= 1

    def make(self, limits: Limits) -> None:
        """Count a file, folder or link that is created.

        Raises:
            FileRefused: it has created too many.
        """
        with self._lock:
            if self._made >= limits.files:
                raise FileRefused("quota")
            self._made += 1

    def grow(self, size: int, limits: Limits) -> None:
        """Count bytes by which a file gets longer.

        Raises:
            FileRefused: there is no room for them.
        """
        if size <= 0:
            return
        with self._lock:
            if self._bytes + size > limits.file_bytes:
                raise FileRefused("quota")
            self._bytes += size

    def give_back(self, *, files: int = 0, size: int = 0) -> None:
        """Count what is gone again; what was never counted gives nothing back."""
        with self._lock:
            self._made = max(0, self._made - files)
            self._bytes = max(0, self._bytes - max(0, size))


_by_owner: Final[weakref.WeakKeyDictionary[Permissions, Usage]] = (
    weakref.WeakKeyDictionary()
)


def usage_of(owner: Permissions) -> Usage:
    """Find the counts of a component by its permissions, which outlive its instances."""
    return _by_owner.setdefault(owner, Usage())
