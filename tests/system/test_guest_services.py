"""Real guests look around: their log, the clock, other components' metadata."""

import logging
from contextlib import suppress

import pytest
import trio

from airssys import Logged, LogLevel, blueprint, component, open_system
from airssys.contracts import Artifact
from airssys.security import everything
from wasm_support import GUESTS

CALLS = Artifact.at(GUESTS / "calls.wat")
NAMES = [level.value for level in LogLevel]


def lines_of(stream):
    events = []
    with suppress(trio.WouldBlock):
        while True:
            events.append(stream.next_nowait())
    return [event for event in events if isinstance(event, Logged)]


@pytest.mark.parametrize("minimum", ["trace", "info", "error"])
async def test_a_guest_logs_from_its_level_on(minimum, caplog):
    caplog.set_level(1, logger="airssys.guest")
    guest = component("a", CALLS, log_level=minimum, can=everything())
    async with open_system(blueprint(guest)) as system:
        events = system.events()
        for number in range(len(NAMES)):
            await system.ask("a", f"host-services.log\nhello\n{number}".encode())
        lines = lines_of(events)
    wanted = NAMES[NAMES.index(minimum) :]
    assert [line.level.value for line in lines] == wanted
    assert {line.context for line in lines} == {(("colour", "red"),)}
    assert len([r for r in caplog.records if r.name == "airssys.guest"]) == len(wanted)
    assert caplog.records[-1].levelno == logging.ERROR
    assert caplog.records[-1].getMessage() == "local/a/0: hello colour=red"


async def test_the_clock_of_a_guest_is_the_systems():
    options = {"wall_clock": lambda: 5_000_000_007}
    async with open_system(
        blueprint(component("a", CALLS, can=everything())), **options
    ) as system:
        assert await system.ask("a", b"host-services.current-time") == b"ok:5 7"
        millis = await system.ask("a", b"host-services.current-time-millis")
        assert millis == b"ok:5000"


async def test_a_guest_sees_what_others_say_of_themselves():
    plan = blueprint(
        component("a", CALLS, can=everything()),
        component("b", GUESTS / "echo.wat", can=everything()),
    )
    async with open_system(plan) as system:
        names = await system.ask("a", b"host-services.list-components")
        assert names == b"ok:local/a/0,local/b/0"
        lookup = b"host-services.get-component-metadata\nlocal/b/0"
        answer = (await system.ask("a", lookup)).decode()
        identity, name, version, health = answer.removeprefix("ok:").split("|")
        assert (identity, name, health) == ("local/b/0", "echo", "unknown")
        assert version
        missing = await system.ask("a", lookup.replace(b"/b/", b"/x/"))
        assert missing == b"err:invalid-state:no component is called local/x/0"
