"""What is recorded of a decision, as a mapping that becomes a line of JSON.

No record has a payload: a decision knows none. Each text in it is shortened, so a record
always fits into a line; that it was is visible by an ellipsis at its end.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, final

from airssys.contracts import Access, Decision

if TYPE_CHECKING:
    from airssys.contracts import ComponentId

# All texts of a record together fit into a line, whatever their characters are.
_LONGEST: Final = 512
"""Characters of a text in a record."""
_WORD: Final = 64
_DETAIL: Final = 256
_MOST_DETAILS: Final = 4


@final
class Change(NamedTuple):
    """Grants of an actor were changed while the system ran."""

    actor: ComponentId
    change: str
    cancelled: int
    times: int = 1


@final
class Mark(NamedTuple):
    """The log began, went on or ended."""

    event: str
    text: str = ""


Recorded: TypeAlias = Decision | Change | Mark


@final
class Noted(NamedTuple):
    """Something to record, and when it was."""

    time: int
    """Nanoseconds since 1970."""
    what: Recorded
    is_merged: bool = False
    """Whether it stands for several that were not recorded by themselves."""


def shortened(noted: Noted) -> Noted:
    """Return it without what is too long to be recorded, so that it takes little room."""
    what = noted.what
    if not isinstance(what, Decision):
        return noted
    access = what.access
    if len(access.resource) <= _LONGEST and not access.details:
        return noted
    shown = access.details[:_MOST_DETAILS]
    details = [(_cut(name, _WORD), _cut(text, _DETAIL)) for name, text in shown]
    access = Access(access.kind, access.verb, _cut(access.resource), tuple(details))
    return noted._replace(what=what._replace(access=access))


def time_text(nanoseconds: int) -> str:
    """Write a time in UTC, so that later times are greater texts."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        day = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # a clock of a test may say anything
        return f"{nanoseconds} ns"
    return f"{day:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def record_of(noted: Noted) -> dict[str, Any]:
    """Write down what was noted."""
    record: dict[str, Any] = {"time": time_text(noted.time)}
    match noted.what:
        case Decision():
            record |= _decision(noted.what)
        case Change(actor, change, cancelled, times):
            record |= {"event": "changed", "actor": actor.text, "change": _cut(change)}
            record |= {"cancelled": cancelled, "times": times}
        case Mark(event, text):
            record |= {"event": event, "text": _cut(text)}
    if noted.is_merged:
        record["merged"] = True
    return record


def _decision(found: Decision) -> dict[str, Any]:
    access, sender = found.access, found.on_behalf_of
    record: dict[str, Any] = {
        "event": "allowed" if found.allowed else "denied",
        "actor": found.actor.text,
        "incarnation": found.incarnation,
        "kind": _cut(access.kind, _WORD),
        "verb": _cut(access.verb, _WORD),
        "resource": _cut(access.resource),
        "rule": _cut(found.rule),
        "times": found.times,
    }
    if access.details:
        record["details"] = dict(access.details)
    if sender is not None:
        record["sender"] = sender.text
    if found.correlation is not None:
        record["correlation"] = _cut(found.correlation)
    if found.trace is not None:
        record["trace"] = _cut(found.trace)
    return record


def _cut(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
