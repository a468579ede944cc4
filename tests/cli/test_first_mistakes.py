"""What a newcomer types wrongly, and the line that is the answer."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import airssys as library
from airssys import TraceContext, actor, blueprint, open_system
from airssys.contracts import (
    Artifact,
    ComponentRefused,
    DefinitionError,
    DeliveryFailed,
    EngineMisused,
    EngineSettings,
    as_blueprint,
    find_mistakes,
)
from airssys.wasm import open_runtime

SITE = str(Path(library.__file__).parents[1])


async def handle(context, envelope):
    return b""


def mistakes(write, airssys, body):
    """Check a topology with this body; return the lines of its mistakes."""
    text = dedent(body).strip().replace("\n", "\n    ")
    head = "from airssys import *\n\n@topology\nclass App:\n    "
    write("newcomer.py", head + text + "\n")
    done = airssys("check", "newcomer:App")
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            """
            @component
            class C: ...
            """,
            (
                "@component needs the code of the component [App.C] "
                '(write @component("path/to/file.wasm"))'
            ),
        ),
        (
            "x = pool(size=3)",
            (
                "pool(...) is waiting for its class or function [App.x] "
                "(write @pool(...) above one"
            ),
        ),
        (
            "x = actor(mailbox=3)",
            "actor(...) is waiting for its class or function [App.x]",
        ),
        ("x = supervisor(restarts=3)", "supervisor(...) is waiting for its class"),
        (
            "x = component('c.wasm', limits=Limits(execution_time=-1))",
            ": execution_time must be a number from 0.001 to 86400 seconds, not -1",
        ),
        ("x = component()", ": write component(name, code, ...)"),
        ("x = actor(5)", ": write actor(name, behaviour, ...)"),
        (
            "import airssys.testing\nx = airssys.testing.nothing",
            ": module 'airssys.testing' has no attribute 'nothing'",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(write, airssys, body, words):
    line = mistakes(write, airssys, body)[0]
    assert words in line
    assert "newcomer.py:" in line


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"strategy": "all_for_one"}, "write 'one_for_all', "),
        ({"strategy": "rest-for-one"}, "write 'rest_for_one', "),
        ({"auto_shutdown": "any"}, "write 'any_significant', "),
    ],
)
def test_choices_are_listed_the_nearest_first(options, hint):
    (mistake,) = find_mistakes(blueprint(**options))
    assert mistake.hint.startswith(hint)


@pytest.mark.parametrize(
    ("growth", "hint"),
    [
        ("cubic", "write '"),
        ("linera", "write 'linear', "),
        ("expo", "write 'exponential', "),
        (3, "write 'constant', 'linear' or 'exponential'"),
    ],
)
def test_the_growths_of_a_back_off_are_listed(growth, hint):
    child = actor("a", handle, backoff={"growth": growth})
    (mistake,) = find_mistakes(blueprint(child))
    assert "is not a valid growth" in mistake.found
    assert mistake.hint.startswith(hint)


def test_an_actor_is_not_a_system(airssys, write):
    write("newcomer.py", "from airssys import *\n@actor\nasync def greet(c, e): ...\n")
    done = airssys("check", "newcomer:greet")
    assert done.exit_code == 2
    assert "greet is neither a topology nor a blueprint, but" in done.stderr
    assert "decorate a class with @topology" in done.stderr


def test_the_specification_of_an_actor_is_named_as_it_was_on_the_command_line(
    airssys, write
):
    write("newcomer.py", "from airssys import *\nApp = actor('a', print)\n")
    done = airssys("check", "newcomer:App")
    assert done.exit_code == 2
    assert "App is neither a topology nor a blueprint, but the spec" in done.stderr
    assert "ActorSpec(" not in done.stderr
    with pytest.raises(DefinitionError, match=r"ActorSpec local/a/0 is neither"):
        as_blueprint(actor("a", print))


def test_pools_and_their_members_are_counted(airssys, write):
    write(
        "newcomer.py",
        """
        from airssys import *

        async def work(context, envelope): ...

        App = blueprint(
            pool("three", work, size=3),
            pool("some", work, size={"minimum": 2, "maximum": 9}),
            actor("a", work),
        )
        """,
    )
    done = airssys("check", "newcomer:App")
    assert done.stdout == (
        "no mistakes: 6 actors, 0 components, 1 supervisor, 2 pools of 5 members\n"
    )


@pytest.mark.parametrize(("typed", "meant"), [("chek", "check"), ("biuld", "build")])
def test_a_command_that_is_almost_one_is_named(airssys, typed, meant):
    done = airssys(typed)
    assert done.exit_code == 2
    assert f"did you mean {meant}?" in done.stderr
    assert "did you mean" not in airssys("zzz").stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_what_cannot_be_printed_is_one_line(folder):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "airssys", "tree", "app:App"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": SITE},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 74
    assert done.stderr == "airssys: stdout cannot be written: No space left on device\n"


async def refused(artifact):
    async with open_runtime(EngineSettings()) as loader:
        with pytest.raises(ComponentRefused) as caught:
            await loader.load(artifact)
    return caught.value


async def test_a_core_module_is_made_a_component_by_our_own_command(tmp_path):
    path = tmp_path / "echo.wasm"
    path.write_bytes(b"\0asm\1\0\0\0")
    error = await refused(Artifact.at(path))
    assert error.advice == "Make a component of it: airssys build core.wasm"


async def test_a_mistake_in_wat_text_is_quoted_with_its_caret():
    text = '(component\n  (core module $m\n    (func (export "f") (i32.cnst 1))))'
    error = await refused(Artifact.from_text(text))
    assert "unknown operator" in str(error)
    assert "|" not in str(error)
    place, *quoted = error.__notes__
    assert place.startswith("  at <anon>:3:25")
    line, caret = quoted[-2:]
    assert line.index("(i32.cnst") + 1 == caret.index("^")


async def test_an_ask_after_the_end_reports_the_end():
    async with open_system(blueprint(actor("a", handle))) as system:
        pass
    with pytest.raises(DeliveryFailed, match="the system has ended"):
        await system.ask("a", b"x")


def test_another_event_loop_is_named_at_once():
    manager = open_system(blueprint(actor("a", handle)))
    with pytest.raises(EngineMisused, match='backend="trio"'):
        manager.__aenter__().send(None)


def test_a_trace_is_shown_as_its_text():
    text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert str(TraceContext(text, "a=b")) == text


def test_inspect_quotes_wat_text_with_its_caret(airssys, write):
    path = write("bad.wat", "(component\n  (core modul))")
    *_, line, caret, advice = airssys("inspect", str(path)).stderr.splitlines()
    assert line.index("core") == caret.index("^")
    assert advice == "Pass a .wasm component or its .wat text."
