"""How the types of messages are encoded."""

from ._shape import Kind, Plain, Unfit, Unsuited, described
from ._shapes import Shapes

__all__ = ("Kind", "Plain", "Shapes", "Unfit", "Unsuited", "described")
