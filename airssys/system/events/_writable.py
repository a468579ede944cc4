"""Whether a stream takes a line now, or would hold whoever writes to it."""

from __future__ import annotations

import logging
import select
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 3000
"""Of a line: a pipe that has room has room for 4096, with what formatters add."""


def would_block(stream: Any, timeout: float = 0.0) -> bool:  # noqa: ANN401  # a user's
    """Say whether a line written to a stream would wait for who reads it.

    Args:
        stream: anything; if it is not a file of the operating system, no.
        timeout: seconds to wait until it would not.
    """
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLOUT)
        return not poll.poll(timeout * 1000)
    except Exception:  # noqa: BLE001  # a stream of the user's may raise anything
        return False


def log_would_block(logger: logging.Logger, level: int) -> bool:
    """Say whether one of the streams that a logger writes to would block.

    What handlers that are no `StreamHandler` do is not known beforehand.
    """
    return any(
        would_block(handler.stream)
        for handler in _handlers(logger)
        if isinstance(handler, logging.StreamHandler) and handler.level <= level
    )


def fitting(line: str) -> str:
    """Shorten a line to what fits."""
    content = line.encode(errors="replace")
    if len(content) <= MAX_BYTES:
        return line
    return content[: MAX_BYTES - 3].decode(errors="ignore") + "…"


def _handlers(logger: logging.Logger) -> Iterator[logging.Handler]:
    """Yield the handlers that a record of a logger reaches, as `logging` finds them."""
    found = False
    here: logging.Logger | None = logger
    while here is not None:
        for handler in here.handlers:
            found = True
            yield handler
        here = here.parent if here.propagate else None
    if not found and logging.lastResort is not None:
        yield logging.lastResort
