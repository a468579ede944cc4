"""Codecs: what the bytes of a payload are, as its content type or its prefix says.

Two content types are the same codec if they differ only in case or in what follows a
semicolon. A prefix is the predecessor's: the two bytes, the high one first, that such a
payload begins with. A payload with a prefix is another codec than the same one without,
because nobody here takes the prefix off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON_TYPE: Final = "application/json"
MSGPACK_TYPE: Final = "application/msgpack"
PREFIXED_TYPE: Final = "application/vnd.airssys.prefixed."
"""Content type of a payload that begins with a prefix, followed by its codec's name."""

CODEC_NAMES: Final[Mapping[str, str]] = {
    "bincode": "application/x-bincode",
    "borsh": "application/x-borsh",
    "json": JSON_TYPE,
    "msgpack": MSGPACK_TYPE,
    "protobuf": "application/protobuf",
}
"""The content type of each codec that may be written by its name."""

PREFIXES: Final[Mapping[int, str]] = {
    0x0050: "protobuf",
    0x0201: "msgpack",
    0x0701: "borsh",
    0x0702: "bincode",
}
"""The codecs that have a prefix, by it."""


@final
@attrs.frozen(kw_only=True)
class Codecs:
    """The codecs that an actor takes; a message in another one is refused at send."""

    takes: tuple[str, ...] = ()
    """Content types, the preferred one first. Empty: any, or if it is `prefixed` all
    that have a prefix."""
    prefixed: bool = False
    """What it takes, and what it sends if it is a component, begins with a prefix."""
    sends: str | None = None
    """Content type of all that a component sends, as no guest can name one. None: the
    first that it takes, or what the prefix says."""

    @property
    def take_anything(self) -> bool:
        """Whether no message is refused for its codec."""
        return not (self.takes or self.prefixed)


def codec_of(content_type: str) -> str:
    """Reduce a content type to what names its codec."""
    return content_type.partition(";")[0].strip().lower()


def known_codecs(codecs: Codecs) -> tuple[str, ...]:
    """Name all codecs that an actor takes, as messages name them."""
    if not codecs.prefixed:
        return tuple(map(codec_of, codecs.takes))
    names = {CODEC_NAMES[name]: name for name in PREFIXES.values()}
    taken = tuple(map(codec_of, codecs.takes)) or tuple(names)
    return tuple(PREFIXED_TYPE + names[each] for each in taken)
