"""Python guests: componentize-py, with our module between the guest and the host.

The module that is built is not the author's but a small one. It imports the author's
module between the two halves of the modules in `guest/`, which explain why. For
development there is another one: it only imports what the author's modules import, and
leaves an area for these modules themselves (`airssys.contracts.SourceArea`).
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import keyword
import marshal
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airssys.building.recipes import (
    BuildFailed,
    Recipe,
    Stage,
    ToolMissing,
    run_tool,
    wit_directory,
)
from airssys.contracts import MOST_AREA, SourceArea, area_size

from ._python_imports import outside_imports
from ._python_sources import python_sources

if TYPE_CHECKING:
    from collections.abc import Iterable

WORLD: Final = "runtime-host"
WITH_STATE: Final = "runtime-host-with-state"
STATE_METHODS: Final = ("export_state", "import_state")
"""A guest whose class defines one of them is built for the world with both."""
_GUEST_SIDE: Final = Path(__file__).parents[1] / "guest"
_OURS: Final = ("airssys_guest.py", "airssys_late.py", "airssys_outside.py")
_RESERVED: Final = {
    "airssys_app": "a module that airssys adds",
    "airssys_guest": "a module that airssys adds",
    "airssys_late": "a module that airssys adds",
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
_APP_WITH_WASI: Final = """\
import airssys_guest

import {module}

ComponentLifecycle = airssys_guest.wrap({module})
{state}airssys_guest.finish()
"""
"""Nothing is replaced: files, clocks, streams and random bytes are those of WASI."""
_APP_FOR_DEVELOPMENT: Final = """\
import airssys_outside

airssys_outside.prepare()

import airssys_guest
import airssys_late

airssys_late.reserve({size})
{imports}

ComponentLifecycle = airssys_guest.wrap_late(airssys_late.load, airssys_late.ROOT)
{state}airssys_guest.finish()
"""
_STATE: Final = "StateHandover = airssys_guest.wrap_state()\n"
_GUEST_ROOT: Final = "/1"
"""How componentize-py shows the second folder of its path, the author's."""
_RUN_TOOL: Final = "import sys, componentize_py; sys.exit(componentize_py.script())"


def python_recipe(source: Path, *, wasi: bool = False) -> Recipe:
    """Plan the build of a Python guest.

    Args:
        source: The main module.
        wasi: Leave it what the host gives it by WASI, instead of replacing that.

    Raises:
        BuildFailed: componentize-py is missing, or the source cannot be built at all.
    """
    version = _tool_version()
    _check_name(source)
    sources = python_sources(source)
    files = {f"guest/{name}": content for name, content in sources.items()}
    tool = f"componentize-py {version}"
    if wasi:
        return Recipe(
            f"building {source.name} for WASI with {tool} (10 to 30 s)",
            ("python with wasi", tool, source.stem),
            files,
            partial(_componentize_whole, source, wasi=True),
        )
    return Recipe(
        f"building {source.name} with {tool} (10 to 30 s)",
        ("python", tool, source.stem),
        files,
        partial(_componentize_whole, source),
        _stage(source, sources, tool),
    )


def _stage(source: Path, sources: dict[str, bytes], tool: str) -> Stage | None:
    """Plan the part of a build that is the same for all versions of the sources.

    Returns:
        None if they cannot be parsed: the whole build will say why.
    """
    imports = outside_imports(sources)
    if imports is None:
        return None
    content = marshal.dumps((source.stem, sources), 2)
    size = area_size(len(content))
    if size > MOST_AREA:
        return None
    world, state = _world_and_state(source)
    app = _APP_FOR_DEVELOPMENT.format(
        size=size, imports="\n".join(imports), state=state
    )

    def make(path: Path) -> None:
        _componentize(source, path, world, app, ())
        marked = SourceArea.marked(path.read_bytes(), size)
        if marked is None:
            msg = (
                f"{source} cannot be built for development with {tool}; leave out --dev"
            )
            raise BuildFailed(msg)
        path.write_bytes(marked)

    def fill(component: bytes) -> bytes:
        area = SourceArea.of(component)
        if area is None:
            raise BuildFailed("a component in the cache is damaged; build with --fresh")
        return area.filled(component, content)

    what = f"what {source.name} imports"
    does = f"building {what} with {tool} (10 to 30 s, until the imports change)"
    made_with = ("python for development", tool, world, app)
    return Stage(Recipe(does, made_with, {}, make), fill)


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


def _world_and_state(source: Path) -> tuple[str, str]:
    """Return the world for a guest, and the line of its app that this world needs."""
    return (WITH_STATE, _STATE) if _hands_over(source) else (WORLD, "")


def _componentize_whole(source: Path, output: Path, *, wasi: bool = False) -> None:
    world, state = _world_and_state(source)
    text = _APP_WITH_WASI if wasi else _APP
    app = text.format(module=source.stem, state=state)
    _componentize(source, output, world, app, (source.parent,), wasi=wasi)


def _componentize(
    source: Path,
    output: Path,
    world: str,
    app: str,
    folders: Iterable[Path],
    *,
    wasi: bool = False,
) -> None:
    """Build a component whose main module is `app`, with modules from some folders."""
    with tempfile.TemporaryDirectory(prefix="airssys-build-") as directory:
        ours = Path(directory)
        for name in _OURS:
            (ours / name).write_bytes((_GUEST_SIDE / name).read_bytes())
        (ours / "airssys_app.py").write_text(app, "utf-8")
        paths = [f"--python-path={folder}" for folder in (ours, *folders)]
        how = (
            "componentize",
            *([] if wasi else ["--stub-wasi"]),
            *paths,
            "--output",
            str(output.absolute()),
        )
        command = _command(wit_directory(), *how, "airssys_app", world=world)
        done = run_tool(command, ours)
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
