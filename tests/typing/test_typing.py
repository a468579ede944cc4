"""mypy accepts right programs, and has exactly the errors it should have for wrong ones.

In a process of its own and away from the checkout, as for a user who has airssys
installed.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import airssys

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
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
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
        for code in codes.split(", ")
        if code
    )
    assert len(wanted) > 15
    assert Counter({k: n for k, n in found.items() if k[0] == wrong.name}) == wanted
