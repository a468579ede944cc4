"""Codecs, end to end: who declares them gets no message in another one."""

import pytest

from airssys import (
    CodecNotTaken,
    Codecs,
    DefinitionError,
    MessageTooShort,
    UnknownPrefix,
    actor,
    blueprint,
    component,
    open_system,
)
from airssys.contracts import (
    JSON_TYPE,
    MSGPACK_TYPE,
    PREFIXED_TYPE,
    TOPIC_TYPE,
    ActorSpec,
    Artifact,
    ComponentId,
    check,
)
from airssys.security import everything
from wasm_support import GUESTS

pytestmark = pytest.mark.usefixtures("handler_kind")

CALLS = Artifact.at(GUESTS / "calls.wat")
SENDER = Artifact.at(GUESTS / "sender.wat")
ECHO = Artifact.at(GUESTS / "echo.wat")


class Recorder:
    """Notes the payload and the content type of what it gets; says `done`."""

    def __init__(self, kept):
        self.kept = kept

    async def started(self, context):
        context.subscribe("news")

    async def handle(self, context, envelope):
        self.kept.append((envelope.payload, envelope.content_type))
        return b"done"


async def deliver(sender, way, kind):
    """Let a system or a context send something to `b`, in one of its ways."""
    match way:
        case "tell":
            sender.tell("b", b"{}", content_type=kind)
        case "send":
            await sender.send("b", b"{}", content_type=kind)
        case "ask":
            await sender.ask("b", b"{}", content_type=kind)
        case "broadcast":
            results = await sender.broadcast(["b"], b"{}", content_type=kind)
            for error in filter(None, results.values()):
                raise error


async def relay(context, envelope):
    """Act for a test, from within an actor."""
    way, _, kind = envelope.payload.decode().partition(" ")
    await deliver(context, way, kind or None)
    return b"ok"


def plan(kept, *others, **options):
    return blueprint(actor("b", Recorder, kept, **options), *others)


WAYS = ["tell", "send", "ask", "broadcast"]


@pytest.mark.parametrize("way", WAYS)
async def test_the_program_gets_the_error_at_once(way):
    kept = []
    async with open_system(plan(kept, codecs=["msgpack", "json"])) as system:
        await deliver(system, way, JSON_TYPE)
        with pytest.raises(CodecNotTaken) as caught:
            await deliver(system, way, "text/plain")
        assert caught.value.common == MSGPACK_TYPE
        await system.ask("b", b"{}", content_type=JSON_TYPE)
    assert kept == [(b"{}", JSON_TYPE)] * 2


@pytest.mark.parametrize("way", WAYS)
async def test_an_actor_gets_the_codecs_that_both_know(way):
    kept, errors = [], []

    async def handle(context, envelope):
        try:
            return await relay(context, envelope)
        except CodecNotTaken as error:
            errors.append(error)

    other = actor("a", handle)
    options = {"codecs": ["msgpack", "json"]}
    async with open_system(plan(kept, other, **options)) as system:
        assert await system.ask("a", way.encode() + b" application/json")
        assert await system.ask("a", way.encode()) is None
        await system.ask("b", b"last", content_type=JSON_TYPE)
    assert [error.content_type for error in errors] == [None]
    assert kept[0] == (b"{}", JSON_TYPE)
    assert len(kept) == 2


@pytest.mark.parametrize("way", ["send", "ask", "broadcast", "request"])
async def test_a_guest_gets_invalid_message_and_keeps_running(way):
    kept = []
    guest = component("g", CALLS, codecs="borsh", can=everything())
    call = f"host-messaging.{way}\nlocal/b/0\nhi".encode()
    if way == "broadcast":
        call += b"\nlocal/b/0"
    borsh = {"content_type": "application/x-borsh"}
    async with open_system(plan(kept, guest, codecs=["json", "borsh"])) as system:
        assert (await system.ask("g", call, **borsh)).startswith(b"ok")
    assert kept[0] == (b"hi", "application/x-borsh")
    async with open_system(plan(kept, guest, codecs=["json"])) as system:
        answer = await system.ask("g", call, **borsh)
        case = "delivery-failed" if way == "broadcast" else "invalid-message"
        assert answer.startswith(f"err:{case}:".encode())
        assert b"no codec in common" in answer
        assert (await system.ask("g", call, **borsh)) == answer


