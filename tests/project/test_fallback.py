"""What runs components whole stands in one folder, so that it can be removed whole."""

import ast
from pathlib import Path

import airssys

PACKAGE = Path(airssys.__file__).parent
FALLBACK = PACKAGE / "wasm" / "fallback"
SWITCH = PACKAGE / "wasm" / "instances" / "_whole.py"


def imported(path):
    """Name what a module imports, with what it takes out of it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield f"{node.module or ''}.{alias.name}"


def test_only_the_switch_imports_the_fallback():
    found = {
        path
        for path in PACKAGE.rglob("*.py")
        if FALLBACK not in path.parents
        and any("fallback" in name.split(".") for name in imported(path))
    }
    assert found == {SWITCH}


def test_the_own_lane_does_not_know_the_switch():
    for path in (PACKAGE / "wasm" / "lane").rglob("*.py"):
        for name in imported(path):
            assert not {"_whole", "fallback", "instances"} & set(name.split(".")), path
