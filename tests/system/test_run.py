"""Whole programs and signals, each in a process of its own."""

import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

import airssys
from pace import PATIENCE, unmeasured

PROGRAMS = Path(__file__).with_name("programs.py")
STARTED = ["start a", "start b"]
STOPPED = ["stopping b", "stop b", "stopping a", "stop a"]
SIGINT, SIGTERM = signal.SIGINT, signal.SIGTERM


@contextmanager
def program(way, tmp_path, *before):
    with subprocess.Popen(
        [*before, sys.executable, str(PROGRAMS), way],
        cwd=tmp_path,
        env=unmeasured(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process, wanted):
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if lines[-1] == wanted:
            return lines
    raise AssertionError(f"{wanted!r} never came: {lines} {process.stderr.read()}")


def ending(process):
    # Not `communicate`, which misses what `read_until` has read ahead.
    out, err = process.stdout.read(), process.stderr.read()
    return process.wait(PATIENCE), out.split("\n")[:-1], err


def assert_cut_off(out):
    """All was cancelled, except that the signal may have struck the code of an actor."""
    assert out in ([], ["cut off b"], ["stopping a", "cut off a"])


def test_the_exit_statuses():
    assert airssys.EXIT_OK == 0
    assert airssys.EXIT_GAVE_UP == 70
    assert airssys.EXIT_INTERRUPTED == 128 + SIGINT
    assert airssys.EXIT_TERMINATED == 128 + SIGTERM


def not_logged(err):
    """Leave out the warnings about children, which name them first."""
    logged = ("root/local/", "local/")
    return [line for line in err.splitlines() if not line.startswith(logged)]


def test_run_returns_what_main_returned(tmp_path):
    with program("answer", tmp_path) as process:
        status, out, err = ending(process)
    assert (status, out, err) == (0, [*STARTED, *STOPPED, "42"], "")


def test_run_lets_an_error_of_main_through(tmp_path):
    with program("fail", tmp_path) as process:
        status, out, err = ending(process)
    assert (status, out) == (1, [*STARTED, *STOPPED])
    assert err.rstrip().endswith("OSError: the body's own")
    assert "Exception Group" not in err


def test_run_exits_70_when_the_root_gave_up(tmp_path):
    with program("give-up", tmp_path) as process:
        status, out, err = ending(process)
    assert (status, out) == (70, [*STARTED, "stopping b", "stop b"])
    assert "the system gave up:\n  root: local/a/0 failed, restart 1" in err
    assert err.startswith("root/local/a/0 ended, crash (ValueError: on purpose)\n")
    # One for the actor that crashed, and none for the end of the program.
    assert err.count("Traceback") == 1
    assert err.index("Traceback") < err.index("the system gave up")


def test_a_main_that_cancels_itself_is_not_a_signal(tmp_path):
    with program("cancels-itself", tmp_path) as process:
        status, out, _ = ending(process)
    assert (status, out) == (0, [*STARTED, "ready", "went on", *STOPPED])


def test_run_works_in_a_thread(tmp_path):
    with program("in-thread", tmp_path) as process:
        status, out, _ = ending(process)
    assert (status, out) == (0, [*STARTED, *STOPPED, "42"])


@pytest.mark.parametrize(("number", "expected"), [(SIGINT, 130), (SIGTERM, 143)])
@pytest.mark.parametrize(("way", "line"), [("wait", "ready"), ("no-main", "start b")])
def test_a_signal_stops_the_tree_in_order(tmp_path, way, line, number, expected):
    with program(way, tmp_path) as process:
        read_until(process, line)
        process.send_signal(number)
        status, out, err = ending(process)
    assert (status, out, err) == (expected, STOPPED, "")


def test_a_signal_that_is_ignored_stays_so(tmp_path):
    """As for a program that a shell has started in the background."""
    ignoring = "sh", "-c", "trap '' INT; exec \"$@\"", "sh"
    with program("wait", tmp_path, *ignoring) as process:
        read_until(process, "ready")
        process.send_signal(SIGINT)
        process.send_signal(SIGTERM)
        status, out, err = ending(process)
    assert (status, out, err) == (143, STOPPED, "")


def test_a_signal_with_a_handler_in_c_is_left_to_it(monkeypatch):
    """What Python did not set and cannot put back: `getsignal` is None for it."""
    before, set_now = signal.getsignal, []

    def set_handler(number, handler, really=signal.signal):
        if number == SIGTERM:
            set_now.append(handler)
        return really(number, handler)

    def get_handler(number):
        return None if number == SIGTERM else before(number)

    monkeypatch.setattr(signal, "getsignal", get_handler)
    monkeypatch.setattr(signal, "signal", set_handler)

    async def main(_):
        return 42

    assert airssys.run(airssys.blueprint(), main) == 42
    assert set_now == []


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (SIGINT, SIGINT, 130),
        (SIGINT, SIGTERM, 130),
        (SIGTERM, SIGINT, 143),
        (SIGTERM, SIGTERM, 143),
    ],
)
def test_a_second_signal_cancels_everything_at_once(tmp_path, first, second, expected):
    with program("slow", tmp_path) as process:
        read_until(process, "ready")
        process.send_signal(first)
        assert read_until(process, "stopping b") == ["stopping b"]
        process.send_signal(second)
        status, out, err = ending(process)
    assert (status, not_logged(err)) == (expected, [])
    assert_cut_off(out)


def test_a_second_interrupt_breaks_a_handler_that_holds_the_thread(tmp_path):
    with program("spin", tmp_path) as process:
        read_until(process, "spinning")
        process.send_signal(SIGINT)
        # Two that come before the first is served count as one.
        assert read_until(process, "served") == ["served"]
        process.send_signal(SIGINT)
        status, out, err = ending(process)
    assert (status, "served" in out, not_logged(err)) == (130, False, [])


@pytest.mark.parametrize("way", ["plain", "plain-busy-body"])
def test_interrupting_a_plain_trio_program_stops_the_tree_in_order(tmp_path, way):
    with program(way, tmp_path) as process:
        read_until(process, "ready")
        process.send_signal(SIGINT)
        status, out, err = ending(process)
    assert (status, out) == (-SIGINT, STOPPED)
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert "Exception Group" not in err


def test_interrupting_a_plain_trio_program_twice_cancels_at_once(tmp_path):
    with program("plain-slow", tmp_path) as process:
        read_until(process, "ready")
        process.send_signal(SIGINT)
        read_until(process, "stopping b")
        process.send_signal(SIGINT)
        status, out, err = ending(process)
    assert status == -SIGINT
    assert_cut_off(out)
    assert "Exception Group" not in err


@pytest.mark.parametrize(
    ("way", "line"), [("plain-spin", "spinning"), ("plain-handler", "start b")]
)
def test_interrupting_a_handler_stops_the_others_in_order(tmp_path, way, line):
    with program(way, tmp_path) as process:
        read_until(process, line)
        if way == "plain-spin":
            process.send_signal(SIGINT)
        status, out, err = ending(process)
    assert (status, out) == (-SIGINT, ["stopping b", "stop b"])
    assert "Exception Group" not in err
