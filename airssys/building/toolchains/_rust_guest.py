"""Rust guests of one file, without crates: rustc compiles a core module.

The glue to the canonical ABI is in the file itself; `examples/guests/shout.rs` is one. A
file with a `main` is a program instead: it is compiled for WASI with the standard library,
and jco's adapter makes a component of it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airssys.building.encoding import encode_component
from airssys.building.recipes import (
    BuildFailed,
    Recipe,
    ToolMissing,
    read_source,
    run_tool,
)

from ._node import adapt, adapt_actor, find_adapter

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET: Final = "wasm32-unknown-unknown"
_FLAGS: Final = (
    *("--edition", "2021", "--crate-type", "cdylib"),
    *("-C", "opt-level=s", "-C", "panic=abort", "-C", "lto", "-C", "strip=symbols"),
)
PROGRAM_TARGETS: Final = ("wasm32-wasip1", "wasm32-wasi")
"""The second is the name that the first had before Rust 1.78."""
_PROGRAM_FLAGS: Final = (
    *("--edition", "2021", "--crate-type", "bin"),
    *("-C", "opt-level=s", "-C", "lto", "-C", "strip=debuginfo"),
)
_REACTOR: Final = "crt1-reactor.o"
_MAIN: Final = re.compile(rb"^(?:pub\s+)?fn\s+main\s*\(", re.MULTILINE)
_MODULE: Final = re.compile(rb"^\s*(?:pub\s+)?mod\s+(\w+)\s*;", re.MULTILINE)


def rust_recipe(source: Path, *, wasi: bool = False) -> Recipe:
    """Plan the build of a Rust guest.

    Args:
        source: Its file; with a `main` it is a program.
        wasi: Build an actor for WASI, with what the standard library has there. A
            program is in any case.

    Raises:
        BuildFailed: A tool or the target is missing, or a file cannot be read.
    """
    if _MAIN.search(read_source(source)) is not None:
        return _wasi_recipe(source, _PROGRAM_FLAGS, adapt)
    if wasi:
        return _wasi_recipe(source, _FLAGS, adapt_actor, reactor=True)
    rustc, version, target = _compiler(source, (TARGET,))
    flags = (*_FLAGS, "--target", target)
    return Recipe(
        f"building {source.name} with {version}",
        ("rust", rustc, version, *flags),
        _named_sources(source),
        partial(_compile, [rustc, *flags], source),
    )


def _wasi_recipe(
    source: Path,
    flags: tuple[str, ...],
    make: Callable[..., None],
    *,
    reactor: bool = False,
) -> Recipe:
    rustc, version, target = _compiler(source, PROGRAM_TARGETS)
    flags = (*flags, "--target", target)
    if reactor:
        # Without it each export would run the constructors of C once more.
        start = _reactor_object(rustc, target, source)
        flags += ("-C", f"link-arg={start}", "-C", "link-arg=--export=_initialize")
    jco = find_adapter(source)
    return Recipe(
        f"building {source.name} with {version} and {jco}",
        ("rust with wasi", rustc, version, str(jco), *flags),
        _named_sources(source),
        partial(
            _compile, [rustc, *flags], source, make=partial(make, jco, source=source)
        ),
    )


def _reactor_object(rustc: str, target: str, source: Path) -> Path:
    """Find what defines `_initialize`: rustup has it, Debian in its wasi-libc.

    Raises:
        ToolMissing: It is not there.
    """
    sysroot = run_tool([rustc, "--print", "sysroot"], source.parent).stdout.strip()
    inside = Path(sysroot) / "lib" / "rustlib" / target / "lib" / "self-contained"
    for folder in (inside, Path("/usr/lib/wasm32-wasi")):
        if (folder / _REACTOR).is_file():
            return folder / _REACTOR
    raise ToolMissing(
        _REACTOR,
        f"starts an actor for WASI, and was found neither in {inside} nor in a wasi-libc",
        "apt-get install wasi-libc, or use the rustc of rustup",
    )


def _named_sources(source: Path) -> dict[str, bytes]:
    return {f"guest/{name}": text for name, text in _sources(source).items()}


def _compiler(source: Path, targets: tuple[str, ...]) -> tuple[str, str, str]:
    """Find a rustc with one of some targets: its path, version and that target.

    Raises:
        ToolMissing: There is none; the text says how to install the first one.
    """
    wanted = targets[0]
    debian = "libstd-rust-dev-wasm32"
    found = _rustcs()
    if not found:
        raise ToolMissing(
            "rustc",
            "compiles Rust guests, and was not found",
            f"install Rust with rustup, then: rustup target add {wanted};"
            f" or: apt-get install rustc {debian}",
        )
    versions: dict[str, str] = {}
    for rustc in found:
        versions[rustc] = run_tool([rustc, "--version"], source.parent).stdout.strip()
        sysroot = run_tool([rustc, "--print", "sysroot"], source.parent).stdout.strip()
        for target in targets:
            if (Path(sysroot) / "lib" / "rustlib" / target / "lib").is_dir():
                which = f" ({rustc})" if len(found) > 1 else ""
                return rustc, versions[rustc] + which, target
    tried = " and ".join(f"{path} ({text})" for path, text in versions.items())
    raise ToolMissing(
        f"the target {wanted}",
        f"is missing from {tried}",
        f"rustup target add {wanted}; or, for a rustc of Debian:"
        f" apt-get install {debian}",
    )


def _rustcs() -> list[str]:
    """Find every rustc on the path, in its order: the first may lack the target."""
    found: dict[str, None] = {}
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        rustc = shutil.which("rustc", path=folder) if folder else None
        if rustc is not None:
            found[rustc] = None
    return list(found)


def _sources(main: Path) -> dict[str, bytes]:
    """Return a file and the modules in its folder that it names, by name."""
    found: dict[str, bytes] = {}
    waiting = [main]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(main.parent).as_posix()
        if name in found:
            continue
        found[name] = read_source(path)
        for module in _MODULE.findall(found[name]):
            inner = main.parent / module.decode()
            places = (inner.with_suffix(".rs"), *sorted(inner.rglob("*.rs")))
            waiting += [place for place in places if place.is_file()]
    return found


def _compile(
    command: list[str],
    source: Path,
    output: Path,
    make: Callable[[Path, Path], None] | None = None,
) -> None:
    with tempfile.TemporaryDirectory(prefix="airssys-build-") as directory:
        core = Path(directory) / "core.wasm"
        done = run_tool([*command, "-o", str(core), str(source)], Path(directory))
        if done.returncode or not core.is_file():
            msg = f"{source} could not be built:\n{done.stderr.strip()}"
            raise BuildFailed(msg)
        if make is None:
            output.write_bytes(encode_component(core.read_bytes()))
        else:
            make(core, output)
