"""A whole running system, driven step by step, whose messages are all accounted for."""

from ._books import Books
from ._scripts import NAMES, compose
from ._stepwise import StepwiseRun
from ._world import World

__all__ = ("NAMES", "Books", "StepwiseRun", "World", "compose")
