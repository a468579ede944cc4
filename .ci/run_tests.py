"""Runs the tests in several processes at once, and ends like one run of pytest.

Each share of the files is run by one process after another, and there is a share for each
processor, two at least: with more, tests that measure time would wait for each other. Beside
other programs that want the processors there are three for each.

Of tests that search at random coverage is not measured, unless they are marked `measured`,
nor of those marked `unmeasured`: it makes what they repeat take twice as long.
So each share has two runs, and the last one a third, on the lane that is not the default.

    python .ci/run_tests.py python -m coverage run -m pytest
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
LOGS: Final = ROOT / ".build"
PROCESSORS: Final = max(os.cpu_count() or 1, 2)
MOST: Final = 12
"""Processes at once."""
SECONDS: Final = {
    "building/test_build.py": 4,
    "building/test_python_guest.py": 42,
    "cli/test_audit.py": 3,
    "cli/test_commands.py": 3,
    "cli/test_run_program.py": 5,
    "contracts/test_blueprint.py": 2,
    "contracts/test_foreign.py": 2,
    "dsl/test_speed.py": 2,
    "examples/test_components.py": 3,
    "examples/test_documents.py": 23,
    "messaging/test_scale.py": 3,
    "messaging/test_waits.py": 2,
    "nursery/test_long_chains.py": 2,
    "nursery/test_otp_suite.py": 5,
    "nursery/test_overload.py": 3,
    "nursery/test_supervision_model.py": 8,
    "security/test_fuzz.py": 2,
    "security/test_many_grants.py": 3,
    "project/test_make_venv.py": 5,
    "project/test_trio_is_public.py": 2,
    "security/test_capabilities.py": 3,
    "security/test_gates.py": 2,
    "security/test_manifest.py": 4,
    "security/test_quota_gates.py": 3,
    "system/test_accounts.py": 8,
    "system/test_bad_messages.py": 27,
    "system/test_cancelled_asks.py": 3,
    "system/test_faults.py": 4,
    "system/test_run.py": 9,
    "system/test_signals.py": 5,
    "system/test_traces.py": 11,
    "system/test_user_objects.py": 6,
    "typing/test_typing.py": 6,
    "wasm/test_abi.py": 4,
    "wasm/test_adapters.py": 2,
    "wasm/test_any_world.py": 14,
    "wasm/test_artifact_cache.py": 10,
    "wasm/test_beside_memories.py": 6,
    "wasm/test_components.py": 3,
    "wasm/test_guest_fixtures.py": 7,
    "wasm/test_guest_resources.py": 3,
    "wasm/test_host_functions.py": 5,
    "wasm/test_kept_for_guests.py": 4,
    "wasm/test_lanes.py": 3,
    "wasm/test_loader.py": 4,
    "wasm/test_loader_fuzz.py": 3,
    "wasm/test_torture.py": 110,
    "wasm/test_traps.py": 8,
    "wasm/test_turns.py": 4,
    "wasm/test_values.py": 12,
    "wasm/test_wasi.py": 3,
}
"""How long the longest take on a quiet machine, more or less."""
OTHERS: Final = 0.5
"""Seconds that any other file takes."""

OTHER_LANE: Final = (
    "wasm/test_guest_fixtures.py",
    "wasm/test_host_faults.py",
    "wasm/test_host_functions.py",
    "wasm/test_instance.py",
    "wasm/test_limits.py",
    "wasm/test_malformed_values.py",
    "wasm/test_traps.py",
)
"""What is run once more, by wasmtime's component API."""
OTHER_LANE_SECONDS: Final = 20

UNMEASURED: Final = "(hypothesis and not measured) or unmeasured"
"""The tests whose coverage is not measured, in the words of pytest's `-m`."""
MENTIONED: Final = re.compile("hypothesis|unmeasured")
"""What a file with such tests mentions."""
NO_TESTS: Final = 5
"""The status of pytest when it has run no test."""

CLOSING: Final = re.compile(r"^=+ (.*) in [0-9.]+s.*=+$")
COUNT: Final = re.compile(r"(\d+) ([a-z]+)")


def wanted_parts(running: list[int]) -> int:
    """Return how many processes to use: one for each processor, or three if it is busy.

    A busy machine divides its processors among all that want them, so more processes get
    more of it. The static checks beside the tests may have one for each processor, too.

    Args:
        running: How many threads ran, or waited for a processor, now and then.
    """
    is_busy = median(running) > 2 * PROCESSORS + 1
    return min(PROCESSORS * (3 if is_busy else 1), MOST)


