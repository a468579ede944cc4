"""Each attack says by its numbers what kind of fault it looks for."""

import ast
import re
from pathlib import Path

import pytest

SECURITY = Path(__file__).parent.parent / "security"
FILES = sorted(SECURITY.glob("test_attacks*.py"))
NUMBER = re.compile(r"\bCWE-[1-9]\d*")
PLACE = re.compile(r"\bA(0[1-9]|10)\b")


def attacks_in(tree):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        n for n in ast.walk(tree) if isinstance(n, kinds) and n.name.startswith("test_")
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_attack_has_its_numbers(file):
    """In its docstring, or in that of the module for all that name no other ones."""
    source = file.read_text("utf-8")
    tree = ast.parse(source)
    general = ast.get_docstring(tree)
    sections = "\n".join(re.findall(r"^# -- .*$", source, re.MULTILINE))
    is_general = "unless it names another" in general
    for test in attacks_in(tree):
        text = ast.get_docstring(test) or ""
        if is_general:
            text += f"{general}\n{sections}"
        assert NUMBER.search(text) or "the CWE of each case" in text, test.name
        assert PLACE.search(text) or PLACE.search(sections), test.name


def test_the_cases_of_before_are_all_there():
    """The predecessor had 15 cases and 11 ways around them."""
    source = "".join(file.read_text("utf-8") for file in FILES)
    for number in range(1, 16):
        assert re.search(rf'\("{number} ', source), number
    for number in range(1, 12):
        assert re.search(rf'\("b{number} |def test_b{number}_', source), number


def test_each_case_that_is_denied_has_a_number():
    source = (SECURITY / "test_attacks.py").read_text("utf-8")
    cases = re.findall(r'^    \("(.+?)", .*, (True|False)\),$', source, re.MULTILINE)
    assert len(cases) > 70
    assert [
        name
        for name, verdict in cases
        if verdict == "False" and not NUMBER.search(name)
    ] == []
