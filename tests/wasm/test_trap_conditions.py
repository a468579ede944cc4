"""The table of trap conditions is true: each is checked where it says, and tripped.

With `AIRSSYS_SUITES`, a working copy of WebAssembly/component-model, the table is also
compared with the reference itself.
"""

import ast
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from airssys.wasm.lane.abi import Rule

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_name("trap-conditions.md")
SUITES = os.environ.get("AIRSSYS_SUITES")
ROWS = [
    re.findall(r"`([^`]*)`|\| (\d+) ", line)
    for line in TABLE.read_text("utf-8").splitlines()
    if line.startswith("| `")
]
CELLS = [[text or number for text, number in row] for row in ROWS]
CHECKED = [row for row in CELLS if len(row) == 6]


def test_the_table_has_as_many_conditions_as_it_says():
    text = TABLE.read_text("utf-8")
    every, reached = map(int, re.findall(r"\b(\d+) (?:\w+ )?\w*(?:places|them)", text))
    assert sum(int(row[2]) for row in CHECKED) == reached
    assert sum(int(row[2]) for row in CELLS) == every


@pytest.mark.parametrize("row", CHECKED, ids=lambda row: f"{row[0]}-{row[1]:.30}")
def test_each_condition_is_checked_where_the_table_says_and_has_a_test(row):
    _, _, _, rule, where, test = row
    assert f"Rule.{rule}" in (ROOT / "airssys" / "wasm" / where).read_text("utf-8")
    file, name = test.split("::")
    tests = (ROOT / "tests" / "wasm" / file).read_text("utf-8")
    assert re.search(rf"^(async )?def {name}\(", tests, re.MULTILINE)


def test_each_rule_is_one_of_the_reference():
    assert {row[3] for row in CHECKED} == {rule.name for rule in Rule}


@pytest.mark.skipif(SUITES is None, reason="AIRSSYS_SUITES names no working copy")
def test_the_table_is_that_of_the_reference():
    path = Path(SUITES) / "design" / "mvp" / "canonical-abi" / "definitions.py"
    found = Counter(conditions(ast.parse(path.read_text("utf-8")), ()))
    assert found == {(row[0], row[1]): int(row[2]) for row in CELLS}


def conditions(node, names):
    """Give function and condition of each call of `trap_if` and `trap`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            yield from conditions(child, (*names, child.name))
            continue
        match child:
            case ast.Call(func=ast.Name(id="trap_if"), args=[condition]):
                yield ".".join(names), ast.unparse(condition)
            case ast.Call(func=ast.Name(id="trap")):
                yield ".".join(names), "always"
        yield from conditions(child, names)
