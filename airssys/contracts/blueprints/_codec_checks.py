"""Checks the codecs of an actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airssys.contracts.errors import Mistake
from airssys.contracts.values import (
    CODEC_NAMES,
    PREFIXES,
    Codecs,
    codec_of,
    is_kind,
    is_text,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINT = f"write a content type, e.g. 'application/json', or {' or '.join(CODEC_NAMES)}"


def codec_mistakes(
    codecs: Codecs | None, path: str, *, is_component: bool
) -> Iterator[Mistake]:
    """Check the codecs that an actor accepts and sends."""
    if codecs is None:
        return
    if not is_kind(codecs, Codecs):
        text = f"{shown(codecs)} is not a Codecs"
        yield Mistake(f"{path}.codecs", text, "write Codecs(takes=(...))")
        return
    if not is_kind(codecs.prefixed, bool):
        text = f"{shown(codecs.prefixed)} is not a bool"
        yield Mistake(f"{path}.prefixed", text, "write True or False")
    yield from _taken_mistakes(codecs, f"{path}.codecs")
    yield from _sent_mistakes(codecs, f"{path}.sends", is_component=is_component)


def _taken_mistakes(codecs: Codecs, path: str) -> Iterator[Mistake]:
    if not is_kind(codecs.takes, tuple):
        text = f"{shown(codecs.takes)} is not a tuple"
        yield Mistake(path, text, "write (codec, ...)")
        return
    if codecs.take_anything and codecs.sends is None:
        hint = "leave codecs out to accept all of them"
        yield Mistake(path, "it accepts no codec at all", hint)
    prefixed = {CODEC_NAMES[name] for name in PREFIXES.values()}
    seen: set[str] = set()
    for codec in codecs.takes:
        if not _is_content_type(codec):
            yield Mistake(path, f"{shown(codec)} is not a valid codec", _HINT)
            continue
        name = codec_of(codec)
        if name in seen:
            yield Mistake(path, f"{name} is listed twice", "name each codec once")
        seen.add(name)
        if codecs.prefixed and name not in prefixed:
            hint = f"the codecs with a prefix are {', '.join(PREFIXES.values())}"
            yield Mistake(path, f"{name} has no prefix", hint)


def _sent_mistakes(
    codecs: Codecs, path: str, *, is_component: bool
) -> Iterator[Mistake]:
    if codecs.sends is None:
        return
    if not _is_content_type(codecs.sends):
        yield Mistake(path, f"{shown(codecs.sends)} is not a valid codec", _HINT)
    elif not is_component:
        hint = "Python code passes content_type when it sends"
        yield Mistake(path, "only a component declares what it sends", hint)
    elif codecs.prefixed:
        hint = "leave it out: each prefix names a codec"
        yield Mistake(path, "what it sends already has a prefix", hint)


def _is_content_type(value: Any) -> bool:  # noqa: ANN401 (whatever was handed in)
    return is_text(value) and "/" in codec_of(value)
