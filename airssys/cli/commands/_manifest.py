"""`airssys manifest`: checks and explains the manifests of components."""

from __future__ import annotations

import json
from pathlib import Path

import click

from airssys.cli.common import report_manifests, say
from airssys.security.manifest import explain, json_schema, read_manifest


@click.group()
def command() -> None:
    """Check and explain manifests (Component.toml)."""


@command.command("check")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(paths: tuple[Path, ...]) -> None:
    """Find all mistakes in the manifests at PATHS.

    Exit status: 0 if there are no mistakes, 1 if there are any.
    """
    described = [read_manifest(path) for path in paths]
    report_manifests(described)
    count = len(described)
    say(f"no mistakes: {count} manifest{'s' * (count != 1)}")


@command.command("explain")
@click.argument("path", type=click.Path(path_type=Path))
def explain_one(path: Path) -> None:
    """Show what the manifest at PATH says and asks for, and how to grant it."""
    described = read_manifest(path)
    for line in explain(described) if described.tables else ():
        say(line)
    report_manifests([described])


@command.command("schema")
def schema() -> None:
    """Print the JSON schema of manifests, for editors."""
    for line in json.dumps(json_schema(), indent=2).split("\n"):
        say(line)
