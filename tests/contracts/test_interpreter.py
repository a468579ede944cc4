"""A Python without its global interpreter lock is refused, with what to do."""

import sys

import pytest

from airssys.contracts import check_interpreter
from pace import finished


@pytest.mark.parametrize("is_locked", [lambda: True, None])
def test_a_python_with_the_lock_is_fine(monkeypatch, is_locked):
    if is_locked is None:
        monkeypatch.delattr(sys, "_is_gil_enabled", raising=False)  # before 3.13
    else:
        monkeypatch.setattr(sys, "_is_gil_enabled", is_locked, raising=False)
    check_interpreter()


def test_without_the_lock_nothing_of_airssys_can_be_imported():
    program = "import sys; sys._is_gil_enabled = lambda: False; import airssys"
    command = [sys.executable, "-c", program]
    done = finished(command)
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert error.startswith(
        "ImportError: airssys needs Python's global interpreter lock"
    )
    assert "PYTHON_GIL=1" in error
