"""Headers and trailers: checked when a guest sets them, and bounded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, final

from airssys.contracts import TrapReason
from airssys.wasm.host import StopGuest
from airssys.wasm.host.wasi.base import Held, take_back
from airssys.wasm.values import Case, Err, Ok

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airssys.wasm.host.wasi.base import WasiContext

Pairs = list[tuple[str, bytes]]
MOST_BYTES: Final = 64 * 1024
"""Bytes of all names and values, with a few for each of them."""
EACH: Final = 32
"""Bytes that each of them counts beside its text."""
_BETWEEN: Final = len(": \r\n")
TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SPACE: Final = b" \t"
_LENGTH: Final = "content-length"
_LONGEST_LENGTH: Final = 15
"""Digits of any real length."""
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
FORBIDDEN: Final = frozenset(
    {
        "connection",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)
"""What belongs to one connection: the host sets it, and a guest neither sees nor sets it."""
_SYNTAX: Final = Err(Case("invalid-syntax"))
_IMMUTABLE: Final = Err(Case("immutable"))


@final
class Fields(Held):
    """Headers, as a guest holds them; names are compared without case."""

    __slots__ = ("is_fixed", "pairs")

    def __init__(
        self,
        context: WasiContext,
        pairs: Iterable[tuple[str, bytes]] = (),
        *,
        parent: Held | None = None,
    ) -> None:
        super().__init__(context, parent)
        self.pairs: Pairs = list(pairs)
        self.is_fixed = parent is not None
        """Whether it belongs to a message, and cannot be changed."""

    def get(self, name: str) -> list[bytes]:
        """Return all values of a name."""
        return values_of(self.pairs, name)

    def set(
        self, name: str, values: Sequence[bytes], *, keep: bool = False
    ) -> Ok | Err:
        """Set the values of a name, or add to them."""
        refused = self._check(name, values)
        if refused is not None:
            return refused
        kept = self.pairs
        if not keep:
            kept = [each for each in kept if each[0].lower() != name.lower()]
        pairs = [*kept, *((name, value) for value in values)]
        if name.lower() == _LENGTH and not _is_one_length(values_of(pairs, name)):
            return _SYNTAX
        check_size(pairs)
        self.pairs = pairs
        return Ok()

    def _check(self, name: str, values: Sequence[bytes]) -> Err | None:
        if self.is_fixed:
            return _IMMUTABLE
        if not TOKEN.fullmatch(name) or not all(map(_VALUE.fullmatch, values)):
            return _SYNTAX
        return Err(Case("forbidden")) if name.lower() in FORBIDDEN else None


def values_of(pairs: Pairs, name: str) -> list[bytes]:
    """Return all values of a name."""
    return [value for own, value in pairs if own.lower() == name.lower()]


def _is_one_length(values: Iterable[bytes]) -> bool:
    """Whether they say how long a body is, and do not contradict each other."""
    found = {value.strip(_SPACE) for value in values}
    return len(found) <= 1 and all(
        each.isdigit() and len(each) <= _LONGEST_LENGTH for each in found
    )


def length_of(pairs: Pairs) -> int | None:
    """Return how long the body of a message is; None: its headers do not say it."""
    values = values_of(pairs, _LENGTH)
    return int(values[0]) if values else None


def as_sent(pairs: Pairs) -> Pairs:
    """Write headers as they are sent: spaces around a value are not a part of it."""
    return [(name, value.strip(_SPACE)) for name, value in pairs]


def without_length(pairs: Pairs) -> Pairs:
    """Leave out of trailers what would be understood as the length of a body."""
    return [pair for pair in pairs if pair[0].lower() != _LENGTH]


def bytes_of(pairs: Pairs) -> int:
    """Return about how many bytes they are on a connection."""
    return sum(len(name) + len(value) + _BETWEEN for name, value in pairs)


def check_size(pairs: Pairs) -> None:
    """See that headers are not too large.

    Raises:
        StopGuest: they are.
    """
    size = sum(len(name) + len(value) + EACH for name, value in pairs)
    if size > MOST_BYTES:
        text = f"headers of {size} bytes, more than {MOST_BYTES}"
        raise StopGuest(TrapReason.HOST_ALLOCATION_LIMIT, text)


def from_list(context: WasiContext, pairs: Pairs) -> Ok | Err:
    """Make headers; nothing is made if one of them is not valid."""
    made = Fields(context)
    for name, value in pairs:
        refused = made.set(name, [value], keep=True)
        if type(refused) is Err:
            take_back(made)
            return refused
    return Ok(made)


def taken(fields: Fields | None) -> Pairs:
    """Take headers that a guest has given away."""
    if fields is None:
        return []
    take_back(fields)
    return fields.pairs
