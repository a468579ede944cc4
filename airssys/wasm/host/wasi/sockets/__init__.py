"""`wasi:sockets`: what may be reached is decided when a guest connects, binds or looks up."""

from ._addresses import Refused
from ._functions import SOCKETS
from ._names import look_up
from ._socket import network

__all__ = ("SOCKETS", "Refused", "look_up", "network")
