"""What a program sees that does not listen to events."""

import logging

import pytest

from airssys import (
    ChildExited,
    ChildStarted,
    ChildStartFailed,
    ChildUnstopped,
    ComponentId,
    DeadLetter,
    ExitKind,
    ExitReason,
    HandlerHeldThread,
    Logged,
    LogLevel,
    MessageFailed,
    SupervisorGaveUp,
)
from airssys.contracts import IntensityExceeded
from airssys.system.events._event_log import log_event

ME = ComponentId.parse("me")
CRASH = ExitReason(ExitKind.CRASH, detail="boom")
NORMAL = ExitReason(ExitKind.NORMAL)

LINES = {
    ChildStarted("root", "a", 0): (logging.INFO, "root/a is ready"),
    ChildStarted("root", "a", 2): (logging.INFO, "root/a is ready, restart 2"),
    ChildExited("root", "a", CRASH, asked=False, restarting=True): (
        logging.WARNING,
        "root/a ended, crash (boom): restarting it",
    ),
    ChildExited("root", "a", NORMAL, asked=True, restarting=False): (
        logging.INFO,
        "root/a ended, normal",
    ),
    ChildStartFailed("root", "a", CRASH): (
        logging.WARNING,
        "root/a did not start, crash (boom)",
    ),
    ChildUnstopped("root", "a", 1.5): (
        logging.WARNING,
        "root/a is still running 1.5 s after it was stopped",
    ),
    SupervisorGaveUp("root", IntensityExceeded("root", "a", 4, 60.0, "crash")): (
        logging.ERROR,
        "root gives up: a failed (crash)",
    ),
    HandlerHeldThread(ME, "handle", 0.25): (
        logging.WARNING,
        "local/me/0: handle blocked the Trio thread for 0.25 s",
    ),
    HandlerHeldThread(ME, "handle", 0.25, "shop.py:12 in handle"): (
        logging.WARNING,
        "local/me/0: handle blocked the Trio thread for 0.25 s, at shop.py:12 in handle",
    ),
    MessageFailed(ME, ME, ValueError("no")): (
        logging.INFO,
        "local/me/0 refused a message from local/me/0: no",
    ),
    DeadLetter(ME, ME, 3, "too late"): (
        logging.DEBUG,
        "dead letter from local/me/0 to local/me/0, 3 bytes: too late",
    ),
}


@pytest.mark.parametrize(("event", "line"), LINES.items())
def test_each_event_has_a_line_and_a_level(caplog, event, line):
    caplog.set_level(logging.DEBUG, logger="airssys")
    log_event(event)
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == line


def test_a_line_that_is_not_wanted_is_not_made(caplog):
    caplog.set_level(logging.WARNING, logger="airssys")
    log_event(ChildStarted("root", "a", 0))
    assert not caplog.records


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (LogLevel.TRACE, 5),
        (LogLevel.DEBUG, logging.DEBUG),
        (LogLevel.INFO, logging.INFO),
        (LogLevel.WARN, logging.WARNING),
        (LogLevel.ERROR, logging.ERROR),
    ],
)
def test_what_a_component_logs_keeps_its_level_and_context(caplog, level, expected):
    caplog.set_level(1, logger="airssys.guest")
    log_event(Logged(ME, level, "hello", (("k", "v"),)))
    [record] = caplog.records
    assert (record.name, record.levelno) == ("airssys.guest", expected)
    assert record.getMessage() == "local/me/0: hello k=v"


def test_a_component_cannot_forge_lines(caplog):
    caplog.set_level(1, logger="airssys.guest")
    forged = "done\nERROR root gives up\x1b[2K\u2028\ud800 ß"
    log_event(Logged(ME, LogLevel.INFO, forged, (("k\r", "v\t"),)))
    [record] = caplog.records
    assert record.getMessage() == (
        "local/me/0: done\\nERROR root gives up\\x1b[2K\\u2028\\ud800 ß k\\r=v\\t"
    )


def test_a_line_of_a_component_that_is_not_wanted_is_not_made(caplog):
    class Context:
        def __iter__(self):
            raise AssertionError("made")

    caplog.set_level(logging.WARNING, logger="airssys.guest")
    log_event(Logged(ME, LogLevel.INFO, "hello", Context()))
    assert not caplog.records
