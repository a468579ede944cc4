"""All mistakes of a topology at once, each with its file, line, path and hint."""

import re
from collections import Counter
from pathlib import Path

import pytest

from airssys.contracts import DefinitionError, as_blueprint, check, find_mistakes
from airssys.dsl import (
    actor,
    blueprint,
    component,
    missing_artifacts,
    supervisor,
    topology,
)
from airssys.system import open_system

from . import wrong_topology

FILE = Path(wrong_topology.__file__)
PLANTED = [
    (number, end)
    for number, line in enumerate(FILE.read_text("utf-8").splitlines(), 1)
    if not line.startswith(('"', "`"))
    for _, ends in [line.partition("  # ! ")[::2]]
    for end in ends.split()
]


@pytest.fixture(scope="module")
def found():
    return find_mistakes(as_blueprint(wrong_topology.App))


def end_of(path, ends):
    return next((end for end in ends if path.endswith(end)), path)


def test_every_planted_mistake_is_found_and_no_other(found):
    assert len(PLANTED) >= 20
    ends = {end for _, end in PLANTED}
    assert Counter((m.line, end_of(m.path, ends)) for m in found) == Counter(PLANTED)


def test_each_has_a_file_a_path_in_the_tree_and_a_hint(found):
    for mistake in found:
        assert mistake.file == str(FILE)
        assert re.match(r"\$(\.|$)", mistake.path)
        assert mistake.hint


def test_they_are_raised_together_when_the_system_opens(found):
    with pytest.raises(DefinitionError) as caught:
        open_system(wrong_topology.App)
    assert caught.value.mistakes == tuple(found)
    assert str(caught.value).count("\n") == len(found)
    assert f"{FILE}:{found[0].line}: " in str(caught.value)


async def handle(context, envelope): ...


def test_builders_say_where_they_stand():
    whole = blueprint(actor("a", handle, mailbox=0), restarts=-1, tick=3)
    line = test_builders_say_where_they_stand.__code__.co_firstlineno + 1
    assert {(m.file, m.line) for m in find_mistakes(whole)} == {(__file__, line)}
    assert [m.path for m in find_mistakes(whole)] == [
        "$.tick",
        "$.root.intensity.restarts",
        "$.root.children[0].mailbox",
    ]


def test_children_of_one_place_are_reported_once():
    many = [actor(f"a{n}", handle, mailbox=0) for n in range(100)]
    (mistake,) = find_mistakes(blueprint(*many))
    assert mistake.path == "$.root.children[0].mailbox"


def test_a_declaration_is_reported_once_however_often_it_is_used():
    @actor(mailbx=3)
    async def wrong(context, envelope): ...

    @topology
    class App:
        one = wrong
        two = wrong
        three = actor("three", wrong)

    (mistake,) = find_mistakes(as_blueprint(App))
    assert mistake.line == wrong.__code__.co_firstlineno


def test_what_is_taken_over_stays_a_mistake_of_the_place_where_it_was_declared():
    (mistake,) = find_mistakes(blueprint(actor("a", wrong_topology.printer)))
    assert mistake.path == "$.root.children[0].mailbx"
    assert mistake.file == str(FILE)
    assert (mistake.line, ".mailbx") in PLANTED


def test_the_body_of_a_component_is_reported_once():
    @component(__file__)
    class Echo:
        one = 1

    @topology
    class App:
        first = Echo
        second = Echo

    (mistake,) = find_mistakes(as_blueprint(App))
    assert "Echo.one is never read" in mistake.found


def test_a_name_that_is_taken_says_where():
    first = actor("a", handle)
    second = actor("a", handle)
    (mistake,) = find_mistakes(blueprint(first, second))
    assert mistake.line == second.origin.line
    assert f" root.a ({__file__}:{first.origin.line})" in mistake.found