def observed() -> list[int]:
    """Observe for a second how many threads run."""
    running = []
    for _ in range(9):
        running.append(threads_that_run())
        time.sleep(0.1)  # noqa: TID251  # Trio does not run here
    return running


def threads_that_run() -> int:
    """Return how many threads run or wait for a processor; 0 if that is not known."""
    try:
        return int(Path("/proc/loadavg").read_text("ascii").split()[3].split("/")[0])
    except (OSError, ValueError, IndexError):
        return 0


class Run(NamedTuple):
    """One run of pytest."""

    measured: bool
    """Whether its coverage counts."""
    arguments: list[str]


def parts(number: int) -> list[list[str]]:
    """Share all files of tests out among `number` processes, the longest first."""
    folder = ROOT / "tests"
    names = sorted(str(each.relative_to(folder)) for each in folder.rglob("test_*.py"))
    names.sort(key=lambda name: SECONDS.get(name, OTHERS), reverse=True)
    shares: list[list[str]] = [[] for _ in range(number)]
    seconds = [*[0.0] * (number - 1), OTHER_LANE_SECONDS]
    for name in names:
        shortest = seconds.index(min(seconds))
        shares[shortest].append(f"tests/{name}")
        seconds[shortest] += SECONDS.get(name, OTHERS)
    return shares


def shares(number: int) -> list[list[Run]]:
    """Return the runs of each share, in their order."""
    found = []
    for files in parts(number):
        random = [f for f in files if MENTIONED.search((ROOT / f).read_text("utf-8"))]
        share = [Run(measured=True, arguments=["-m", f"not ({UNMEASURED})", *files])]
        if random:
            share.append(Run(measured=False, arguments=["-m", UNMEASURED, *random]))
        found.append(share)
    again = [f"tests/{name}" for name in OTHER_LANE]
    found[-1].append(Run(measured=True, arguments=["--lane", "wasmtime", *again]))
    return found


def without_coverage(command: list[str]) -> list[str]:
    """Leave out of a command what measures coverage, if it is there."""
    measuring = ["-m", "coverage", "run"]
    starts = (n for n in range(len(command)) if command[n : n + 3] == measuring)
    at = next(starts, len(command))
    return command[:at] + command[at + 3 :]


def counts(log: str) -> Counter[str]:
    """Read how the tests of one run ended; empty if it did not finish."""
    closings = [found[1] for line in log.splitlines() if (found := CLOSING.match(line))]
    sums: Counter[str] = Counter()
    for number, ending in COUNT.findall(closings[-1] if closings else ""):
        sums["error" if ending == "errors" else ending] += int(number)
    return sums


def run_share(
    number: int, share: list[Run], command: list[str]
) -> list[tuple[int, str]]:
    """Run what is in a share, one after the other; returns statuses and outputs."""
    endings = []
    for order, (measured, arguments) in enumerate(share):
        words = command if measured else without_coverage(command)
        path = LOGS / f"pytest-{number}-{order}.log"
        with path.open("wb") as log:
            status = subprocess.call(
                [*words, *arguments], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )
        if status == NO_TESTS and not measured:
            status = 0  # its files mention what marks such tests, and have none
        endings.append((status, path.read_text("utf-8", "replace")))
    return endings


def main() -> int:
    """Run all shares, show their output, and end with the sums."""
    command, began = sys.argv[1:], time.monotonic()
    LOGS.mkdir(exist_ok=True)
    number_of_parts = wanted_parts(observed())
    with ThreadPoolExecutor(number_of_parts) as threads:
        started = [
            threads.submit(run_share, number, share, command)
            for number, share in enumerate(shares(number_of_parts))
        ]
        endings = [ending for each in started for ending in each.result()]
    sums: Counter[str] = Counter()
    for _, output in endings:
        print(output, flush=True)
        sums += counts(output)
    del sums["deselected"]  # most are, in another run
    took = time.monotonic() - began
    words = ", ".join(f"{number} {ending}" for ending, number in sums.items())
    print(f"===== {words} in {took:.2f}s =====", flush=True)
    return max(abs(status) for status, _ in endings)


if __name__ == "__main__":
    sys.exit(main())
