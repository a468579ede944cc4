"""The shape of the code: sizes, front doors, docstrings, reasoned suppressions."""

import ast
import importlib
import inspect
import re
import tokenize
from pathlib import Path

import pytest

import airssys
from airssys import contracts

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "airssys").rglob("*.py"))
PACKAGES = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    for path in MODULES
    if path.name == "__init__.py"
)
MAX_MODULE_LINES = 600  # for a module that is one object; most have fewer than 300
MAX_FUNCTION_LINES = 50

# The words after the code are the reason.
REASON = r"\W+\w+\W+\w+"
SUPPRESSIONS = {
    "noqa": r"noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*",
    "type:": r"type: ignore\[[a-z, -]+\]",
    "pragma:": r"pragma: no (cover|branch)",
    "mypy:": r"mypy: [a-z-]+",
    "ruff:": r"ruff: noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*",
}


def comments(path):
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def is_reasoned(comment):
    """Say whether every suppression in a comment has a code and a reason."""
    found = re.findall(r"#\s*(noqa|type:(?= *ignore)|pragma:|mypy:|ruff:)", comment)
    return all(re.search(SUPPRESSIONS[word] + REASON, comment) for word in found)


def is_bare(thing):
    """Say whether a class or function lacks a docstring; an inherited one is none."""
    if inspect.isclass(thing):
        return not vars(thing).get("__doc__")
    return inspect.isroutine(thing) and not thing.__doc__


def test_no_module_is_too_long():
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in MODULES}
    too_long = {p.name: n for p, n in lengths.items() if n > MAX_MODULE_LINES}
    assert not too_long


def test_no_function_is_too_long():
    too_long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert not too_long


def test_every_module_has_a_docstring():
    bare = [
        str(path.relative_to(ROOT))
        for path in MODULES
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not bare


def test_every_folder_with_code_is_a_package():
    folders = {path.parent for path in MODULES}
    assert [str(f) for f in folders if not (f / "__init__.py").exists()] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_front_door_says_what_is_public(package):
    door = importlib.import_module(package)
    assert hasattr(door, "__all__"), f"{package} has no __all__"
    assert len(set(door.__all__)) == len(door.__all__)
    assert [name for name in door.__all__ if not hasattr(door, name)] == []


def errors_below(error):
    for each in error.__subclasses__():
        yield each
        yield from errors_below(each)


def test_every_error_that_a_program_may_meet_is_at_the_front_door():
    for package in PACKAGES:
        importlib.import_module(package)
    public = {
        each.__name__
        for each in errors_below(airssys.AirssysError)
        if each.__module__.startswith("airssys.")
        and not each.__module__.startswith("airssys.building.")  # tools for developers
        and not each.__name__.startswith("_")
    }
    assert len(public) > 30
    assert sorted(public - set(airssys.__all__)) == []


def test_every_error_of_the_reference_is_at_the_front_door():
    """A page that names a class makes no difference between our packages."""
    text = (ROOT / "docs/reference/limits-and-exit-codes.md").read_text("utf-8")
    named = set(re.findall(r"`([A-Z][a-z]\w+)", text))
    public = set(contracts.__all__) & named
    assert len(public) > 30
    assert sorted(public - set(airssys.__all__)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_public_classes_and_functions_have_docstrings(package):
    door = importlib.import_module(package)
    assert door.__doc__
    assert [name for name in door.__all__ if is_bare(getattr(door, name))] == []


def test_suppressions_have_a_code_and_a_reason():
    unreasoned = [
        f"{path.relative_to(ROOT)}:{line} {comment}"
        for path in MODULES
        for line, comment in comments(path)
        if not is_reasoned(comment)
    ]
    assert not unreasoned


@pytest.mark.parametrize(
    ("comment", "verdict"),
    [
        ("# noqa", False),
        ("# noqa: BLE001", False),
        ("# noqa: BLE001 - reported to the supervisor", True),
        ("# noqa: BLE001, S110  # reported to the supervisor", True),
        ("# type: ignore", False),
        ("# type: ignore[arg-type]", False),
        ("# type: ignore[arg-type]  # the stub is too narrow", True),
        ("# pragma: no cover", False),
        ("# pragma: no cover - only on a broken engine", True),
        ("# a plain comment about noqa", True),
    ],
)
def test_what_counts_as_a_reasoned_suppression(comment, verdict):
    assert is_reasoned(comment) is verdict
