"""One way from any source to a component."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import attrs

from ._build_cache import default_build_cache, digest, find_or_make
from .encoding import encode_component
from .recipes import BuildFailed, Recipe, read_source, wit_directory
from .toolchains import c_recipe, python_recipe, rust_recipe

if TYPE_CHECKING:
    from collections.abc import Callable


@final
@attrs.frozen
class Built:
    """A component that is there."""

    path: Path
    is_new: bool
    """False if it was made earlier from the same content."""
    does: str
    """How it was or would have been made, e.g. `building shout.c with clang ...`."""


def build(
    source: Path | str,
    output: Path | str | None = None,
    *,
    cache_directory: Path | None = None,
    fresh: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> Built:
    """Make a component of a guest's source, or find the one made from the same before.

    The suffix decides how: `.py` by componentize-py, `.c` by clang or zig, `.rs` by
    rustc, `.wasm` is a core module and encoded as it is. What the source imports from
    beside it counts as source; what it imports from elsewhere, or reads while it is
    built, does not: use `fresh` after such a change. Nothing is run but the compiler,
    except that a Python module is imported while it is built, in a sandbox.

    This blocks, up to minutes; in a Trio program call it by `trio.to_thread.run_sync`.

    Args:
        source: the file that has the life cycle.
        output: where to put it, or None to leave it in the cache only.
        cache_directory: where built components are kept; None for
            `default_build_cache()`.
        fresh: build even if it was built before.
        tell: called with a line of text before something that takes long.

    Raises:
        ToolMissing: a compiler is not installed; says how to get it.
        CoreModuleUnfit: a core module does not fit the world.
        BuildFailed: the source is wrong, or a file cannot be read or written.
    """
    source = Path(source).absolute()
    recipe = _recipe(source)
    made_from = digest(recipe.made_with, recipe.files | _of_ours())
    name = f"{source.stem}-{made_from[:32]}.wasm"

    def make(path: Path) -> None:
        tell(recipe.does)
        recipe.make(path)

    try:
        with ExitStack() as leaving:
            keeping = (cache_directory, None if output is None else tell)
            path, is_new = _find_or_make(leaving, name, make, *keeping, fresh=fresh)
            if output is not None:
                path = _copy(path, Path(output), source)
    except OSError as error:
        raise BuildFailed(_about(error)) from error
    return Built(path, is_new, recipe.does)


def _find_or_make(
    leaving: ExitStack,
    name: str,
    make: Callable[[Path], None],
    cache_directory: Path | None,
    unkept: Callable[[str], object] | None,
    *,
    fresh: bool,
) -> tuple[Path, bool]:
    """Find it in the cache, or make it there.

    If there can be no cache it is made in a folder that is left with `leaving`, and
    `unkept` is told; without that it is an error.
    """
    try:
        directory = (cache_directory or default_build_cache()).absolute()
        return find_or_make(directory, name, make, fresh=fresh)
    except OSError as error:
        if unkept is None:
            raise
        unkept(f"what is built is not kept ({_about(error)})")
        folder = Path(leaving.enter_context(tempfile.TemporaryDirectory()))
        return find_or_make(folder, name, make)


def _about(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return where + (error.strerror or str(error))


def _recipe(source: Path) -> Recipe:
    make = _RECIPES.get(source.suffix.lower())
    if make is None:
        known, suffix = ", ".join(_RECIPES), source.suffix
        found = f"its suffix is {suffix}" if suffix else "it has no suffix"
        raise BuildFailed(f"{source}: {found}; what can be built ends in {known}")
    read_source(source)
    return make(source)


def _core_module_recipe(source: Path) -> Recipe:
    core = read_source(source)

    def make(path: Path) -> None:
        path.write_bytes(encode_component(core))

    does = f"making a component of {source.name}"
    return Recipe(does, ("core",), {"core.wasm": core}, make)


def _of_ours() -> dict[str, bytes]:
    """Return what we add to any guest, and how: another airssys builds anew."""
    package = Path(__file__).parent
    ours = [*package.rglob("*.py"), *package.rglob("*.h")]
    files = {f"airssys/{path.relative_to(package)}": path for path in ours}
    files |= {f"wit/{path.name}": path for path in wit_directory().iterdir()}
    return {name: path.read_bytes() for name, path in files.items()}


_RECIPES: Final[dict[str, Callable[[Path], Recipe]]] = {
    ".py": python_recipe,
    ".c": c_recipe,
    ".rs": rust_recipe,
    ".wasm": _core_module_recipe,
}


def _copy(made: Path, output: Path, source: Path) -> Path:
    """Put a copy of a component into its place, all of it or nothing."""
    if output.absolute() == source:
        msg = f"{output} is the source; name another file for the component"
        raise BuildFailed(msg)
    content = made.read_bytes()
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
