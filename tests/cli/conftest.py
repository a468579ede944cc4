"""The command in this process, and a folder with a module of the user's."""

import math
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner

from airssys.cli import main
from airssys.cli.commands import _inspect
from airssys.wasm.loading import _component_loader

SHOUT = Path(__file__).resolve().parents[2] / "examples" / "shout.wat"
APP = f"""
    from airssys import actor, blueprint, component, supervisor, topology

    @component({str(SHOUT)!r}, restart="transient")
    class Shout:
        "Answers louder."

    @actor
    async def greet(context, envelope): ...

    @supervisor(restarts=5, period=10)
    class Workers:
        greeter = greet
        second = actor("team/second/2", greet)

    @topology
    class App:
        shout = Shout
        workers = Workers

    built = blueprint(actor("a", greet))

    class outer:
        App = App
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to be in; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    (tmp_path / "app.py").write_text(dedent(APP), "utf-8")
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def write(folder):
    def write(name, text):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text), "utf-8")
        return path

    return write


@pytest.fixture(autouse=True)
def quick_enough(monkeypatch):
    """No command says that compiling takes a while, however busy the machine is."""
    monkeypatch.setattr(_component_loader, "SLOW_AFTER", math.inf)
    monkeypatch.setattr(_inspect, "_SLOW_AFTER", math.inf)


@pytest.fixture
def airssys(folder):
    def airssys(*arguments):
        return CliRunner().invoke(main, arguments, catch_exceptions=False)

    return airssys
