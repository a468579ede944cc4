"""Break the deciding modules in every small way, and check that a test fails.

    make mutants [ARGS="_plan ..."]

The modules are those of the import contract that keeps Trio out of decisions, and those of
`SECURITY`. Each mutant is tried in a process of its own, forked from one that has imported
the slow modules. All is read from a copy of the checkout, so the checkout is not changed,
and may be changed meanwhile. The tests are the same in every run: examples are drawn from
a fixed seed.

A mutant is killed if a test fails, or if it does not end. One that cannot be imported
is not counted, but shown. `.ci/equivalent_mutants.toml` names mutants that behave like the
original, with the reason.
"""

from __future__ import annotations

import ast
import difflib
import importlib.abc
import importlib.util
import math
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
from mutations import enums_in, mutants_of

if TYPE_CHECKING:
    import types
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec

CHECKOUT: Final = Path(__file__).resolve().parent.parent
ROOT: Final = Path()
"""The copy, in which this process works."""
CONTRACT: Final = "Decisions are pure"
UNTOUCHED: Final = ("airssys.contracts", "airssys.dsl", "airssys.wasm")
"""Packages that neither import the modules nor contain one of them."""
LONGEST: Final = 300
"""CPU seconds for the tests of one module."""
OUTCOMES: Final = {0: "survived", 1: "killed", 2: "killed", 99: "cannot be imported"}
"""By the exit status of the process; those before 99 are those of pytest."""
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
    "airssys.security": ("tests/security/test_attacks.py",),
    "airssys.storage": ("tests/storage/test_memory_storage.py",),
}
"""For the modules of a package, after the tests of the module itself."""
_TESTS_OF_SECURITY: Final = {
    "authority": (
        "test_small_decisions test_edges test_authority",
        ["_authority", "_cuts", "_granted", "_holds", "_register", "_verdicts"],
    ),
    "capabilities": (
        "test_small_decisions test_edges test_capabilities test_many_grants test_log_lines",
        ["_index", "_kinds", "_log_lines", "_rules"],
    ),
    "patterns": (
        "test_edges test_patterns test_many_grants",
        ["_hosts", "_paths", "_segments", "_wildcards"],
    ),
    "policies": (
        "test_small_decisions test_edges test_policy test_gates",
        ["_checks", "_least", "_needs", "_reach"],
    ),
    "manifest": (
        "test_small_decisions test_manifest test_manifest_replacement",
        ["_bounded", "_effective"],
    ),
    "quotas": (
        "test_small_decisions test_edges test_quotas",
        ["_accounts", "_meters", "_register"],
    ),
    "audit": ("test_audit_chain test_audit_queue", ["_chain", "_queue"]),
}
"""For each room of security the tests of its modules, and those that are tried."""
SECURITY: Final = {
    f"airssys.security.{room}.{module}": [
        f"tests/security/{test}.py" for test in tests.split()
    ]
    for room, (tests, modules) in _TESTS_OF_SECURITY.items()
    for module in modules
}


def pure_modules() -> list[str]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = pyproject["tool"]["importlinter"]["contracts"]
    (pure,) = (each for each in contracts if each["name"].startswith(CONTRACT))
    return sorted({*pure["source_modules"], *SECURITY})


def copy_checkout(folder: Path) -> None:
    """Copy what git knows, as it is now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, folder / name)


def tests_of(module: str) -> list[list[str]]:
    """Return the tests of the module itself, then those of its package.

    The former are `test<...><name>.py` in the folder of the package: `test_round.py`
    and `test_restart_plan.py`, whichever room of the package the module is in.
    """
    if module.startswith(UNTOUCHED):
        sys.exit(f"[mutants] {module} is imported before it can be broken")
    house, name = module.split(".")[1], module.rpartition(".")[2]
    folder = ROOT / "tests" / house
    own = [str(path.relative_to(ROOT)) for path in folder.glob(f"test*{name}.py")]
    if module in SECURITY:
        own = SECURITY[module]
    if not own:
        sys.exit(f"[mutants] {module} has no tests of its own in tests/{house}")
    others = [path for path in TESTS[f"airssys.{house}"] if path not in own]
    return [tests for tests in (own, others) if tests]


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a text instead of its file."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.source = module, source

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Find the one module."""
        if name != self.module:
            return None
        return importlib.util.spec_from_loader(name, self)

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the text."""
        exec(compile(self.source, self.module, "exec"), module.__dict__)


def warm_up() -> None:
    """Import what the tests need, so that the mutants do not have to."""
    for name in ("hypothesis.stateful", "pytest", "trio.testing", "airssys.testing"):
        importlib.import_module(name)
    importlib.import_module("airssys.testing.model._state_machine")


def forget_what_may_hold_a_mutant() -> None:
    """Make everything that imports a deciding module be imported again."""
    for name in [name for name in sys.modules if name.startswith("airssys")]:
        if not name.startswith(UNTOUCHED):
            del sys.modules[name]


def outcome_of(module: str, source: str, limits: Sequence[int]) -> str:
    """Try one mutant: 'survived', 'killed', 'hung' or 'cannot be imported'.

    Args:
        module: Its name.
        source: Its text.
        limits: For each list of tests of the module, the CPU seconds that it may take.
    """
    for tests, limit in zip(tests_of(module), limits, strict=True):
        outcome, _ = try_by(module, source, tests, limit)
        if outcome != "survived":
            return outcome
    return "survived"


def find_limits(module: str, source: str) -> list[int]:
    """Run the tests without a change; return the CPU seconds allowed with one."""
    limits = []
    for tests in tests_of(module):
        outcome, seconds = try_by(module, source, tests, LONGEST)
        if outcome != "survived":
            sys.exit(f"[mutants] {module}: {tests} fail without any change")
        limits.append(math.ceil(3 * seconds) + 3)
    return limits


def try_by(
    module: str, source: str, tests: Sequence[str], limit: int
) -> tuple[str, float]:
    """Try one mutant with some tests; return the outcome, and CPU seconds."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(try_in_this_process(module, source, tests, limit))
        finally:
            os._exit(98)
    _, status, usage = os.wait4(child, 0)
    if os.WIFSIGNALED(status):
        return "hung", usage.ru_utime
    outcome = OUTCOMES.get(os.WEXITSTATUS(status))
    if outcome is None:
        sys.exit(f"[mutants] {module}: pytest ended with {os.WEXITSTATUS(status)}")
    return outcome, usage.ru_utime


