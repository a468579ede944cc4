"""Which addresses an instance may connect to: decided in one place, for every protocol.

An address may be granted by its number. Else it must be an answer to a name that the host
itself has looked up for this instance, and a grant must name that name: so what a name
stands for later, or for others, opens nothing. A name of the Internet never opens a
private address (loopback, link-local, the metadata of clouds, and so on): these have to
be granted by their numbers.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, TypeAlias, final

from airssys.contracts import Access, embedded_address, is_private

from ._context import ContextPart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._context import WasiContext

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_MOST_PINNED: Final = 1000
"""Addresses whose names are remembered, for one instance; the oldest go first."""
_MOST_NAMES: Final = 16
"""Names that are remembered for one address."""


def endpoint(host: str, port: int) -> str:
    """Write `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@final
class Reach(ContextPart):
    """What one instance may connect to, by its grants and by what was looked up for it."""

    def __init__(self, context: WasiContext) -> None:
        super().__init__(context)
        self._names: dict[Address, dict[str, None]] = {}

    def pin(self, name: str, address: Address) -> None:
        """Note that the host found this address for a name."""
        names = self._names.pop(address, {})
        names.pop(name, None)
        names[name] = None
        while len(names) > _MOST_NAMES:
            del names[next(iter(names))]
        self._names[address] = names
        while len(self._names) > _MOST_PINNED:
            del self._names[next(iter(self._names))]

    def connect(self, address: Address, port: int) -> Access | None:
        """Find what allows it to connect; None: nothing does, which is reported."""
        allows = self.context.permissions.allows
        for access in self._ways(address, port):
            if allows(access) and self.context.may(*access_words(access)):
                return access
        by_number = next(self._ways(address, port))
        self.context.may(*access_words(by_number))
        return None

    def named(self, address: Address, port: int) -> Access | None:
        """Find what allows an address by its number; nothing is reported."""
        access = next(self._ways(address, port))
        return access if self.context.permissions.allows(access) else None

    def _ways(self, address: Address, port: int) -> Iterator[Access]:
        plain = embedded_address(address)
        yield Access("network", "connect", endpoint(str(plain), port))
        if not is_private(address):
            for name in reversed(self._names.get(address, {})):
                yield Access("network", "connect", endpoint(name, port))


def access_words(access: Access) -> tuple[str, str, str]:
    """Return the kind, the verb and the resource of an access."""
    return access.kind, access.verb, access.resource
