"""`airssys inspect FILE`: what a component is and needs, or why it is refused."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import trio

from airssys.cli.common import (
    cache_option,
    give_up,
    needs_of,
    report_manifests,
    run_async,
    say,
)
from airssys.contracts import Artifact, ComponentRefused, EngineSettings, UserCache
from airssys.security.manifest import is_manifest, read_manifest
from airssys.wasm import (
    IMPORTS,
    TYPE_ONLY,
    WASI_INTERFACES,
    Inspection,
    full_name,
    inspect,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SLOW_AFTER: Final = 1.0
"""Seconds of compiling after which we say what takes long."""
_OFFERED: Final = {full_name(name) for name in IMPORTS}
_WASI_GRANTS: Final = {
    "wasi:cli/environment": "env() and arguments()",
    "wasi:cli/stdin": "stdin()",
    "wasi:cli/stdout": "stdout()",
    "wasi:cli/stderr": "stderr()",
    "wasi:clocks/wall-clock": "clock()",
    "wasi:clocks/monotonic-clock": "monotonic_clock(), except to sleep",
    "wasi:random/random": "random()",
    "wasi:random/insecure": "insecure_random()",
    "wasi:random/insecure-seed": "insecure_random()",
}
"""What of WASI does something more with a grant, and which one."""
_TYPES: Final = {full_name(name) for name in TYPE_ONLY}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@cache_option
def command(file: Path, *, cache: Path | UserCache | None) -> None:
    """Show what the component in FILE is, and what it needs to run.

    FILE is a .wasm component, its .wat text, or its manifest (Component.toml). It is compiled, but not run. If the
    component would be refused, the command shows what can be read, the reason and what
    to do, and the exit status is 1.
    """
    artifact = Artifact.at(file)
    if is_manifest(artifact):
        described = read_manifest(file)
        report_manifests([described])
        artifact = described.artifact
    try:
        found = run_async(_inspect_in_time, artifact, EngineSettings(), cache)
    except PermissionError as error:  # of the cache directory
        give_up(error)
    for line in describe(found):
        say(line)
    if found.refusal is not None:
        say(f"Refused: {found.refusal.problem}.", err=True)
        for note in getattr(found.refusal, "__notes__", ()):
            say(note, err=True)
        say(f"{found.refusal.advice}.", err=True)
        sys.exit(1)


async def _inspect_in_time(
    artifact: Artifact, settings: EngineSettings, cache: Path | UserCache | None
) -> Inspection:
    """Inspect in a thread, so that Ctrl-C need not wait for the compiler."""
    work = functools.partial(inspect, artifact, settings, cache_directory=cache)
    with trio.move_on_after(settings.compile_time):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_report_slow, artifact.label, cache)
            found = await trio.to_thread.run_sync(work, abandon_on_cancel=True)
            nursery.cancel_scope.cancel()
        return found
    problem = f"compiling it takes more than {settings.compile_time:g} s"
    refusal = ComponentRefused(
        artifact.label, problem, "Split its largest functions, or make it smaller"
    )
    return Inspection(artifact.label, refusal=refusal)


async def _report_slow(label: str, cache: Path | UserCache | None) -> None:
    await trio.sleep(_SLOW_AFTER)
    then = "each time, without a cache" if cache is None else "once"
    say(f"compiling {label}: this takes a while, {then}", err=True)


def describe(found: Inspection) -> Iterator[str]:
    """Describe a component, line by line; what is not known is left out."""
    yield found.label
    if found.size is not None:
        form = "text" if found.is_text else "binary"
        yield f"  size       {found.size:,} bytes, {form}"
    if found.is_text and found.binary_size is not None:
        yield f"             {found.binary_size:,} bytes as binary"
    if found.digest is not None:
        yield f"  digest     sha256:{found.digest}"
    if found.made_with:
        yield f"  made with  {', '.join(found.made_with)}"
    if found.footprint is not None:
        counted = found.footprint
        yield (
            f"  code       {counted.functions:,} functions, the largest of "
            f"{counted.largest_function:,} bytes; {counted.core_instances} core modules "
            f"are instantiated"
        )
        if found.why_whole is None:
            yield "  lanes      own and wasmtime"
        else:
            yield f"  lanes      wasmtime alone: {found.why_whole}"
        yield from _ranges("memories", found.memories, "bytes", "memory_bytes")
        yield from _ranges("tables", found.tables, "elements", "table_elements")
    yield from _interfaces("exports", found.exports, lambda _: "")
    if any(name.startswith("wasi:cli/run@") for name in found.exports):
        yield "  program    run it with `airssys run`, or as a child in a topology"
    yield from _interfaces("imports", found.imports, _standing)
    yield from _grants(found)


def _ranges(
    title: str, ranges: Sequence[object], unit: str, limit: str
) -> Iterator[str]:
    if not ranges:
        yield f"  {title:10} none"
        return
    minimum = sum(getattr(each, "minimum", 0) for each in ranges)
    maximums = [getattr(each, "maximum", None) for each in ranges]
    if any(each is None for each in maximums):
        most = f"as many as {limit} allows"
    else:
        most = f"{sum(filter(None, maximums)):,}"
    yield f"  {title:10} {len(ranges)}, from {minimum:,} {unit} up to {most}"


def _interfaces(
    title: str,
    interfaces: dict[str, tuple[str, ...]],
    standing: Callable[[str], str],
) -> Iterator[str]:
    if not interfaces:
        return
    yield f"  {title}"
    for name, functions in interfaces.items():
        yield f"    {name}{standing(name)}"
        if functions:
            yield f"      {', '.join(functions)}"


def _grants(found: Inspection) -> Iterator[str]:
    """List the grants that it may need, each with what it is for."""
    needs = tuple(needs_of(found.imports))
    if needs:
        yield "  grants     links without them; it may need, for what it really calls:"
    for grant, why in needs:
        yield f"    {grant:18} {why}"


def _standing(interface: str) -> str:
    """Describe what provides an import, and whether it needs a grant."""
    if interface.startswith("wasi:"):
        return _wasi_standing(interface)
    if interface in _TYPES:
        return "  (types only: nothing to grant)"
    if interface in _OFFERED:
        return "  (offered; needs a grant)"
    return "  (no provider)"


def _wasi_standing(interface: str) -> str:
    if not any(each.gives(interface) for each in WASI_INTERFACES):
        return "  (WASI: not offered)"
    plain = interface.partition("@")[0]
    if plain in _WASI_GRANTS:
        return f"  (WASI; needs {_WASI_GRANTS[plain]})"
    if plain == "wasi:filesystem/types":
        return "  (WASI; needs read_files(), write_files() and so on)"
    if plain.startswith("wasi:sockets/"):
        return "  (WASI; needs connect(), bind() or resolve())"
    return "  (WASI; needs no grant)"
