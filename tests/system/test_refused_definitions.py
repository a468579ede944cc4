"""What is not a bug ends a program with lines for people, and no traceback."""

from pathlib import Path

import pytest

import airssys
from airssys import (
    DefinitionError,
    actor,
    blueprint,
    component,
    open_system,
    run,
    supervisor,
    topology,
)
from airssys.contracts import find_mistakes

GUESTS = Path(__file__).resolve().parents[1] / "guests"


async def greet(context, envelope):
    return b""


def as_blueprint(*children):
    return blueprint(supervisor("workers", *children))


def as_topology(*children):
    @topology
    class App:
        workers = supervisor("workers", *children)

    return App


def ended(capsys, declared):
    """Run it; return the lines on stderr of a program that ended with status 1."""
    with pytest.raises(SystemExit) as caught:
        run(declared)
    assert caught.value.code == airssys.EXIT_REFUSED == 1
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("declare", "name"), [(as_blueprint, "root"), (as_topology, "App")]
)
def test_a_missing_file_is_one_line_with_its_place(capsys, declare, name):
    gone = component("shout", "gone.wasm")
    line, count = ended(capsys, declare(gone))
    here = f"{__file__}:{gone.origin.line}: "
    assert line.startswith(f"{here}there is no {Path(__file__).with_name('gone.wasm')}")
    assert f"[{name}.workers.shout.artifact]" in line
    assert count == "1 mistake"


@pytest.mark.parametrize("declare", [as_blueprint, as_topology])
def test_a_missing_file_is_found_before_anything_is_opened(declare):
    with pytest.raises(DefinitionError, match="there is no "):
        open_system(declare(component("shout", "gone.wasm")))


def test_a_component_that_cannot_be_loaded_is_one_line(capsys):
    broken = component("broken", GUESTS / "malformed.wat")
    again = component("wasi", GUESTS / "wasi-import.wat")
    first, *quote, second = ended(capsys, as_blueprint(broken, again))
    assert quote[-1].strip(" |") == "^"
    assert all(line.startswith("  ") for line in quote)
    assert first.startswith(f"{__file__}:{broken.origin.line}: ")
    assert "malformed.wat" in first
    assert "wasi-import.wat" in second
    assert f"{__file__}:{again.origin.line}: " in second


def test_places_are_named_by_what_was_declared():
    @topology(stop_timeout=-1)
    class App:
        workers = supervisor("workers", actor("greeter", greet, mailbox=0), period=-1)
        other = actor("team/other/2", greet, mailbox=0)
        wrong = 5

    places = {mistake.place for mistake in find_mistakes(App.__blueprint__())}
    assert places == {
        "App.stop_timeout",
        "App.workers.intensity.period",
        "App.workers.greeter.mailbox",
        "App.team/other/2.mailbox",
        "App.wrong",
    }


def test_another_place_that_is_named_is_named_the_same_way():
    _, second = find_mistakes(
        blueprint(
            actor("a", greet, mailbox=0),
            supervisor("workers", actor("a", greet)),
        )
    )
    assert f"used by root.a ({__file__}:" in second.found


async def test_what_others_load_is_not_looked_for():
    opened = []

    def open_loader(settings):
        opened.append(settings)
        raise RuntimeError("opened")

    gone = as_blueprint(component("shout", "gone.wasm"))
    with pytest.raises(RuntimeError, match="opened"):
        async with open_system(gone, open_loader=open_loader):
            pytest.fail("it was opened")
