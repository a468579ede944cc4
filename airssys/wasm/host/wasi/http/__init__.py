"""`wasi:http`: requests that come in, and those that a grant allows to go out."""

from ._client import shown
from ._fields import FORBIDDEN, MOST_BYTES, Pairs, values_of
from ._functions import HTTP
from ._handlers import HandlerComponent, is_handler
from ._messages import Arrived, Incoming, OutgoingResponse, ResponseOutparam
from ._pipes import Broken, Pipe

__all__ = (
    "FORBIDDEN",
    "HTTP",
    "MOST_BYTES",
    "Arrived",
    "Broken",
    "HandlerComponent",
    "Incoming",
    "OutgoingResponse",
    "Pairs",
    "Pipe",
    "ResponseOutparam",
    "is_handler",
    "shown",
    "values_of",
)
