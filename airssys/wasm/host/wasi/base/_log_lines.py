"""Standard output and standard error: what a guest writes becomes lines of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import trio

from airssys.contracts import LogLevel

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import HostServices

MOST_LINE: Final = 8 * 1024
"""Bytes of one line in the log; a longer one becomes several."""
MOST_OUTPUT: Final = 1024 * 1024
"""Bytes that may be written without a pause, to each of the two."""
OUTPUT_RATE: Final = 64 * 1024
"""Bytes in a second that may be written for ever."""


@final
class LogLines:
    """Standard output, or standard error, of one instance: lines of its log.

    What is written without a grant is dropped, and so is what exceeds `MOST_OUTPUT` and
    `OUTPUT_RATE`; a line in the log reports how much that was.
    """

    def __init__(
        self,
        name: str,
        level: LogLevel,
        may_write: Callable[[], bool],
        services: HostServices | None,
    ) -> None:
        self._name, self._level = name, level
        self._may_write, self._services = may_write, services
        self._open = bytearray()
        """The beginning of a line."""
        self._left = float(MOST_OUTPUT)
        self._since: float | None = None
        self._dropped = 0

    def write(self, data: bytes) -> None:
        """Take bytes, and log the lines that they end."""
        if not self._may_write():
            return
        now = trio.current_time()
        if self._since is not None:
            gained = (now - self._since) * OUTPUT_RATE
            self._left = min(float(MOST_OUTPUT), self._left + gained)
        self._since = now
        if len(data) > self._left:
            self._dropped += len(data)
            return
        self._report_dropped()
        self._left -= len(data)
        *ended, rest = (bytes(self._open) + data).split(b"\n")
        self._open = bytearray(rest)
        for line in ended:
            self._log(line)
        while len(self._open) > MOST_LINE:
            self._log(bytes(self._open[:MOST_LINE]))
            del self._open[:MOST_LINE]

    def close(self) -> None:
        """Log what is left."""
        self._report_dropped()
        if self._open:
            self._log(bytes(self._open))
            self._open.clear()

    def _report_dropped(self) -> None:
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._emit(
                LogLevel.WARN, f"{dropped} bytes of {self._name} were too much to log"
            )

    def _log(self, line: bytes) -> None:
        for start in range(0, max(1, len(line)), MOST_LINE):
            piece = line[start : start + MOST_LINE]
            self._emit(self._level, piece.decode(errors="replace"))

    def _emit(self, level: LogLevel, text: str) -> None:
        if self._services is not None:
            self._services.log(level, text, (("stream", self._name),))
