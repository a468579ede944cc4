"""Builds a component from any source."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import attrs

from ._build_cache import default_build_cache, digest, find_or_make
from .encoding import encode_component
from .recipes import BuildFailed, Recipe, Stage, read_source, wit_directory
from .toolchains import (
    c_recipe,
    go_recipe,
    javascript_recipe,
    python_recipe,
    rust_recipe,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@final
@attrs.frozen
class Built:
    """A component that was built."""

    path: Path
    is_new: bool
    """False if it was built earlier from the same content."""
    does: str
    """How it was or would have been built, e.g. `building shout.c with clang ...`."""


def build(  # noqa: PLR0913  # options, each named by its caller
    source: Path | str,
    output: Path | str | None = None,
    *,
    cache_directory: Path | None = None,
    fresh: bool = False,
    dev: bool = False,
    wasi: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> Built:
    """Build a component from a guest's source, or reuse an earlier build of the same.

    The suffix decides how: `.py` by componentize-py, `.c` by clang or zig, `.rs` by
    rustc, `.go` by go, `.js` by componentize-js; `.wasm` is a core module, which is
    encoded as it is. C, Rust and Go sources with a `main` become programs for WASI; what
    a JavaScript module exports decides what it becomes. Files that the source imports
    from its own folder count as source. What it imports from elsewhere, or reads while
    it is built, does not: use `fresh` after changing that. Only the compiler is run,
    except that a Python module is imported in a sandbox. This blocks for up to minutes;
    in a Trio program call it by `trio.to_thread.run_sync`.

    Args:
        source: The file with the life cycle functions.
        output: Where to put the component, or None to leave it only in the cache.
        cache_directory: For built components; None for `default_build_cache()`.
        fresh: Build even if it was built before.
        dev: Build a Python guest so that its next versions take a second; its modules
            are then imported by the first call. Other guests are built as usual.
        wasi: Build an actor in Python, C or Rust that has files, clocks, random bytes and
            standard streams of WASI by its grants. Python may start only with `random()`.
        tell: Called with a line of text before each slow step.

    Raises:
        ToolMissing: A compiler is not installed; the text says how to install it.
        CoreModuleUnfit: A core module does not fit the world.
        BuildFailed: The source is wrong, or a file cannot be used.
    """
    recipe = _recipe(source := Path(source).absolute(), wasi=wasi)
    stage = recipe.stage if dev else None
    planned = recipe if stage is None else stage.recipe
    stem = source.stem if stage is None else "stage"  # which guests may share
    keeping = (cache_directory, None if output is None else tell)
    try:
        with ExitStack() as leaving:
            job = (_name(stem, planned), _telling(planned, tell))
            made, is_new = _find_or_make(leaving, *job, *keeping, fresh=fresh)
            path = _finish(stage, made, output, source)
    except OSError as error:
        raise BuildFailed(_about(error)) from error
    return Built(path, is_new or stage is not None, recipe.does)


def _finish(
    stage: Stage | None, made: Path, output: Path | str | None, source: Path
) -> Path:
    """Put a component where it is wanted, filled if it is only a stage."""
    if stage is not None:
        target = Path(output or made.with_name(_dev_name(source)))
        return _write(stage.fill(made.read_bytes()), target, source)
    return made if output is None else _write(made.read_bytes(), Path(output), source)


def _name(stem: str, recipe: Recipe) -> str:
    made_from = digest(recipe.made_with, recipe.files | _of_ours())
    return f"{stem}-{made_from[:32]}.wasm"


def _telling(recipe: Recipe, tell: Callable[[str], object]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        tell(recipe.does)
        recipe.make(path)

    return make


def sources_of(source: Path | str) -> dict[str, bytes]:
    """Read the files that a guest would be built from, by name.

    Raises:
        BuildFailed: One cannot be read, or a tool is missing.
    """
    return _recipe(Path(source).absolute()).files


def _find_or_make(
    leaving: ExitStack,
    name: str,
    make: Callable[[Path], None],
    cache_directory: Path | None,
    unkept: Callable[[str], object] | None,
    *,
    fresh: bool,
) -> tuple[Path, bool]:
    """Find a component in the cache, or build it there.

    If the cache cannot be used, the component is built in a folder that `leaving`
    removes, and `unkept` is called with the reason; without `unkept`, that is an error.
    """
    try:
        directory = (cache_directory or default_build_cache()).absolute()
        return find_or_make(directory, name, make, fresh=fresh)
    except OSError as error:
        if unkept is None:
            raise
        unkept(f"the built component will not be cached ({_about(error)})")
        folder = Path(leaving.enter_context(tempfile.TemporaryDirectory()))
        return find_or_make(folder, name, make)


def _about(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return where + (error.strerror or str(error))


def _recipe(source: Path, *, wasi: bool = False) -> Recipe:
    make = _RECIPES.get(source.suffix.lower())
    if make is None:
        known, suffix = ", ".join(_RECIPES), source.suffix
        found = f"its suffix is {suffix}" if suffix else "it has no suffix"
        raise BuildFailed(f"{source}: {found}; the supported suffixes are {known}")
    read_source(source)
    if not wasi:
        return make(source)
    with_wasi = _WITH_WASI.get(source.suffix.lower())
    if with_wasi is None:
        raise BuildFailed(
            f"{source}: wasi is for actors in {', '.join(_WITH_WASI)}; in Go and JavaScript "
            "each guest has WASI, and a core module is encoded as it is"
        )
    return with_wasi(source, wasi=True)


def _core_module_recipe(source: Path) -> Recipe:
    core = read_source(source)

    def make(path: Path) -> None:
        path.write_bytes(encode_component(core))

    does = f"making a component of {source.name}"
    return Recipe(does, ("core",), {"core.wasm": core}, make)


def _of_ours() -> dict[str, bytes]:
    """Return what we add to any guest, so that another airssys version builds anew."""
    package = Path(__file__).parent
    ours = [*package.rglob("*.py"), *package.rglob("*.h")]
    files = {f"airssys/{path.relative_to(package)}": path for path in ours}
    files |= {f"wit/{path.name}": path for path in wit_directory().iterdir()}
    return {name: path.read_bytes() for name, path in files.items()}


_RECIPES: Final[dict[str, Callable[[Path], Recipe]]] = {
    ".py": python_recipe,
    ".c": c_recipe,
    ".rs": rust_recipe,
    ".go": go_recipe,
    ".js": javascript_recipe,
    ".mjs": javascript_recipe,
    ".wasm": _core_module_recipe,
}
_WITH_WASI: Final[dict[str, Callable[..., Recipe]]] = {
    ".py": python_recipe,
    ".c": c_recipe,
    ".rs": rust_recipe,
}


def _dev_name(source: Path) -> str:
    """Name the latest component that was built of a file for development.

    These are not kept by their content: each takes a moment, and there are many.
    """
    return f"{source.stem}-dev-{digest((str(source),), {})[:32]}.wasm"


def _write(content: bytes, output: Path, source: Path) -> Path:
    """Write a component to its destination, completely or not at all."""
    if output.absolute() == source:
        msg = f"{output} is the source; choose another file for the component"
        raise BuildFailed(msg)
    descriptor, name = tempfile.mkstemp(dir=output.absolute().parent, prefix=".making-")
    unfinished = Path(name)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor
            file.write(content)
        unfinished.chmod(0o666 & ~_umask())
        unfinished.replace(output)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return output


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
