"""How airssys.wasm is laid out: what runs components whole can be removed whole."""

import ast
from pathlib import Path

import pytest

import airssys

PACKAGE = Path(airssys.__file__).parent
WASM = PACKAGE / "wasm"
FALLBACK = WASM / "fallback"
SWITCH = WASM / "instances" / "_whole.py"


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


def folders():
    """The folders of airssys.wasm, of the lane and of the fallback."""
    for above in (WASM, WASM / "lane", FALLBACK):
        yield above
        yield from (path.parent for path in above.glob("*/__init__.py"))


@pytest.mark.parametrize("folder", sorted(set(folders())), ids=lambda path: path.name)
def test_each_folder_opens_with_the_theory_it_rests_on(folder):
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8")))
    _, found, theory = text.partition("The theory. ")
    assert found
    assert len(theory.split()) >= 20


def test_the_own_lane_does_not_know_the_switch():
    for path in (WASM / "lane").rglob("*.py"):
        for name in imported(path):
            assert not {"_whole", "fallback", "instances"} & set(name.split(".")), path
