"""`airssys build`: from source to component."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import click
import trio

from airssys.building import BuildFailed, Built, build, sources_of, write_stubs
from airssys.cli.common import escaped, loader_opener, run_async, say
from airssys.contracts import USER_CACHE, Artifact, ComponentRefused, EngineSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK_EVERY: Final = 0.3
"""Seconds until the files of the source are read again."""
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
    "--dev",
    is_flag=True,
    help="A Python guest: build its next versions in a second or two.",
)
@click.option(
    "--wasi",
    is_flag=True,
    help="An actor in Python, C or Rust: with WASI's files, clocks and random bytes.",
)
@click.option(
    "--watch", is_flag=True, help="Build again whenever a file of the source changes."
)
@click.option(
    "--no-compile", is_flag=True, help="Do not compile it ahead; the first run will."
)
def command(  # one parameter for each option
    source: Path,
    output: Path | None,
    stubs: Path | None,
    cache: Path | None,
    **how: bool,
) -> None:
    """Build a WebAssembly component from SOURCE.

    SOURCE is Python (.py, with componentize-py), C (.c, with clang or zig), Rust (.rs,
    with rustc), Go (.go), JavaScript (.js, with componentize-js) or a core module
    (.wasm). C, Rust and Go sources with a main become WASI programs; what a JavaScript
    module exports decides what it becomes. A component that was built before from the
    same content is not built again.
    """
    if stubs is not None:
        with _explained():
            write_stubs(stubs)
            say(f"{stubs}: modules for editors")
    job = _Job(source, output or _beside(source), cache, how)
    if not how["watch"]:
        with _explained():
            job.run(fresh=how["fresh"])
        return
    run_async(_watch, job)


@attrs.frozen
class _Job:
    source: Path
    target: Path
    cache: Path | None
    how: dict[str, bool]

    def run(self, *, fresh: bool = False) -> None:
        """Build, and compile ahead.

        Raises:
            BuildFailed: As by `build`.
        """
        made = build(
            self.source,
            self.target,
            cache_directory=self.cache,
            fresh=fresh,
            dev=self.how["dev"],
            wasi=self.how["wasi"],
            tell=_tell,
        )
        say(_describe(made))
        if not self.how["no_compile"]:
            _compile_ahead(made.path)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except BuildFailed as error:
        raise click.ClickException(escaped(str(error))) from error


async def _watch(job: _Job) -> None:
    """Build whenever the sources are others than before, until Ctrl-C."""
    built: dict[str, bytes] | None = None
    while True:
        files = await trio.to_thread.run_sync(_sources, job.source)
        if files != built:
            await trio.to_thread.run_sync(_run_reporting, job, abandon_on_cancel=True)
            say(f"watching {job.source}; Ctrl-C stops", err=True)
            built = files
        await trio.sleep(_LOOK_EVERY)


def _run_reporting(job: _Job) -> None:
    try:
        job.run()
    except BuildFailed as error:
        say(str(error), err=True)


def _sources(source: Path) -> dict[str, bytes]:
    """Read the sources; a mistake in them is found when they are built."""
    try:
        return sources_of(source)
    except BuildFailed:
        return {}


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


def _describe(made: Built) -> str:
    size = made.path.stat().st_size
    again = "" if made.is_new else ", built before from the same source"
    return f"{made.path}: {size:,} bytes{again}"
