"""Messages as values: handlers by message type, and refs that know the answers.

The extra `typed` (msgpack) is needed when the first class with typed handlers, or the
first ref, is used. Importing this package does not need it.
"""

from ._handlers import (
    BoundHandlers,
    Handlers,
    HasHandlers,
    handler_mistakes,
    handlers_of,
    on_message,
)
from ._listing import Otherwise, handlers
from ._ref import Post, Ref

__all__ = (
    "BoundHandlers",
    "Handlers",
    "HasHandlers",
    "Otherwise",
    "Post",
    "Ref",
    "handler_mistakes",
    "handlers",
    "handlers_of",
    "on_message",
)
