"""Finds the files in a folder that a Python guest is built from.

They are found by reading `import` statements, without running anything. Imports with
computed names are not found, and neither are data files. An imported package counts
with all its modules. A module for a newer Python than ours cannot be parsed; then all
files in the folder count, which is never too few.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airssys.building.recipes import read_source

if TYPE_CHECKING:
    from collections.abc import Iterator

_SKIPPED: Final = {"__pycache__", "node_modules"}


def python_sources(main: Path) -> dict[str, bytes]:
    """Return the sources of a guest, by their path within the folder of `main`.

    Raises:
        BuildFailed: A file cannot be read.
    """
    folder = main.parent
    found: dict[str, bytes] = {}
    waiting = [main]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(folder).as_posix()
        if name in found:
            continue
        found[name] = read_source(path)
        imported = _imported(found[name])
        if imported is None:
            waiting += _all_below(folder)
        else:
            for module in imported:
                waiting += _files_of(folder, module)
    return found


def _imported(source: bytes) -> set[str] | None:
    """Return the first parts of all absolute imports; None if it cannot be parsed."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                names |= {alias.name.partition(".")[0] for alias in aliases}
            case ast.ImportFrom(module=str(module), level=0):
                names.add(module.partition(".")[0])
            case _:
                pass  # a relative import stays in its package, which counts as a whole
    return names


def _files_of(folder: Path, module: str) -> list[Path]:
    package = folder / module
    files = [folder / f"{module}.py"] if (folder / f"{module}.py").is_file() else []
    return files + (list(_all_below(package)) if package.is_dir() else [])


def _all_below(folder: Path) -> Iterator[Path]:
    for directory, inner, files in os.walk(folder):
        inner[:] = sorted(
            name
            for name in inner
            if name not in _SKIPPED
            and not name.startswith(".")
            and not Path(directory, name, "pyvenv.cfg").exists()
        )
        for name in files:
            if name.endswith(".py"):
                yield Path(directory, name)
