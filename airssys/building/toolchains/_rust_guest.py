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

from ._node import adapt, find_adapter

if TYPE_CHECKING:
    from ._node import NodePackage

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
_MAIN: Final = re.compile(rb"^(?:pub\s+)?fn\s+main\s*\(", re.MULTILINE)
_MODULE: Final = re.compile(rb"^\s*(?:pub\s+)?mod\s+(\w+)\s*;", re.MULTILINE)


def rust_recipe(source: Path) -> Recipe:
    """Plan the build of a Rust guest.

    Raises:
        BuildFailed: A tool or the target is missing, or a file cannot be read.
    """
    is_program = _MAIN.search(read_source(source)) is not None
    rustc, version, target = _compiler(
        source, PROGRAM_TARGETS if is_program else (TARGET,)
    )
    flags = (*(_PROGRAM_FLAGS if is_program else _FLAGS), "--target", target)
    files = {f"guest/{name}": text for name, text in _sources(source).items()}
    if not is_program:
        return Recipe(
            f"building {source.name} with {version}",
            ("rust", rustc, version, *flags),
            files,
            partial(_compile, [rustc, *flags], source),
        )
    jco = find_adapter(source)
    return Recipe(
        f"building {source.name} with {version} and {jco}",
        ("rust program", rustc, version, str(jco), *flags),
        files,
        partial(_compile, [rustc, *flags], source, jco=jco),
    )


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
    command: list[str], source: Path, output: Path, jco: NodePackage | None = None
) -> None:
    with tempfile.TemporaryDirectory(prefix="airssys-build-") as directory:
        core = Path(directory) / "core.wasm"
        done = run_tool([*command, "-o", str(core), str(source)], Path(directory))
        if done.returncode or not core.is_file():
            msg = f"{source} could not be built:\n{done.stderr.strip()}"
            raise BuildFailed(msg)
        if jco is None:
            output.write_bytes(encode_component(core.read_bytes()))
        else:
            adapt(jco, core, output, source=source)
