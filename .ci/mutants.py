"""Break the deciding modules in every small way, and see whether a test fails.

    make mutants [ARGS="_restart_plan ..."]

The modules are those of the import contract that keeps Trio out of decisions. Each
mutant is tried by a process of its own, forked from one that has imported what takes
long; the checkout stays as it is. The tests are the same for every run: examples
are drawn from a fixed seed.

A mutant is killed if a test fails, or if it does not end. One that cannot be imported
is not counted. `.ci/equivalent_mutants.toml` names those that behave like the original,
with the reason.
"""

from __future__ import annotations

import ast
import difflib
import importlib.abc
import importlib.util
import os
import resource
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mutations import enums_in, mutants_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec

ROOT: Final = Path(__file__).resolve().parent.parent
CONTRACT: Final = "Decisions are pure"
UNTOUCHED: Final = ("airssys.contracts", "airssys.dsl", "airssys.wasm")
"""What imports none of the modules, and is none of them."""
CPU_SECONDS: Final = 60
BYTES: Final = 3 * 2**30
SUPERVISION: Final = (
    "tests/nursery/test_otp_suite.py",
    "tests/nursery/test_otp_refinements.py",
    "tests/nursery/test_backoff_restarts.py",
    "tests/nursery/test_supervision_model.py",
)
TESTS: Final = {
    "airssys.messaging": (),
    "airssys.nursery": SUPERVISION,
    "airssys.storage": ("tests/storage/test_memory_store.py",),
}
"""For the modules of a package, after the tests of the module itself."""


def pure_modules() -> list[str]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = pyproject["tool"]["importlinter"]["contracts"]
    (pure,) = (each for each in contracts if each["name"].startswith(CONTRACT))
    return sorted(pure["source_modules"])


def tests_of(module: str) -> list[list[str]]:
    """Return the tests of the module itself, then those of its package."""
    if module.startswith(UNTOUCHED):
        sys.exit(f"[mutants] {module} is imported before it can be broken")
    package, _, name = module.rpartition(".")
    folder = ROOT / "tests" / package.partition(".")[2]
    own = [str(path.relative_to(ROOT)) for path in folder.glob(f"test{name}.py")]
    others = [path for path in TESTS.get(package, ()) if path not in own]
    return [tests for tests in (own, others) if tests]


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a text instead of its file."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.source = module, source

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != self.module:
            return None
        return importlib.util.spec_from_loader(name, self)

    def exec_module(self, module: Any) -> None:
        exec(compile(self.source, self.module, "exec"), module.__dict__)


def warm_up() -> None:
    """Import what the tests need, so that no mutant waits for it."""
    for name in ("hypothesis.stateful", "pytest", "trio.testing", "airssys.testing"):
        importlib.import_module(name)
    importlib.import_module("airssys.testing._supervision_machine")


def forget_what_may_hold_a_mutant() -> None:
    """Let everything be imported anew that a deciding module is imported by."""
    for name in [name for name in sys.modules if name.startswith("airssys")]:
        if not name.startswith(UNTOUCHED):
            del sys.modules[name]


def outcome_of(module: str, source: str) -> str:
    """Try one mutant: 'survived', 'killed', 'hung' or 'cannot be imported'."""
    for tests in tests_of(module):
        outcome = outcome_by(module, source, tests)
        if outcome != "survived":
            return outcome
    return "survived"


def outcome_by(module: str, source: str, tests: Sequence[str]) -> str:
    child = os.fork()
    if child == 0:
        try:
            os._exit(try_in_this_process(module, source, tests))
        finally:
            os._exit(98)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return "hung"
    match os.WEXITSTATUS(status):
        case 0:
            return "survived"
        case 1:
            return "killed"
        case 99:
            return "cannot be imported"
        case code:
            sys.exit(f"pytest ended with {code} for {module}")


def try_in_this_process(module: str, source: str, tests: Sequence[str]) -> int:
    """Run the tests until one fails, in a process that is for nothing else."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
    nowhere = os.open(os.environ.get("MUTANTS_LOG", os.devnull), os.O_RDWR | os.O_CREAT)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    forget_what_may_hold_a_mutant()
    sys.meta_path.insert(0, Finder(module, source))
    try:
        importlib.import_module(module)
    except Exception:
        return 99
    import pytest

    look_for_no_shorter_examples()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
        options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=1"]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        return int(pytest.main([*options, *tests]))


def look_for_no_shorter_examples() -> None:
    """Let hypothesis be content with the first failure: nobody will read it."""
    machine: Any = importlib.import_module("airssys.testing._supervision_machine")
    machine.PHASES = (machine.Phase.explicit, machine.Phase.generate)
    os.environ.update(AIRSSYS_SEED="1", AIRSSYS_HYPOTHESIS_PROFILE="first failure")


def difference(original: str, mutant: str) -> tuple[str, str]:
    """Return the lines that differ, before and after."""
    lines = list(
        difflib.unified_diff(
            original.splitlines(), mutant.splitlines(), n=0, lineterm=""
        )
    )[3:]
    before = " / ".join(line[1:].strip() for line in lines if line.startswith("-"))
    after = " / ".join(line[1:].strip() for line in lines if line.startswith("+"))
    return before, after


def equivalents() -> dict[tuple[str, str, str], str]:
    known = tomllib.loads((ROOT / ".ci/equivalent_mutants.toml").read_text("utf-8"))
    return {
        (each["module"], each["before"], after): each["why"]
        for each in known.get("mutant", [])
        for after in each["after"]
    }


def examine(module: str, enums: dict[str, list[str]]) -> Counter[str]:
    """Try all mutants of a module; tell of those that survive."""
    path = ROOT / (module.replace(".", "/") + ".py")
    source = path.read_text("utf-8")
    plain, known = ast.unparse(ast.parse(source)), equivalents()
    if outcome_of(module, source) != "survived":
        sys.exit(f"[mutants] {module}: its tests fail without any change")
    counts: Counter[str] = Counter()
    for mutant in mutants_of(source, enums):
        before, after = difference(plain, mutant)
        if (module, before, after) in known:
            counts["equivalent"] += 1
            continue
        outcome = outcome_of(module, mutant)
        counts[outcome] += 1
        if outcome == "survived":
            print(f"[mutants]   survived: {before!r} -> {after!r}", flush=True)
    return counts


def line(name: str, counts: Counter[str]) -> str:
    killed = counts["killed"] + counts["hung"]
    tried = killed + counts["survived"]
    score = f"{100 * killed / tried:.1f} %" if tried else "-"
    return (
        f"{name:34} {tried:5} mutants {killed:5} killed {counts['survived']:4} survived"
        f" {counts['equivalent']:3} equivalent {score:>8}"
    )


def main() -> None:
    wanted = sys.argv[1:]
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    warm_up()
    enums, total = enums_in(ROOT / "airssys"), Counter[str]()
    started = time.monotonic()
    for module in pure_modules():
        if not wanted or any(word in module for word in wanted):
            counts = examine(module, enums)
            total += counts
            print(line(module, counts), flush=True)
    print(line("all", total))
    print(f"[mutants] {time.monotonic() - started:.0f} s")


main()
