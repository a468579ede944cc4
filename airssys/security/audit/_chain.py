"""Records in a chain: each line has the hash of the one before it.

A line is JSON with sorted keys: `n` counts from 0, `before` is the hash of the line
before, `hash` is SHA-256 over the line without it. So a line that was changed has a wrong
hash, and one that was dropped, inserted or moved leaves a gap between `before` and what
stands before it. Lines that are missing at the end cannot be
detected from the lines alone: keep the `Head` elsewhere, and compare.

No record holds a payload. Control characters are escaped by JSON itself, and everything
that is not ASCII too, so that a line can be shown on a terminal as it is.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_START: Final = "0" * 64
_OURS: Final = frozenset({"n", "before", "hash"})
_LONGEST: Final = 64 * 1024
LONGEST_LINE: Final = 2 * _LONGEST
"""Characters of a line; a longer one is not a record."""


@final
@attrs.frozen
class Head:
    """The end of a chain: what the next record follows."""

    number: int = 0
    """Of the next record."""
    hash: str = _START


@final
@attrs.frozen
class Flaw:
    """Something that is wrong with a chain."""

    line: int
    """From 1 on; one more than there are if lines are missing at the end."""
    problem: str


def write_record(record: Mapping[str, Any], head: Head) -> tuple[str, Head]:
    """Write a record behind a head; returns the line and the new head.

    Raises:
        ValueError: it has a key of the chain's own, is too long, or is not JSON.
    """
    taken = _OURS & record.keys()
    if taken:
        msg = f"a record may not have a key {min(taken)!r}: the chain writes it"
        raise ValueError(msg)
    whole = {**record, "n": head.number, "before": head.hash}
    written = _canonical(whole)
    if len(written) > _LONGEST:
        msg = f"a record has {len(written)} bytes, more than {_LONGEST}"
        raise ValueError(msg)
    digest = hashlib.sha256(written.encode()).hexdigest()
    return _canonical({**whole, "hash": digest}), Head(head.number + 1, digest)


def _canonical(value: Mapping[str, Any]) -> str:
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, RecursionError) as error:
        msg = f"a record can not be written as JSON: {error}"
        raise ValueError(msg) from error


def verify(
    lines: Iterable[str], first: Head | None = None, last: Head | None = None
) -> Iterator[Flaw]:
    """Find all that is wrong with the lines of a chain.

    Args:
        lines: without their line ends.
        first: the head that the first line follows, of a file that goes on with
            another one; the start of a chain if not given.
        last: the head that the chain should have reached, if it is known.
    """
    expected = first or Head()
    number = 0
    for number, line in enumerate(lines, 1):
        found, problem = _read(line)
        if found is not None:
            problem = problem or _compared(found, expected)
            expected = Head(found["n"] + 1, found["hash"])
        if problem is not None:
            yield Flaw(number, problem)
    if last is not None and expected != last:
        problem = f"the chain ends before record {last.number - 1}, or with another one"
        yield Flaw(number + 1, problem)


def head_after(line: str) -> Head | None:
    """Return the head that a line leaves behind; None if it is not a record."""
    found, _ = _read(line)
    return None if found is None else Head(found["n"] + 1, found["hash"])


def head_before(line: str) -> Head | None:
    """Return the head that a line says it follows; None if it is not a record."""
    found, _ = _read(line)
    return None if found is None else Head(found["n"], found["before"])


def _compared(found: Mapping[str, Any], expected: Head) -> str | None:
    if found["n"] != expected.number:
        return f"record {found['n']} stands where {expected.number} should"
    if found["before"] != expected.hash:
        return "it follows another record than the one before it"
    return None


def _read(line: str) -> tuple[dict[str, Any] | None, str | None]:
    """Read a line; what is wrong with it alone, if something is."""
    if len(line) > LONGEST_LINE:
        return None, "it is longer than any record"
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None, "it is not JSON: cut off, or damaged"
    if not isinstance(found, dict) or not found.keys() >= _OURS:
        return None, "it is not a record of a chain"
    if not isinstance(found["n"], int) or isinstance(found["n"], bool):
        return None, "it has no number"
    if not isinstance(found["hash"], str) or not isinstance(found["before"], str):
        return None, "its hashes are not text"
    rest = {key: value for key, value in found.items() if key != "hash"}
    try:
        digest = hashlib.sha256(_canonical(rest).encode()).hexdigest()
    except ValueError:
        return None, "it is not a record of a chain"
    if digest != found["hash"] or _canonical(found) != line:
        return found, "it was changed: its hash is another one"
    return found, None
