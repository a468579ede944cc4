"""Patterns of hosts and ports.

Names are compared label by label, as IDNA and case have made them: `*.example.com` is
one more label before `example.com`, `**.example.com` one or more; neither is
`example.com`, and `evilexample.com` is neither. Addresses are compared as numbers:
`10.0.0.0/8`, `[2001:db8::]/32`; an IPv4 address that is written as an IPv6 one
(`::ffff:10.0.0.1`) is the IPv4 address. A pattern of names never stands for an address
that was asked for by number, except `*` alone, which stands for every name.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Self, TypeAlias, final

import attrs
import idna

from ._mistakes import PatternMistake

if TYPE_CHECKING:
    from collections.abc import Iterable

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_ANY: Final = "*"
_MANY: Final = "**"
_LAST_PORT: Final = 65535
_LONGEST: Final = 254
"""Characters of a name, with a dot at its end."""
_PLAIN: Final = re.compile(r"(?:[a-z0-9]{1,63}\.)*[a-z0-9]{1,63}", re.ASCII)
"""Names that IDNA leaves as they are, of the simplest kind."""


def read_address(host: str) -> Address | None:
    """Read a host that is an address, with or without brackets; None for a name."""
    text = host.removeprefix("[").removesuffix("]")
    if ":" not in text and not text[-1:].isdigit():
        return None  # most hosts: to say this costs less than to read an address
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return plain_address(address)


def plain_address(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            address = ipaddress.IPv6Address(int(address))
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
    return address


def normal_host(host: str) -> tuple[str, ...] | None:
    """Make the labels of a name normal; None if it is not a valid name.

    Example:
        >>> normal_host("Bücher.Example.")
        ('xn--bcher-kva', 'example')
    """
    if len(host) > _LONGEST:
        return None
    return _normal(host.removesuffix("."))


@lru_cache(maxsize=1024)
def _normal(name: str) -> tuple[str, ...] | None:
    if not name or read_address(name) is not None:
        return None
    if len(name) < _LONGEST and _PLAIN.fullmatch(name):
        encoded = name
    else:
        try:
            encoded = idna.encode(name, uts46=True, std3_rules=True).decode()
        except idna.IDNAError:
            return None
    labels = tuple(encoded.lower().split("."))
    # What ends in a number would be read as an address by some resolvers.
    is_name = all(labels) and not labels[-1].isdigit()
    return labels if is_name and not labels[-1].startswith("0x") else None


@final
@attrs.frozen
class HostPattern:
    """Hosts: `api.example.com`, `*.example.com`, `10.0.0.0/8`, `*`."""

    text: str
    labels: tuple[str, ...] | None = attrs.field(repr=False)
    network: Network | None = attrs.field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern.

        Raises:
            PatternMistake: it is not a name, an address or a range of addresses.
        """
        network = _network(text)
        if network is not None:
            return cls(str(network), None, network)
        head, rest = "", text
        for wildcard in (_MANY, _ANY):
            if text == wildcard or text.startswith(f"{wildcard}."):
                head, rest = wildcard, text[len(wildcard) + 1 :]
                break
        labels = normal_host(rest) if rest else ()
        is_whole = text == _ANY or bool(rest)
        if labels is None or _ANY in rest or not is_whole:
            advice = "write a name, '*.name', an address, or a range such as 10.0.0.0/8"
            raise PatternMistake(text, advice)
        whole = (head, *labels) if head else labels
        return cls(".".join(whole), whole, None)

    def matches(self, host: str) -> bool:
        """Say whether a host, as it was asked for, is one of these."""
        address = read_address(host)
        if address is not None:
            return self.matches_address(address)
        labels = normal_host(host)
        return labels is not None and self._takes(labels)

    def matches_address(self, address: Address) -> bool:
        """Say whether an address is in the range that this pattern names."""
        plain = plain_address(address)
        return (
            self.network is not None
            and plain.version == self.network.version
            and plain in self.network
        )

    def includes(self, other: Self) -> bool:
        """Say whether it stands for every host that the other one stands for."""
        if self.network is not None or other.network is not None:
            return _includes_network(self.network, other.network)
        if self.labels is None or other.labels is None:
            return False
        if self.labels == (_ANY,):
            return True
        if other.labels == (_ANY,):
            return False
        if self.labels[0] == _MANY:
            tail = self.labels[1:]
            return other.labels[-len(tail) :] == tail and len(other.labels) > len(tail)
        if self.labels[0] == _ANY:
            same = len(self.labels) == len(other.labels)
            return (
                same
                and other.labels[0] != _MANY
                and self.labels[1:] == other.labels[1:]
            )
        return self.labels == other.labels

    def _takes(self, labels: tuple[str, ...]) -> bool:
        if self.labels is None:
            return False
        head, tail = self.labels[0], self.labels[1:]
        if self.labels == (_ANY,):
            return True
        if head == _MANY:
            return len(labels) > len(tail) and labels[-len(tail) :] == tail
        if head == _ANY:
            return len(labels) == len(self.labels) and labels[1:] == tail
        return labels == self.labels

    @property
    def beginning(self) -> str:
        """What the key of each of these hosts begins with."""
        if self.network is not None:
            bits = _bits(self.network.network_address)
            return bits[
                : len(bits) - self.network.max_prefixlen + self.network.prefixlen
            ]
        return _from_the_end(each for each in self.labels or () if _ANY not in each)

    @staticmethod
    def key(host: str) -> str | None:
        """Give what is compared with `beginning`; None: no pattern stands for it."""
        address = read_address(host)
        if address is not None:
            return _bits(address)
        labels = normal_host(host)
        return None if labels is None else _from_the_end(labels)

    def __str__(self) -> str:
        return self.text


