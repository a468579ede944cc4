"""Commands that build guests, and tell where their tools and worlds are."""

from ._build import command as build
from ._toolchains import command as toolchains
from ._wit import command as wit

__all__ = ("build", "toolchains", "wit")
