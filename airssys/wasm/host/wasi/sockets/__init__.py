"""`wasi:sockets`: what may be reached is decided when a guest connects, binds or looks up."""

from ._functions import SOCKETS
from ._names import look_up
from ._socket import network

__all__ = ("SOCKETS", "look_up", "network")