def _from_the_end(labels: Iterable[str]) -> str:
    """Write labels so that those below one name begin with the same text."""
    return "".join(f"{each}." for each in reversed(tuple(labels)))


def _bits(address: Address) -> str:
    return f"#{address.version}{int(address):0{address.max_prefixlen}b}"


def _network(text: str) -> Network | None:
    address, slash, bits = text.partition("/")
    bare = address.removeprefix("[").removesuffix("]")
    if read_address(bare) is None:
        return None
    try:
        network = ipaddress.ip_network(f"{bare}{slash}{bits}", strict=True)
    except ValueError as error:
        raise PatternMistake(text, str(error)) from error
    if isinstance(network, ipaddress.IPv6Network):
        first = network.network_address.ipv4_mapped
        if (
            first is not None
        ):  # then its first 96 bits are those of all mapped addresses
            return ipaddress.ip_network(f"{first}/{network.prefixlen - 96}")
    return network


def _includes_network(mine: Network | None, theirs: Network | None) -> bool:
    if mine is None or theirs is None:
        return False
    if isinstance(mine, ipaddress.IPv4Network):
        return isinstance(theirs, ipaddress.IPv4Network) and theirs.subnet_of(mine)
    return isinstance(theirs, ipaddress.IPv6Network) and theirs.subnet_of(mine)


@final
@attrs.frozen
class Ports:
    """Ports from one to another, both included."""

    first: int
    last: int

    @classmethod
    def parse(cls, ports: int | str) -> Self:
        """Read a port, a range such as '8000-8999', or '*' for all.

        Raises:
            PatternMistake: there are no such ports. Port 0 is none.
        """
        text = str(ports)
        if text == _ANY:
            return cls(1, _LAST_PORT)
        first, dash, last = text.partition("-")
        numbers = [first, last if dash else first]
        if isinstance(ports, bool) or not all(
            part.isascii() and part.isdigit() and len(part) <= len(str(_LAST_PORT))
            for part in numbers
        ):
            raise PatternMistake(
                text, "write a port, a range such as 8000-8999, or '*'"
            )
        low, high = map(int, numbers)
        if not 1 <= low <= high <= _LAST_PORT:
            raise PatternMistake(
                text, f"ports go from 1 to {_LAST_PORT}, the lower first"
            )
        return cls(low, high)

    def matches(self, port: int) -> bool:
        """Say whether a port is one of these."""
        return self.first <= port <= self.last

    def includes(self, other: Self) -> bool:
        """Say whether all ports of the other are among these."""
        return self.first <= other.first and other.last <= self.last

    def __str__(self) -> str:
        if (self.first, self.last) == (1, _LAST_PORT):
            return _ANY
        return (
            str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        )
