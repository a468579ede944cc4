"""The times that a guest gives to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, final

from airssys.wasm.host.wasi.base import NANO, set_file_times

from ._codes import FileRefused

if TYPE_CHECKING:
    from airssys.wasm.values import Case

_NOW: Final = 0x3FFFFFFF
_SAME: Final = 0x3FFFFFFE
"""What `utimensat` takes in place of nanoseconds."""


@final
class NewTimes(NamedTuple):
    """Times of access and of modification, as `utimensat` takes them."""

    accessed: tuple[int, int]
    modified: tuple[int, int]

    @classmethod
    def of(cls, access: Case, modified: Case) -> NewTimes:
        """Read two times of a guest.

        Raises:
            FileRefused: one of them is none.
        """
        return cls(_read(access), _read(modified))

    def give_to(self, fd: int) -> None:
        """Set the times of what is open, maybe by `O_PATH`.

        Raises:
            OSError: as of `set_file_times`.
        """
        set_file_times(fd, self.accessed, self.modified)


def _read(new: Case) -> tuple[int, int]:
    if new.name != "timestamp":
        return 0, _NOW if new.name == "now" else _SAME
    seconds, nanoseconds = new.value
    if nanoseconds >= NANO or seconds >= 2**63 // NANO:
        raise FileRefused("invalid")
    return seconds, nanoseconds
