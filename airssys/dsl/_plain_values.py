"""Converts dicts of plain values and single words to the values they stand for.

What cannot be read is noted, and the default is used in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

import attrs

from airssys.contracts import (
    QUOTA_RULES,
    Backoff,
    CheckpointEvery,
    Growth,
    Health,
    Limits,
    Mistake,
    Overflow,
    OverflowRules,
    Quotas,
    meant,
)

from ._declarations import shown

_T = TypeVar("_T")


def read_values(
    kind: type[Backoff | Health | CheckpointEvery],
    option: str,
    given: Mapping[object, object],
    mistakes: list[Mistake],
) -> Backoff | Health | CheckpointEvery:
    """Read a dict of plain values as the value it stands for."""
    fields = attrs.fields_dict(kind)
    read: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(name, str) and name in fields:
            is_word = name == "growth" and isinstance(value, str)
            read[name] = read_word(Growth, cast("str", value)) if is_word else value
        else:
            text = f"there is no field {shown(name)}"
            hint = meant(name, sorted(fields), "the fields are")
            mistakes.append(Mistake(f".{option}.{name}", text, hint))
    return kind(**read)


_DEFAULT_LIMITS: Final = Limits()
"""One object for all: there may be 10,000 components."""


def read_limits(given: object, mistakes: list[Mistake]) -> Limits:
    """Read plain values. `Limits` stops at the first mistake; this finds all."""
    if given is None:
        return _DEFAULT_LIMITS
    if isinstance(given, Limits):
        return given
    if not isinstance(given, Mapping):
        text = f"{shown(given)} is not a Limits"
        hint = "write Limits(...), or a dict of plain values"
        mistakes.append(Mistake(".limits", text, hint))
        return _DEFAULT_LIMITS
    fields = attrs.fields_dict(Limits)
    read: dict[str, Any] = {}
    for name, value in given.items():
        if name not in fields:
            hint = meant(name, sorted(fields), "the limits are")
            text = f"there is no limit {shown(name)}"
            mistakes.append(Mistake(f".limits.{name}", text, hint))
            continue
        try:
            Limits(**{name: value})
        except ValueError as error:
            hint = "leave it out for its default"
            mistakes.append(Mistake(f".limits.{name}", str(error), hint))
        else:
            read[name] = value
    return Limits(**read)


def read_quotas(given: object, mistakes: list[Mistake]) -> object:
    """Read plain values; other values are left for the blueprint's check."""
    if not isinstance(given, Mapping):
        return given
    read: dict[str, Any] = {}
    for name, value in given.items():
        if name not in QUOTA_RULES:
            text = f"there is no quota {shown(name)}"
            hint = meant(name, QUOTA_RULES, "the quotas are")
            mistakes.append(Mistake(f".quotas.{name}", text, hint))
            continue
        try:
            Quotas(**{name: value})
        except (ValueError, TypeError) as error:
            hint = "write a number, or {'limit': ..., 'burst': ..., 'at_limit': ...}"
            mistakes.append(Mistake(f".quotas.{name}", str(error), hint))
        else:
            read[name] = value
    return Quotas(**read)


def read_rules(
    given: Mapping[object, object], mistakes: list[Mistake]
) -> OverflowRules:
    """Read a policy for each priority."""
    fields = attrs.fields_dict(OverflowRules)
    read: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(name, str) and name in fields:
            read[name] = read_word(Overflow, value) if isinstance(value, str) else value
        else:
            text = f"there is no priority {shown(name)}"
            hint = meant(name, sorted(fields), "the priorities are")
            mistakes.append(Mistake(f".overflow.{name}", text, hint))
    return OverflowRules(**read)


def read_word(reader: Callable[[str], _T], text: str) -> _T:
    """Read a word; an unknown word is left for the blueprint's own check."""
    try:
        return reader(text)
    except ValueError:
        return cast("_T", text)
