"""The names of `wasi:sockets` 0.2, above sockets that know nothing of them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from airssys.wasm.host.wasi.base import (
    Held,
    Pollable,
    error_code,
    interface,
    same_as,
)
from airssys.wasm.values import Err, Ok

from ._addresses import Refused
from ._names import Lookup
from ._tcp import TcpSocket
from ._udp import UdpSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.wasm.host.wasi.base import WasiContext

    from ._socket import NetSocket

_SECOND: Final = 1_000_000_000
_STREAMS: Final = same_as("io/streams", "input-stream", "output-stream")
_POLLABLE: Final = same_as("io/poll", "pollable")
_NETWORK: Final = same_as("sockets/network", "network")


def _subscribe(context: WasiContext, thing: Any) -> Pollable:
    return Pollable(context, thing, thing)


def _methods(resource: str, acts: dict[str, Callable[..., Any]]) -> dict[str, Any]:
    """Name methods, and make `Refused` their error."""
    return {f"[method]{resource}.{name}": _guarded(act) for name, act in acts.items()}


def _guarded(act: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(_context: WasiContext, thing: Any, *arguments: Any) -> Ok | Err:
        try:
            return Ok(act(thing, *arguments))
        except Refused as refused:
            return Err(refused.code)

    return guarded


# ---------------------------------------------------------------- options


def _option(
    level: int, option: int, *, unit: int = 1, most: int = 2**31 - 1, share: int = 1
) -> tuple[Callable[[NetSocket], int], Callable[[NetSocket, int], None]]:
    """Make what reads and what sets an option that must not be 0.

    Args:
        level: of the option.
        option: its number.
        unit: what one of the operating system's is for a guest.
        most: the highest value that the operating system takes.
        share: how many times what was set the operating system reports.
    """

    def read(thing: NetSocket) -> int:
        found: int = thing.ask("getsockopt", level, option)
        return found // share * unit

    def write(thing: NetSocket, value: int) -> None:
        if value == 0:
            raise Refused("invalid-argument")
        thing.ask("setsockopt", level, option, max(1, min(most, -(-value // unit))))

    return read, write


_RECEIVE: Final = _option(socket.SOL_SOCKET, socket.SO_RCVBUF, most=2**20, share=2)
_SEND: Final = _option(socket.SOL_SOCKET, socket.SO_SNDBUF, most=2**20, share=2)
_IDLE: Final = _option(
    socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, unit=_SECOND, most=32767
)
_INTERVAL: Final = _option(
    socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, unit=_SECOND, most=32767
)
_COUNT: Final = _option(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, most=127)
_HOPS_4: Final = _option(socket.IPPROTO_IP, socket.IP_TTL)
_HOPS_6: Final = _option(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)


def _read_hops(thing: NetSocket) -> int:
    return (_HOPS_4 if thing.family == "ipv4" else _HOPS_6)[0](thing)


def _set_hops(thing: NetSocket, value: int) -> None:
    (_HOPS_4 if thing.family == "ipv4" else _HOPS_6)[1](thing, value)


def _set_keep_alive(thing: NetSocket, value: bool) -> None:  # noqa: FBT001  # as in WIT
    thing.ask("setsockopt", socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(value))


def _local(thing: NetSocket) -> object:
    thing.check_usable()
    if thing.state in {"unbound", "bind-started"}:
        raise Refused("invalid-state")
    return thing.local().for_guest


_BOTH: Final[dict[str, Callable[..., Any]]] = {
    "local-address": _local,
    "receive-buffer-size": _RECEIVE[0],
    "set-receive-buffer-size": _RECEIVE[1],
    "send-buffer-size": _SEND[0],
    "set-send-buffer-size": _SEND[1],
}


# ---------------------------------------------------------------- interfaces


def _create(
    make: Callable[[WasiContext, str], NetSocket], *verbs: str
) -> Callable[[WasiContext, str], Ok | Err]:
    """Make a function that makes sockets, for an instance that may do something with them."""

    def create(context: WasiContext, family: str) -> Ok | Err:
        if not context.permissions.holds_any("network", *verbs):
            context.may("network", verbs[0], "0.0.0.0:0")
            return Err("access-denied")
        try:
            return Ok(make(context, family))
        except Refused as refused:
            return Err(refused.code)

    return create


def _resolve(context: WasiContext, _network: Held, name: str) -> Ok | Err:
    try:
        return Ok(Lookup(context, name))
    except Refused as refused:
        return Err(refused.code)


SOCKETS: Final = (
    interface(
        "sockets/network",
        {"network-error-code": error_code("network")},
        owns=["network"],
        uses=same_as("io/error", "error"),
    ),
    interface("sockets/instance-network", {"instance-network": Held}, uses=_NETWORK),
    interface(
        "sockets/ip-name-lookup",
        {
            "resolve-addresses": _resolve,
            "[method]resolve-address-stream.subscribe": _subscribe,
        }
        | _methods(
            "resolve-address-stream", {"resolve-next-address": Lookup.next_address}
        ),
        owns=["resolve-address-stream"],
        uses=_NETWORK | _POLLABLE,
    ),
    interface(
        "sockets/tcp",
        {
            "[method]tcp-socket.subscribe": _subscribe,
            "[method]tcp-socket.is-listening": lambda _c, s: s.state == "listening",
            "[method]tcp-socket.address-family": lambda _c, s: s.family,
        }
        | _methods(
            "tcp-socket",
            _BOTH
            | {
                "start-bind": lambda s, _network, where: s.start_bind(where),
                "finish-bind": TcpSocket.finish_bind,
                "start-connect": lambda s, _network, where: s.start_connect(where),
                "finish-connect": TcpSocket.finish_connect,
                "start-listen": TcpSocket.start_listen,
                "finish-listen": TcpSocket.finish_listen,
                "accept": TcpSocket.accept,
                "remote-address": TcpSocket.remote,
                "set-listen-backlog-size": TcpSocket.set_backlog,
                "keep-alive-enabled": lambda s: bool(
                    s.ask("getsockopt", socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                ),
                "set-keep-alive-enabled": _set_keep_alive,
                "keep-alive-idle-time": _IDLE[0],
                "set-keep-alive-idle-time": _IDLE[1],
                "keep-alive-interval": _INTERVAL[0],
                "set-keep-alive-interval": _INTERVAL[1],
                "keep-alive-count": _COUNT[0],
                "set-keep-alive-count": _COUNT[1],
                "hop-limit": _read_hops,
                "set-hop-limit": _set_hops,
                "shutdown": TcpSocket.shut_down,
            },
        ),
        owns=["tcp-socket"],
        uses=_STREAMS | _POLLABLE | _NETWORK,
    ),
    interface(
        "sockets/tcp-create-socket",
        {"create-tcp-socket": _create(TcpSocket, "connect", "bind")},
        uses=same_as("sockets/tcp", "tcp-socket") | _NETWORK,
    ),
    interface(
        "sockets/udp",
        {
            "[method]udp-socket.subscribe": _subscribe,
            "[method]udp-socket.address-family": lambda _c, s: s.family,
            "[method]incoming-datagram-stream.subscribe": _subscribe,
            "[method]outgoing-datagram-stream.subscribe": _subscribe,
        }
        | _methods(
            "udp-socket",
            _BOTH
            | {
                "start-bind": lambda s, _network, where: s.start_bind(where),
                "finish-bind": UdpSocket.finish_bind,
                "stream": UdpSocket.stream,
                "remote-address": UdpSocket.remote,
                "unicast-hop-limit": _read_hops,
                "set-unicast-hop-limit": _set_hops,
            },
        )
        | _methods(
            "incoming-datagram-stream",
            {"receive": lambda stream, most: stream.receive(most)},
        )
        | _methods(
            "outgoing-datagram-stream",
            {
                "check-send": lambda stream: stream.check_send(),
                "send": lambda stream, datagrams: stream.send(datagrams),
            },
        ),
        owns=["udp-socket", "incoming-datagram-stream", "outgoing-datagram-stream"],
        uses=_POLLABLE | _NETWORK,
    ),
    interface(
        "sockets/udp-create-socket",
        {"create-udp-socket": _create(UdpSocket, "bind", "connect")},
        uses=same_as("sockets/udp", "udp-socket") | _NETWORK,
    ),
)
