"""Converts contracts to the values of the lifecycle's signatures, and back."""

from __future__ import annotations

import math
from typing import Any

from airssys.contracts import ComponentConfig, ComponentMetadata, Envelope


def message_value(envelope: Envelope) -> tuple[Any, ...]:
    """Make a `component-message`."""
    sender, back = envelope.sender, envelope.reply_to
    reply_to = None if back is None else (back.namespace, back.name, back.instance)
    return (
        (sender.namespace, sender.name, sender.instance),
        envelope.payload,
        (
            envelope.correlation_id,
            reply_to,
            divmod(envelope.sent_at_ns, 1_000_000_000),
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
