"""Open files of the host: who uses one, and where its calls run.

Theory. A call that may wait for a disk is made in a thread, and its caller may
be cancelled meanwhile. So a file is closed when its guest has let go of it *and* no thread
uses it: otherwise the number of its descriptor could be another file by then.
"""

from __future__ import annotations

import os
import pathlib
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

import trio

from ._codes import FileRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._usage import Usage

_T = TypeVar("_T")
_THREADS: Final = 16
"""Threads that all guests of one program share for their files."""
_limiter: Final[trio.lowlevel.RunVar[trio.CapacityLimiter]] = trio.lowlevel.RunVar(
    "airssys files"
)
SMALL_READ: Final = 64 * 1024
_SLOW: Final = 0.002
"""Seconds that a call took which was expected to be answered from memory."""
_PAUSE: Final = 1.0
"""Seconds after such a call in which others of the kind are made in threads."""
_LOCAL: Final = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "overlay", "zfs"}
)


@final
class Disk:
    """What holds the files of one mount: whether its calls may be answered at once.

    A local file system answers from memory what it knows, and takes what is written into
    memory. One that has made the Trio thread wait is given to threads for a while.
    """

    def __init__(self, *, is_local: bool) -> None:
        self._is_local = is_local
        self._slow_until = 0.0

    def may_be_quick(self) -> bool:
        """Whether a call that needs no disk may be made in the Trio thread."""
        return self._is_local and trio.current_time() >= self._slow_until

    def note(self, seconds: float) -> None:
        """Note how long such a call took."""
        if seconds > _SLOW:
            self._slow_until = trio.current_time() + _PAUSE

    @classmethod
    def of(cls, folder: int) -> Disk:
        """Find out what an open folder is on."""
        device = os.fstat(folder).st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        return cls(is_local=_kinds().get(number) in _LOCAL)


def _kinds() -> dict[str, str]:
    """The kinds of file systems by the numbers of their devices; none if not known."""
    try:
        with pathlib.Path("/proc/self/mountinfo").open(
            encoding="utf-8", errors="replace"
        ) as file:
            lines = [line.split() for line in file]
        return {line[2]: line[line.index("-") + 1] for line in lines}
    except (OSError, ValueError, IndexError):
        return {}


@final
class OpenFile:
    """A descriptor of the host, and how many use it; it is counted if it has a usage."""

    __slots__ = ("_fd", "_lock", "_usage", "_users", "disk")

    def __init__(self, fd: int, disk: Disk, usage: Usage | None = None) -> None:
        self._fd, self.disk, self._usage = fd, disk, usage
        self._lock, self._users = threading.Lock(), 1

    def share(self) -> OpenFile:
        """Use it once more."""
        with self._lock:
            self._users += 1
        return self

    def let_go(self) -> None:
        """Use it once less; the last one closes it."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            fd, self._fd = self._fd, -1
        if self._usage is not None:
            self._usage.note_closed()
        if self.disk.may_be_quick():
            os.close(fd)
        else:
            trio.lowlevel.start_thread_soon(lambda: os.close(fd), lambda _outcome: None)

    def apply(self, act: Callable[[int], _T]) -> _T:
        """Call something with the descriptor, in this thread.

        Raises:
            FileRefused: it is closed.
            OSError: what the call raised.
        """
        if self._fd < 0:
            raise FileRefused("bad-descriptor")
        return act(self._fd)


async def in_thread(
    work: Callable[[], _T],
    *files: OpenFile,
    undo: Callable[[_T], object] | None = None,
) -> _T:
    """Do something in a thread; a caller that is cancelled does not wait for it.

    Args:
        work: what to do.
        files: what it uses; they stay open until it ends.
        undo: takes its result, if the caller was cancelled.
    """
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = trio.CapacityLimiter(_THREADS)
        _limiter.set(limiter)
    use = _Use(files, undo)
    try:
        found = await trio.to_thread.run_sync(
            use.run, work, abandon_on_cancel=True, limiter=limiter
        )
        use.is_taken = True
        return found
    finally:
        use.leave()


@final
class _Use:
    """Files that a call in a thread needs, until both it and its caller are done."""

    def __init__(
        self, files: tuple[OpenFile, ...], undo: Callable[[Any], object] | None
    ) -> None:
        self._files, self._undo = tuple(each.share() for each in files), undo
        self._token = trio.lowlevel.current_trio_token()
        self._lock = threading.Lock()
        self._is_running = self._is_left = False
        self._made: list[Any] = []
        self.is_taken = False
        """Whether the caller has the result."""

    def run(self, work: Callable[[], _T]) -> _T:
        """Work, in the thread."""
        with self._lock:
            if self._is_left:
                raise trio.RunFinishedError  # its caller is gone
            self._is_running = True
        try:
            found = work()
            self._made.append(found)
            return found
        finally:
            if self._stop():
                with suppress(trio.RunFinishedError):
                    self._token.run_sync_soon(self._end)

    def _stop(self) -> bool:
        """Note that the thread is done; returns whether the caller is too."""
        with self._lock:
            self._is_running = False
            return self._is_left

    def leave(self) -> None:
        """Note that the caller is done, in the Trio thread."""
        with self._lock:
            self._is_left, is_running = True, self._is_running
        if not is_running:
            self._end()

    def _end(self) -> None:
        if self._made and self._undo is not None and not self.is_taken:
            self._undo(self._made.pop())
        files, self._files = self._files, ()
        for each in files:
            each.let_go()
