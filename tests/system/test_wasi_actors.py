"""Components that import WASI, as actors: what they may do is what their grants say."""

import sys
from contextlib import suppress

import pytest
import trio

from airssys import blueprint, component, open_system
from airssys.building import wit_directory
from airssys.contracts import (
    AccessDenied,
    Artifact,
    CalleeFailed,
    Logged,
)
from airssys.security import (
    env,
    monotonic_clock,
    random,
    read_files,
    stdout,
    write_files,
)
from airssys.testing import SeededRandomness
from wasm_support import order, wasi_guest

GUEST = Artifact.from_text(wasi_guest(), "the guest")
SECOND = 1_000_000_000


def events_of(stream):
    found = []
    with suppress(trio.WouldBlock):
        while True:
            found.append(stream.next_nowait())
    return found


async def test_each_actor_has_what_it_was_granted():
    tree = blueprint(
        component("loud", GUEST, can=[stdout()]), component("quiet", GUEST)
    )
    async with open_system(tree) as system:
        events = system.events()
        for name in ("loud", "quiet", "quiet"):
            await system.ask(name, order("p", b"hello\n"))
        seen = events_of(events)
    lines = [(e.source.name, e.message) for e in seen if isinstance(e, Logged)]
    assert lines == [("loud", "hello")]
    denied = [e for e in seen if isinstance(e, AccessDenied)]
    assert [(e.actor.name, e.access.verb) for e in denied] == [("quiet", "stdout")]


async def test_what_is_revoked_is_not_given_any_more():
    tree = blueprint(component("loud", GUEST, can=[stdout(), monotonic_clock()]))
    async with open_system(tree) as system:
        events = system.events()
        await system.ask("loud", order("p", b"one\n"))
        before = await system.ask("loud", order("n"))
        system.grants("loud").revoke(stdout(), monotonic_clock())
        await system.ask("loud", order("p", b"two\n"))
        times = {await system.ask("loud", order("n")) for _ in range(3)}
        seen = events_of(events)
    assert [e.message for e in seen if isinstance(e, Logged)] == ["one"]
    assert times == {before}


async def test_random_bytes_are_those_that_the_system_was_given():
    async def draw():
        tree = blueprint(component("dice", GUEST, can=[random()]))
        async with open_system(tree, randomness=SeededRandomness(7)) as system:
            return await system.ask("dice", order("r"))

    assert await draw() == await draw() != order("r")


async def test_an_actor_that_exits_is_restarted_and_its_asker_is_answered():
    async with open_system(blueprint(component("leaver", GUEST))) as system:
        with pytest.raises(CalleeFailed) as caught:
            await system.ask("leaver", order("x", 3))
        assert "exited" in str(caught.value)
        assert await system.ask("leaver", order("s")) == order("s")


async def test_a_sleeping_actor_stops_at_once(autojump_clock):
    tree = blueprint(component("sleeper", GUEST))
    async with open_system(tree) as system:
        await system.send("sleeper", order("s", 10**6 * SECOND))
        await trio.sleep(3600)
        began = trio.current_time()
    assert trio.current_time() - began < 60


PYTHON_GUEST = """\
import os
import sys
import time

from wit_world import exports
from wit_world.exports.component_lifecycle import ComponentMetadata
from wit_world.imports.types import HealthStatus


class ComponentLifecycle(exports.ComponentLifecycle):
    def initialize(self, config):
        pass

    def handle_message(self, message):
        code = message.payload.decode()
        try:
            value = eval(code, {"os": os, "sys": sys, "time": time})
        except OSError as error:
            value = type(error).__name__
        return repr(value).encode()

    def handle_callback(self, message):
        pass

    def metadata(self):
        return ComponentMetadata("by hand", "1.0.0", "", "", "", [], False)

    def health(self):
        return HealthStatus.HEALTHY

    def shutdown(self):
        pass
"""


FILES = {
    "sorted(os.listdir('/data'))": ["a.txt", "out"],
    "open('/data/a.txt').read()": "hello",
    "os.stat('/data/a.txt').st_size": 5,
    "open('/data/out').read()": "PermissionError",
    "open('/data/nope').read()": "FileNotFoundError",
    "open('/data/a.txt', 'w')": "PermissionError",
    "os.remove('/data/a.txt')": "PermissionError",
    "os.mkdir('/data/new')": None,
    "open('/data/new/b.txt', 'w').write('x' * 100_000)": 100_000,
    "open('/data/new/b.txt').read() == 'x' * 100_000": True,
    "os.rename('/data/new/b.txt', '/data/new/c.txt')": "PermissionError",
    "[len(each[2]) for each in os.walk('/data')]": [2, 1],
}
"""What a guest evaluates, and finds."""


@pytest.mark.slow
async def test_a_python_guest_without_stubs(tmp_path):
    """The first real user: 102 functions of 21 interfaces, of which it calls 13."""
    pytest.importorskip("componentize_py")
    (tmp_path / "hand.py").write_text(PYTHON_GUEST)
    how = [sys.executable, "-c", "from componentize_py import script; script()"]
    how += ["--wit-path", str(wit_directory()), "--world", "runtime-host"]
    how += ["componentize", "-p", str(tmp_path), "hand", "-o", str(tmp_path / "a.wasm")]
    await trio.run_process(how, cwd=tmp_path, capture_stderr=True)
    guest = Artifact.at(tmp_path / "a.wasm")
    (tmp_path / "files").mkdir()
    (tmp_path / "files/a.txt").write_text("hello")
    (tmp_path / "files/out").symlink_to("/etc/passwd")
    files = str(tmp_path / "files")
    free = [
        random(),
        stdout(),
        env("HOME"),
        monotonic_clock(),
        read_files("/data/**", at=files),
        write_files("/data/new/**"),
    ]
    given = {"HOME": "/root", "KEY": "secret"}
    tree = blueprint(
        component("free", guest, can=free, env=given),
        component("bare", guest, can=[random()], env=given),
    )
    async with open_system(tree, cache_directory=tmp_path / "kept") as system:
        events = system.events()

        async def evaluate(name, code):
            return eval(await system.ask(name, code.encode(), timeout=60))

        assert await evaluate("free", "dict(os.environ)") == {"HOME": "/root"}
        assert await evaluate("bare", "dict(os.environ)") == {}
        assert await evaluate("bare", "(time.time(), time.monotonic())") == (0, 0)
        began = trio.current_time()
        await evaluate("bare", "time.sleep(0.2)")
        assert trio.current_time() - began >= 0.2
        assert await evaluate("bare", "time.monotonic()") == 0.2
        assert await evaluate("free", "sys.stdin.read()") == ""
        for code, found in FILES.items():
            assert await evaluate("free", code) == found, code
        assert (tmp_path / "files/new/b.txt").read_text("utf-8") == "x" * 100_000
        for name in ("free", "bare"):
            assert await evaluate(name, "open('/etc/passwd')") == "FileNotFoundError"
            assert len(await evaluate(name, "os.urandom(4)")) == 4
            await evaluate(name, "print('hello')")
        lines = [e.message for e in events_of(events) if isinstance(e, Logged)]
    assert lines == ["hello"]
