"""One incarnation of an actor: its cell, its loop, how a message ends."""

from ._actor_cell import ActorCell, cell_maker
from ._actor_loop import Actor
from ._address import Address, close_to_dead_letters, codecs_wanted

__all__ = (
    "Actor",
    "ActorCell",
    "Address",
    "cell_maker",
    "close_to_dead_letters",
    "codecs_wanted",
)
