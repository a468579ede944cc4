"""`airssys manifest`: checks and explains the manifests of components."""

from __future__ import annotations

import json
from pathlib import Path

import click

from airssys.cli.common import escaped, give_up, report_manifests, say
from airssys.contracts import ExtraMissing
from airssys.security import Ed25519Signer
from airssys.security.manifest import explain, json_schema, read_manifest, signed


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


@command.command("sign")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--key", required=True, type=click.Path(path_type=Path), metavar="PEM")
def sign(path: Path, key: Path) -> None:
    """Write a signature below the manifest at PATH.

    PEM is a file with an Ed25519 private key without a password. The manifest has no
    mistakes, no signature yet, and a digest of the code. Needs the extra `audit`.
    """
    described = read_manifest(path)
    report_manifests([described])
    source = described.tables.get("source")
    if "signature" in described.tables or getattr(source, "sha256", None) is None:
        text = f"{path} has a signature, or no sha256 in [source]"
        raise click.UsageError(escaped(text))
    try:
        path.write_bytes(signed(path.read_bytes(), Ed25519Signer(key)))
    except (OSError, ValueError, ExtraMissing) as error:
        give_up(error)
    say(f"{path} is signed")


@command.command("schema")
def schema() -> None:
    """Print the JSON schema of manifests, for editors."""
    for line in json.dumps(json_schema(), indent=2).split("\n"):
        say(line)
