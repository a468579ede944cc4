"""All that is wrong with the typed handlers of a class, at once, each with its place."""

import importlib.util
from pathlib import Path

import pytest

from airssys import (
    ActorSpec,
    DefinitionError,
    ExtraMissing,
    StartFailed,
    actor,
    blueprint,
    handlers,
    open_system,
)
from airssys.contracts import ComponentId, find_mistakes
from airssys.typed import handler_mistakes

from . import wrong_clerks
from .clerk import Clerk, Open, Order

FILE = Path(wrong_clerks.__file__)
PLANTED = [
    (number, text.partition("# ! ")[2])
    for number, text in enumerate(FILE.read_text("utf-8").splitlines(), 1)
    if "# ! " in text and not text.startswith('"')
]
SPLIT = FILE.read_text("utf-8").splitlines().index("class WithoutHandle:")


def found_in(kind):
    return find_mistakes(blueprint(actor("clerk", kind)))


def test_every_planted_mistake_is_found():
    planted = [each for each in PLANTED if each[0] < SPLIT]
    assert len(planted) == 14
    found = [m for m in found_in(wrong_clerks.Many) if m.line]
    for line, text in planted:
        told = [m for m in found if line < m.line <= line + 2]
        assert any(text in f"{m.found} ({m.hint})" for m in told), (line, text, told)


def test_and_no_other():
    lines = {line for line, _ in PLANTED}
    others = [
        m
        for m in found_in(wrong_clerks.Many)
        if m.file == str(FILE) and not {m.line - 1, m.line - 2} & lines
    ]
    assert others == []
    assert [m.found for m in found_in(wrong_clerks.Many) if m.file != str(FILE)] == [
        "'a name' is no method"
    ]


def test_each_has_a_hint_and_its_place_in_the_tree():
    for mistake in found_in(wrong_clerks.Many):
        assert mistake.hint
        assert mistake.path == "$.root.children[0].behaviour"


def test_a_handler_without_a_list_gets_the_line_to_write():
    (mistake,) = found_in(wrong_clerks.WithoutHandle)
    assert mistake.hint == "write handle = handlers(order) below them"
    assert mistake.line == PLANTED[-1][0] + 1


def test_arguments_are_looked_at_as_well():
    assert [m.path for m in found_in(Open)] == ["$.root.children[0].arguments"]


def test_nothing_is_wrong_with_what_is_right():
    assert found_in(Clerk) == []
    assert handler_mistakes(Clerk) == []
    assert handler_mistakes("no class") == []
    assert handler_mistakes(Order) == []


async def test_a_spec_by_hand_does_not_start():
    id_ = ComponentId.parse("clerk")
    spec = ActorSpec(id=id_, behaviour=wrong_clerks.Many, restart=RESTART)
    with pytest.raises(StartFailed) as caught:
        async with open_system(blueprint(spec)):
            pass
    assert type(caught.value.reason.error) is DefinitionError
    assert len(caught.value.reason.error.mistakes) > 12


RESTART = ActorSpec(id=ComponentId.parse("a"), behaviour=Clerk).restart


@pytest.mark.parametrize("package", ["cattrs", "msgpack"])
async def test_a_missing_package_is_told_with_what_to_install(monkeypatch, package):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == package else find_spec(name, *more),
    )

    class Fresh(Clerk):
        handle = handlers(Clerk.order, Clerk.cancel, Clerk.look, Clerk.do)

    (mistake,) = found_in(Fresh)
    assert package in mistake.found
    assert mistake.hint == "pip install 'airssys[typed]'"


def test_an_error_that_names_the_extra_says_how_to_install_it():
    error = ExtraMissing("typed messages", "cattrs", "typed")
    assert "need the package cattrs" in str(error)
    assert "pip install 'airssys[typed]'" in str(error)
