"""Reads the options for the codecs of an actor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from airssys.contracts import CODEC_NAMES, Codecs, Mistake, codec_of
from airssys.typed import handlers_of


def pop_codecs(chosen: dict[str, Any]) -> Codecs | None:
    """Take `codecs`, `prefixed` and `sends` out of the options; None: none was chosen.

    What cannot be read is left for the blueprint's own check.
    """
    if not chosen.keys() & {"codecs", "prefixed", "sends"}:
        return None
    given, sends = chosen.pop("codecs", None), chosen.pop("sends", None)
    prefixed = chosen.pop("prefixed", False)
    if given is None and sends is None and prefixed is False:
        return None
    return Codecs(
        takes=_read_taken(given), prefixed=prefixed, sends=_content_type(sends)
    )


def codecs_read_by(behaviour: object) -> Codecs | None:
    """Return the codecs of a class's typed handlers; None if it takes anything."""
    found = handlers_of(behaviour)
    return None if found is None else found.codecs()


def codec_clash(behaviour: object, codecs: Codecs | None) -> list[Mistake]:
    """Check that a class's typed handlers can read what it declares to accept."""
    found = codecs_read_by(behaviour)
    if found is None or codecs is None:
        return []
    if codecs.prefixed:
        text = "typed handlers cannot read payloads with a prefix"
        return [Mistake(".prefixed", text, "leave it out")]
    taken = {codec_of(each) for each in codecs.takes if isinstance(each, str)}
    odd = sorted(taken - set(found.takes))
    if not odd:
        return []
    hint = "choose json and msgpack, or name a method in handlers(..., otherwise=...)"
    return [Mistake(".codecs", f"typed handlers do not read {', '.join(odd)}", hint)]


def _read_taken(given: object) -> tuple[str, ...]:
    match given:
        case None:
            return ()
        case str():
            return (_content_type(given),)
        case Sequence():
            return tuple(map(_content_type, given))
        case _:
            return cast("tuple[str, ...]", (given,))


def _content_type(word: Any) -> Any:  # noqa: ANN401  # whatever was written
    """Return the content type of a codec's name; other values unchanged."""
    return CODEC_NAMES.get(word, word) if isinstance(word, str) else word
