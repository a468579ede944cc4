"""Converts contracts to the values of the lifecycle's signatures, and back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from airssys.contracts import ComponentConfig, ComponentMetadata, Envelope

if TYPE_CHECKING:
    from collections.abc import Callable


def message_value(
    envelope: Envelope, cut_time: Callable[[int], int] | None = None
) -> tuple[Any, ...]:
    """Make a `component-message`; its time is one more clock, and is cut like others."""
    sender, back = envelope.sender, envelope.reply_to
    sent_at = envelope.sent_at_ns if cut_time is None else cut_time(envelope.sent_at_ns)
    reply_to = None if back is None else (back.namespace, back.name, back.instance)
    return (
        (sender.namespace, sender.name, sender.instance),
        envelope.payload,
        (
            envelope.correlation_id,
            reply_to,
            divmod(sent_at, 1_000_000_000),
            envelope.content_type,
        ),
    )


def config_value(config: ComponentConfig) -> tuple[Any, ...]:
    """Make a `component-config`."""
    limits = config.limits
    milliseconds = math.ceil(limits.execution_time * 1000)
    return (
        config.env,
        config.data,
        (limits.memory_bytes, milliseconds, limits.fuel),
    )


def metadata_of(value: tuple[Any, ...]) -> ComponentMetadata:
    """Read a `component-metadata`."""
    return ComponentMetadata(*value)
