"""`airssys run`, `check` and `tree`, up to their exit statuses."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

import airssys as library
from pace import PATIENCE

from .conftest import SHOUT

GUESTS = Path(__file__).resolve().parents[1] / "guests"
WRONG = """
    from airssys import actor, component, topology

    @actor(mailbox=0)
    async def greet(context, envelope): ...

    @topology(stop_timeout=-1)
    class App:
        gone = component("gone.wasm")
        greeter = greet
        other = 3
"""
REFUSED = f"""
    from airssys import component, topology

    @topology
    class App:
        wasi = component({str(GUESTS / "wasi-import.wat")!r})
        shout = component({str(SHOUT)!r})
        broken = component({str(GUESTS / "malformed.wat")!r})
        again = component({str(GUESTS / "wasi-import.wat")!r})
"""
CRASHING = """
    from airssys import actor, topology

    @actor
    class Crashing:
        async def started(self, context):
            raise ValueError("not today")

        async def handle(self, context, envelope): ...

    @topology
    class App:
        crashing = Crashing
"""


def test_a_good_definition_has_no_mistakes(airssys):
    done = airssys("check", "app:App")
    assert done.exit_code == 0
    assert done.stdout == "no mistakes: 3 actors, 1 component, 2 supervisors\n"


def test_check_prints_all_mistakes_in_the_order_of_lines(airssys, write):
    path = write("wrong.py", WRONG)
    done = airssys("check", "wrong:App")
    assert (done.exit_code, done.stdout) == (1, "")
    *lines, count = done.stderr.splitlines()
    assert count == "4 mistakes"
    places = [line.removeprefix(f"{path}:").partition(": ")[0] for line in lines]
    assert places == ["4", "7", "9", "11"]
    assert "[App.greeter.mailbox] (write a whole number of 1 or more)" in lines[0]
    assert f"there is no {path.with_name('gone.wasm')}" in lines[2]


@pytest.mark.parametrize("command", ["run", "tree"])
def test_the_other_commands_refuse_a_wrong_definition_too(airssys, write, command):
    write("wrong.py", WRONG)
    done, checked = airssys(command, "wrong:App"), airssys("check", "wrong:App")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == checked.stderr


def test_check_looks_for_the_files_of_a_blueprint_too(airssys, write):
    write("plain.py", "from airssys import *\nB = blueprint(component('a', 'b.wasm'))")
    done = airssys("check", "plain:B")
    assert done.exit_code == 1
    assert "plain.py:2: there is no " in done.stderr


def test_check_loads_components_if_asked_to(airssys, write):
    path = write("refused.py", REFUSED)
    assert airssys("check", "refused:App").exit_code == 0
    done = airssys("check", "--load", "refused:App")
    assert (done.exit_code, done.stdout) == (1, "")
    first, second, *quoted, count = done.stderr.splitlines()
    assert first.startswith(f"{path}:6: ")
    assert "--stub-wasi" in first
    assert "[App.wasi.artifact]" in first
    assert second.startswith(f"{path}:8: ")
    assert quoted[-1].strip(" |") == "^"
    assert count == "2 mistakes"


def test_components_that_load_are_not_a_mistake(airssys, folder):
    done = airssys("check", "--load", "--cache", str(folder / "cache"), "app:App")
    assert (done.exit_code, done.stderr) == (0, "")
    assert list((folder / "cache").iterdir())


@pytest.mark.parametrize("command", [["check", "--load"], ["run"]])
def test_a_cache_that_others_can_write_to_is_refused(airssys, folder, command):
    cache = folder / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    done = airssys(*command, "--cache", str(cache), "app:App")
    assert (done.exit_code, done.stdout) == (1, "")
    assert str(cache) in done.stderr
    assert "Traceback" not in done.stderr


def test_run_reports_all_components_that_were_refused(airssys, write):
    write("refused.py", REFUSED)
    done = airssys("run", "refused:App")
    assert done.exit_code == 1
    assert "wasi-import.wat" in done.stderr
    assert "malformed.wat" in done.stderr


def test_a_system_that_does_not_start_ends_with_its_status(airssys, write):
    write("crashing.py", CRASHING)
    done = airssys("run", "crashing:App")
    assert done.exit_code == library.EXIT_GAVE_UP
    assert "did not start" in done.stderr


def test_tree_draws_what_was_declared(airssys):
    done = airssys("tree", "app:App")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "root (supervisor) one-for-one, 3 restarts in 60 s",
        f"├─ shout (component) {SHOUT}, transient",
        "└─ workers (supervisor) one-for-one, 5 restarts in 10 s",
        "   ├─ greeter (actor) app.greet",
        "   └─ team/second/2 (actor) app.greet",
    ]


POOLS = """
    from airssys import actor, blueprint, pool

    async def work(context, envelope): ...

    App = blueprint(
        pool("four", actor("w", work, restart="permanent"), size=4),
        pool("some", work, size={"maximum": 9}, routing="least-mailbox"),
    )
"""


def test_tree_says_how_many_members_a_pool_has(airssys, write):
    write("pools.py", POOLS)
    done = airssys("tree", "pools:App")
    assert done.stdout.splitlines()[1:] == [
        "├─ four (pool) round-robin, 4 of four (actor) pools.work",
        "└─ some (pool) least-mailbox, 1 to 9 of some (actor) pools.work",
    ]


def test_the_commands_are_listed_with_what_they_do(airssys):
    listed = airssys("--help").stdout
    for command in "run", "check", "tree":
        assert f"  {command} " in listed
        helped = airssys(command, "--help")
        assert helped.exit_code == 0
        assert "Exit status" in helped.stdout


@contextmanager
def running(*arguments, folder):
    site = str(Path(library.__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-m", "airssys", "run", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": site},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_system_runs_until_a_signal_comes(folder, number):
    with running("app:App", folder=folder) as process:
        assert process.stderr.readline() == "3 actors ready; Ctrl-C stops the system\n"
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number
        assert process.stdout.read() == process.stderr.read() == ""


def test_run_shows_its_log_from_a_level_on(folder):
    with running(
        "-v", "--log-level", "greeter=off", "app:App", folder=folder
    ) as process:
        lines = [process.stderr.readline()]
        while "Ctrl-C" not in lines[-1]:
            lines.append(process.stderr.readline())
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
    ready = [line.split()[3] for line in lines if line.endswith(" is ready\n")]
    assert "root/local/shout/0" in ready
    assert "root/workers/local/greeter/0" not in ready


@pytest.mark.parametrize("level", ["inof", "greeter=", "a//b=info"])
def test_a_level_that_is_none_is_an_error_of_usage(airssys, level):
    done = airssys("run", "--log-level", level, "app:App")
    assert done.exit_code == 2
    assert "--log-level" in done.stderr
