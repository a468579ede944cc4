"""Runs the tests in two processes at once, and ends like one run of pytest.

The tests of guests and of building them take about as long as all others. Everything in
`tests` that is not named here belongs to the others, so that nothing is left out.

    python .ci/run_tests.py python -m coverage run -m pytest
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
LOGS: Final = ROOT / ".build"
OF_GUESTS: Final = ("building", "cli", "wasm")
CLOSING: Final = re.compile(r"^=+ (.*) in [0-9.]+s.*=+$")
COUNT: Final = re.compile(r"(\d+) ([a-z]+)")


def halves() -> tuple[list[str], list[str]]:
    """Return the folders of both halves."""
    folders = sorted(path.name for path in (ROOT / "tests").iterdir() if path.is_dir())
    others = [name for name in folders if name not in (*OF_GUESTS, "__pycache__")]
    return [f"tests/{name}" for name in OF_GUESTS], [f"tests/{name}" for name in others]


def counts(log: str) -> Counter[str]:
    """Read how the tests of one run ended; empty if it did not finish."""
    closings = [found[1] for line in log.splitlines() if (found := CLOSING.match(line))]
    sums: Counter[str] = Counter()
    for number, ending in COUNT.findall(closings[-1] if closings else ""):
        sums["error" if ending == "errors" else ending] += int(number)
    return sums


def main() -> int:
    """Run both halves, show their output, and end with the sums."""
    command, began = sys.argv[1:], time.monotonic()
    LOGS.mkdir(exist_ok=True)
    runs = []
    for number, folders in enumerate(halves()):
        path = LOGS / f"pytest-{number}.log"
        with path.open("wb") as log:
            run = subprocess.Popen(
                [*command, *folders], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )
        runs.append((run, path))
    statuses = [run.wait() for run, _ in runs]
    sums: Counter[str] = Counter()
    for _, path in runs:
        said = path.read_text("utf-8", "replace")
        print(said, flush=True)
        sums += counts(said)
    took = time.monotonic() - began
    endings = ", ".join(f"{number} {ending}" for ending, number in sums.items())
    print(f"===== {endings} in {took:.2f}s =====", flush=True)
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main())
