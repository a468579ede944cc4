"""What sockets of both kinds have in common: the operating system's, and its grants."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING, Any, Final

import trio

from airssys.contracts import Access
from airssys.wasm.host.wasi.base import (
    ContextPart,
    Held,
    Interest,
    Reach,
    Scoped,
    Source,
    access_words,
    endpoint,
)

from ._addresses import FAMILIES, Refused, check_local, code_of, place_of_system

if TYPE_CHECKING:
    from airssys.wasm.host.wasi.base import WasiContext

    from ._addresses import Place

MOST_SOCKETS: Final = 64
"""Sockets that one instance has open."""


class Network(ContextPart):
    """What an instance has of the network; its sockets, and what it has looked up."""

    def __init__(self, context: WasiContext) -> None:
        super().__init__(context)
        self.sockets: set[NetSocket] = set()
        """Those that are open."""
        self.reach = context.keep("reach", Reach)

    def close(self) -> None:
        """Close all of them."""
        for each in tuple(self.sockets):
            each.close()


def network(context: WasiContext) -> Network:
    """Return what an instance has of the network."""
    return context.keep("network", Network)


class NetSocket(Held, Source):
    """A socket that a guest holds.

    Args:
        context: of its instance.
        family: `ipv4` or `ipv6`.
        kind: of `socket.SocketKind`.
        made: the socket of the operating system, if there is one already.

    Raises:
        Refused: the instance has too many, or the operating system has.
    """

    __slots__ = ("_scopes", "family", "is_revoked", "real", "state")

    def __init__(
        self,
        context: WasiContext,
        family: str,
        kind: int,
        made: socket.socket | None = None,
    ) -> None:
        try:
            super().__init__(context)
            self.real = self._make(context, family, kind, made)
        except Refused:
            context.release_handle()
            raise
        except BaseException:
            if made is not None:
                made.close()
            raise
        self.family, self.state = family, "unbound"
        self.is_revoked = False
        self._scopes: list[Scoped] = []
        network(context).sockets.add(self)

    @staticmethod
    def _make(
        context: WasiContext, family: str, kind: int, made: socket.socket | None
    ) -> socket.socket:
        if len(network(context).sockets) >= MOST_SOCKETS:
            if made is not None:
                made.close()
            raise Refused("new-socket-limit")
        try:
            real = made or socket.socket(FAMILIES[family], kind)
            real.setblocking(False)  # noqa: FBT003  # has no keyword
            if made is None and family == "ipv6":
                real.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        except OSError as error:
            raise Refused(code_of(error)) from error
        return real

    # ------------------------------------------------------------ grants

    def under(self, access: Access) -> Scoped:
        """Note what allows it: when that is taken away, it is closed."""
        scope = Scoped(self.context, access, self._revoke)
        self._scopes.append(scope)
        return scope

    def leave(self, scope: Scoped) -> None:
        """Note that it does not need something any more."""
        self._scopes.remove(scope)
        scope.release()

    def _revoke(self) -> None:
        self.is_revoked = True
        self.close()

    def check_usable(self) -> None:
        """See that it is open.

        Raises:
            Refused: its grant was taken away, or it was closed.
        """
        if self.is_revoked:
            raise Refused("access-denied")
        if self.real.fileno() < 0:
            raise Refused("invalid-state")

    def bind(self, place: Place) -> None:
        """Give it an address of this machine.

        Raises:
            Refused: that is not granted, or not possible.
        """
        check_local(place, self.family)
        context, host = self.context, str(place.address)
        if place.port and not context.may(
            "network", "bind", endpoint(host, place.port)
        ):
            raise Refused("access-denied")
        if not (place.port or self._may_bind_some_port(host)):
            context.may("network", "bind", endpoint(host, 0))
            raise Refused("access-denied")
        try:
            self.real.bind(place.for_system)
            port = self.real.getsockname()[1]
        except OSError as error:
            raise Refused(code_of(error)) from error
        self._allow_bound(endpoint(host, port), chosen=place.port == 0)

    def _may_bind_some_port(self, host: str) -> bool:
        """Whether a grant that still stands may allow what the system chooses."""
        permissions = self.context.permissions
        return permissions.allows(Access("network", "bind", endpoint(host, 0))) or any(
            "bind" in grant.verbs for grant in permissions.grants_of("network")
        )

    def _allow_bound(self, where: str, *, chosen: bool) -> None:
        """Check the port that the operating system has chosen, if it has."""
        access = Access("network", "bind", where)
        if chosen and not self.context.may(*access_words(access)):
            self.close()
            raise Refused("access-denied")
        self.under(access)

    def allow_connect(self, place: Place) -> Access:
        """Find what allows it to connect.

        Raises:
            Refused: nothing does.
        """
        reach = network(self.context).reach
        access = reach.connect(place.address, place.port)
        if access is None:
            raise Refused("access-denied")
        return access

    # ------------------------------------------------------------ the system

    def local(self) -> Place:
        """Return its own address."""
        return place_of_system(self.ask("getsockname"))

    def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of the operating system's socket.

        Raises:
            Refused: with the code of what it raised.
        """
        self.check_usable()
        try:
            return getattr(self.real, method)(*arguments)
        except OSError as error:
            raise Refused(code_of(error)) from error

    def can(self, *, write: bool) -> bool:
        """Whether the operating system would not wait; true for a closed socket."""
        number = self.real.fileno()
        if number < 0:
            return True
        poll = select.poll()
        poll.register(number, select.POLLOUT if write else select.POLLIN)
        return bool(poll.poll(0))

    def wants(self, *, write: bool) -> Interest | None:
        """Return what has to be waited for; None for a closed socket."""
        return None if self.real.fileno() < 0 else Interest(self.real, write)

    def close(self) -> None:
        """Close it now; whatever waits for it goes on."""
        if self.real.fileno() >= 0:
            trio.lowlevel.notify_closing(self.real)
            self.real.close()
            network(self.context).sockets.discard(self)
        self.state = "closed"
        scopes, self._scopes = self._scopes, []
        for each in scopes:
            each.release()
        self.context.note_changed()

    def let_go(self) -> None:
        """Close it."""
        self.close()
