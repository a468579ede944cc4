"""One incarnation of an actor: its cell, its loop, how a message ends."""

from ._actor_cell import ActorCell, cell_maker
from ._actor_loop import Actor
from ._address import Address, bury, codecs_wanted

__all__ = ("Actor", "ActorCell", "Address", "bury", "cell_maker", "codecs_wanted")
