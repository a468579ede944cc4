"""The tutorial and the pages on writing guests, followed step by step."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from pace import finished

from .core_modules import core_module
from .test_build import real_clang

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+) *\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page, kind="how-to"):
    return BLOCK.findall((ROOT / "docs" / kind / page).read_text("utf-8"))


def airssys_commands(page, kind="how-to"):
    shell = "".join(text for kind, text in blocks(page, kind) if kind == "sh")
    return [line.split() for line in shell.splitlines() if line.startswith("airssys ")]


def python(*arguments, folder, **env):
    environment = {n: v for n, v in os.environ.items() if n != "PYTHONSAFEPATH"}
    done = finished(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment | {"HOME": str(folder)} | env,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(tmp_path, built_before):
    pytest.importorskip("componentize_py")
    page = "first-topology.md", "tutorial"
    guest, app = (text for kind, text in blocks(*page) if kind == "python")
    assert len(guest.splitlines()) + len(app.split("async def")[0].splitlines()) < 20
    (tmp_path / "greeter.py").write_text(guest, "utf-8")
    (tmp_path / "app.py").write_text(app, "utf-8")
    build, check, tree = airssys_commands(*page)
    python("-m", *build, "--cache", str(built_before), folder=tmp_path)
    assert "no mistakes" in python("-m", *check, folder=tmp_path)
    assert "greeter (component)" in python("-m", *tree, folder=tmp_path)
    first, second, third = python("app.py", folder=tmp_path).splitlines()
    assert (first, third) == ("b'hello, world'", "b'hello, again'")
    assert second.startswith("it did not answer: its actor ended: GuestTrapped: ")
    assert "time limit (longer than 0.5 s (execution_time))" in second


@pytest.mark.slow
def test_the_python_guest_is_built_and_run_as_the_page_says(tmp_path, built_before):
    pytest.importorskip("componentize_py")
    page = "write-a-python-guest.md"
    guest, run = (text for kind, text in blocks(page) if kind == "python")
    (tmp_path / "guest").mkdir()
    (tmp_path / "guest/greeter.py").write_text(guest, "utf-8")
    (command,) = airssys_commands(page)
    python("-m", *command, "--cache", str(built_before), folder=tmp_path)
    assert (tmp_path / "guest-stubs/wit_world").is_dir()
    assert python("-c", run, folder=tmp_path) == "b'good morning, world'\n"


@pytest.mark.skipif(
    not real_clang(), reason="neither clang with wasm32 nor zig is here"
)
def test_the_c_guest_is_built_and_run_as_the_page_says(tmp_path):
    page = "write-a-c-or-rust-guest.md"
    shutil.copytree(ROOT / "examples/guests", tmp_path / "examples/guests")
    command = next(one for one in airssys_commands(page) if "shout.c" in one[2])
    python("-m", *command, folder=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    *_, run = (text for kind, text in blocks(page) if kind == "python")
    assert python("-c", run, folder=tmp_path) == "b'HELLO'\n"


def test_a_core_module_is_made_a_component_as_the_page_says(tmp_path):
    page = "write-a-c-or-rust-guest.md"
    commands = airssys_commands(page)
    assert ["airssys", "wit"] in commands
    (tmp_path / "core.wasm").write_bytes(core_module())
    command = next(one for one in commands if "core.wasm" in one)
    python("-m", *command, folder=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (tmp_path / command[-1]).is_file()
