"""A hostile actor puts what controls terminals and logs into every text it can give."""

import pytest
from click.testing import CliRunner

from airssys import (
    CalleeFailed,
    ChildExited,
    ComponentId,
    CrashReport,
    DeadLetter,
    ExitKind,
    ExitReason,
    GuestRejected,
    HookFailed,
    Logged,
    LogLevel,
    MessageFailed,
    actor,
    blueprint,
    open_system,
)
from airssys.cli import main
from airssys.cli.commands._inspect import describe as describe_component
from airssys.contracts import ComponentRefused, GuestTrapped, TrapReason
from airssys.wasm import Inspection

EVIL = (
    "\x00\x07\x08\x0b\x1b[2J\x1b]0;owned\x07\x7f\x85\x9b31m\x9d\r\nroot/other ended\n"
    "\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\ud800\udfff"
)
LARGE = EVIL * 20_000


class Raised(Exception):
    def __repr__(self):
        return EVIL


class Hostile:
    """Says the same whatever it is asked for."""

    async def handle(self, context, envelope):
        match envelope.payload:
            case b"crash":
                raise Raised(LARGE)
            case b"reject":
                raise GuestRejected("handle-message", EVIL, LARGE)
            case b"log":
                context.log(LogLevel.ERROR, LARGE, ((EVIL, LARGE),))

    async def stopped(self, context):
        raise Raised(EVIL)


def is_clean(text):
    return all(line.isprintable() for line in text.split("\n"))


async def test_nothing_raw_comes_out_of_a_system(caplog):
    lines, texts = [], []
    with caplog.at_level(1, logger="airssys"):
        async with open_system(blueprint(actor("a", Hostile))) as system:
            stream = system.events()
            for word in (b"reject", b"log", b"crash"):
                try:
                    await system.ask("a", word)
                except CalleeFailed as error:
                    lines += [str(error), repr(error), error.why]
            texts.append(str(system.tree()))
        events = [event async for event in stream]
    kinds = {type(event) for event in events}
    assert kinds >= {MessageFailed, ChildExited}
    for event in events:
        lines.append(str(event))
        if report := CrashReport.of(event):
            texts.append(str(report))
            lines += report.traceback
    lines += [record.getMessage() for record in caplog.records]
    assert [line for line in lines if not line.isprintable()] == []
    assert [text for text in texts if not is_clean(text)] == []
    assert len(lines) > 10


ME = ComponentId("local", "me")
CRASH = ExitReason(ExitKind.CRASH, Raised(EVIL), EVIL)
EVENTS = [
    ChildExited("root", "local/a/0", CRASH, asked=False, restarting=True),
    DeadLetter(ME, ME, 1, EVIL, content_type=EVIL),
    MessageFailed(ME, ME, Raised(EVIL)),
    HookFailed(ME, "stopped", Raised(EVIL)),
    Logged(ME, LogLevel.ERROR, EVIL, ((EVIL, EVIL),)),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_the_text_of_an_event_is_clean(event):
    assert str(event).isprintable()


def test_what_the_command_prints_is_clean(tmp_path):
    module = tmp_path / "hostile_module.py"
    module.write_text(
        f"""
from airssys import actor, blueprint, component

async def handle(context, envelope): ...
handle.__qualname__ = {EVIL!r}
app = blueprint(actor("a", handle), component("c", {"/nowhere/" + EVIL.replace(chr(0), "")!r}))
tree = blueprint(actor("a", handle))
def fail():
    raise ValueError({EVIL!r})
"""
    )
    raising = tmp_path / "raising_module.py"
    raising.write_text(f"raise ValueError({EVIL!r})")
    commands = [
        ["tree", f"{module}:tree"],
        ["tree", f"{module}:app"],
        ["check", f"{module}:app"],
        ["check", "--load", f"{module}:app"],
        ["run", f"{module}:app"],
        ["run", f"{raising}:app"],
        ["run", f"{module}:{EVIL}"],
        ["inspect", str(tmp_path / EVIL.replace("\x00", "").replace("/", ""))],
    ]
    for command in commands:
        # Not a program's: a lone surrogate cannot be in its arguments.
        words = [word.replace("\ud800", "").replace("\udfff", "") for word in command]
        result = CliRunner().invoke(main, words)
        assert is_clean(result.output), command
        assert result.output, command


def test_what_a_component_says_of_itself_is_printed_clean(capsys):
    from airssys.cli.common._say import say

    refusal = ComponentRefused(EVIL, EVIL, EVIL)
    found = Inspection(
        EVIL, exports={EVIL: (EVIL, EVIL)}, imports={EVIL: ()}, refusal=refusal
    )
    lines = list(describe_component(found))
    for line in lines:
        say(line)
    out = capsys.readouterr().out
    assert is_clean(out)
    assert out.count("\n") == len(lines)
    assert is_clean(str(refusal))
    assert is_clean(str(GuestTrapped(TrapReason.OTHER, EVIL, EVIL)))
