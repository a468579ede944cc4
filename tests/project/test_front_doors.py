"""Packages are entered by their front doors, and no package is a crowd of rooms.

A package's front door is its `__init__`: what is not named there is its own business.
Ruff's PLC2701 takes all of airssys for one package, so it does not see who reaches past
a door inside.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "airssys").rglob("*.py"))
MOST_ROOMS = 12
EXCEPTIONS = {
    # The lowest module of its package: values, calls and linkers all speak C.
    "airssys.wasm._c_api": ("airssys.wasm.",),
}


def name_of(path):
    """The dotted name of a module, from its path below the root."""
    parts = list(path.with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_by(module, source):
    """Name the modules that are imported, each as far as its dots go."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def reached_past(module, imported):
    """Say whether an import goes past the front door of a package it stands outside of."""
    parts = imported.split(".")
    if parts[0] != "airssys":
        return False
    for depth, part in enumerate(parts):
        if not part.startswith("_") or part.startswith("__"):
            continue
        private = ".".join(parts[: depth + 1])
        package = ".".join(parts[:depth])
        is_module = (ROOT / private.replace(".", "/")).with_suffix(".py").exists()
        allowed = EXCEPTIONS.get(private, (f"{package}.",))
        inside = any(f"{module}.".startswith(prefix) for prefix in allowed)
        if is_module and not (inside and is_beside(module, package, private)):
            return True
    return False


def is_beside(module, package, private):
    """Say whether a module stands in the package itself, not in one of its rooms."""
    return private in EXCEPTIONS or module.rpartition(".")[0] == package


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_reaches_past_a_front_door(path):
    module = name_of(path.relative_to(ROOT))
    source = path.read_text("utf-8")
    past = {one for one in imported_by(module, source) if reached_past(module, one)}
    assert not past


@pytest.mark.parametrize(
    ("module", "imported", "verdict"),
    [
        ("airssys.system._run", "airssys.nursery.children._child", True),
        ("airssys.system._run", "airssys.nursery.children._child.Child", True),
        ("airssys.system._run", "airssys.nursery.children", False),
        ("airssys.system._run", "airssys.nursery.children.Child", False),
        ("airssys.system._run", "airssys.system._system", False),
        ("airssys.nursery.actors._poison", "airssys.nursery.restarts._plan", True),
        ("airssys.wasm.values._memory", "airssys.wasm._c_api", False),
        ("airssys.system._run", "airssys.wasm._c_api", True),
        ("airssys.system._run", "trio._core._run", False),
    ],
)
def test_what_reaching_past_a_door_is(module, imported, verdict):
    assert reached_past(module, imported) is verdict


def rooms():
    """Count the modules and packages in each package."""
    for folder in sorted({path.parent for path in MODULES}):
        inside = [
            entry
            for entry in folder.iterdir()
            if (entry.suffix == ".py" and not entry.stem.startswith("__"))
            or (entry / "__init__.py").exists()
        ]
        yield pytest.param(len(inside), id=str(folder.relative_to(ROOT)))


@pytest.mark.parametrize("count", list(rooms()))
def test_no_package_is_a_crowd_of_rooms(count):
    assert count <= MOST_ROOMS
