"""What README and docs show runs, and what they name exists."""

import ast
import enum
import importlib
import inspect
import math
import re
import shutil
import sys
import typing
from pathlib import Path

import attrs
import pytest

import airssys
from airssys import contracts, dsl, messaging, nursery, system, testing, wasm
from airssys.contracts import EngineSettings, Limits, TrapReason
from pace import finished, unmeasured

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
# The changelog names what was, too.
PRESENT = [path for path in DOCUMENTS if path.name != "CHANGELOG.md"]
LIMITS = ROOT / "docs/reference/limits-and-exit-codes.md"

# The word after "python" says what may be done with a block: nothing: it is a whole
# program; "guest": it is built with componentize-py; "sketch": it needs more files.
BLOCK = re.compile(r"^```python *(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = [
    pytest.param(kind, code, id=f"{path.relative_to(ROOT)}-{number}")
    for path in DOCUMENTS
    for number, (kind, code) in enumerate(BLOCK.findall(path.read_text("utf-8")), 1)
]


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A directory with nothing of the checkout but a copy of the examples."""
    directory = tmp_path_factory.mktemp("outside")
    shutil.copytree(ROOT / "examples", directory / "examples")
    return directory


@pytest.mark.parametrize(("kind", "code"), BLOCKS)
def test_each_block_of_python_runs_or_compiles(kind, code, outside):
    assert kind in {"", "guest", "sketch"}
    compile(code, "block", "exec")
    if kind:
        return
    environment = {n: v for n, v in unmeasured().items() if n != "PYTHONSAFEPATH"}
    done = finished([sys.executable, "-c", code], cwd=outside, env=environment)
    assert done.returncode == 0, done.stderr


def test_the_program_of_the_readme_prints_what_it_says():
    text = README.read_text("utf-8")
    (_, code), *_ = BLOCK.findall(text)
    assert len(code.splitlines()) <= 15
    promised = re.search(r"It prints `([^`]+)`", text).group(1)
    done = finished([sys.executable, "-c", code], cwd=ROOT)
    assert done.stdout.strip() == promised


def test_the_readme_is_short():
    assert 60 <= len(README.read_text("utf-8").splitlines()) <= 100


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    targets = re.findall(r"\]\(([^)#]+)", path.read_text("utf-8"))
    local = [t for t in targets if not t.startswith(("http:", "https:", "mailto:"))]
    assert [t for t in local if not (path.parent / t).exists()] == []


def known_names():
    """Everything public that a document may name in code font."""
    names = set(vars(__builtins__) if inspect.ismodule(__builtins__) else __builtins__)
    for package in (airssys, contracts, dsl, messaging, nursery, system, testing, wasm):
        names |= set(package.__all__)
        for name in package.__all__:
            member = getattr(package, name)
            if isinstance(member, type) and issubclass(member, enum.Enum):
                names |= set(member.__members__)
    names |= {*typing.__all__, "Decimal"}
    # Of guests and of tools.
    of_guests = {"AIRSSYS_STATE", "ComponentLifecycle", "Err"}
    return names | of_guests | {"ChildSpec", "Python", "PYTHON_GIL"}


@pytest.mark.parametrize("path", PRESENT, ids=lambda p: p.name)
def test_classes_and_constants_that_are_named_exist(path):
    prose = BLOCK.sub("", path.read_text("utf-8"))
    words = {
        word
        for span in re.findall(r"`([^`\n]+)`", prose)
        for word in re.findall(r"(?<![\w./:-])[A-Z]\w*[a-z_]\w*|[A-Z]+_[A-Z_]+", span)
    }
    assert sorted(words - known_names() - {"ARGS"}) == []


PACKAGES = (
    "building|cli|contracts|dsl|messaging|nursery|storage|system|testing|typed|wasm"
)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_modules_that_are_named_exist(path):
    text = path.read_text("utf-8")
    modules = re.findall(rf"`((?:{PACKAGES})(?:/\w+)*)(?:\.py)?`", text)
    missing = [
        module
        for module in modules
        if not (ROOT / "airssys" / module).is_dir()
        and not (ROOT / f"airssys/{module}.py").is_file()
        and not (ROOT / f"tests/{module}.py").is_file()
    ]
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_files_that_are_named_exist(path):
    text = path.read_text("utf-8")
    named = re.findall(r"`((?:airssys|tests|docs|perf|examples|\.ci)/[\w./-]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_design_lists_every_folder_of_each_package():
    text = (ROOT / "docs/explanation/design.md").read_text("utf-8")
    (listing,) = re.findall(
        r"^## The folders\n.*?^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL
    )
    listed = {}
    for block in listing.split("\n\n"):
        package, *lines = block.strip("\n").splitlines()
        listed[package] = sorted(line.split()[0] for line in lines)
    folders = {}
    for door in (ROOT / "airssys").glob("*/**/__init__.py"):
        *package, folder = door.parent.relative_to(ROOT / "airssys").parts
        if package:
            folders.setdefault("/".join(package), []).append(folder)
    assert listed == {package: sorted(found) for package, found in folders.items()}


def test_the_design_names_seven_modules_to_begin_with():
    text = (ROOT / "docs/explanation/design.md").read_text("utf-8")
    _, rest = text.split("begin with these seven modules:")
    numbered = re.findall(r"^\d\. `([\w/]+)`", rest.split("\n## ")[0], re.MULTILINE)
    assert len(numbered) == 7
    assert all((ROOT / f"airssys/{name}.py").is_file() for name in numbered)


def names_with_their_pages():
    """Each name that the reference describes: the package it is of, and its page."""
    for page in sorted((ROOT / "docs/reference").glob("*.md")):
        package = None
        for line in page.read_text("utf-8").splitlines():
            if found := re.match(r"\.\. currentmodule:: (\S+)", line):
                package = found[1]
            elif found := re.match(r"\.\. auto\w+:: (\w+)$", line):
                yield package, found[1], page.name


def test_each_public_name_is_on_exactly_one_page_of_the_reference():
    pages = {}
    for package, name, page in names_with_their_pages():
        if package == "airssys":
            pages.setdefault(name, []).append(page)
    nowhere = sorted(set(airssys.__all__) - set(pages))
    assert nowhere == [], "add each of them to the page of its concept"
    assert {n: found for n, found in pages.items() if len(found) != 1} == {}
    assert sorted(set(pages) - set(airssys.__all__)) == []


def test_what_the_reference_describes_is_public():
    for package, name, _ in names_with_their_pages():
        assert name in importlib.import_module(package).__all__


def rows(text):
    """Rows of Markdown tables whose first cell is code, by that code."""
    found = re.findall(r"^\| `(\w+)` \|(.*)\|$", text, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in found}


def number(cell):
    """Read a number as the tables write it."""
    value, _, unit = cell.replace(",", "").partition(" ")
    return float(value) * {"": 1, "KiB": 1024, "MiB": 1024**2}[unit]


@pytest.mark.parametrize("settings", [Limits, EngineSettings])
def test_the_tables_have_each_limit_with_its_default(settings):
    table = rows(LIMITS.read_text("utf-8"))
    for field in attrs.fields(settings):
        default = table[field.name][0]
        if field.default is None:
            assert default == "none"
        elif isinstance(field.default, attrs.Factory):
            assert not default[0].isdigit()
        elif isinstance(field.default, bool):
            assert default == f"{field.default}"
        elif isinstance(field.default, str):
            assert default == f'`"{field.default}"`'
        else:
            assert math.isclose(number(default), field.default)


def test_the_table_has_each_trap_reason():
    table = rows(LIMITS.read_text("utf-8"))
    assert [reason.name for reason in TrapReason if reason.name not in table] == []


def test_the_table_has_each_exit_code():
    text = LIMITS.read_text("utf-8")
    documented = dict(re.findall(r"^\| (\d+) \| `(EXIT_\w+)`", text, re.MULTILINE))
    codes = {n: c for n, c in vars(system).items() if n.startswith("EXIT_")}
    assert {name: int(code) for code, name in documented.items()} == codes


def test_all_functions_of_the_lifecycle_are_in_the_guest_that_is_shown():
    text = (ROOT / "docs/how-to/write-a-python-guest.md").read_text("utf-8")
    guest = next(code for kind, code in BLOCK.findall(text) if kind == "guest")
    shown = {n.name for n in ast.walk(ast.parse(guest)) if type(n) is ast.FunctionDef}
    wit = (ROOT / "wit/component-lifecycle.wit").read_text("utf-8")
    wanted = re.findall(r"^    ([\w-]+): func", wit, re.MULTILINE)
    assert shown == {name.replace("-", "_") for name in wanted}


def test_the_reference_explains_every_refusal():
    text = (ROOT / "docs/reference/supervisors.md").read_text("utf-8")
    explained = {
        name: cell for name, (cell, *_) in rows(text).items() if name.isupper()
    }
    assert explained == {each.name: each.value for each in airssys.Refusal}