def try_in_this_process(
    module: str, source: str, tests: Sequence[str], limit: int
) -> int:
    """Run the tests until one fails, in a process used only for this."""
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    forget_what_may_hold_a_mutant()
    sys.meta_path.insert(0, Finder(module, source))
    try:
        importlib.import_module(module)
    except Exception:  # noqa: BLE001  # whatever: it is not a module any more
        return 99
    import pytest  # noqa: PLC0415  # not before what it is to rewrite is gone

    look_for_no_shorter_examples()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
        options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=1"]
        options += ["-o", "faulthandler_timeout=60"]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        return int(pytest.main([*options, *tests]))


def look_for_no_shorter_examples() -> None:
    """Make hypothesis stop at the first failure, because the failure is not read."""
    machine: Any = importlib.import_module("airssys.testing.model._state_machine")
    machine.PHASES = (machine.Phase.explicit, machine.Phase.generate)
    os.environ.update(AIRSSYS_SEED="1", AIRSSYS_HYPOTHESIS_PROFILE="first failure")


@attrs.frozen
class Difference:
    """What was changed."""

    module: str
    where: str
    """The function, or the class."""
    before: str
    after: str

    def __str__(self) -> str:
        return f"in {self.where}: {self.before!r} -> {self.after!r}"


def difference(module: str, original: str, mutant: str) -> Difference:
    """Return the lines that differ; a decorator with what it decorates."""
    old, new = (
        re.sub(r"(?m)^( *@.*)\n +", r"\1 ", text).splitlines()
        for text in (original, mutant)
    )
    diff = list(difflib.unified_diff(old, new, n=0, lineterm=""))[2:]
    pairs = enumerate(zip(old, new, strict=False))
    first = next((n for n, (a, b) in pairs if a != b), len(new))
    names = re.findall(
        r"(?m)^ *(?:@.* )?(?:def|class) (\w+)", "\n".join(old[: first + 1])
    )
    before, after = (
        " / ".join(line[1:].strip() for line in diff if line.startswith(sign))
        for sign in "-+"
    )
    return Difference(module, names[-1] if names else "module", before, after)


def equivalents() -> set[Difference]:
    known = tomllib.loads((ROOT / ".ci/equivalent_mutants.toml").read_text("utf-8"))
    return {
        Difference(each["module"], each["where"], each["before"], after)
        for each in known.get("mutant", [])
        for after in each["after"]
    }


def examine(module: str, enums: dict[str, list[str]]) -> Counter[str]:
    """Try all mutants of a module; report those that survive."""
    path = ROOT / (module.replace(".", "/") + ".py")
    source = path.read_text("utf-8")
    plain = ast.unparse(ast.parse(source))
    known = {each for each in equivalents() if each.module == module}
    unmet = set(known)
    limits = find_limits(module, source)
    counts: Counter[str] = Counter()
    for mutant in mutants_of(source, enums):
        change = difference(module, plain, mutant)
        if change in known:
            counts["equivalent"] += 1
            unmet.discard(change)
            continue
        outcome = outcome_of(module, mutant, limits)
        counts[outcome] += 1
        if outcome in {"survived", "cannot be imported"}:
            print(f"[mutants]   {outcome} {change}", flush=True)
    for change in unmet:  # the line was changed since
        print(f"[mutants]   this mutant no longer exists: {change}", flush=True)
    return counts


def line(name: str, counts: Counter[str]) -> str:
    killed = counts["killed"] + counts["hung"]
    tried = killed + counts["survived"]
    score = f"{100 * killed / tried:.1f} %" if tried else "-"
    return (
        f"{name:34} {tried:5} mutants {killed:5} killed {counts['survived']:4} survived"
        f" {counts['equivalent']:3} equivalent"
        f" {counts['cannot be imported']:3} not imported {score:>8}"
    )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="airssys-mutants-") as folder:
        copy_checkout(Path(folder))
        os.chdir(folder)
        sys.path.insert(0, folder)
        try_all(sys.argv[1:])


def try_all(wanted: Sequence[str]) -> None:
    """Try the mutants of all modules, or of those whose names contain a word."""
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
