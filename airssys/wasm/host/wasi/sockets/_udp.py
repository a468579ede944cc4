"""UDP sockets: datagrams to and from where a grant says."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final, final

from airssys.contracts import TrapReason
from airssys.wasm.host import StopGuest
from airssys.wasm.host.wasi.base import Held, Interest, Source, disconnect

from ._addresses import (
    Place,
    Refused,
    check_remote,
    code_of,
    place_of_guest,
    place_of_system,
)
from ._socket import NetSocket

if TYPE_CHECKING:
    from airssys.wasm.host.wasi.base import Scoped, WasiContext
    from airssys.wasm.values import Case

_MOST_AT_ONCE: Final = 16
"""Datagrams that one call sends or receives."""
_LARGEST: Final = 65535
"""Bytes of a datagram."""


@final
class UdpSocket(NetSocket):
    """A UDP socket."""

    __slots__ = ("_bound", "_connected_under", "connected", "streams")

    def __init__(self, context: WasiContext, family: str) -> None:
        super().__init__(context, family, socket.SOCK_DGRAM)
        self._bound: Place | None = None
        """What it was bound to."""
        self._connected_under: Scoped | None = None
        self.connected: Place | None = None
        """The only place that its datagrams come from and go to."""
        self.streams = 0
        """Streams that the guest holds."""

    def start_bind(self, local: Case) -> None:
        """Bind it."""
        if self.state != "unbound":
            in_progress = self.state == "bind-started"
            raise Refused("concurrency-conflict" if in_progress else "invalid-state")
        self.bind(place_of_guest(local))
        self._bound = self.local()
        self.state = "bind-started"

    def finish_bind(self) -> None:
        """Report that it is bound."""
        if self.is_revoked:
            raise Refused("access-denied")
        if self.state != "bind-started":
            raise Refused("not-in-progress")
        self.state = "bound"

    def stream(self, remote: Case | None) -> tuple[Datagrams, OutgoingDatagrams]:
        """Make the streams, for one place or for any."""
        if self.streams:
            text = "it asked for streams of a socket before it dropped those it has"
            raise StopGuest(TrapReason.OTHER, text)
        self.check_usable()
        if self.state != "bound":
            raise Refused("invalid-state")
        self._disconnect()
        if remote is not None:
            self._connect(place_of_guest(remote))
        return Datagrams(self), OutgoingDatagrams(self)

    def _connect(self, place: Place) -> None:
        check_remote(place, self.family)
        access = self.allow_connect(place)
        self.ask("connect", place.for_system)
        self._connected_under = self.under(access)
        self.connected = place

    def _disconnect(self) -> None:
        """Let it have no other side, at the same port.

        Raises:
            Refused: another has taken the port, which the system takes back if it was its
                choice.
        """
        if self._connected_under is None or self._bound is None:
            return
        self.leave(self._connected_under)
        self._connected_under = self.connected = None
        try:
            disconnect(self.real.fileno())
            if self.local().port == 0:
                self.real.bind(self._bound.for_system)
        except OSError as error:
            self.close()
            raise Refused(code_of(error)) from error

    def remote(self) -> Case:
        """Return the place that it is connected to."""
        self.check_usable()
        if self.connected is None:
            raise Refused("invalid-state")
        return self.connected.for_guest


class _Stream(Held, Source):
    __slots__ = ("_socket",)

    def __init__(self, owner: UdpSocket) -> None:
        super().__init__(owner.context, owner)
        self._socket = owner
        owner.streams += 1

    def let_go(self) -> None:
        """Note that the guest has dropped it."""
        self._socket.streams -= 1


@final
class Datagrams(_Stream):
    """What comes in."""

    __slots__ = ()

    def is_ready(self) -> bool:
        """Whether there is a datagram."""
        return self._socket.can(write=False)

    @property
    def interest(self) -> Interest | None:
        """That the socket can be read."""
        return self._socket.wants(write=False)

    def receive(self, most: int) -> list[tuple[bytes, Case]]:
        """Return the datagrams that are there, up to a number; maybe none.

        Those that came from others before it was connected are dropped. They count, so
        that no sender can hold up the loop.
        """
        self._socket.check_usable()
        found: list[tuple[bytes, Case]] = []
        for _ in range(min(most, _MOST_AT_ONCE)):
            try:
                data, sender = self._socket.real.recvfrom(_LARGEST)
            except BlockingIOError:
                break
            except OSError as error:
                if found:
                    break
                raise Refused(code_of(error)) from error
            self.context.count_network(len(data))
            place = place_of_system(sender)
            if _is_from(self._socket.connected, place):
                found.append((data, place.for_guest))
        return found


@final
class OutgoingDatagrams(_Stream):
    """What goes out."""

    __slots__ = ("_permitted",)

    def __init__(self, owner: UdpSocket) -> None:
        super().__init__(owner)
        self._permitted = 0

    def is_ready(self) -> bool:
        """Whether there is room."""
        return self._socket.can(write=True)

    @property
    def interest(self) -> Interest | None:
        """That the socket can be written."""
        return self._socket.wants(write=True)

    def check_send(self) -> int:
        """Return how many datagrams may be sent now."""
        self._socket.check_usable()
        self._permitted = _MOST_AT_ONCE if self.is_ready() else 0
        return self._permitted

    def send(self, datagrams: list[tuple[bytes, Case | None]]) -> int:
        """Send them; returns how many were."""
        if len(datagrams) > self._permitted:
            text = (
                f"it sent {len(datagrams)} datagrams, {self._permitted} were permitted"
            )
            raise StopGuest(TrapReason.OTHER, text)
        self._socket.check_usable()
        for number, (data, remote) in enumerate(datagrams):
            try:
                self._send(data, remote)
            except Refused as refused:
                if number:
                    return number
                if refused.code == "would-block":
                    return 0
                raise
            self._permitted -= 1
        return len(datagrams)

    def _send(self, data: bytes, remote: Case | None) -> None:
        owner = self._socket
        place = owner.connected if remote is None else place_of_guest(remote)
        if place is None or not _is_from(owner.connected, place):
            raise Refused("invalid-argument")
        check_remote(place, owner.family)
        if owner.connected is None:
            owner.allow_connect(place)
            owner.ask("sendto", data, place.for_system)
        else:
            owner.ask("send", data)
        self.context.count_network(len(data))


def _is_from(connected: Place | None, place: Place) -> bool:
    """Whether a socket that may be connected has to do with a place."""
    return connected is None or connected[:2] == place[:2]
