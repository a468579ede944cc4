"""`airssys build`: from source to component."""

from __future__ import annotations

from pathlib import Path

import click

from airssys.building import BuildFailed, Built, build, write_stubs
from airssys.cli.common import escaped, loader_opener, run_async, say
from airssys.contracts import USER_CACHE, Artifact, ComponentRefused, EngineSettings

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("build")
@click.argument("source", type=_FILE)
@click.option(
    "-o",
    "--output",
    type=_FILE,
    help="The component's file. Default: SOURCE with .wasm.",
)
@click.option(
    "--stubs",
    type=_FOLDER,
    help="Also write the modules a Python guest imports, for editors.",
)
@click.option("--cache", type=_FOLDER, help="Directory for built components.")
@click.option("--fresh", is_flag=True, help="Build even if it was built before.")
@click.option(
    "--no-compile", is_flag=True, help="Do not compile it ahead; the first run will."
)
def command(
    source: Path,
    output: Path | None,
    stubs: Path | None,
    cache: Path | None,
    *,
    fresh: bool,
    no_compile: bool,
) -> None:
    """Build a WebAssembly component from SOURCE.

    SOURCE is Python (.py, with componentize-py), C (.c, with clang or zig), Rust (.rs,
    with rustc) or a core module (.wasm). A component that was built before from the
    same content is not built again.
    """
    try:
        if stubs is not None:
            write_stubs(stubs)
            say(f"{stubs}: modules for editors")
        target = output or _beside(source)
        made = build(source, target, cache_directory=cache, fresh=fresh, tell=_tell)
    except BuildFailed as error:
        raise click.ClickException(escaped(str(error))) from error
    say(_told(made))
    if not no_compile:
        _compile_ahead(made.path)


def _compile_ahead(path: Path) -> None:
    """Compile a component for the runs to come; what was built is there in any case."""
    try:
        run_async(_load, Artifact.at(path))
    except ComponentRefused as error:
        say(f"it was built, but it cannot be run as an actor: {error}", err=True)


async def _load(artifact: Artifact) -> None:
    async with loader_opener(USER_CACHE)(EngineSettings()) as loader:
        await loader.load(artifact)


def _beside(source: Path) -> Path:
    if source.suffix.lower() == ".wasm":
        return source.with_name(f"{source.stem}.component.wasm")
    return source.with_suffix(".wasm")


def _tell(text: str) -> None:
    say(f"{text} ...", err=True)


def _told(made: Built) -> str:
    size = made.path.stat().st_size
    again = "" if made.is_new else ", built before from the same source"
    return f"{made.path}: {size:,} bytes{again}"
