"""Codecs: the format of a payload, given by its content type or its prefix.

Two content types are the same codec if they differ only in case or in what follows a
semicolon. A prefix is the first two bytes of a payload, the high one first; it comes
from the predecessor of this library. A payload with a prefix is another codec than the
same payload without it, because nothing here removes the prefix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON_TYPE: Final = "application/json"
MSGPACK_TYPE: Final = "application/msgpack"
PREFIXED_TYPE: Final = "application/vnd.airssys.prefixed."
"""Content type of a payload with a prefix; the name of its codec follows."""

CODEC_NAMES: Final[Mapping[str, str]] = {
    "bincode": "application/x-bincode",
    "borsh": "application/x-borsh",
    "json": JSON_TYPE,
    "msgpack": MSGPACK_TYPE,
    "protobuf": "application/protobuf",
}
"""The content type of each codec that may be given by its name."""

PREFIXES: Final[Mapping[int, str]] = {
    0x0050: "protobuf",
    0x0201: "msgpack",
    0x0701: "borsh",
    0x0702: "bincode",
}
"""The codecs that have a prefix, by prefix."""


@final
@attrs.frozen(kw_only=True)
class Codecs:
    """The codecs that an actor accepts; other messages are refused when sent."""

    takes: tuple[str, ...] = ()
    """Content types, the preferred one first. Empty: any; or, if it is `prefixed`, all
    that have a prefix."""
    prefixed: bool = False
    """Whether what it accepts, and what a component sends, begins with a prefix."""
    sends: str | None = None
    """Content type of everything a component sends, because guests cannot name one.
    None: the first one that it accepts, or what the prefix says."""

    @property
    def take_anything(self) -> bool:
        """Whether no message is refused because of its codec."""
        return not (self.takes or self.prefixed)


def codec_of(content_type: str) -> str:
    """Return the part of a content type that names its codec."""
    return content_type.partition(";")[0].strip().lower()


def known_codecs(codecs: Codecs) -> tuple[str, ...]:
    """List all codecs that an actor accepts, as messages name them."""
    if not codecs.prefixed:
        return tuple(map(codec_of, codecs.takes))
    names = {CODEC_NAMES[name]: name for name in PREFIXES.values()}
    taken = tuple(map(codec_of, codecs.takes)) or tuple(names)
    return tuple(PREFIXED_TYPE + names[each] for each in taken)
