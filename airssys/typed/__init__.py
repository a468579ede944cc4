"""Messages as values: handlers for their types, and refs that know the answers.

Needs the extra `typed` (msgpack), once the first class with typed handlers or the first
ref is used. Importing it does not.
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
