"""TCP sockets, by the state machine that the text of `wasi:sockets/tcp` describes.

No call waits, so a task is needed in one case only: what the operating system did not
take of a write is sent by one, so that a guest that writes and then computes does not
hold its own bytes up.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Final, final

import trio

from airssys.wasm.host.wasi.base import (
    ROOM,
    Input,
    Output,
    StreamClosed,
    StreamFailed,
)

from ._addresses import (
    Refused,
    check_remote,
    code_of,
    place_of_guest,
    place_of_system,
)
from ._socket import NetSocket

if TYPE_CHECKING:
    from airssys.wasm.host.wasi.base import Interest, WasiContext
    from airssys.wasm.values import Case

_BACKLOG: Final = 128
_IN_PROGRESS: Final = frozenset({"bind-started", "listen-started", "connecting"})
_SHUT: Final = {
    "receive": (socket.SHUT_RD, True, False),
    "send": (socket.SHUT_WR, False, True),
    "both": (socket.SHUT_RDWR, True, True),
}


@final
class TcpSocket(NetSocket):
    """A TCP socket."""

    __slots__ = ("_backlog", "_refusal", "output", "reads", "writes")

    def __init__(
        self, context: WasiContext, family: str, made: socket.socket | None = None
    ) -> None:
        super().__init__(context, family, socket.SOCK_STREAM, made)
        self._backlog = _BACKLOG
        self._refusal: str | None = None
        """Why connecting failed at once."""
        self.output: TcpOutput | None = None
        self.reads = self.writes = True
        """Whether it was not shut down."""

    def _expect(self, state: str, *others: str) -> None:
        """See that it is in some state.

        Raises:
            Refused: it is in another one.
        """
        if self.is_revoked:
            raise Refused("access-denied")
        if self.state in _IN_PROGRESS and self.state not in {state, *others}:
            raise Refused("concurrency-conflict")
        if self.state not in {state, *others}:
            raise Refused("invalid-state")

    def _finish(self, state: str) -> None:
        if self.is_revoked:
            raise Refused("access-denied")
        if self.state != state:
            raise Refused("not-in-progress")

    # ------------------------------------------------------------ binding

    def start_bind(self, local: Case) -> None:
        """Bind it."""
        self._expect("unbound")
        # An address that was just in use may be used again, as by other servers.
        self.ask("setsockopt", socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.bind(place_of_guest(local))
        self.state = "bind-started"

    def finish_bind(self) -> None:
        """Report that it is bound."""
        self._finish("bind-started")
        self.state = "bound"

    def start_listen(self) -> None:
        """Listen."""
        self._expect("bound")
        self.ask("listen", self._backlog)
        self.state = "listen-started"

    def finish_listen(self) -> None:
        """Report that it listens."""
        self._finish("listen-started")
        self.state = "listening"

    def set_backlog(self, size: int) -> None:
        """Say how many connections may wait."""
        if size == 0:
            raise Refused("invalid-argument")
        if self.state in {"connecting", "connected", "closed"}:
            raise Refused("invalid-state")
        self._backlog = min(size, 4096)
        if self.state == "listening":
            self.ask("listen", self._backlog)

    def accept(self) -> tuple[TcpSocket, TcpInput, TcpOutput]:
        """Accept a connection that waits."""
        self._expect("listening")
        made, _ = self.ask("accept")
        accepted = TcpSocket(self.context, self.family, made)
        accepted.state = "connected"
        for each in self._scopes:
            accepted.under(each.access)
        return accepted, *accepted.streams()

    # ------------------------------------------------------------ connecting

    def start_connect(self, remote: Case) -> None:
        """Begin to connect."""
        self._expect("unbound", "bound")
        place = place_of_guest(remote)
        check_remote(place, self.family)
        self.under(self.allow_connect(place))
        code = self.real.connect_ex(place.for_system)
        self.state = "connecting"
        if code not in {0, errno.EINPROGRESS}:
            self._refusal = code_of(OSError(code, os.strerror(code)))

    def finish_connect(self) -> tuple[TcpInput, TcpOutput]:
        """Return the streams of the connection, when it is there."""
        self._finish("connecting")
        if self._refusal is None:
            if not self.can(write=True):
                raise Refused("would-block")
            code = self.real.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._refusal = code_of(OSError(code, os.strerror(code)))
        if self._refusal is not None:
            self.close()
            raise Refused(self._refusal)
        self.state = "connected"
        return self.streams()

    def streams(self) -> tuple[TcpInput, TcpOutput]:
        """Make the streams of a connection."""
        self.output = TcpOutput(self)
        return TcpInput(self), self.output

    def remote(self) -> Case:
        """Return the address of the other side."""
        self._expect("connected")
        return place_of_system(self.ask("getpeername")).for_guest

    def shut_down(self, what: str) -> None:
        """End one direction, or both; what was written is sent first."""
        self._expect("connected")
        how: int | None
        how, reads, writes = _SHUT[what]
        if reads:
            self.reads = False
        if writes:
            self.writes = False
            if self.output is not None and self.output.has_more:
                how = socket.SHUT_RD if reads else None
        if how is not None:
            try:
                self.real.shutdown(how)
            except OSError as error:
                if error.errno != errno.ENOTCONN:
                    raise Refused(code_of(error)) from error
        self.context.note_changed()

    # ------------------------------------------------------------ waiting

    def is_ready(self) -> bool:
        """Whether the operation in progress would have an answer."""
        if self.state == "connecting":
            return self._refusal is not None or self.can(write=True)
        return self.state != "listening" or self.can(write=False)

    @property
    def interest(self) -> Interest | None:
        """What the operation in progress waits for."""
        return self.wants(write=self.state == "connecting")

    def let_go(self) -> None:
        """Close it, when what was written has been sent."""
        if self.output is None or not self.output.has_more:
            self.close()
        else:
            self.output.closes_after = True


@final
class TcpInput(Input):
    """What the other side sends."""

    __slots__ = ("_is_at_end", "_socket")

    def __init__(self, owner: TcpSocket) -> None:
        super().__init__(owner.context, owner)
        self._socket = owner
        self._is_at_end = False

    def read(self, most: int) -> bytes:
        """As of `Input`."""
        owner = self._socket
        if self.has_ended:
            raise StreamClosed
        if owner.real.fileno() < 0:
            self._is_at_end = True
            _report_closed(owner)
        try:
            data = owner.real.recv(most)
        except BlockingIOError:
            return b""
        except OSError as error:
            self._is_at_end = True
            raise _failed(error) from error
        if not data:
            self._is_at_end = True
            raise StreamClosed
        self.context.count_network(len(data))
        return data

    def is_ready(self) -> bool:
        """Whether there are bytes, or the end."""
        return self.has_ended or self._socket.can(write=False)

    @property
    def has_ended(self) -> bool:
        """As of `Input`."""
        return self._is_at_end or not self._socket.reads

    @property
    def interest(self) -> Interest | None:
        """That the socket can be read."""
        return self._socket.wants(write=False)


@final
class TcpOutput(Output):
    """What is sent to the other side: at most `ROOM` bytes wait here."""

    __slots__ = ("_error", "_left", "_socket", "closes_after")

    def __init__(self, owner: TcpSocket) -> None:
        super().__init__(owner.context, owner)
        self._socket = owner
        self._left = b""
        """What the operating system did not take yet."""
        self._error: StreamFailed | StreamClosed | None = None
        self.closes_after = False
        """Whether the socket is to be closed when everything is sent."""

    @property
    def has_more(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._left)

    def _check(self) -> None:
        if self._error is not None:
            error, self._error = self._error, StreamClosed()
            raise error
        if self._socket.real.fileno() < 0:
            self._error = StreamClosed()
            _report_closed(self._socket)
        if not self._socket.writes:
            raise StreamClosed

    def room(self) -> int:
        """As of `Output`."""
        self._check()
        return 0 if self._left else ROOM

    def write(self, data: bytes) -> None:
        """As of `Output`."""
        self._check()
        self.context.count_network(len(data))
        self._left = data
        if self._send():
            self.context.start_task(self._send_rest)

    def is_flushed(self) -> bool:
        """As of `Output`."""
        if not self._left:
            self._check()
        return not self._left

    def remember(self, error: StreamClosed | StreamFailed) -> None:
        """Keep it for the next call."""
        self._error = error

    def _send(self) -> bool:
        """Send what the operating system takes; whether something is left."""
        try:
            sent = self._socket.real.send(self._left)
        except BlockingIOError:
            return True
        except OSError as error:
            self._left = b""
            self._error = _failed(error)
            return False
        self._left = self._left[sent:]
        return bool(self._left)

    async def _send_rest(self) -> None:
        owner = self._socket
        try:
            while self._left and owner.real.fileno() >= 0:
                await trio.lowlevel.wait_writable(owner.real)
                self._send()
            if not owner.writes and owner.real.fileno() >= 0:
                owner.real.shutdown(socket.SHUT_WR)
        except (OSError, trio.ClosedResourceError):
            pass  # the socket is gone, which each call finds out
        finally:
            self._left = b""
            if self.closes_after:
                owner.close()
            self.context.note_changed()


def _failed(error: OSError) -> StreamFailed:
    return StreamFailed(str(error), "network", code_of(error))


def _report_closed(owner: TcpSocket) -> None:
    """Say why a socket is closed.

    Raises:
        StreamFailed: its grant was taken away.
        StreamClosed: something else.
    """
    if owner.is_revoked:
        text = "what allowed this connection was taken away"
        raise StreamFailed(text, "network", "access-denied")
    raise StreamClosed
