"""Whether a message is in a codec that its target takes; reads two bytes at most.

Nothing is decoded or converted. A published message names its topic where others name
their codec, so only its prefix is checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airssys.contracts import (
    CODEC_NAMES,
    PREFIXED_TYPE,
    PREFIXES,
    CodecNotTaken,
    Codecs,
    ComponentId,
    Envelope,
    MessageTooShort,
    PrefixContradicted,
    UnknownPrefix,
    codec_of,
    known_codecs,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_PREFIX_BYTES: Final = 2


def examine_codec(
    envelope: Envelope,
    codecs: Codecs,
    codecs_of: Callable[[ComponentId], Codecs | None],
) -> None:
    """Check that a message is in one of its target's codecs.

    Args:
        envelope: the message.
        codecs: what its target takes.
        codecs_of: what others take; None if they take anything. Asked for the sender,
            and only if the message is refused.

    Raises:
        CodecNotTaken: it is in another codec, or names none.
        MessageTooShort, UnknownPrefix: it has no prefix, and must.
        PrefixContradicted: its content type and its prefix disagree.
    """
    target, named = envelope.target, envelope.content_type
    is_published = envelope.topic is not None
    if codecs.prefixed:
        name = read_prefix(target, envelope.payload)
        kind: str | None = PREFIXED_TYPE + name
        agreeing = (kind, CODEC_NAMES[name])
        if not (named is None or is_published or codec_of(named) in agreeing):
            raise PrefixContradicted(target, named, name)
    elif is_published:
        return
    else:
        kind = None if named is None else codec_of(named)
    takes = known_codecs(codecs)
    if kind not in takes:
        common = _common(takes, codecs_of(envelope.sender))
        raise CodecNotTaken(target, kind or named, takes, common)


def read_prefix(actor: ComponentId, payload: bytes) -> str:
    """Return the name of the codec that a payload begins with the prefix of.

    Args:
        actor: whose payloads must have one.
        payload: as it was sent.

    Raises:
        MessageTooShort: it has less than two bytes.
        UnknownPrefix: they are not a known prefix.
    """
    if len(payload) < _PREFIX_BYTES:
        raise MessageTooShort(actor, len(payload))
    prefix = int.from_bytes(payload[:_PREFIX_BYTES], "big")
    try:
        return PREFIXES[prefix]
    except KeyError:
        raise UnknownPrefix(actor, prefix) from None


def content_type_sent(
    sender: ComponentId, payload: bytes, codecs: Codecs | None
) -> str | None:
    """Return the content type of what a component sends, which cannot name one.

    Raises:
        MessageTooShort, UnknownPrefix: it declares prefixes, and this has none.
    """
    if codecs is None:
        return None
    if codecs.prefixed:
        return PREFIXED_TYPE + read_prefix(sender, payload)
    return codecs.sends or next(iter(codecs.takes), None)


def _common(takes: tuple[str, ...], of_sender: Codecs | None) -> str | None:
    if of_sender is None:
        return takes[0]
    known = known_codecs(of_sender)
    return next((each for each in takes if each in known), None)
