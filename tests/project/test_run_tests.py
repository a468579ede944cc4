"""How the gate runs the tests: all of them, in processes that take about as long."""

import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from airssys.contracts import EngineSettings
from pace import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
STRESSED = ROOT / ".ci/stressed.py"


@pytest.fixture(scope="module")
def runner():
    return runpy.run_path(str(ROOT / ".ci/run_tests.py"), run_name="run_tests")


@pytest.mark.parametrize("number", [1, 2, 6, 500])
def test_each_file_is_in_one_part(runner, number):
    shared_out = [file for part in runner["parts"](number) for file in part]
    files = (ROOT / "tests").rglob("test_*.py")
    assert sorted(shared_out) == sorted(str(each.relative_to(ROOT)) for each in files)


def test_no_part_waits_for_another_for_long(runner):
    seconds = runner["SECONDS"]
    sums = [
        sum(seconds.get(file.removeprefix("tests/"), runner["OTHERS"]) for file in part)
        for part in runner["parts"](4)
    ]
    sums[-1] += runner["OTHER_LANE_SECONDS"]
    assert max(sums) - min(sums) <= 1 or max(sums) == max(seconds.values())


def test_a_busy_machine_runs_more_at_once(runner):
    wanted, processors = runner["wanted_parts"], runner["PROCESSORS"]
    checks = processors + 1
    assert wanted([0] * 9) == min(processors, runner["MOST"])
    assert wanted([checks] * 9) == min(processors, runner["MOST"])
    assert wanted([50] * 4 + [checks] * 5) == min(processors, runner["MOST"])
    assert wanted([6 + checks + processors] * 9) == min(3 * processors, runner["MOST"])


def test_the_threads_that_run_are_counted(runner):
    assert all(number >= 0 for number in runner["observed"]())


@pytest.mark.parametrize("names", ["SECONDS", "OTHER_LANE"])
def test_the_files_that_are_named_exist(runner, names):
    missing = [name for name in runner[names] if not (ROOT / "tests" / name).exists()]
    assert missing == []


def test_the_last_run_is_on_the_other_lane(runner):
    *_, again = runner["shares"](3)[-1]
    assert again.measured
    assert again.arguments[:2] == ["--lane", "wasmtime"]
    assert attrs.fields(EngineSettings).lane.default == "own"
    assert again.arguments[2:] == [f"tests/{name}" for name in runner["OTHER_LANE"]]


def test_each_test_is_run_once_with_its_coverage_measured_or_not(runner):
    unmeasured = runner["UNMEASURED"]
    for part, share in zip(runner["parts"](3), runner["shares"](3), strict=True):
        assert share[0] == (True, ["-m", f"not ({unmeasured})", *part])
        assert share[1].arguments[:2] == ["-m", unmeasured]
        assert not share[1].measured
        others = set(part) - set(share[1].arguments)
        texts = [(ROOT / name).read_text("utf-8") for name in others]
        assert not any("import given" in t or "mark.unmeasured" in t for t in texts)


def test_what_measures_coverage_is_left_out(runner):
    command = ["python", "-m", "coverage", "run", "-m", "pytest"]
    assert runner["without_coverage"](command) == ["python", "-m", "pytest"]
    assert runner["without_coverage"](["pytest"]) == ["pytest"]


def test_the_sums_are_those_of_all_parts(runner):
    log = "==== 3 passed, 2 errors, 1 deselected in 1.00s (0:00:01) ====\n"
    assert runner["counts"](log) == {"passed": 3, "error": 2, "deselected": 1}
    assert runner["counts"]("Fatal Python error: Aborted\n") == {}


def loops_of(pid):
    """The processes that a process has started and that still run."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]


def is_running(pid):
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_busy_loops_end_with_what_started_them(number):
    command = [sys.executable, "-c", "print('begun', flush=True); input()"]
    options = ["--loops", "2", "--times", "1"]
    with subprocess.Popen(
        [sys.executable, str(STRESSED), *options, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout.readline() == b"begun\n"
        children = loops_of(process.pid)
        assert len(children) == 3
        process.send_signal(number)
        process.stdin.close()
        process.wait(PATIENCE)
    assert all(ends(child) for child in children)


def ends(pid):
    """Wait until a process that is not ours has ended."""
    while is_running(pid):
        os.sched_yield()
    return True


@pytest.mark.parametrize(("code", "status"), [("0", 0), ("3", 1)])
def test_a_run_that_fails_beside_busy_loops_is_a_failure(code, status):
    options = ["--loops", "1", "--times", "2", sys.executable, "-c", f"exit({code})"]
    done = subprocess.run(
        [sys.executable, str(STRESSED), *options], capture_output=True, text=True
    )
    assert done.returncode == status, done.stderr
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == [
        f"[airssys] run {number} of 2 beside 1 loops: status {code}"
        for number in (1, 2)
    ]


@pytest.mark.parametrize(
    ("status", "measured", "counts"),
    [(0, True, 0), (1, True, 1), (1, False, 1), (5, True, 5), (5, False, 0)],
)
def test_only_a_run_without_coverage_may_have_no_tests(
    runner, monkeypatch, tmp_path, status, measured, counts
):
    monkeypatch.setitem(runner["run_share"].__globals__, "LOGS", tmp_path)
    command = [sys.executable, "-c", f"print('ran'); raise SystemExit({status})"]
    share = [runner["Run"](measured=measured, arguments=["-m", "x"])]
    assert runner["run_share"](0, share, command) == [(counts, "ran\n")]
