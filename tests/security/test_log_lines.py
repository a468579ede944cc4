"""Which lines a component may log, and how much of them: the word `log`."""

import json
import math

import pytest
import trio
from trio.testing import MockClock

from airssys import (
    AccessDenied,
    Logged,
    LogLevel,
    blueprint,
    component,
    open_system,
    supervisor,
)
from airssys.contracts import Artifact
from airssys.security import AuditLog, everything, log, send
from airssys.security.capabilities import LogLines, with_log_lines
from airssys.security.manifest import refused_of, widened
from airssys.security.patterns import PatternMistake
from airssys.security.policies import grant_mistakes, rules_held, ungranted, who_can
from wasm_support import GUESTS

CALLS = Artifact.at(GUESTS / "calls.wat")
LEVELS = [level.value for level in LogLevel]
LINE = len("hello") + len("colour") + len("red")
"""Bytes of a line that the guest writes."""


def call(level):
    return f"host-services.log\nhello\n{LEVELS.index(level)}".encode()


def new(events, kind):
    found = []
    while True:
        try:
            event = events.next_nowait()
        except trio.WouldBlock:
            return found
        if isinstance(event, kind):
            found.append(event)


async def logged(system, *levels, name="a"):
    """Have a guest log, and return the levels of the lines that came."""
    with system.events() as events:
        for level in levels:
            assert await system.ask(name, call(level)) == b"ok"
        return [line.level.value for line in new(events, Logged)]


@pytest.mark.parametrize(
    ("can", "least"),
    [
        ([], "trace"),
        ([send("b")], "trace"),
        ([everything()], "trace"),
        ([everything(), log("off")], "trace"),
        ([log()], "trace"),
        ([log("warn")], "warn"),
        ([log("error"), log("info")], "info"),
        ([log("error", bytes_per_second=1000)], "error"),
        ([log("off")], None),
    ],
)
async def test_lines_are_free_until_a_list_names_them(can, least):
    async with open_system(blueprint(component("a", CALLS, can=can))) as system:
        wanted = [] if least is None else LEVELS[LEVELS.index(least) :]
        assert await logged(system, *LEVELS) == wanted


@pytest.mark.parametrize(
    ("bound", "can", "least"),
    [
        ([], [], "trace"),
        ([], [log("info")], "info"),
        ([send("*")], [log("debug")], "debug"),
        ([log("warn")], [], "warn"),
        ([log("warn")], [log("error")], "error"),
        ([log("off")], [], None),
    ],
)
async def test_a_bound_holds_for_lines(bound, can, least):
    tree = supervisor("s", component("a", CALLS, can=can), bound=bound)
    async with open_system(blueprint(tree)) as system:
        wanted = [] if least is None else LEVELS[LEVELS.index(least) :]
        assert await logged(system, *LEVELS) == wanted


@pytest.mark.parametrize(
    ("bound", "can"),
    [
        ([log("warn")], log("info")),
        ([log("off")], log("error")),
        ([log(bytes_per_second=10)], log("error")),
        ([log(bytes_per_second=10)], log("error", bytes_per_second=11)),
    ],
)
def test_more_than_a_bound_is_a_mistake(bound, can):
    tree = supervisor("s", component("a", CALLS, can=[can]), bound=bound)
    (mistake,) = grant_mistakes(blueprint(tree))
    assert "goes beyond the bound of s" in mistake.found


async def test_a_line_that_is_denied_is_reported():
    tree = blueprint(component("a", CALLS, can=[log("warn")]))
    async with open_system(tree) as system:
        with system.events() as events:
            for _ in range(2):
                await system.ask("a", call("info"))
            denials = new(events, AccessDenied)
    assert [(d.access.kind, d.access.resource, d.times) for d in denials] == [
        ("log", "info", 1),
        ("log", "info", 2),
    ]
    assert "log emit info is not granted" in denials[0].why


@pytest.fixture
def mock_clock():
    return MockClock()


async def test_a_second_of_a_rate_passes_at_once_and_no_byte_more(mock_clock):
    tree = blueprint(
        component("a", CALLS, can=[log(bytes_per_second=LINE)]),
        component("b", CALLS, can=[log(bytes_per_second=LINE - 1)]),
    )
    async with open_system(tree) as system:
        assert await logged(system, "info", "warn") == ["info"]
        assert await logged(system, "info", name="b") == []
        mock_clock.jump(0.99)
        assert await logged(system, "info") == []
        mock_clock.jump(0.011)
        assert await logged(system, "info", "info") == ["info"]
        mock_clock.jump(100)
        assert await logged(system, "info", "info") == ["info"]


async def test_another_rate_holds_from_the_next_line_on(mock_clock):
    can = [log(bytes_per_second=LINE)]
    async with open_system(blueprint(component("a", CALLS, can=can))) as system:
        assert await logged(system, "info", "info") == ["info"]
        system.grants("a").extend(log(bytes_per_second=3 * LINE))
        assert await logged(system, *["info"] * 3) == ["info"] * 2
        system.grants("a").extend(log())
        assert await logged(system, *["info"] * 3) == ["info"] * 3


