"""How a message finds its mailbox: gates, names, codecs."""

from ._admission import Admission
from ._broker import Broker
from ._codecs import content_type_sent
from ._registry import Registry, unavailable

__all__ = ("Admission", "Broker", "Registry", "content_type_sent", "unavailable")
