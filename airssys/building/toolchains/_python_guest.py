"""Python guests: componentize-py, with our module between the guest and the host.

The module that is built is not the author's but a small one. It imports the author's
module between the two halves of the modules in `guest/`, which explain why.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import keyword
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from airssys.building.recipes import (
    BuildFailed,
    Recipe,
    ToolMissing,
    run_tool,
    wit_directory,
)

from ._python_sources import python_sources

WORLD: Final = "runtime-host"
WITH_STATE: Final = "runtime-host-with-state"
STATE_METHODS: Final = ("export_state", "import_state")
"""A guest whose class defines one of them is built for the world with both."""
_GUEST_SIDE: Final = Path(__file__).parents[1] / "guest"
_OURS: Final = ("airssys_guest.py", "airssys_outside.py")
_RESERVED: Final = {
    "airssys_app": "a module that airssys adds",
    "airssys_guest": "a module that airssys adds",
    "airssys_outside": "a module that airssys adds",
    "componentize_py_runtime": "a module of componentize-py",
    "componentize_py_types": "a module of componentize-py",
    "runtime_host": "the world",
    "runtime_host_with_state": "the world",
    "wit_world": "the bindings",
}
_APP: Final = """\
import airssys_outside

airssys_outside.prepare()

import airssys_guest

import {module}

ComponentLifecycle = airssys_guest.wrap({module})
{state}airssys_guest.finish()
"""
_STATE: Final = "StateHandover = airssys_guest.wrap_state()\n"
_GUEST_ROOT: Final = "/1"
"""How componentize-py shows the second folder of its path, the author's."""
_RUN_TOOL: Final = "import sys, componentize_py; sys.exit(componentize_py.script())"


def python_recipe(source: Path) -> Recipe:
    """Plan the build of a Python guest.

    Raises:
        BuildFailed: componentize-py is missing, or the source cannot be built at all.
    """
    version = _tool_version()
    _check_name(source)
    wit = wit_directory()
    files = python_sources(source)
    files = {f"guest/{name}": content for name, content in files.items()}
    tool = f"componentize-py {version}"
    return Recipe(
        f"building {source.name} with {tool} (10 to 30 s)",
        ("python", tool, source.stem),
        files,
        partial(_componentize, source, wit),
    )


def write_stubs(directory: Path) -> None:
    """Write the modules that a Python guest imports, for editors and type checkers.

    They declare what can be imported; outside of a component they do nothing. Files
    with the same names are replaced if they differ; all others are left alone.

    Raises:
        BuildFailed: componentize-py is missing or failed.
    """
    _tool_version()
    # In a temporary folder, because the tool does not overwrite one that it has made.
    with tempfile.TemporaryDirectory(prefix="airssys-stubs-") as folder:
        made = Path(folder, "made")
        made.mkdir()
        done = run_tool(_command(wit_directory(), "bindings", str(made)), Path.cwd())
        if done.returncode:
            raise BuildFailed(_relevant(done.stderr))
        try:
            _copy_changed(made, directory)
        except OSError as error:
            where = error.filename or directory
            msg = f"{where}: {error.strerror or error}"
            raise BuildFailed(msg) from error


def _copy_changed(made: Path, directory: Path) -> None:
    """Copy new files, and leave equal ones untouched, because editors watch them."""
    directory.mkdir(parents=True, exist_ok=True)
    for path in sorted(made.rglob("*")):
        target = directory / path.relative_to(made)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        elif not target.is_file() or target.read_bytes() != path.read_bytes():
            target.write_bytes(path.read_bytes())


def _tool_version() -> str:
    if importlib.util.find_spec("componentize_py") is None:
        raise ToolMissing(
            "componentize-py",
            "turns Python into WebAssembly, and is not installed",
            f"{sys.executable} -m pip install 'airssys[guests]'",
        )
    try:
        return importlib.metadata.version("componentize-py")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _check_name(source: Path) -> None:
    module = source.stem
    if not module.isidentifier() or keyword.iskeyword(module):
        msg = f"{source}: {module!r} cannot be imported; rename it, e.g. to my_guest.py"
        raise BuildFailed(msg)
    if module in _RESERVED or module in sys.stdlib_module_names:
        taken = _RESERVED.get(module, "a module of Python")
        msg = f"{source}: {module} is the name of {taken}; rename the file"
        raise BuildFailed(msg)


def _hands_over(source: Path) -> bool:
    """Say whether the guest's class, in this file itself, hands over state."""
    try:
        tree = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False  # componentize-py reports what is wrong with it
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name in STATE_METHODS
        for found in classes
        if found.name == "ComponentLifecycle"
        for node in found.body
    )


def _command(wit: Path, *arguments: str, world: str = WORLD) -> list[str]:
    # By its module, not its script, which may be in another folder than the
    # interpreter. -P keeps the guest's folder, which may be ours, out of the tool's own
    # imports.
    start = [sys.executable, "-P", "-c", _RUN_TOOL, "--quiet"]
    return [*start, "--wit-path", str(wit), "--world", world, *arguments]


def _componentize(source: Path, wit: Path, output: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="airssys-build-") as directory:
        ours = Path(directory)
        for name in _OURS:
            (ours / name).write_bytes((_GUEST_SIDE / name).read_bytes())
        has_state = _hands_over(source)
        world = WITH_STATE if has_state else WORLD
        app = _APP.format(module=source.stem, state=_STATE if has_state else "")
        (ours / "airssys_app.py").write_text(app, "utf-8")
        paths = ("--python-path", str(ours), "--python-path", str(source.parent))
        how = (
            "componentize",
            "--stub-wasi",
            *paths,
            "--output",
            str(output.absolute()),
        )
        done = run_tool(_command(wit, *how, "airssys_app", world=world), ours)
    if done.returncode or not output.is_file():
        problem = _relevant(done.stderr).replace(
            f'"{_GUEST_ROOT}/', f'"{source.parent}{os.sep}'
        )
        msg = f"{source} could not be built:\n{problem}"
        raise BuildFailed(msg)


def _relevant(stderr: str) -> str:
    """Keep the tool's output about the guest, without the tool's own frames."""
    text = stderr.partition("\nCaused by:\n")[0].partition("\nStack backtrace:\n")[0]
    _, ours, guests = text.partition("\nAssertionError: ")
    return (guests if ours else text).strip() or "componentize-py gave no reason"
