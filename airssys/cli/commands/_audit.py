"""`airssys audit`: verifies, searches and follows an audit log.

What is read was written by a system, and perhaps changed by others: each line is escaped
before it is printed.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import trio

from airssys.cli.common import (
    EXIT_MISTAKES,
    Declared,
    as_checked,
    escaped,
    run_async,
    say,
    target_option,
)
from airssys.contracts import AirssysError
from airssys.security.audit import (
    ed25519_check,
    files_of,
    lines_of,
    verify_checkpoints,
    verify_log,
)
from airssys.security.patterns import matches, tokens_of
from airssys.system import EXIT_INTERRUPTED

from ._audit_report import granted_by, report_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATH: Final = click.Path(path_type=Path)
_EVERY: Final = 0.5
"""Seconds after which a file that is followed is read again."""
_TIME: Final = re.compile(
    r"\d{4}-\d\d(-\d\d([T ]\d\d(:\d\d(:\d\d(\.\d+)?)?)?)?)?Z?", re.ASCII
)
_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")


def _read_time(_context: object, _option: object, text: str | None) -> str | None:
    """Read a time, or the beginning of one; records have the same form.

    Raises:
        click.BadParameter: it is not one.
    """
    if text is not None and _TIME.fullmatch(text) is None:
        raise click.BadParameter("write 2026-12-01, or 2026-12-01T10:30, in UTC")
    return None if text is None else text.rstrip("Z").replace(" ", "T")


def _read_key(_context: object, _option: object, text: str | None) -> bytes | None:
    """Read a public key.

    Raises:
        click.BadParameter: it is not one.
    """
    if text is not None and _KEY.fullmatch(text) is None:
        raise click.BadParameter("write the public key as 64 hexadecimal digits")
    return None if text is None else bytes.fromhex(text)


@click.group()
def command() -> None:
    """Verify and read an audit log.

    PATH is the file that a system writes; the full ones before it (PATH.1, PATH.2 and so
    on) are found by their names.
    """


@command.command("verify")
@click.argument("paths", metavar="PATH...", type=_PATH, nargs=-1, required=True)
@click.option(
    "--key",
    metavar="HEX",
    callback=_read_key,
    help="Also check signatures by this public key.",
)
@click.option(
    "--begins-later", is_flag=True, help="The first files are kept elsewhere."
)
def verify(paths: tuple[Path, ...], *, key: bytes | None, begins_later: bool) -> None:
    """Find each record that was changed, dropped, moved, added or cut off.

    Exit status: 0 if there is none, 1 if there is one or a file cannot be read.
    """
    count = 0
    for path in paths:
        with _errors_in_a_line(path):
            flaws = [*verify_log(path, begins_later=begins_later)]
            if key is not None:
                flaws += verify_checkpoints(path, ed25519_check(key))
            for flaw in flaws:
                say(str(flaw))
            count += len(flaws)
            if not flaws:
                files = files_of(path)
                records = sum(1 for file in files for _ in lines_of(file))
                say(f"{path}: {records} records in {len(files)} files are intact")
    if count:
        say(f"{count} flaw{'s' * (count != 1)}", err=True)
        sys.exit(EXIT_MISTAKES)


@command.command("query")
@click.argument("path", type=_PATH)
@click.option("--actor", metavar="PATTERN", help="Only of these actors: local/cart/*.")
@click.option("--verb", help="Only with this verb, such as send.")
@click.option("--resource", metavar="PATTERN", help="Only about these: shop/**.")
@click.option("--denied", is_flag=True, help="Only what was denied.")
@click.option(
    "--since",
    metavar="TIME",
    callback=_read_time,
    help="Only from then on, in UTC: 2026-12-01T10:30.",
)
@click.option("--json", "as_json", is_flag=True, help="Print records as they are.")
def query(path: Path, *, as_json: bool, **wanted: Any) -> None:  # noqa: ANN401  # text, flag or None
    """Show the records that match all options.

    Lines that cannot be read are counted; `verify` names them.
    """
    with _errors_in_a_line(path):
        for line, record in _readable(path):
            if _is_wanted(record, wanted):
                say(line if as_json else _shown(record))


def _readable(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Visit the lines of a log that are records; says at the end if there are others."""
    unreadable = 0
    for file in files_of(path) or [path]:
        for line in lines_of(file):
            record = _record(line)
            if record is None:
                unreadable += 1
            else:
                yield line, record
    if unreadable:
        lines = "1 line" if unreadable == 1 else f"{unreadable} lines"
        say(f"{lines} cannot be read; see airssys audit verify", err=True)


