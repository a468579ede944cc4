"""`wasi:sockets`: it links, and there is nothing in it yet.

Toolchains import it for programs that never open a socket. No socket can be made, so what
works on one is never called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from airssys.contracts import TrapReason
from airssys.wasm.host import StopGuest
from airssys.wasm.values import Err

from .base import Held, interface, same_as

if TYPE_CHECKING:
    from collections.abc import Callable

    from .base import WasiContext

_LONGEST_NAME: Final = 253
"""Characters of a host's name, by the rules of DNS."""
_STREAMS: Final = same_as("io/streams", "input-stream", "output-stream")
_POLLABLE: Final = same_as("io/poll", "pollable")
_ERROR: Final = same_as("io/error", "error")


def _never(_context: WasiContext, *_arguments: object) -> NoReturn:
    """Stand for a method of what cannot exist.

    Raises:
        StopGuest: always.
    """
    raise StopGuest(TrapReason.OTHER, "it used a resource that it was never given")


def _methods(resource: str, names: str) -> dict[str, Callable[..., object]]:
    return {f"[method]{resource}.{name}": _never for name in names.split()}


# ---------------------------------------------------------------- sockets


def _refuse(verb: str, resource: str) -> Callable[..., Err]:
    """Make a function that never gives what it should: nothing can yet."""

    def refuse(context: WasiContext, *_arguments: object) -> Err:
        allowed = context.may("network", verb, resource)
        return Err("not-supported" if allowed else "access-denied")

    return refuse


def _look_up(context: WasiContext, _network: Held, name: str) -> Err:
    if len(name) > _LONGEST_NAME:
        return Err("invalid-argument")
    allowed = context.may("network", "resolve", name)
    return Err("name-unresolvable" if allowed else "access-denied")


_NETWORK: Final = same_as("sockets/network", "network")
_TCP: Final = same_as("sockets/tcp", "tcp-socket")
_UDP: Final = same_as("sockets/udp", "udp-socket")
_OPTIONS: Final = """
    receive-buffer-size set-receive-buffer-size send-buffer-size set-send-buffer-size
    local-address remote-address address-family start-bind finish-bind subscribe
"""
SOCKETS: Final = (
    interface(
        "sockets/network",
        {"network-error-code": lambda _context, _error: None},
        owns=["network"],
        uses=_ERROR,
    ),
    interface("sockets/instance-network", {"instance-network": Held}, uses=_NETWORK),
    interface(
        "sockets/ip-name-lookup",
        _methods("resolve-address-stream", "resolve-next-address subscribe")
        | {"resolve-addresses": _look_up},
        owns=["resolve-address-stream"],
        uses=_NETWORK | _POLLABLE,
    ),
    interface(
        "sockets/tcp",
        _methods(
            "tcp-socket",
            f"""
            {_OPTIONS} start-connect finish-connect start-listen finish-listen accept
            is-listening set-listen-backlog-size keep-alive-enabled
            set-keep-alive-enabled keep-alive-idle-time set-keep-alive-idle-time
            keep-alive-interval set-keep-alive-interval keep-alive-count
            set-keep-alive-count hop-limit set-hop-limit shutdown
            """,
        ),
        owns=["tcp-socket"],
        uses=_STREAMS | _POLLABLE | _NETWORK,
    ),
    interface(
        "sockets/tcp-create-socket",
        {"create-tcp-socket": _refuse("connect", "0.0.0.0:0")},
        uses=_TCP | _NETWORK,
    ),
    interface(
        "sockets/udp",
        _methods(
            "udp-socket", f"{_OPTIONS} stream unicast-hop-limit set-unicast-hop-limit"
        )
        | _methods("incoming-datagram-stream", "receive subscribe")
        | _methods("outgoing-datagram-stream", "check-send send subscribe"),
        owns=["udp-socket", "incoming-datagram-stream", "outgoing-datagram-stream"],
        uses=_POLLABLE | _NETWORK,
    ),
    interface(
        "sockets/udp-create-socket",
        {"create-udp-socket": _refuse("bind", "0.0.0.0:0")},
        uses=_UDP | _NETWORK,
    ),
)
