"""`airssys toolchains`: what can be built here, and what is known not to work."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from airssys.building import BuildFailed, build, survey
from airssys.cli.common import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airssys.building import Toolchain

_LONGEST: Final = 600
"""Seconds that an example may take to be compiled and run."""
_GRANTS: Final = ("random", "clock", "monotonic-clock")


@click.command("toolchains")
@click.option(
    "--try",
    "tries",
    is_flag=True,
    help="Build an example with each that is here, and run it if it is a program.",
)
@click.option("--markdown", is_flag=True, help="Write a table for documentation.")
def command(*, tries: bool, markdown: bool) -> None:
    """Show which languages can be built here, with what, and the known bugs of each.

    With --try, each that is here builds a small example. The exit status is 1 if one of
    these failed.
    """
    found = list(survey())
    outcomes = {each.language: _try(each) for each in found if tries and each.found}
    for line in _table(found, outcomes) if markdown else _list(found, outcomes):
        say(line)
    if any(not outcome.startswith("works") for outcome in outcomes.values()):
        sys.exit(1)


def _list(found: Iterable[Toolchain], outcomes: dict[str, str]) -> Iterator[str]:
    for each in found:
        yield f"{each.language} ({each.suffix}): {each.makes}"
        yield f"  handlers   {each.handlers}"
        if each.found:
            outcome = outcomes.get(each.language, "")
            yield f"  found      {each.found}{outcome and f': {outcome}'}"
        for line in each.missing.splitlines():
            yield f"  missing    {line}"
        for known in each.known:
            yield f"  known      {known}"


def _table(found: Iterable[Toolchain], outcomes: dict[str, str]) -> Iterator[str]:
    yield "| language | becomes | handlers of requests | tried with | known not to work |"
    yield "|---|---|---|---|---|"
    for each in found:
        outcome = outcomes.get(each.language, "found, not tried")
        tried = f"{each.found}: {outcome}" if each.found else "not here"
        known = "; ".join(each.known)
        cells = (f"{each.language} (`{each.suffix}`)", each.makes, each.handlers)
        yield f"| {' | '.join((*cells, tried, known))} |"


def _try(each: Toolchain) -> str:
    """Build the example, and run it; returns what came of it."""
    with tempfile.TemporaryDirectory(prefix="airssys-try-", dir=Path.cwd()) as folder:
        source = Path(folder) / f"hello_example{each.suffix}"
        source.write_text(each.example, "utf-8")
        say(f"trying {each.language} ...", err=True)
        try:
            built = build(source, Path(folder) / "hello.wasm")
        except BuildFailed as error:
            return f"is not built: {str(error).splitlines()[-1]}"
        if each.suffix == ".py":
            return "works (built)"
        return _run(built.path)


def _run(path: Path) -> str:
    allowed = [word for grant in _GRANTS for word in ("--allow", grant)]
    command = [sys.executable, "-m", "airssys", "run", str(path), *allowed]
    try:
        done = subprocess.run(  # noqa: S603  # this program itself
            command,
            capture_output=True,
            text=True,
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"is built, and does not end in {_LONGEST} s"
    if done.returncode or done.stdout != "hello\n":
        return f"is built, and ends with status {done.returncode}"
    return "works (built and run)"
