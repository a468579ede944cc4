"""Keeps the numbers of a manifest within the defaults.

A manifest comes with the code of a stranger. What it says of limits may lower them, and
only the program may raise them: otherwise a manifest would allow its own code everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from airssys.contracts import (
    ComponentSpec,
    Limits,
    Quota,
    Quotas,
)
from airssys.contracts.specs import DEFAULT_QUOTAS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NUMBERS: Final = (
    *("mailbox", "mailbox_bytes", "message_bytes", "shutdown", "start_timeout"),
)
_DEFAULTS: Final = {word: attrs.fields_dict(ComponentSpec)[word] for word in _NUMBERS}
_LIMITS: Final = Limits()


def bounded(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return options within the defaults, and for each that was not, what it asked for.

    The keys of the latter are words of the DSL, with the name of a limit or quota after
    a dot.
    """
    within, above = dict(options), {}
    for word, asked, most in _beyond(options):
        table, _, name = word.partition(".")
        if name:
            within[table] = {**within[table], name: most}
        else:
            within[word] = most
        above[word] = f"{asked}, and gets {most}"
    return within, above


def _beyond(options: Mapping[str, Any]) -> Iterator[tuple[str, object, object]]:
    """Visit what is beyond a default: what it is, what was asked for, the most."""
    for word, field in _DEFAULTS.items():
        if word in options and options[word] > field.default:
            yield word, options[word], field.default
    for name, value in options.get("limits", {}).items():
        most = getattr(_LIMITS, name)
        if most is not None and value > most:
            yield f"limits.{name}", value, most
    for name, quota in options.get("quotas", {}).items():
        default = getattr(DEFAULT_QUOTAS, name)
        if default is not None and (lower := _lower(quota, default)) != quota:
            yield f"quotas.{name}", quota, lower


def _lower(quota: Quota, default: Quota) -> Quota:
    """Return the lower limit and burst; what happens there is the manifest's."""
    limit = min(quota.limit, default.limit)
    burst = quota.burst
    if burst is not None:
        burst = int(min(burst, default.burst or default.limit))
    return Quota(limit, burst, quota.at_limit)


def read_quotas(
    table: object,
) -> tuple[dict[str, Quota], dict[str, str]]:
    """Read a table of quotas; returns those that are valid, and why others are not."""
    found: dict[str, Quota] = {}
    problems: dict[str, str] = {}
    given = {} if table is None else attrs.asdict(table)  # type: ignore[arg-type]  # of such a class
    for name, value in given.items():
        if value is None:
            continue
        try:
            found[name] = getattr(Quotas(**{name: value}), name)
        except ValueError as error:
            problems[name] = str(error)
    return found, problems
