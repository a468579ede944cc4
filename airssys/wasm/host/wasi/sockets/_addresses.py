"""Addresses and errors, as WIT and as the operating system has them."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from airssys.wasm.values import Case

if TYPE_CHECKING:
    from airssys.wasm.host.wasi.base import Address

_IPV4, _IPV6 = "ipv4", "ipv6"
FAMILIES: Final = {_IPV4: socket.AF_INET, _IPV6: socket.AF_INET6}
_CODES: Final = {
    errno.EACCES: "access-denied",
    errno.EPERM: "access-denied",
    errno.EADDRINUSE: "address-in-use",
    errno.EADDRNOTAVAIL: "address-not-bindable",
    errno.EAGAIN: "would-block",
    errno.ECONNABORTED: "connection-aborted",
    errno.ECONNREFUSED: "connection-refused",
    errno.ECONNRESET: "connection-reset",
    errno.EPIPE: "connection-reset",
    errno.EHOSTUNREACH: "remote-unreachable",
    errno.EHOSTDOWN: "remote-unreachable",
    errno.ENETUNREACH: "remote-unreachable",
    errno.ENETDOWN: "remote-unreachable",
    errno.EINVAL: "invalid-argument",
    errno.EISCONN: "invalid-state",
    errno.EMFILE: "new-socket-limit",
    errno.ENFILE: "new-socket-limit",
    errno.ENOBUFS: "out-of-memory",
    errno.ENOMEM: "out-of-memory",
    errno.EMSGSIZE: "datagram-too-large",
    errno.ENOTCONN: "invalid-state",
    errno.EOPNOTSUPP: "not-supported",
    errno.ENOPROTOOPT: "not-supported",
    errno.EAFNOSUPPORT: "not-supported",
    errno.ETIMEDOUT: "timeout",
}


def code_of(error: OSError) -> str:
    """Return the error code of `wasi:sockets` for one of the operating system."""
    return _CODES.get(error.errno or 0, "unknown")


@final
class Refused(Exception):
    """A function answers with an error code.

    Args:
        code: of `wasi:sockets/network`.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@final
class Place(NamedTuple):
    """An address and a port, and what only IPv6 has."""

    address: Address
    port: int
    flow: int = 0
    scope: int = 0

    @property
    def for_system(self) -> tuple[Any, ...]:
        """The same, as functions of the operating system take it."""
        text = str(self.address)
        if self.address.version == 4:  # noqa: PLR2004  # of the Internet Protocol
            return text, self.port
        return text, self.port, self.flow, self.scope

    @property
    def for_guest(self) -> Case:
        """The same as an `ip-socket-address`."""
        parts = address_for_guest(self.address)
        if parts.name == _IPV4:
            return Case(_IPV4, (self.port, parts.value))
        return Case(_IPV6, (self.port, self.flow, parts.value, self.scope))


def place_of_guest(given: Case) -> Place:
    """Read an `ip-socket-address`."""
    if given.name == _IPV4:
        port, numbers = given.value
        return Place(ipaddress.IPv4Address(bytes(numbers)), port)
    port, flow, numbers, scope = given.value
    packed = b"".join(each.to_bytes(2, "big") for each in numbers)
    return Place(ipaddress.IPv6Address(packed), port, flow, scope)


def place_of_system(found: tuple[Any, ...]) -> Place:
    """Read what the operating system gives."""
    host = str(found[0]).partition("%")[0]
    return Place(ipaddress.ip_address(host), *found[1:])


def address_for_guest(address: Address) -> Case:
    """Write an `ip-address`."""
    packed = address.packed
    if address.version == 4:  # noqa: PLR2004  # of the Internet Protocol
        return Case(_IPV4, tuple(packed))
    pairs = range(0, len(packed), 2)
    return Case(
        _IPV6, tuple(int.from_bytes(packed[at : at + 2], "big") for at in pairs)
    )


def check_local(place: Place, family: str) -> None:
    """See that a socket of a family may be bound to this.

    Raises:
        Refused: it may not.
    """
    address = place.address
    if _family(address) != family or _is_mapped(address) or address.is_multicast:
        raise Refused("invalid-argument")
    if int(address) == 2**32 - 1 and family == _IPV4:  # broadcast
        raise Refused("invalid-argument")


def check_remote(place: Place, family: str) -> None:
    """See that a socket of a family may be connected to this.

    Raises:
        Refused: it may not.
    """
    check_local(place, family)
    if place.port == 0 or place.address.is_unspecified:
        raise Refused("invalid-argument")


def _family(address: Address) -> str:
    return _IPV4 if isinstance(address, ipaddress.IPv4Address) else _IPV6


def _is_mapped(address: Address) -> bool:
    return (
        isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    )
