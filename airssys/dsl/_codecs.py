"""Reads what was written of the codecs of an actor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from airssys.contracts import CODEC_NAMES, Codecs
from airssys.typed import handlers_of


def pop_codecs(said: dict[str, Any]) -> Codecs | None:
    """Take `codecs`, `prefixed` and `sends` out of what was said; None: none of them.

    What cannot be read is left for the blueprint's own check.
    """
    if not said.keys() & {"codecs", "prefixed", "sends"}:
        return None
    given, sends = said.pop("codecs", None), said.pop("sends", None)
    prefixed = said.pop("prefixed", False)
    if given is None and sends is None and prefixed is False:
        return None
    return Codecs(
        takes=_read_taken(given), prefixed=prefixed, sends=_content_type(sends)
    )


def codecs_read_by(behaviour: object) -> Codecs | None:
    """Return the codecs of a class's typed handlers; None if it takes anything."""
    found = handlers_of(behaviour)
    return None if found is None else found.codecs()


def _read_taken(given: object) -> tuple[str, ...]:
    match given:
        case None:
            return ()
        case str():
            return (_content_type(given),)
        case Sequence():
            return tuple(map(_content_type, given))
        case other:
            return cast("tuple[str, ...]", other)


def _content_type(word: Any) -> Any:  # noqa: ANN401  # whatever was written
    """Return the content type of a codec's name; anything else as it is."""
    return CODEC_NAMES.get(word, word) if isinstance(word, str) else word
