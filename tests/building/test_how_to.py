"""The pages on writing guests, followed step by step."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .core_modules import core_module
from .test_build import real_clang

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+) *\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page):
    return BLOCK.findall((ROOT / "docs/how-to" / page).read_text("utf-8"))


def airssys_commands(page):
    shell = "".join(text for kind, text in blocks(page) if kind == "sh")
    return [line.split() for line in shell.splitlines() if line.startswith("airssys ")]


def python(*arguments, folder, **env):
    environment = {n: v for n, v in os.environ.items() if n != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment | {"HOME": str(folder)} | env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


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
    (run,) = (text for kind, text in blocks(page) if kind == "python")
    assert python("-c", run, folder=tmp_path) == "b'HELLO'\n"


def test_a_core_module_is_made_a_component_as_the_page_says(tmp_path):
    page = "write-a-c-or-rust-guest.md"
    commands = airssys_commands(page)
    assert ["airssys", "wit"] in commands
    (tmp_path / "core.wasm").write_bytes(core_module())
    command = next(one for one in commands if "core.wasm" in one)
    python("-m", *command, folder=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (tmp_path / command[-1]).is_file()
