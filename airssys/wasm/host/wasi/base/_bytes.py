"""Streams of bytes, as a guest holds them; what is behind one is up to its class.

Neither kind ever waits. A stream that has nothing to read, or no room, answers that, and
is a `Source` that a guest can wait for. So at most `ROOM` bytes are under way in each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._context import Held
from ._pollables import Source

if TYPE_CHECKING:
    from ._context import WasiContext

ROOM: Final = 64 * 1024
"""Bytes that may be read or written at once."""


class StreamClosed(Exception):  # says what happened
    """A stream has ended: nothing can be read from it, or written to it, any more."""


class StreamFailed(Exception):  # says what happened
    """A stream has failed; later calls find it closed.

    Args:
        text: one line, for people.
        kind: the interface whose error code it has: `network`, `http` or `files`.
        code: the value of that error code; None: it has none.
    """

    def __init__(self, text: str, kind: str = "", code: object = None) -> None:
        self.text, self.kind, self.code = text, kind, code
        super().__init__(text)


class Input(Held, Source):
    """A stream that a guest reads. `is_ready` of an ended one is true."""

    __slots__ = ()

    def read(self, most: int) -> bytes:
        """Return up to `most` bytes, which is at least 1; empty: there are none yet.

        Raises:
            StreamClosed: there will be no more.
            StreamFailed: something went wrong.
        """
        raise NotImplementedError

    @property
    def has_ended(self) -> bool:
        """Whether the stream is known to have ended, and each read is an error."""
        return False


class Output(Held, Source):
    """A stream that a guest writes; it is ready when it has room and nothing to flush."""

    __slots__ = ("flushes", "is_written")

    def __init__(self, context: WasiContext, parent: Held | None = None) -> None:
        super().__init__(context, parent)
        self.flushes = False
        """Whether the guest has asked to flush, and nothing has found it done yet."""
        self.is_written = False
        """Whether what a call is to write and flush was written before it has to wait."""

    def room(self) -> int:
        """How many bytes may be written now, at most `ROOM`.

        Raises:
            StreamClosed: none, ever.
            StreamFailed: something went wrong.
        """
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Take bytes, for which there is room.

        Raises:
            StreamClosed, StreamFailed: as of `room`.
        """
        raise NotImplementedError

    def is_flushed(self) -> bool:
        """Whether all that was written has gone where it should.

        Raises:
            StreamClosed, StreamFailed: as of `room`.
        """
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether writing, or checking for a flush, would have an answer now."""
        try:
            return (not self.flushes or self.is_flushed()) and self.room() > 0
        except (StreamClosed, StreamFailed) as error:
            self.remember(error)
            return True

    def remember(self, error: StreamClosed | StreamFailed) -> None:
        """Keep an error that was found between two calls, for the next call."""
