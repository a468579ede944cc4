"""`Component.toml`: what a component says of itself, and what it asks for."""

from ._effective import effective, granted_too, refused_of, requested, widened
from ._explained import explain
from ._json_schema import json_schema
from ._options import describe, with_manifest
from ._reading import MOST_BYTES, Described, is_manifest, read_manifest
from ._signature import signed

__all__ = (
    "MOST_BYTES",
    "Described",
    "describe",
    "effective",
    "explain",
    "granted_too",
    "is_manifest",
    "json_schema",
    "read_manifest",
    "refused_of",
    "requested",
    "signed",
    "widened",
    "with_manifest",
)
