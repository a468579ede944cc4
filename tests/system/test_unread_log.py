"""A log that is not read delays no actor, and what is missing in it is counted."""

import io
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airssys import ComponentId, Logged, LogLevel
from airssys.system.events._event_fanout import EventFanout
from airssys.system.events._event_log import EventLog
from pace import PATIENCE

GUESTS = Path(__file__).resolve().parents[1] / "guests"
ME = ComponentId.parse("me")
LINE = Logged(ME, LogLevel.WARN, "x" * 5000, ())


@pytest.fixture
def pipe():
    """A handler of the logger that writes to a pipe, and the end to read it by."""
    reading, writing = os.pipe()
    handler = logging.StreamHandler(os.fdopen(writing, "w"))
    logger = logging.getLogger("airssys")
    logger.addHandler(handler)
    with os.fdopen(reading, "rb", buffering=0) as reader:
        os.set_blocking(reading, False)
        yield reader
        logger.removeHandler(handler)
        handler.stream.close()


def read_all(reader):
    content = b""
    while more := reader.read(1 << 20):
        content += more
    return content.decode()


def test_what_does_not_fit_is_left_out_counted_and_reported(pipe):
    log = EventLog()
    written = [log.write(LINE) for _ in range(1000)]
    missing = written.count(False)
    assert 0 < missing == log.left_out < 1000
    first = read_all(pipe)
    assert first.count("\n") == written.count(True)
    assert log.write(LINE)
    again = read_all(pipe).splitlines()
    assert again[0] == f"{missing} lines are missing here: the log was not being read"
    assert again[1].startswith("local/me/0: xxx")
    assert log.left_out == missing


@pytest.mark.parametrize(
    "character", ["é", "\u202e", "\N{GRINNING FACE}", "\ud800", "\x1b"]
)
def test_lines_of_any_character_fit(pipe, character):
    log = EventLog()
    hostile = Logged(
        ME, LogLevel.ERROR, character * (1 << 16), ((character, character),)
    )
    assert sum(log.write(hostile) for _ in range(200)) < 200
    assert all(line.isprintable() for line in read_all(pipe).split("\n"))


def test_a_system_counts_them_and_reports_when_it_ends(pipe):
    events = EventFanout()
    for _ in range(200):
        events.emit(LINE)
    assert events.unlogged > 100
    read_all(pipe)
    events.close()
    assert f"{events.unlogged} lines are missing here" in read_all(pipe)


class Odd(io.StringIO):
    def fileno(self):
        raise RuntimeError("it has none")


@pytest.mark.parametrize("stream", [io.StringIO(), Odd()])
def test_a_stream_that_is_not_a_file_is_written_to(stream):
    logger, handler = logging.getLogger("airssys"), logging.StreamHandler(stream)
    logger.addHandler(handler)
    try:
        assert EventLog().write(LINE)
    finally:
        logger.removeHandler(handler)
    assert stream.getvalue().startswith("local/me/0: xxx")


PROGRAM = f"""
import logging, sys
import trio
from airssys import actor, blueprint, component, run

logging.basicConfig(level=1)

async def honest(context, envelope):
    return envelope.payload

async def main(system):
    system.tell("flood", b"")
    with trio.fail_after({PATIENCE}):
        for _ in range(20):
            await trio.sleep(0.01)
            await system.ask("honest", b"")
    print("done", flush=True)
    await trio.sleep_forever()

flood = component("flood", {str(GUESTS / "log-flood.wat")!r})
run(blueprint(flood, actor("honest", honest)), main)
"""


@pytest.mark.slow
def test_a_guest_that_floods_an_unread_stderr_stops_no_other(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "done\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 143
        finally:
            process.kill()
