"""Whether writing a line to a stream would block."""

from __future__ import annotations

import logging
import select
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 3000
"""Bytes of a line. A pipe that is writable takes 4096, with what formatters add."""


def would_block(stream: Any, timeout: float = 0.0) -> bool:  # noqa: ANN401  # a user's
    """Say whether writing a line to a stream would block until it is read.

    Args:
        stream: Anything; False if it is not a file of the operating system.
        timeout: Seconds to wait until it would not.
    """
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLOUT)
        return not poll.poll(timeout * 1000)
    except Exception:  # noqa: BLE001  # a stream of the user's may raise anything
        return False


def log_would_block(logger: logging.Logger, level: int) -> bool:
    """Say whether one of the streams that a logger writes to would block.

    Handlers that are not a `StreamHandler` are assumed not to block.
    """
    return any(
        would_block(handler.stream)
        for handler in _handlers(logger)
        if isinstance(handler, logging.StreamHandler) and handler.level <= level
    )


def fitting(line: str) -> str:
    """Shorten a line so that it fits."""
    content = line.encode(errors="replace")
    if len(content) <= MAX_BYTES:
        return line
    return content[: MAX_BYTES - 3].decode(errors="ignore") + "…"


def _handlers(logger: logging.Logger) -> Iterator[logging.Handler]:
    """Yield the handlers that get a record of a logger, as `logging` finds them."""
    found = False
    here: logging.Logger | None = logger
    while here is not None:
        for handler in here.handlers:
            found = True
            yield handler
        here = here.parent if here.propagate else None
    if not found and logging.lastResort is not None:
        yield logging.lastResort
