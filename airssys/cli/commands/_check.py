"""`airssys check`: all mistakes in a definition, and whether its components load."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import trio

from airssys.cli.common import (
    EXIT_MISTAKES,
    Declared,
    as_checked,
    cache_option,
    give_up,
    loader_opener,
    run_async,
    say,
    target_argument,
)
from airssys.contracts import (
    EVERYTHING,
    ActorSpec,
    AirssysError,
    Artifact,
    Blueprint,
    ComponentSpec,
    Mistake,
    PoolSize,
    PoolSpec,
    SupervisorSpec,
    UserCache,
    lines_of_mistakes,
    walk,
)
from airssys.contracts.specs import place_mistakes
from airssys.security.manifest import refused_of
from airssys.security.policies import ungranted, who_can as find_who_can
from airssys.system import EXIT_INTERRUPTED, LoaderOpener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@click.command("check")
@target_argument
@click.option("--load", is_flag=True, help="Also load and compile every component.")
@click.option(
    "--who-can",
    metavar="'VERB RESOURCE'",
    help="List the actors that may do something, such as 'write /data/**'.",
)
@cache_option
def command(
    target: Declared,
    *,
    load: bool,
    who_can: str | None,
    cache: Path | UserCache | None,
) -> None:
    """Find all mistakes in a topology, without running it.

    MODULE:NAME is a topology or blueprint; MODULE may be path/to/file.py. Notes say
    what a manifest asks for without being granted it, and what a component imports
    without a grant for it. Notes are not mistakes. Code that cannot be read has no note:
    --load reports it.

    Exit status: 0 if there are no mistakes, 1 if there are any, 2 if the command line
    is wrong.
    """
    blueprint = as_checked(target)
    if who_can is not None:
        _say_who_can(blueprint, who_can)
        return
    if load:
        _load_or_end(blueprint, cache)
    for note in _not_granted(blueprint):
        say(note)
    for note in _unusable(blueprint):
        say(note)
    say(f"no mistakes: {_count(blueprint)}")


def _load_or_end(blueprint: Blueprint, cache: Path | UserCache | None) -> None:
    """Load every component, or end the program with those that are refused.

    Raises:
        SystemExit: some are refused.
    """
    try:
        refused = run_async(_load_all, blueprint, loader_opener(cache))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except PermissionError as error:  # about the cache directory
        give_up(error)
    if refused:
        _report(blueprint, refused)
        sys.exit(EXIT_MISTAKES)


def _not_granted(blueprint: Blueprint) -> Iterator[str]:
    """Visit what manifests ask for and the topology does not grant."""
    for spec in _components(blueprint):
        if spec.requested is not None:
            rules = ", ".join(map(str, refused_of(spec.requested)))
            if rules:
                asked = f"note: {spec.requested.manifest}: {spec.id} is not granted"
                yield f"{asked} what it asks for: {rules}"
            for above in spec.requested.above:
                asked = f"note: {spec.requested.manifest}: {spec.id} asks for"
                yield f"{asked} {above}: only the topology can raise it"


def _unusable(blueprint: Blueprint) -> Iterator[str]:
    """Visit what components import without a grant for any of its uses."""
    restricted = [c for c in _components(blueprint) if EVERYTHING not in c.can]
    if not restricted:
        return
    from airssys.wasm import functions_imported  # noqa: PLC0415  # starting it takes time

    imports: dict[Artifact, tuple[str, ...]] = {}
    for spec in restricted:
        if spec.artifact not in imports:
            found = functions_imported(spec.artifact, blueprint.engine) or {}
            core = (n for i, n in found.items() if i.startswith("airssys:core/"))
            imports[spec.artifact] = tuple(name for names in core for name in names)
        names = ungranted(imports[spec.artifact], spec.can)
        if names:
            yield f"note: {spec.id} imports, and is not granted: {', '.join(names)}"


def _components(blueprint: Blueprint) -> Iterator[ComponentSpec]:
    for _, spec in walk(blueprint.root):
        if isinstance(spec, ComponentSpec):
            yield spec


def _say_who_can(blueprint: Blueprint, question: str) -> None:
    """Print who may do something, and by which grant.

    Raises:
        click.BadParameter: the question is not valid.
    """
    try:
        found = find_who_can(blueprint, question)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--who-can") from error
    for reach in found:
        say(str(reach))
    if not found:
        say(f"no actor may {question}")


def _report(blueprint: Blueprint, refused: dict[str, AirssysError]) -> None:
    """Print what was refused at each path on stderr, with the lines of text it quotes."""
    found = [Mistake(path, str(error)) for path, error in refused.items()]
    placed = place_mistakes(found, [("$", blueprint), *walk(blueprint.root)])
    *lines, count = lines_of_mistakes(placed)
    notes = {str(each): getattr(refused[each.path], "__notes__", ()) for each in placed}
    for line in lines:
        say(line, err=True)
        for note in notes[line]:
            say(note, err=True)
    say(count, err=True)


async def _load_all(
    blueprint: Blueprint, open_loader: LoaderOpener
) -> dict[str, AirssysError]:
    """Load each artifact once; return why some were refused, by their paths."""
    first: dict[Artifact, str] = {}
    for path, spec in walk(blueprint.root):
        if isinstance(spec, ComponentSpec):
            first.setdefault(spec.artifact, path)
    refused: dict[str, AirssysError] = {}
    if not first:
        return refused

    async def load(artifact: Artifact, path: str) -> None:
        try:
            await loader.load(artifact)
        except AirssysError as error:
            refused[f"{path}.artifact"] = error

    async with open_loader(blueprint.engine) as loader, trio.open_nursery() as nursery:
        for artifact, path in first.items():
            nursery.start_soon(load, artifact, path)
    return refused


def _count(blueprint: Blueprint) -> str:
    """Describe the contents, e.g. `3 actors, 2 components, 1 supervisor`.

    A pool counts as many actors as it starts with.
    """
    visited = list(walk(blueprint.root))
    members = {
        f"{path}.member": _members(spec)
        for path, spec in visited
        if isinstance(spec, PoolSpec)
    }
    counted = {"actor": 0, "component": 0, "supervisor": 0}
    for path, spec in visited:
        many = members.get(path, 1)
        counted["actor"] += many * isinstance(spec, (ActorSpec, ComponentSpec))
        counted["component"] += many * isinstance(spec, ComponentSpec)
        counted["supervisor"] += isinstance(spec, SupervisorSpec)
    texts = [_plural(many, word) for word, many in counted.items()]
    if members:
        total = _plural(sum(members.values()), "member")
        texts.append(f"{_plural(len(members), 'pool')} of {total}")
    return ", ".join(texts)


def _members(spec: PoolSpec) -> int:
    return spec.size.minimum if isinstance(spec.size, PoolSize) else spec.size


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"
