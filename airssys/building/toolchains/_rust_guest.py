"""Rust guests of one file, without crates: rustc compiles a core module.

The glue to the canonical ABI is in the file itself; `examples/guests/shout.rs` is one.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from airssys.building.encoding import encode_component
from airssys.building.recipes import (
    BuildFailed,
    Recipe,
    ToolMissing,
    read_source,
    run_tool,
)

TARGET: Final = "wasm32-unknown-unknown"
_FLAGS: Final = (
    *("--edition", "2021", "--target", TARGET, "--crate-type", "cdylib"),
    *("-C", "opt-level=s", "-C", "panic=abort", "-C", "lto", "-C", "strip=symbols"),
)
_MODULE: Final = re.compile(rb"^\s*(?:pub\s+)?mod\s+(\w+)\s*;", re.MULTILINE)


def rust_recipe(source: Path) -> Recipe:
    """Plan the build of a Rust guest.

    Raises:
        BuildFailed: rustc or its target is missing, or a file cannot be read.
    """
    found = _rustcs()
    if not found:
        raise ToolMissing(
            "rustc",
            "compiles Rust guests, and was not found",
            f"install Rust with rustup, then: rustup target add {TARGET};"
            " or: apt-get install rustc libstd-rust-dev-wasm32",
        )
    versions: dict[str, str] = {}
    for rustc in found:
        printed = run_tool([rustc, "--version"], source.parent).stdout.strip()
        version = versions[rustc] = printed
        sysroot = run_tool([rustc, "--print", "sysroot"], source.parent).stdout.strip()
        if (Path(sysroot) / "lib" / "rustlib" / TARGET / "lib").is_dir():
            break
    else:
        tried = " and ".join(f"{path} ({text})" for path, text in versions.items())
        raise ToolMissing(
            f"the target {TARGET}",
            f"is missing from {tried}",
            f"rustup target add {TARGET}; or, for a rustc of Debian:"
            " apt-get install libstd-rust-dev-wasm32",
        )
    which = f" ({rustc})" if len(found) > 1 else ""
    return Recipe(
        f"building {source.name} with {version}{which}",
        ("rust", rustc, version, *_FLAGS),
        {f"guest/{name}": text for name, text in _sources(source).items()},
        partial(_compile, rustc, source),
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


def _compile(rustc: str, source: Path, output: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="airssys-build-") as directory:
        core = Path(directory) / "core.wasm"
        command = [rustc, *_FLAGS, "-o", str(core), str(source)]
        done = run_tool(command, Path(directory))
        if done.returncode or not core.is_file():
            msg = f"{source} could not be built:\n{done.stderr.strip()}"
            raise BuildFailed(msg)
        output.write_bytes(encode_component(core.read_bytes()))