async def test_lines_are_revoked_extended_and_narrowed():
    async with open_system(blueprint(component("a", CALLS, can=[]))) as system:
        grants = system.grants("a")
        assert grants.held == ()
        assert grants.allows("log", "emit", "trace")
        grants.narrow(send("b"))
        assert await logged(system, "trace") == ["trace"], "it names no lines"
        grants.narrow(log("info"))
        assert await logged(system, *LEVELS) == ["info", "warn", "error"]
        grants.revoke(log())
        assert await logged(system, *LEVELS) == []
        grants.extend(log("error"))
        assert await logged(system, *LEVELS) == ["error"]
        assert grants.held == (log("error"),)


LINES = ["*", "trace", "info", "error", "off", "info 10", "info 11", "warn 10", "off 5"]
RESOURCES = [*LEVELS, *(f"{level} {n}" for level in LEVELS for n in (1, 10, 11, "inf"))]
RESOURCES += ["", "off", "*", "info x", " 5", "INFO"]


@pytest.mark.parametrize("wide", LINES)
@pytest.mark.parametrize("narrow", LINES)
def test_patterns_of_lines_are_compared_as_what_they_match(wide, narrow):
    mine, theirs = LogLines.parse(wide), LogLines.parse(narrow)
    matched, wanted = (
        {each for each in RESOURCES if pattern.matches(each)}
        for pattern in (mine, theirs)
    )
    assert mine.includes(theirs) == (wanted <= matched)
    assert mine.overlaps(theirs) == bool(wanted & matched)


WRONG = ["", "of", "Warn", "info,warn", "5", "info 0", "info ", "info -1", "info 1.5"]
WRONG += ["info 1 2", "info x", "warn  5", f"info {10**18}", "info \u0663"]


@pytest.mark.parametrize("text", WRONG)
def test_patterns_of_lines_that_are_mistakes(text):
    with pytest.raises(PatternMistake):
        LogLines.parse(text)


def test_the_largest_rate():
    assert LogLines.parse("info " + "9" * 18).most == 1e18
    assert LogLines.parse("info 1").most == 1
    assert LogLines.parse("info").most == math.inf


def test_a_list_names_lines_or_allows_them():
    assert rules_held((send("a"),)).rules[1:] == rules_held(()).rules
    for names in [(log("off"),), (everything(),), (send("a"), log("info"))]:
        assert with_log_lines(names) is names


def test_who_may_log():
    tree = blueprint(
        component("a", CALLS),
        component("b", CALLS, can=[log("off")]),
        component("c", CALLS, can=[log("error", bytes_per_second=5)]),
    )
    found = [each.actor for each in who_can(tree, "emit error")]
    assert found == ["local/a/0", "local/c/0"]
    assert who_can(tree, "emit off") == []


def test_a_manifest_and_a_topology_both_restrict_lines(tmp_path):
    manifest = tmp_path / "Component.toml"
    (tmp_path / "calls.wat").write_bytes((GUESTS / "calls.wat").read_bytes())
    package = '[package]\nname = "a"\nversion = "1.0.0"\n[source]\npath = "calls.wat"\n'

    def held(asked, *can):
        manifest.write_text(f"{package}[capabilities]\n{asked}\n", "utf-8")
        plan = blueprint(component("a", manifest, can=list(can)))
        return plan.root.children[0]

    assert held("").can == ()
    assert held("", log("warn")).can == (log("warn"),)
    assert held('log = "warn"').can == (log("warn"),)
    assert held('log = "warn"', log("info")).can == (log("warn"),)
    assert held('log = "info 50"', log("info")).can == (
        log(bytes_per_second=50, level="info"),
    )
    assert held('log = "info"', everything()).can == (log("info"),)
    assert refused_of(held('log = "info"').requested) == ()
    (rule,) = refused_of(held('log = "info"', log("warn")).requested)
    assert str(rule) == "log emit info"


def test_new_code_that_may_log_more_is_wider():
    assert widened((), (log("warn"),))
    assert widened((log("info"),), (log("warn"),))
    assert widened((log("error"),), (log("warn"),)) == ()
    assert widened((log("error"),), ()) == ()


def test_an_import_of_log_has_a_note_only_where_it_is_off():
    assert ungranted(["log"], ()) == ()
    assert ungranted(["log"], (log("error"),)) == ()


async def test_lines_are_audited_counted_and_without_their_text(tmp_path):
    path = tmp_path / "audit.jsonl"
    tree = blueprint(component("a", CALLS, can=[log("warn")]))
    async with open_system(tree, audit=AuditLog(path)) as system:
        await logged(system, "error", "error", "error", "info")
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    found = {
        (r["event"], r["verb"], r["resource"], r["times"], r["rule"])
        for r in records
        if r["event"] in {"allowed", "denied"}
    }
    assert found == {
        ("allowed", "emit", "error", 3, "log emit warn"),
        ("denied", "emit", "info", 1, "log emit info is not granted"),
    }
    assert "hello" not in path.read_text("utf-8")
