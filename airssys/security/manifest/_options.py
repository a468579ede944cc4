"""Puts the options of a manifest below those that are written in the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from ._reading import CODEC_WORDS, Described, is_manifest, read_manifest

if TYPE_CHECKING:
    from pathlib import Path

_MAY_BE_LEFT_OUT: Final = frozenset({"data", "env", "limits"})
"""Options for which None is the same as nothing."""


def describe(artifact: object) -> Described | None:
    """Read the manifest, if that is what was named in place of code."""
    if not is_manifest(artifact):
        return None
    return read_manifest(cast("Path", artifact.source))  # type: ignore[attr-defined]  # it is an artifact


def with_manifest(
    options: Mapping[str, object], described: Described
) -> dict[str, object]:
    """Return the options of a component: the program's, and the manifest's for the rest.

    Of options that are dicts (limits, health, back-off, environment), both are put
    together, key by key.
    """
    merged = dict(described.options)
    if options.keys() & CODEC_WORDS:
        merged = {word: v for word, v in merged.items() if word not in CODEC_WORDS}
    for word, value in options.items():
        if value is None and word in _MAY_BE_LEFT_OUT:
            continue
        below = merged.get(word)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[word] = {**below, **value}
        else:
            merged[word] = value
    return merged
