"""Grants: what a component may do, as values.

A grant is written down, compared and shown; it decides nothing. What its words mean is
the business of `airssys.security.capabilities`, which also finds all that is wrong with
one. So a definition can hold grants, and tell where each was declared, without knowing
what paths or hosts are.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, final

import attrs

from ._checking import shown

if TYPE_CHECKING:
    from ._identity import ComponentId


@final
class NotText(str):
    """Stands in a grant for what should be text and is not, and shows it.

    So a grant can be hashed and compared whatever it was made from; reading it finds the
    mistake.
    """

    __slots__ = ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else NotText(f"<{shown(value)}>")


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, (tuple, list)):
        return tuple(_text(each) for each in value)
    return (_text(value),)


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    rows = value if isinstance(value, (tuple, list)) else (value,)
    return tuple(_pair(each) for each in rows)


def _pair(value: object) -> tuple[str, str]:
    if isinstance(value, (tuple, list)) and len(value) == 2:  # noqa: PLR2004  # a pair
        return _text(value[0]), _text(value[1])
    return NotText(f"<{shown(value)}>"), ""


@final
@attrs.frozen(cache_hash=True)
class Grant:
    """Leave to do something: the kind, what may be done, and to what.

    Example:
        >>> Grant("files", ("read", "list"), "/data/**")
        Grant(kind='files', verbs=('read', 'list'), resource='/data/**', limits=())
    """

    kind: str = attrs.field(converter=_text)
    """Such as `messaging`, `storage`, `files`, `network`, or one of a program's own."""
    verbs: tuple[str, ...] = attrs.field(converter=_texts)
    """What may be done, each for itself."""
    resource: str = attrs.field(default="*", converter=_text)
    """A pattern, in the grammar of the kind."""
    limits: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_pairs)
    """What narrows it besides, such as `(("methods", "GET"),)`; by name."""


@final
@attrs.frozen
class Access:
    """Something that a component is about to do, for a decision."""

    kind: str
    verb: str
    resource: str = ""
    """What it is done to, in full: a name, a topic, a path, `host:port`."""
    details: tuple[tuple[str, str], ...] = ()
    """What limits are compared with, by name."""


@final
class Decision(NamedTuple):
    """Whether an actor may do something, for a record; it has no payload.

    A NamedTuple because one may be made for every message.
    """

    actor: ComponentId
    incarnation: int
    access: Access
    allowed: bool
    rule: str
    """The grant that allowed it, or why it was denied; one line."""
    times: int = 1
    """How often it was decided in this way."""
    on_behalf_of: ComponentId | None = None
    """The sender of the message that the actor was handling."""
    correlation: str | None = None
    trace: str | None = None


EVERYTHING: Final = Grant("*", ("*",))
"""The grant of all kinds, for code that is trusted as the program itself is."""


@final
@attrs.frozen
class Requested:
    """What the manifest of a component asks for, beside what the topology grants.

    What holds is what both say; it is `can` of the specification.
    """

    manifest: str
    """The file."""
    asked: tuple[Grant, ...]
    granted: tuple[Grant, ...]
    """What the topology wrote, also what the manifest does not ask for."""
    above: tuple[str, ...] = ()
    """What the manifest wants beyond the defaults, and the topology does not give."""


Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given to networks; what is outside leads nowhere, or back to us."""
_SPECIAL: Final = (
    ipaddress.ip_network("192.0.0.0/24"),  # for protocols; metadata of one cloud
    ipaddress.ip_network("192.88.99.0/24"),  # relays that there are no more
    ipaddress.ip_network("168.63.129.16/32"),  # the host of a machine in another cloud
    ipaddress.ip_network("3fff::/20"),  # for documentation
)
"""Beside those that Python knows, as not all of its versions know the same."""


def embedded_address(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one leads to, if it does, else the same."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inside or address
    return address


def is_private(address: Address) -> bool:
    """Whether no name may lead to it.

    Private, loopback, link-local (the metadata of clouds among them), multicast,
    unspecified and reserved ones.
    """
    plain = embedded_address(address)
    if isinstance(plain, ipaddress.IPv6Address) and plain not in _UNICAST:
        return True
    is_special = any(plain in each for each in _SPECIAL)
    return is_special or not plain.is_global or plain.is_multicast