@command.command("tail")
@click.argument("path", type=_PATH)
@click.option("--lines", "-n", type=click.IntRange(0), default=10, show_default=True)
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written.")
def tail(path: Path, *, lines: int, follow: bool) -> None:
    """Show the last records, and with -f those that follow, until Ctrl-C."""
    with _errors_in_a_line(path):
        found = [*lines_of(path)]
        for line in found[len(found) - min(lines, len(found)) :]:
            _say_line(line)
        if follow:
            try:
                run_async(_follow, path, len(found))
            except KeyboardInterrupt:
                sys.exit(EXIT_INTERRUPTED)


@command.command("report")
@click.argument("path", type=_PATH)
@target_option("--of", "Also show what this topology grants and was never used.")
def report(path: Path, target: Declared | None) -> None:
    """Show what each actor has used, and the narrowest can= that would have sufficed.

    Lines that cannot be read are counted; `verify` names them.
    """
    granted = {} if target is None else dict(granted_by(as_checked(target)))
    with _errors_in_a_line(path):
        records = (record for _, record in _readable(path))
        for line in report_lines(records, granted):
            say(line)


async def _follow(path: Path, seen: int) -> None:
    inode = _number_of(path)
    while True:
        inode, seen = _say_more(path, inode, seen)
        await trio.sleep(_EVERY)


def _say_more(path: Path, inode: int, seen: int) -> tuple[int, int]:
    """Print what is new; returns the file that is followed, and how much of it was read."""
    # A file that became full is read to its end under its new name.
    files = reversed(files_of(path))
    now = next((file for file in files if _number_of(file) == inode), path)
    for number, line in enumerate(lines_of(now)):
        if number >= seen and not line.endswith("␤"):
            _say_line(line)
            seen = number + 1
    if now != path and path.exists():
        return _number_of(path), 0
    return inode, seen


def _number_of(path: Path) -> int:
    return path.stat().st_ino


def _say_line(line: str) -> None:
    record = _record(line)
    say(line if record is None else _shown(record))


@contextmanager
def _errors_in_a_line(path: Path) -> Iterator[None]:
    """Turn an error into a message without a traceback.

    Raises:
        click.ClickException: it could not be read.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.ClickException(escaped(f"{path}: {reason}")) from error
    except (AirssysError, ValueError) as error:
        raise click.ClickException(escaped(str(error))) from error


def _record(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_wanted(record: dict[str, Any], wanted: dict[str, Any]) -> bool:
    for name in ("actor", "resource"):
        pattern, text = wanted[name], str(record.get(name, ""))
        if pattern is not None and not matches(tokens_of(pattern), text, "/"):
            return False
    verb, since = wanted["verb"], wanted["since"]
    if verb is not None and record.get("verb") != verb:
        return False
    if wanted["denied"] and record.get("event") != "denied":
        return False
    return since is None or str(record.get("time", "")) >= since


def _shown(record: dict[str, Any]) -> str:
    """Write a record as one line for people."""
    event = record.get("event")
    parts = [str(record.get("time", "?")), str(event)]
    if event in {"allowed", "denied"}:
        parts.append(f"{record.get('actor')} #{record.get('incarnation')}:")
        parts += [str(record.get(name, "")) for name in ("kind", "verb", "resource")]
        parts.append(f"({record.get('rule')})")
    else:
        parts += [str(record[n]) for n in ("actor", "change", "text") if record.get(n)]
    if record.get("times", 1) != 1:
        parts.append(f"{record['times']} times")
    if "sender" in record:
        parts.append(f"for {record['sender']}")
    return " ".join(part for part in parts if part)
