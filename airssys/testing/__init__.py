"""For tests: what supervision should do, as a model to compare with."""

from ._model import ModelChild, ModelSupervisor, World

__all__ = ("ModelChild", "ModelSupervisor", "World")