def test_the_line_is_that_of_the_class_and_the_assignment_that_counts():
    @topology
    class App:
        one = 1
        two = 1
        two = 2  # noqa: PIE794  # the later one counts

    first = App

    @topology
    class App:
        one = 3
        two = 3

    began = first.__blueprint__().origin.line
    lines = [m.line - began for m in find_mistakes(as_blueprint(first))]
    assert lines == [2, 4]
    lines = [m.line - began for m in find_mistakes(as_blueprint(App))]
    assert lines == [10, 11]


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("mailbux", "did you mean mailbox?"),
        (
            "colour",
            "the options are backoff, can, codecs, drain, health, hook_timeout, lag",
        ),
    ],
)
def test_unknown_options_get_a_hint(word, advice):
    (mistake,) = find_mistakes(blueprint(actor("a", handle, **{word: 1})))
    assert mistake.hint.startswith(advice)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("data", 3),
        ("data", "\ud800"),
        ("env", 3),
        ("env", {"A": 1}),
        ("env", [("A", "b", "c")]),
        ("limits", 3),
        ("limits", {1: 2}),
        ("limits", {"fuel": True}),
        ("names", 3),
        ("names", [None]),
        ("restart", None),
        ("mailbox", "64"),
        ("shutdown", "soon"),
        ("start_timeout", float("nan")),
    ],
)
def test_a_wrong_value_is_a_mistake_and_no_crash(option, value):
    whole = type("App", (), {"a": component(b"\0asm", **{option: value})})
    (mistake,) = find_mistakes(as_blueprint(topology(whole)))
    assert mistake.file == __file__
    assert mistake.hint


@pytest.mark.parametrize("code", [None, 3, Path, ["a.wasm"]])
def test_a_wrong_artifact_is_a_mistake_and_no_crash(code):
    for spec in component("a", code), as_topology(component(code)):
        (mistake,) = find_mistakes(spec if spec.__class__ is type else blueprint(spec))
        assert mistake.path == "$.root.children[0].artifact"


def as_topology(child):
    return as_blueprint(topology(type("App", (), {"a": child}))).root.children[0]


class Refusing:
    def __init__(self, one): ...

    async def handle(self, context, envelope): ...


class Answering:
    @classmethod
    async def handle(cls, context, envelope): ...


class Static:
    @staticmethod
    async def handle(context, envelope): ...


class Passing:
    def __getattr__(self, name): ...


async def yielding(context, envelope):
    yield b""


async def one_argument(context): ...


async def any_arguments(*arguments, **options): ...


@pytest.mark.parametrize(
    "behaviour",
    [handle, any_arguments, Answering, Static, Passing, print, Refusing(1).handle],
)
def test_code_that_can_handle_messages_is_not_a_mistake(behaviour):
    assert find_mistakes(blueprint(actor("a", behaviour))) == []


@pytest.mark.parametrize(
    ("behaviour", "arguments", "text"),
    [
        (one_argument, (), "too many positional arguments"),
        (yielding, (), "yields"),
        (Refusing, (), "missing a required argument: 'one'"),
        (Refusing, (1, 2), "too many positional arguments"),
        (dict, (), "no method `handle`"),
        (3, (), "3"),
    ],
)
def test_code_that_cannot_handle_messages_is_a_mistake(behaviour, arguments, text):
    (mistake,) = find_mistakes(blueprint(actor("a", behaviour, *arguments)))
    assert text in mistake.found


def test_missing_files_are_reported_at_each_place_that_names_them():
    names = [f"b{n}" for n in range(3)]
    whole = blueprint(
        component("a", "gone.wasm"),
        *[component(name, "gone.wasm") for name in names],
        component("here", __file__),
    )
    paths = [mistake.path for mistake in missing_artifacts(whole)]
    assert paths == ["$.root.children[0].artifact", "$.root.children[1].artifact"]
    check(whole)


class Unshowable:
    def __repr__(self):
        raise ValueError("not me")


def test_what_cannot_be_shown_is_a_mistake_and_no_crash():
    body = {"one": Unshowable(), "two": component(b"", data=Unshowable())}
    mistakes = find_mistakes(as_blueprint(topology(type("App", (), body))))
    assert len(mistakes) == 2
    assert all("Unshowable object" in mistake.found for mistake in mistakes)


@pytest.mark.parametrize(
    ("path", "problem"),
    [("a" * 5000, "cannot be read"), ("a\0b", "there is no"), ("", "is a folder")],
)
def test_paths_that_cannot_be_are_mistakes(path, problem):
    (mistake,) = missing_artifacts(blueprint(component("a", path)))
    assert problem in mistake.found


def test_of_two_decorators_one_is_kept_and_the_other_reported():
    @topology
    @supervisor
    class App: ...

    (mistake,) = find_mistakes(as_blueprint(App))
    assert mistake.found == "@topology is above @supervisor"
    assert mistake.line is not None


def test_words_that_make_no_sense_are_refused_at_once():
    for wrong in (
        component,
        lambda: component("a", "b", "c"),
        lambda: actor("a"),
        lambda: actor(handle, mailbox=3),
        lambda: actor(mailbox=3)(3),
        lambda: topology(3),
    ):
        with pytest.raises(TypeError):
            wrong()
