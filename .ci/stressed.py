"""Runs a command several times beside busy loops, and says how long it took each time.

    python .ci/stressed.py make test

A test that depends on the speed of the machine passes on a quiet one and fails here. The
loops belong to the session of the command, because Linux shares the processors between
sessions first: beside loops of another session it would be hurt less. They end with this
program, also if it is killed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Final

LOOP: Final = "import os\nwhile os.getppid() == {0}: sum(range(100_000))"
LIMIT: Final = 15 * 60
"""Seconds that each run may take: what `make test` needs beside six loops on two processors."""


def run_beside(loops: int, command: list[str]) -> tuple[int, float]:
    """Run a command beside busy loops; return its status and how many seconds it took."""
    loop = [sys.executable, "-c", LOOP.format(os.getpid())]
    with ExitStack() as stack:
        for _ in range(loops):
            process = stack.enter_context(subprocess.Popen(loop))
            stack.callback(process.kill)
        began = time.monotonic()
        return subprocess.call(command), time.monotonic() - began


def main() -> int:
    """Run the command as often as wanted; 1 if it failed or took too long once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loops", type=int, default=6, help="busy loops (6)")
    parser.add_argument("--times", type=int, default=3, help="runs in a row (3)")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    failed = False
    for number in range(1, options.times + 1):
        status, took = run_beside(options.loops, options.command)
        failed |= status != 0 or took > LIMIT
        print(
            f"[airssys] run {number} of {options.times} beside {options.loops} loops: "
            f"status {status}, {took:.0f} s of at most {LIMIT}",
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
