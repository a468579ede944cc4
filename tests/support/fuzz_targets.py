"""What is fuzzed: each function takes any bytes, and raises if something is wrong.

`security/test_fuzz.py` gives them a few inputs in each run of the tests, `.ci/fuzz.py`
many, with coverage as its guide.
"""

import os
import tempfile
from pathlib import Path

import trio

from airssys import CalleeFailed, GuestTrapped, actor, blueprint, component, open_system
from airssys.contracts import Access, Artifact, Grant
from airssys.security import everything, store
from airssys.security.capabilities import KINDS, Rules, read_grants
from airssys.security.manifest import effective, explain, read_manifest

GUESTS = Path(__file__).parent.parent / "guests"
CALLS = Artifact.at(GUESTS / "calls.wat")
FOLDER = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())
VERBS = [(kind.name, verb) for kind in KINDS.values() for verb in kind.verbs]
FUNCTIONS = [
    *(
        f"host-messaging.{n}"
        for n in ("send", "request", "ask", "broadcast", "publish")
    ),
    *(f"host-messaging.{n}" for n in ("subscribe", "unsubscribe", "cancel-request")),
    *(f"host-services.{n}" for n in ("list-components", "get-component-metadata")),
    *(f"storage.{n}" for n in ("get", "set", "delete", "exists", "list-keys", "usage")),
]
"""Those that the guest `calls` has."""


def manifest(data):
    """Read a manifest: nothing is raised, and nothing is granted."""
    handle, name = tempfile.mkstemp(".toml", dir=FOLDER)
    try:
        os.write(handle, data)
        found = read_manifest(Path(name))
    finally:
        os.close(handle)
        Path(name).unlink()
    count = data.count(b"\n") + 1
    for mistake in found.mistakes:
        assert mistake.line is None or 1 <= mistake.line <= count, mistake
        assert str(mistake).replace("\n", "").isprintable()
    assert effective(found.requests, ()) == ()
    held, asked = effective(found.requests, (everything(),)), found.requests
    assert read_grants(held)[0].attenuates(read_grants(asked)[0])
    for line in explain(found):
        assert line.replace("\n", "").isprintable()


def patterns(data):
    """Read grants and decide: what one covers it allows, and no order of them matters."""
    kind, verb = VERBS[data[0] % len(VERBS)] if data else VERBS[0]
    texts = data[1:].decode("utf-8", "surrogateescape").split("\n")
    resource, grants = texts[0], [Grant(kind, (verb,), text) for text in texts[1:9]]
    rules = read_grants(grants)[0]
    access = Access(kind, verb, resource)
    first = next((rule for rule in rules.rules if rule.allows(access)), None)
    assert rules.deciding(access) is first
    padded = Rules(
        (*rules.rules, *rules.rules, *rules.rules, *rules.rules, *rules.rules)
    )
    assert padded.deciding(access) is first
    for one in rules.rules:
        assert one.covers(one)
        assert one.resource.matches("") in {True, False}
        for other in rules.rules:
            if one.covers(other) and other.allows(access):
                assert one.allows(access), (str(one), str(other), resource)
            if one.allows(access) and other.allows(access):
                assert one.overlaps(other), (str(one), str(other), resource)


def boundary(data):
    """Call host functions with any arguments: denied, or of concern to the caller only.

    Two NULs divide the calls; the first byte of each chooses the function.
    """
    trio.run(_call, [_payload(call) for call in data.split(b"\0\0")[:20]])


def _payload(call):
    name = FUNCTIONS[call[0] % len(FUNCTIONS)] if call else FUNCTIONS[0]
    return b"\n".join([name.encode(), call[1:]])


async def _call(payloads):
    kept = []

    async def sink(_context, envelope):
        kept.append(envelope)
        return b"here"

    tree = blueprint(
        component("a", CALLS, can=[store("mine/*")], restart="temporary"),
        actor("b", sink, topics=["#"]),
    )
    async with open_system(tree) as system:
        for payload in payloads:
            try:
                answer = await system.ask("a", payload, timeout=20)
            except CalleeFailed as error:
                if not isinstance(error.error, GuestTrapped):
                    raise
                break
            assert answer.startswith((b"ok", b"err")), answer
        assert await system.ask("b", b"") == b"here"
    assert [str(each.sender) for each in kept if each.sender.name == "a"] == []


TARGETS = {each.__name__: each for each in (manifest, patterns, boundary)}
