"""The log is enough to find out what went wrong: tracebacks, fields, levels."""

import io
import logging
import sys

import pytest
import trio

from airssys import (
    ChildExited,
    ChildStarted,
    ComponentId,
    ExitKind,
    ExitReason,
    Logged,
    LogLevel,
    MessageFailed,
    TraceContext,
    actor,
    blueprint,
    run,
    supervisor,
)
from airssys.system.events._event_log import EventLog, log_event
from airssys.system.events._short_traceback import (
    AGAIN_AFTER,
    Tracebacks,
    short_traceback,
)

ME = ComponentId.parse("me")


def fail(text="boom"):
    raise ValueError(text)


class Clerk:
    async def handle(self, context, envelope):
        await trio.lowlevel.checkpoint()
        fail()


def raised(function, *arguments):
    with pytest.raises((ValueError, RuntimeError)) as caught:
        function(*arguments)
    return caught.value


def crash(error):
    reason = ExitReason(ExitKind.CRASH, error, str(error))
    return ChildExited("root", "local/me/0", reason, False, True, restarts=2)


def crash_of_a_clerk(caplog, *children, asks=1):
    async def main(system):
        for _ in range(asks):
            with pytest.raises(Exception, match="clerk"):
                await system.ask("clerk", b"x")

    caplog.set_level(logging.WARNING, logger="airssys")
    run(blueprint(*children), main)


def test_a_crash_has_the_traceback_of_the_users_lines_only(caplog):
    crash_of_a_clerk(caplog, actor("clerk", Clerk))
    [record] = caplog.records
    lines = record.exc_text.splitlines()
    files = [line for line in lines if line.startswith('  File "')]
    assert [line.rpartition(" in ")[2] for line in files] == ["handle", "fail"]
    assert all(__file__ in line for line in files)
    assert lines[-1] == "ValueError: boom"


def test_one_that_ends_with_the_crashed_does_not_repeat_its_traceback(caplog):
    below = supervisor("below", actor("clerk", Clerk), restarts=0)
    caplog.set_level(logging.INFO, logger="airssys")
    crash_of_a_clerk(caplog, below)
    with_traceback = [r for r in caplog.records if r.exc_text]
    assert [r.actor for r in with_traceback] == ["local/clerk/0"]
    assert len(caplog.records) > 1


def test_a_crash_loop_writes_its_traceback_once(caplog):
    crash_of_a_clerk(caplog, actor("clerk", Clerk), asks=3)
    assert [bool(r.exc_text) for r in caplog.records] == [True, False, False]


def test_a_traceback_is_written_again_after_a_while():
    now = [0.0]
    known = Tracebacks(lambda: now[0])
    error = raised(fail)
    assert known.of(error, 3000)
    now[0] = AGAIN_AFTER - 1
    assert not known.of(error, 3000)
    assert known.of(raised(int, "x"), 3000)  # another one
    now[0] = AGAIN_AFTER
    assert known.of(error, 3000)


def test_an_error_without_a_frame_of_the_user_has_no_traceback():
    assert short_traceback(ValueError("never raised"), 3000) == ""


def test_the_causes_of_a_crash_are_in_its_traceback():
    def outer():
        try:
            fail("first")
        except ValueError as error:
            raise RuntimeError("second") from error

    text = short_traceback(raised(outer), 3000)
    assert text.index("ValueError: first") < text.index("RuntimeError: second")


def test_a_traceback_cannot_forge_lines_and_is_bounded():
    def deep(count):
        if count:
            deep(count - 1)
        fail("done\x1b[2K\u2028 " + "x" * 10_000)

    text = short_traceback(raised(deep, 50), 1500)
    assert len(text.encode()) <= 1500
    assert "\x1b" not in text
    assert "\u2028" not in text
    assert "in fail" in text


def test_records_have_fields(caplog):
    caplog.set_level(1, logger="airssys")
    trace = TraceContext("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    log_event(crash(raised(fail)))
    log_event(MessageFailed(ME, ME, ValueError("no"), trace))
    log_event(Logged(ME, LogLevel.INFO, "hello", ()))
    names = ("event", "actor", "reason", "restarts", "incarnation", "trace")
    assert [tuple(getattr(r, n) for n in names) for r in caplog.records] == [
        ("ChildExited", "local/me/0", "crash", 2, 3, None),
        ("MessageFailed", "local/me/0", None, None, None, trace.traceparent),
        ("Logged", "local/me/0", None, None, None, None),
    ]


@pytest.fixture
def shown_lines(monkeypatch):
    """Runs a program that has not configured logging; returns its lines on stderr."""

    def shown_lines(log, *events):
        async def main(system):
            for event in events:
                EventLog().write(event)

        written = io.StringIO()
        with monkeypatch.context() as patch:
            for name in ("", "airssys"):
                patch.setattr(logging.getLogger(name), "handlers", [])
            patch.setattr(sys, "stderr", written)
            run(blueprint(), main, log=log)
        return [line.split(None, 3)[-1] for line in written.getvalue().splitlines()]

    return shown_lines


STARTED = ChildStarted("root", "local/a/0", 0)
SPOKE = Logged(ME, LogLevel.DEBUG, "I speak", ())


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        ("warning", []),
        ("info", ["root/local/a/0 is ready"]),
        ("DEBUG", ["root/local/a/0 is ready", "local/me/0: I speak"]),
        ({"me": "debug"}, ["local/me/0: I speak"]),
        ({"*": "info", "a": "error"}, []),
        ({"*": "off", "me": "trace"}, ["local/me/0: I speak"]),
    ],
)
def test_a_program_shows_its_log_from_a_level_on(shown_lines, log, shown):
    assert shown_lines(log, STARTED, SPOKE) == shown


def test_what_is_shown_does_not_outlast_the_program(shown_lines):
    loggers = [logging.getLogger("airssys"), logging.getLogger("airssys.guest")]
    before = [(x.level, list(x.handlers), list(x.filters)) for x in loggers]
    shown_lines("debug")
    assert [(x.level, list(x.handlers), list(x.filters)) for x in loggers] == before


@pytest.mark.parametrize(
    ("log", "text"),
    [
        ("inof", "did you mean info?"),
        ("7", "write trace, debug"),
        ({"a//b/c": "info"}, "'a//b/c' is not the name of an actor"),
    ],
)
def test_a_level_that_is_none_is_refused_before_anything_runs(log, text):
    with pytest.raises(ValueError, match=text.replace("?", r"\?")):
        run(blueprint(), log=log)
