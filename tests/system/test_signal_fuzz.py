"""One to three signals at any moment between the start of a process and its end.

What comes before the program's first line is Python's own matter, and so is what comes
before `run` is called. From there on the status is the documented one, and nothing of
ours is on stderr. `SIGNAL_RUNS` says how many processes the slow test starts, 500 if it
is not set; a failure names the seed.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest

from pace import PATIENCE, unmeasured

PROGRAM = Path(__file__).with_name("signalled.py")
NOT_YET = 99
NUMBERS = (signal.SIGINT, signal.SIGTERM)
WAYS = ["run", "command", "plain"]
BATCH = 20
RUNS = int(os.environ.get("SIGNAL_RUNS", "500"))
OURS = ("TrioInternalError", "Exception Group", "never awaited", "RunFinishedError")
NEXT_SIGNAL = 10.0
"""Seconds after which a signal that may have been lost is followed by another one."""


@attrs.frozen
class Run:
    """How one process was struck, and how it ended."""

    way: str
    sent: list
    status: int
    out: bytes
    err: str

    @property
    def is_ours(self):
        """It had come so far that we answer for it."""
        return b"b" in self.out and self.status != NOT_YET

    def problem(self):
        if not self.is_ours:
            return None
        if self.way == "plain":
            expected = {-number for number in self.sent}
            is_loud = any(word in self.err for word in OURS)
        else:
            expected = {128 + number for number in self.sent}
            is_loud = "Traceback" in self.err or "Exception" in self.err
            # Python may say on its own that it was interrupted, and go on.
            is_loud &= "airssys" in self.err or PROGRAM.name in self.err
        if self.status not in expected or is_loud:
            return self
        return None


def strike(way, folder, rng):
    """Start a program, and send signals at moments of chance."""
    sent = rng.choices(NUMBERS, k=rng.randint(1, 3))
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), way, str(folder)],
        cwd=folder,
        env=unmeasured(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            stage, seen = wait_for_a_moment(process, rng)
            for number in sent:
                time.sleep(rng.choice([0, 0, 10 ** rng.uniform(-6, -1.5)]))  # noqa: TID251
                process.send_signal(number)
            out, err = end(process, sent, may_be_lost=stage == "" or way == "plain")
        finally:
            process.kill()
    return Run(way, sent, process.returncode, seen + out, err.decode())


def end(process, sent, *, may_be_lost):
    """Wait for the end of a process.

    Python drops a KeyboardInterrupt that strikes some steps of its own start, and
    CPython 3.11 may serve a signal only with the next one. Where that is not our matter,
    that next one is sent.
    """
    try:
        return process.communicate(timeout=NEXT_SIGNAL if may_be_lost else PATIENCE)
    except subprocess.TimeoutExpired:
        if not may_be_lost:
            raise
        sent.append(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        return process.communicate(timeout=PATIENCE)


STAGES = {"": 0.05, "b": 1.0, "bo": 0.3, "bor": 0.03}
"""What it has written, and for how many seconds it stays so, more or less."""


def wait_for_a_moment(process, rng):
    """Wait until it has come so far, and a moment longer; return how far."""
    stage = rng.choice(list(STAGES))
    seen = b"".join(os.read(process.stdout.fileno(), 1) for _ in stage)
    time.sleep(rng.uniform(0, STAGES[stage]))  # noqa: TID251  # no Trio here
    return stage, seen


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(-(-RUNS // BATCH)))
def test_signals_at_any_moment(tmp_path, seed):
    rng = random.Random(seed)
    runs = [strike(rng.choice(WAYS), tmp_path, rng) for _ in range(BATCH)]
    assert [run.problem() for run in runs if run.problem()] == []
    assert any(run.is_ours for run in runs)
