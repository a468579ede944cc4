"""Makes components from core modules, with the WIT text of the world."""

from ._component_encoder import encode_component

__all__ = ("encode_component",)
