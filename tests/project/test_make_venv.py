"""The virtual environments of the Makefile: made once, by one process at a time."""

import fcntl
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci/make_venv.py"


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A project of its own, in which `pip` and `venv` only say what they were asked."""
    monkeypatch.delenv("CONSTRAINTS", raising=False)  # `make` sets that of its checkout
    for name, text in {
        "pyproject.toml": "[project]\n[build-system]\n[dependency-groups]\n",
        "requirements/constraints.txt": "trio==0.1\n",
        ".ci/make_venv.py": SCRIPT.read_text("utf-8"),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return MakeVenv(tmp_path)


class MakeVenv:
    def __init__(self, root):
        self.root = root
        self.constraints = root / "requirements/constraints.txt"
        self.stamp = root / ".venv/.airssys-stamp"
        self.done = []
        self.during = lambda: None
        self.error = None

    def __call__(self, *arguments):
        script = str(self.root / ".ci/make_venv.py")
        main = runpy.run_path(script, run_name="make_venv")["main"]
        main.__globals__["run"] = self._run
        main(".venv", [*arguments])

    def _run(self, command, advice):
        self.during()
        if self.error:
            sys.exit(self.error)
        if "venv" in command:
            (self.root / ".venv").mkdir(exist_ok=True)
        self.done.append(command[-1])


def test_what_is_there_is_not_touched(made):
    made("a")
    made("b")
    assert made.done == [str(made.root / ".venv"), "pip", "a", "b"]
    before = made.stamp.stat()
    made("a")
    made("b")
    after = made.stamp.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert len(made.done) == 4


def test_other_requirements_make_it_anew(made):
    made("a")
    made.constraints.write_text("trio==0.2\n", "utf-8")
    made("b")
    assert made.done[3:] == [str(made.root / ".venv"), "pip", "b"]


def test_what_could_not_be_installed_is_tried_again(made):
    made("a")
    made.error = "no index"
    with pytest.raises(SystemExit, match="no index"):
        made("b")
    made.error = None
    made("b")
    assert made.done[3:] == ["b"]


def test_a_second_process_waits_until_the_first_is_done(made):
    held = []

    def try_to_enter():
        with (made.root / ".build/.venv.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(True)

    made.during = try_to_enter
    made("a")
    assert held == [True] * 3


def test_two_at_once_leave_alone_what_is_there(made, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # if this fails, pip must reach nothing
    made("a")
    before = made.stamp.read_text("utf-8")
    again = [sys.executable, str(made.root / ".ci/make_venv.py"), ".venv", "a"]
    for _ in range(20):
        both = [subprocess.Popen(again, stdout=subprocess.PIPE) for _ in range(2)]
        assert [each.communicate()[0] for each in both] == [b"", b""]
    assert made.stamp.read_text("utf-8") == before