async def test_a_guest_may_send_another_codec_than_it_takes():
    kept = []
    guest = component("g", CALLS, sends="json", can=everything())
    call = b"host-messaging.ask\nlocal/b/0\nhi"
    async with open_system(plan(kept, guest, codecs="json")) as system:
        assert await system.ask("g", call) == b"ok:done"
    assert kept == [(b"hi", JSON_TYPE)]


async def test_a_guest_that_declares_prefixes_gets_no_payload_without():
    guest = component("g", ECHO, prefixed=True, can=everything())
    async with open_system(blueprint(guest)) as system:
        with pytest.raises(MessageTooShort):
            await system.ask("g", b"\x07")
        with pytest.raises(UnknownPrefix):
            await system.ask("g", b"{}")
        assert await system.ask("g", b"\x07\x01abc") == b"\x07\x01abc"


async def test_what_it_sends_has_the_codec_of_its_prefix():
    kept = []
    guest = component("g", SENDER, prefixed=True, data="local/b/0", can=everything())
    async with open_system(plan(kept, guest, prefixed=True, codecs="borsh")) as system:
        await system.ask("g", b"\x07\x01abc")
        await system.ask("b", b"\x07\x01last")
    assert kept[0] == (b"\x07\x01abc", PREFIXED_TYPE + "borsh")


async def test_a_published_message_is_not_refused_for_its_topic():
    kept = []
    async with open_system(plan(kept, codecs="json")) as system:
        await system.publish("news", b"{}")
        await system.ask("b", b"{}", content_type=JSON_TYPE)
    assert kept[0] == (b"{}", TOPIC_TYPE + "news")


async def test_a_published_payload_without_its_prefix_is_a_dead_letter():
    kept = []
    async with open_system(plan(kept, prefixed=True)) as system:
        with system.dead_letters() as letters:
            await system.publish("news", b"{}")
            letter = await anext(letters)
        assert (letter.payload, "0x7B7D" in letter.why) == (b"{}", True)
        await system.publish("news", b"\x07\x01")
        await system.ask("b", b"\x07\x01")
    assert [payload for payload, _ in kept] == [b"\x07\x01"] * 2


async def test_one_that_declares_nothing_takes_anything():
    kept = []
    async with open_system(plan(kept)) as system:
        for kind in (None, JSON_TYPE, "text/plain", ""):
            await system.ask("b", b"x", content_type=kind)
    assert [kind for _, kind in kept] == [None, JSON_TYPE, "text/plain", ""]


@pytest.mark.parametrize(
    ("options", "ends"),
    [
        ({"codecs": 3}, [".codecs"]),
        ({"codecs": []}, [".codecs"]),
        ({"codecs": ["jsn"]}, [".codecs"]),
        ({"codecs": ["json", "application/JSON; charset=utf-8"]}, [".codecs"]),
        ({"codecs": [3, ""], "prefixed": "yes"}, [".codecs", ".codecs", ".prefixed"]),
        ({"codecs": ["json"], "prefixed": True}, [".codecs"]),
        ({"sends": "jsn"}, [".sends"]),
        ({"sends": "json", "prefixed": True}, [".sends"]),
    ],
)
def test_all_that_is_wrong_with_codecs_is_found(options, ends):
    with pytest.raises(DefinitionError) as caught:
        check(blueprint(component("g", ECHO, can=everything(), **options)))
    assert sorted(m.path for m in caught.value.mistakes) == [
        f"$.root.children[0]{end}" for end in ends
    ]
    assert all(m.hint for m in caught.value.mistakes)


@pytest.mark.parametrize(
    "codecs", ["json", Codecs(takes=["a/b"]), Codecs(sends="a/b"), Codecs()]
)
def test_codecs_written_by_hand_are_checked_too(codecs):
    spec = ActorSpec(id=ComponentId.parse("a"), behaviour=relay, codecs=codecs)
    with pytest.raises(DefinitionError):
        check(blueprint(spec))
