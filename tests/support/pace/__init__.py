"""Time in tests: whether work grows in proportion, whatever the machine is busy with.

A bound in seconds tests the machine as well as the code. Quadratic work betrays itself
without one: ten times as much of it takes a hundred times as long. Waiting for others
is counted in passes of Trio's scheduler. What must have a bound in seconds is measured by
a clock that stands still while the machine is busy with something else.
"""

import gc
import os
import resource
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio

T = TypeVar("T")

PATIENCE = 240.0
"""Seconds that a test waits for what must come, on however busy a machine.

Fewer than `faulthandler_timeout` in pyproject.toml, so that the test says what never came.
"""

_ROUNDS = 3
_THREADS = Path("/proc/self/task")
"""Of Linux: a folder for each thread. Its `schedstat` has the nanoseconds for which the
thread ran, and for which it was ready to and did not."""


class Stopwatch:
    """Seconds since it was made, but for the machine's doing; of one thread.

    It leaves out the time in which this thread was ready to run and others had the
    processor. A thread can also wait for another one of this program which the machine
    has put aside, one that holds Python's lock for instance. So of the time in which this
    thread waited for anything else, the longest time is left out that one of the others
    waited for a processor. On a quiet machine that is next to nothing; where the system
    does not count it, this is a plain clock.
    """

    def __init__(self) -> None:
        self._waits = _waits_for_processor()
        self._ran = time.thread_time()
        self._began = time.perf_counter()

    def seconds(self) -> float:
        """Return the seconds so far."""
        passed = time.perf_counter() - self._began
        return passed - self._late(passed)

    def late(self) -> float:
        """Return the seconds so far that were the machine's doing."""
        return self._late(time.perf_counter() - self._began)

    def _late(self, passed: float) -> float:
        waits = {
            thread: waited - self._waits.get(thread, 0.0)
            for thread, waited in _waits_for_processor().items()
        }
        own = waits.pop(str(threading.get_native_id()), 0.0)
        waited_else = max(passed - own - (time.thread_time() - self._ran), 0.0)
        return own + min(max(waits.values(), default=0.0), waited_else)


def _waits_for_processor() -> dict[str, float]:
    """Seconds that each thread of this process was ready to run so far, and did not."""
    try:
        threads = [folder.name for folder in _THREADS.iterdir()]
    except OSError:
        return {}
    return {thread: waited_for_processor(_THREADS / thread) for thread in threads}


def waited_for_processor(thread: Path = Path("/proc/thread-self")) -> float:
    """Seconds that a thread was ready to run so far, while others ran; 0 if unknown."""
    try:
        return int((thread / "schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def processor_seconds(pid: int) -> float:
    """Processor seconds that a process has used so far; of Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def finished(
    command: Sequence[str], *, seconds: int = 60, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, and fail if it does not come.

    What it may use is `seconds` of a processor, because how long that takes is a matter of
    what else the machine does; SIGXCPU ends it then. One that waits for what never comes
    uses none, and is killed after `PATIENCE`. The other options are those of `Popen`; unless
    they have an `env` it is `unmeasured()`, since to measure coverage would take as long as
    what most of them do.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        command, **pipes | {"env": unmeasured()} | options
    ) as process:
        if hasattr(resource, "prlimit"):  # of Linux
            limits = seconds, resource.RLIM_INFINITY
            resource.prlimit(process.pid, resource.RLIMIT_CPU, limits)
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"hung: {out}\n{err}"[-4000:])
        finally:
            process.kill()
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def without_progress(stderr: str) -> str:
    """What a program complained of: not that compiling takes a while, on a busy machine."""
    lines = stderr.splitlines(keepends=True)
    return "".join(line for line in lines if ": this takes a while, " not in line)


def unmeasured() -> dict[str, str]:
    """Return an environment in which a program's coverage is not measured.

    For programs that are struck by KeyboardInterrupt anywhere: coverage takes a lock for
    each new file, and does not give it back if it is interrupted there.
    """
    starting = "COVERAGE_PROCESS_"
    return {n: text for n, text in os.environ.items() if not n.startswith(starting)}


def seconds_taken(work: Callable[[], object]) -> float:
    """Processor seconds of this thread for one run, the least of a few."""
    least = float("inf")
    gc.collect()
    gc.disable()
    try:
        for _ in range(_ROUNDS):
            began = time.thread_time()
            work()
            least = min(least, time.thread_time() - began)
    finally:
        gc.enable()
    return least


def growth(
    prepare: Callable[[int], Callable[[], object]], few: int, many: int
) -> float:
    """How much longer each item takes among `many` than among `few`: 1 if linear.

    `prepare` is given a number of items and returns the work on them, which is run
    several times; what it does itself is not timed.
    """
    each_of_few = seconds_taken(prepare(few)) / few
    return seconds_taken(prepare(many)) / many / each_of_few


class _Passes(trio.abc.Instrument):
    count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


async def passes_of(work: Callable[[], Awaitable[T]]) -> tuple[T, int]:
    """What came of some work, and how many passes of Trio's scheduler went by."""
    passes = _Passes()
    trio.lowlevel.add_instrument(passes)
    try:
        return await work(), passes.count
    finally:
        trio.lowlevel.remove_instrument(passes)
