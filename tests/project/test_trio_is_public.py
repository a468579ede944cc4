"""airssys uses Trio only by its public interface, so that it runs with any Trio in range."""

import ast
import importlib
from pathlib import Path

import attrs
import pytest
import trio

import airssys

ROOT = Path(airssys.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
BY_DESIGN = {
    # Trio has no public way to seed its scheduler. Only tests of programs do so.
    "testing/model/_steady_scheduling.py": {"trio._core", "_run"},
}
BY_NAME = {"getattr", "setattr", "hasattr", "delattr"}


def private_names_of_trio():
    """Return the private attributes of what Trio hands out."""
    run = importlib.import_module("trio._core._run")
    classes = (run.Task, run.Nursery, run.CancelScope, run.Runner, run.CancelStatus)
    names = {name for each in classes for name in dir(each)}
    for each in classes:
        if attrs.has(each):
            names.update(field.name for field in attrs.fields(each))
    return {name for name in names if name.startswith("_") and name[1] != "_"}


PRIVATE = private_names_of_trio()


def is_private(name):
    return any(part.startswith("_") for part in name.split("."))


def misuses(tree):
    """Visit what reaches behind Trio's public interface, as text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            of = getattr(node, "module", None) or ""
            names = [of, *(each.name for each in node.names)]
            if any(name.split(".")[0] == "trio" for name in names):
                yield from (name for name in names if is_private(name))
        elif isinstance(node, ast.Attribute):
            of = ast.unparse(node.value)
            is_of_trio = of.split(".")[0] == "trio" and node.attr.startswith("_")
            if is_of_trio or (node.attr in PRIVATE and of not in {"self", "cls"}):
                yield f"{of}.{node.attr}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in BY_NAME:
            words = [each.value for each in node.args if isinstance(each, ast.Constant)]
            yield from (repr(word) for word in words if word in PRIVATE)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_uses_only_what_trio_makes_public(path):
    allowed = BY_DESIGN.get(path.relative_to(ROOT).as_posix(), set())
    assert set(misuses(ast.parse(path.read_text("utf-8")))) == allowed


@pytest.mark.parametrize(
    "code",
    [
        "from trio._core import _run",
        "from trio.lowlevel import _thing",
        "import trio._core._run",
        "trio._core",
        "trio.lowlevel._wait",
        "task._abort_func",
        "getattr(task, '_cancel_status')",
        "scope._cancel_status",
    ],
)
def test_a_misuse_is_found(code):
    assert list(misuses(ast.parse(code)))


def test_the_private_names_are_those_of_this_trio():
    assert "_abort_func" in PRIVATE, f"trio {trio.__version__} has other names"
