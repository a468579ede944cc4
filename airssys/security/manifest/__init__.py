"""`Component.toml`: what a component says of itself, and what it asks for."""

from ._effective import effective, refused_of, requested, widened
from ._options import describe, with_manifest
from ._reading import MOST_BYTES, Described, is_manifest, read_manifest

__all__ = (
    "MOST_BYTES",
    "Described",
    "describe",
    "effective",
    "is_manifest",
    "read_manifest",
    "refused_of",
    "requested",
    "widened",
    "with_manifest",
)
