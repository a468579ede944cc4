"""The checker of the project's English finds what it lists, and where it is."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_checker():
    spec = importlib.util.spec_from_file_location(
        "check_english", ROOT / ".ci/check_english.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


checker = load_checker()

# For each pattern, a sentence that it finds.
SENTENCES = [
    "7 is no child.",
    "Nothing to mend here.",
    "It is told at once.",
    "The event tells of an end.",
    "As said of a call.",
    "A circle of waits.",
    "The message in hand.",
    "It bears a name.",
    "It hears the end.",
    "Each was looked at.",
    "Here nobody waits.",
    "It has so many members.",
    "Who sends is refused.",
    "It goes to whoever asks.",
    "It waits for whom it asked.",
    "The actor who asks.",
    "All who wait go on.",
    "It ends without a word.",
    "Refused for want of room.",
    "It waits in vain.",
    "It is done without.",
    "That is what became of it.",
    "The actor lives on.",
    "There is none to be had.",
    "Several actors alike.",
    "It runs in one go.",
    "It passes the exam.",
    "It is called as the pool.",
    "In all else they agree.",
    "It stopped by its own wish.",
    "The seat of a child.",
]

ALLOWED = [
    "There is no actor of that name.",
    "It is no longer pending.",
    "So many that it fails.",
    "Who is this guide for?",
    "The person who wrote it.",
    "A sealed circuit.",
    "The `offence` of an event.",
]


def found_in(text, suffix=".md"):
    return [(f.line, f.phrase) for f in checker.find_phrases(text, suffix)]


def test_every_pattern_has_a_sentence_that_it_alone_finds():
    found = [
        {f.advice for f in checker.find_phrases(sentence, ".md")}
        for sentence in SENTENCES
    ]
    assert found == [{advice} for advice in checker.PHRASES.values()]


@pytest.mark.parametrize("sentence", ALLOWED)
def test_plain_english_is_not_found(sentence):
    assert found_in(sentence) == []


def test_a_phrase_broken_over_two_lines_is_found_on_its_first_line():
    assert found_in("one\n\nit is\nno child\n") == [(3, "is no")]
    assert found_in("# It is\n# no child.\n", ".py") == [(1, "is no")]
    assert found_in("/// It is\n/// no child.\n", ".wit") == [(1, "is no")]


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ('"""It was told at once."""', 1),
        ("x = 1\n# it was told", 2),
        ('x = (\n    "it was "\n    "told"\n)', 3),
        ('x = f"{y} was told"', 1),
        ("def f():\n    '''One.\n\n    Two is told.\n    '''\n", 4),
    ],
)
def test_comments_docstrings_and_texts_of_python_are_read(code, line):
    assert {number for number, phrase in found_in(code, ".py")} == {line}


def test_the_name_of_a_test_is_a_sentence():
    assert found_in("x = 1\ndef test_it_is_told(): ...\n", ".py") == [(2, "told")]


@pytest.mark.parametrize(
    "code", ["told = 1", 'd["told"]', "# see `told`", 'x = f"{told} times"']
)
def test_names_are_not_prose(code):
    assert found_in(code, ".py") == []


def test_code_in_documents_is_left_out_but_not_its_comments():
    assert found_in("```python\ntold = 1\n# told\n```\n") == [(3, "told")]
    assert found_in("```sh\ntold\n```\n\ntold\n") == [(5, "told")]


def test_every_exception_is_needed_and_has_a_reason():
    for (path, phrase), reason in checker.EXCEPTIONS.items():
        text = (ROOT / path).read_text("utf-8")
        found = checker.find_phrases(text, Path(path).suffix)
        assert phrase in {f.phrase for f in found}
        assert len(reason.split()) >= 3


@pytest.mark.parametrize(
    ("arguments", "checked"),
    [
        ([], ["airssys/a.py", "airssys/wasm/host/b.py", "docs/c.md"]),
        (["airssys/wasm/", "docs/c.md"], ["airssys/wasm/host/b.py", "docs/c.md"]),
        (["airssys/w"], []),
    ],
)
def test_every_file_is_checked_unless_some_are_chosen(monkeypatch, arguments, checked):
    files = ["airssys/a.py", "airssys/wasm/host/b.py", "docs/c.md"]
    seen = []
    monkeypatch.setattr(checker, "files_of_the_project", lambda: files)
    monkeypatch.setattr(checker, "check", lambda paths: seen.extend(paths) or [])
    assert checker.main(arguments) == 0
    assert seen == checked


def test_the_gate_runs_the_checker():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "\nlint: ruff-format ruff flake8 mypy pyright imports english\n" in makefile
    assert ".ci/check_english.py" in makefile
