"""mypy and pyright accept right programs, and find each mistake in wrong ones.

mypy has exactly the errors that are named there. pyright has others, in the same places.

In a process of its own and away from the checkout, as for a user who has airssys
installed.
"""

import ast
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

import airssys
from pace import finished

HERE = Path(__file__).parent
RIGHT = sorted(HERE.glob("right_*.py"))
WRONG = sorted((HERE / "wrong").glob("*.py"))
FOUND = re.compile(r"^(.+?):(\d+): error: .*\[([\w-]+)\]$", re.MULTILINE)
SITE = Path(airssys.__file__).parents[1]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Counter[tuple[str, int, str]]:
    """Errors by file, line and code."""
    folder = tmp_path_factory.mktemp("mypy")
    installed = SITE.name == "site-packages"  # where mypy looks by itself
    environment = {**os.environ} | ({} if installed else {"MYPYPATH": str(SITE)})
    options = ["--strict", "--config-file=", "--follow-imports=silent"]
    options += [f"--cache-dir={folder}", *map(str, [*RIGHT, *WRONG])]
    done = finished(
        [sys.executable, "-m", "mypy", *options],
        seconds=200,
        cwd=folder,
        env=environment,
    )
    assert not done.stderr
    errors = FOUND.findall(done.stdout)
    assert len(errors) == done.stdout.count(": error: ")
    return Counter((Path(file).name, int(line), code) for file, line, code in errors)


def test_right_programs_have_no_errors(found: Counter[tuple[str, int, str]]) -> None:
    names = {path.name for path in RIGHT}
    assert [place for place in found if place[0] in names] == []


@pytest.mark.parametrize("wrong", WRONG, ids=lambda path: path.stem)
def test_wrong_programs_have_the_errors_that_they_name(
    found: Counter[tuple[str, int, str]], wrong: Path
) -> None:
    wanted = Counter(
        (wrong.name, number, code)
        for number, line in enumerate(wrong.read_text("utf-8").splitlines(), 1)
        for _, codes in [line.partition("  # E: ")[::2]]
        for code in codes.partition("  # ")[0].split(", ")
        if code
    )
    assert len(wanted) > 15
    assert Counter({k: n for k, n in found.items() if k[0] == wrong.name}) == wanted


@pytest.fixture(scope="module")
def seen_by_pyright(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, int]]:
    """Errors by file and the line that their statement begins in; strict, as for mypy."""
    folder = tmp_path_factory.mktemp("pyright")
    settings = {
        "include": [str(path) for path in [*RIGHT, *WRONG]],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(SITE)],
        # What is of no account in wrong programs, or reported beside an error.
        **dict.fromkeys(["reportUnusedClass", "reportUnusedFunction"], "none"),
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
    options = ["--pythonpath", sys.executable, "-p", str(folder)]
    done = finished(
        [sys.executable, "-m", "basedpyright", "--outputjson", *options],
        seconds=200,
        cwd=folder,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == len(RIGHT) + len(WRONG)
    begins = {path.name: beginnings(path) for path in [*RIGHT, *WRONG]}
    found = set()
    for each in report["generalDiagnostics"]:
        if each["severity"] == "error":
            name, line = Path(each["file"]).name, each["range"]["start"]["line"] + 1
            found.add((name, begins[name].get(line, line)))
    return found


def beginnings(path: Path) -> dict[int, int]:
    """Return by line the one that its innermost statement begins in, decorators first.

    Of a class or function, that is only what stands before its body.
    """
    begins: dict[int, int] = {}
    headers: set[int] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):  # those outside come first
        if isinstance(node, ast.stmt):
            decorators = getattr(node, "decorator_list", [])
            first = min(node.lineno, *(each.lineno for each in decorators), node.lineno)
            last = node.end_lineno or node.lineno
            body = getattr(node, "body", None)
            if body:
                last = max(node.lineno, body[0].lineno - 1)
            lines = set(range(first, last + 1)) - headers  # class A: ...
            begins |= dict.fromkeys(lines, first)
            if body:
                headers |= lines
    return begins


def test_pyright_has_no_errors_for_right_programs(
    seen_by_pyright: set[tuple[str, int]],
) -> None:
    names = {path.name for path in RIGHT}
    assert sorted(place for place in seen_by_pyright if place[0] in names) == []


@pytest.mark.parametrize("wrong", WRONG, ids=lambda path: path.stem)
def test_pyright_finds_each_mistake_in_wrong_programs_and_no_other(
    seen_by_pyright: set[tuple[str, int]], wrong: Path
) -> None:
    begins = beginnings(wrong)
    wanted = {
        begins[number]
        for number, line in enumerate(wrong.read_text("utf-8").splitlines(), 1)
        if "  # E: " in line and not line.endswith("  # pyright finds none")
    }
    assert len(wanted) > 15
    assert sorted(n for name, n in seen_by_pyright if name == wrong.name) == sorted(
        wanted
    )
