"""Runs the tests in several processes at once, and ends like one run of pytest.

Each process runs some of the files, and there is one for each processor, two at least:
with more, tests that measure time would wait for each other.

    python .ci/run_tests.py python -m coverage run -m pytest
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
LOGS: Final = ROOT / ".build"
PARTS: Final = min(max(os.cpu_count() or 1, 2), 12)
SECONDS: Final = {
    "building/test_build.py": 6,
    "building/test_python_guest.py": 25,
    "cli/test_run_program.py": 7,
    "contracts/test_blueprint.py": 6,
    "contracts/test_foreign.py": 6,
    "dsl/test_speed.py": 6,
    "examples/test_components.py": 4,
    "examples/test_documents.py": 20,
    "nursery/test_long_chains.py": 8,
    "nursery/test_supervision_model.py": 8,
    "cli/test_audit.py": 4,
    "security/test_fuzz.py": 4,
    "security/test_many_grants.py": 4,
    "system/test_accounts.py": 12,
    "system/test_faults.py": 6,
    "system/test_run.py": 5,
    "system/test_signals.py": 4,
    "system/test_user_objects.py": 12,
    "typed/test_wire.py": 6,
    "typing/test_typing.py": 15,
    "wasm/test_abi.py": 12,
    "wasm/test_torture.py": 70,
    "wasm/test_turns.py": 8,
    "wasm/test_values.py": 25,
}
"""How long the longest take on a quiet machine, more or less; any other file takes one."""

OTHER_LANE: Final = (
    "wasm/test_guest_fixtures.py",
    "wasm/test_host_faults.py",
    "wasm/test_host_functions.py",
    "wasm/test_instance.py",
    "wasm/test_limits.py",
    "wasm/test_malformed_values.py",
    "wasm/test_traps.py",
)
"""What is run once more, by wasmtime's component API: half a minute of processor time."""

CLOSING: Final = re.compile(r"^=+ (.*) in [0-9.]+s.*=+$")
COUNT: Final = re.compile(r"(\d+) ([a-z]+)")


def parts(number: int) -> list[list[str]]:
    """Share all files of tests out among `number` processes, the longest first."""
    folder = ROOT / "tests"
    names = sorted(str(each.relative_to(folder)) for each in folder.rglob("test_*.py"))
    names.sort(key=lambda name: SECONDS.get(name, 1), reverse=True)
    shares: list[list[str]] = [[] for _ in range(number)]
    seconds = [0] * number
    for name in names:
        shortest = seconds.index(min(seconds))
        shares[shortest].append(f"tests/{name}")
        seconds[shortest] += SECONDS.get(name, 1)
    return [share for share in shares if share]


def runs(number: int) -> list[list[str]]:
    """Return the arguments of each run: those of the parts, and of the other lane."""
    again = [f"tests/{name}" for name in OTHER_LANE]
    return [*parts(number), ["--lane", "wasmtime", *again]]


def counts(log: str) -> Counter[str]:
    """Read how the tests of one run ended; empty if it did not finish."""
    closings = [found[1] for line in log.splitlines() if (found := CLOSING.match(line))]
    sums: Counter[str] = Counter()
    for number, ending in COUNT.findall(closings[-1] if closings else ""):
        sums["error" if ending == "errors" else ending] += int(number)
    return sums


def main() -> int:
    """Run all parts, show their output, and end with the sums."""
    command, began = sys.argv[1:], time.monotonic()
    LOGS.mkdir(exist_ok=True)
    started = []
    for number, arguments in enumerate(runs(PARTS)):
        path = LOGS / f"pytest-{number}.log"
        with path.open("wb") as log:
            run = subprocess.Popen(
                [*command, *arguments], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )
        started.append((run, path))
    statuses = [run.wait() for run, _ in started]
    sums: Counter[str] = Counter()
    for _, path in started:
        output = path.read_text("utf-8", "replace")
        print(output, flush=True)
        sums += counts(output)
    took = time.monotonic() - began
    endings = ", ".join(f"{number} {ending}" for ending, number in sums.items())
    print(f"===== {endings} in {took:.2f}s =====", flush=True)
    return max(abs(status) for status in statuses)


if __name__ == "__main__":
    sys.exit(main())
