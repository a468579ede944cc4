"""Bodies: bounded pipes of bytes between a guest, which never waits, and a task of the host.

At most `ROOM` bytes are under way. A guest that does not read holds up the other side of
the connection, and a slow client holds up the guest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from airssys.wasm.host.wasi.base import (
    ROOM,
    Held,
    Input,
    Output,
    StreamClosed,
    StreamFailed,
)
from airssys.wasm.values import Case

if TYPE_CHECKING:
    from airssys.wasm.host.wasi.base import WasiContext


@final
class Broken(Exception):  # says what happened
    """A body ended before it was complete.

    Args:
        code: an error code of `wasi:http`.
    """

    def __init__(self, code: Case) -> None:
        self.code = code
        super().__init__(code.name)


@final
class Pipe:
    """Bytes on their way, in one direction."""

    def __init__(self, context: WasiContext, most: int | None = None) -> None:
        self._context = context
        self._data = bytearray()
        self._moved = trio.Event()
        self.most = most
        """How many bytes may be put into it; None: any number."""
        self.total = 0
        """How many were."""
        self.has_ended = False
        """Whether no more will be put into it."""
        self.failure: Case | None = None
        """The error code that ended it."""
        self.is_discarded = False
        """Whether no side reads it any more: what is put into it is gone."""

    def __len__(self) -> int:
        return len(self._data)

    @property
    def room(self) -> int:
        """Bytes that may be put into it now."""
        return ROOM if self.is_discarded else max(0, ROOM - len(self._data))

    def _note(self) -> None:
        moved, self._moved = self._moved, trio.Event()
        moved.set()
        self._context.note_changed()

    def add(self, data: bytes) -> None:
        """Put bytes into it, for which there is room."""
        self.total += len(data)
        self._context.count_network(len(data))
        if not self.is_discarded:
            self._data += data
        self._note()

    def take(self, most: int) -> bytes:
        """Take bytes out of it; none if there are none."""
        found = bytes(self._data[:most])
        del self._data[:most]
        self._note()
        return found

    def end(self, failure: Case | None = None) -> None:
        """Note that no more will be put into it; does nothing twice."""
        if not self.has_ended:
            self.has_ended, self.failure = True, failure
            self._note()

    def discard(self) -> None:
        """Drop what is in it, and what comes."""
        self.is_discarded = True
        self._data.clear()
        self._note()

    # ---------------------------------------------- the side of the host's task

    async def put(self, data: bytes) -> None:
        """Put bytes into it, as room comes."""
        left = memoryview(data)
        while left:
            while not self.room:
                await self._moved.wait()
            piece = left[: self.room]
            self.add(bytes(piece))
            left = left[len(piece) :]

    async def get(self) -> bytes:
        """Wait for bytes and take them; none at its end.

        Raises:
            Broken: it did not end as it should.
        """
        while not self._data and not self.has_ended:
            await self._moved.wait()
        if self._data:
            return self.take(ROOM)
        if self.failure is not None:
            raise Broken(self.failure)
        return b""

    async def wait_for_end(self) -> None:
        """Wait until no more comes."""
        while not self.has_ended:
            await self._moved.wait()


@final
class BodyInput(Input):
    """What a guest reads a body by."""

    __slots__ = ("_pipe",)

    def __init__(self, context: WasiContext, pipe: Pipe, parent: Held) -> None:
        super().__init__(context, parent)
        self._pipe = pipe

    def read(self, most: int) -> bytes:
        """As of `Input`."""
        pipe = self._pipe
        if len(pipe):
            return pipe.take(most)
        if not pipe.has_ended:
            return b""
        failure, pipe.failure = pipe.failure, None
        if failure is not None:
            raise StreamFailed(f"the body ended early: {failure.name}", "http", failure)
        raise StreamClosed

    def is_ready(self) -> bool:
        """Whether there are bytes, or the end."""
        return len(self._pipe) > 0 or self._pipe.has_ended

    @property
    def has_ended(self) -> bool:
        """As of `Input`."""
        pipe = self._pipe
        return pipe.has_ended and not len(pipe) and pipe.failure is None


@final
class BodyOutput(Output):
    """What a guest writes a body by."""

    __slots__ = ("_pipe",)

    def __init__(self, context: WasiContext, pipe: Pipe, parent: Held) -> None:
        super().__init__(context, parent)
        self._pipe = pipe

    def room(self) -> int:
        """As of `Output`."""
        if self._pipe.has_ended:
            raise StreamClosed
        return self._pipe.room

    def write(self, data: bytes) -> None:
        """As of `Output`."""
        pipe = self._pipe
        if pipe.most is not None and pipe.total + len(data) > pipe.most:
            code = Case("HTTP-request-body-size", pipe.total + len(data))
            pipe.end(code)
            text = f"the body is longer than its content-length, {pipe.most}"
            raise StreamFailed(text, "http", code)
        pipe.add(data)

    def is_flushed(self) -> bool:
        """As of `Output`."""
        return not len(self._pipe) or self._pipe.is_discarded
