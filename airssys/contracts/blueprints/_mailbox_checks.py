"""Checks the mailbox of an actor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from airssys.contracts.errors import Mistake
from airssys.contracts.values import (
    Overflow,
    OverflowPolicy,
    OverflowRules,
    choices,
    is_count,
    is_kind,
    shown,
)

from ._codec_checks import codec_mistakes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airssys.contracts.specs import ActorSpec, ComponentSpec


def mailbox_mistakes(spec: ComponentSpec | ActorSpec, path: str) -> Iterator[Mistake]:
    """Check which messages may queue, how many, and what happens to others."""
    if not is_count(spec.mailbox, at_least=1):
        text = f"{shown(spec.mailbox)} is not a valid capacity"
        yield Mistake(f"{path}.mailbox", text, "write a whole number of 1 or more")
    yield from _overflow_mistakes(spec.overflow, f"{path}.overflow")
    if not is_count(spec.message_bytes, at_least=0):
        text = f"{shown(spec.message_bytes)} is not a valid number of bytes"
        yield Mistake(
            f"{path}.message_bytes", text, "write a whole number of 0 or more"
        )
    if not is_count(spec.mailbox_bytes, at_least=1):
        text = f"{shown(spec.mailbox_bytes)} is not a valid number of bytes"
        yield Mistake(
            f"{path}.mailbox_bytes", text, "write a whole number of 1 or more"
        )
    is_component = not hasattr(spec, "behaviour")
    yield from codec_mistakes(spec.codecs, path, is_component=is_component)


def _overflow_mistakes(policy: OverflowPolicy, path: str) -> Iterator[Mistake]:
    if is_kind(policy, OverflowRules):
        for name in attrs.fields_dict(OverflowRules):
            each = getattr(policy, name)
            if not is_kind(each, Overflow):
                text = f"{shown(each)} is not an overflow policy"
                yield Mistake(f"{path}.{name}", text, choices(Overflow, each))
    elif not is_kind(policy, Overflow):
        hint = f"{choices(Overflow, policy)}, or a dict of one for each priority"
        yield Mistake(path, f"{shown(policy)} is not an overflow policy", hint)
