"""What may be handed in as a message, and what is refused before it is one."""

import array

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import ComponentId, Fault, InvalidMessage
from airssys.nursery import as_content_type, as_id, as_payload
from airssys.nursery.behaviours._message_arguments import as_key

from .company import python, running

pytestmark = pytest.mark.usefixtures("handler_kind")

ALICE = ComponentId.parse("alice")
NO_NAMES = [None, 3, b"alice", ("local", "alice", "0"), "", "a/b", "a/b/c/d", "a\n", []]
NO_BYTES = [None, "text", 3, 1.5, [1, 2], {}, object(), b"bytes".decode]
NO_TEXT = [3, b"text", [], "\ud800"]


@given(st.binary())
def test_a_payload_is_the_bytes_that_were_given(data):
    assert as_payload(data) is data
    assert as_payload(bytearray(data)) == data
    assert as_payload(memoryview(data)) == data
    assert as_payload(memoryview(data)[::2]) == data[::2]
    assert type(as_payload(bytearray(data))) is bytes


def test_what_may_change_is_copied():
    mutable = bytearray(b"red")
    payload = as_payload(mutable)
    mutable[0] = 0
    assert payload == b"red"
    assert as_payload(array.array("B", [1, 2])) == b"\1\2"


@pytest.mark.parametrize("payload", NO_BYTES, ids=repr)
def test_what_is_not_bytes_is_refused_with_advice(payload):
    with pytest.raises(InvalidMessage, match=r"no bytes\. Encode it") as caught:
        as_payload(payload)
    assert type(payload).__name__ in str(caught.value)
    assert caught.value.fault is Fault.SENDER


def test_a_released_view_is_not_bytes():
    view = memoryview(b"red")
    view.release()
    with pytest.raises(InvalidMessage):
        as_payload(view)


@pytest.mark.parametrize("target", [ALICE, "alice", "local/alice/0"])
def test_a_name_may_be_an_identity_or_its_text(target):
    assert as_id(target) == ALICE


@pytest.mark.parametrize("target", NO_NAMES, ids=repr)
def test_what_is_not_a_name_is_refused(target):
    with pytest.raises(InvalidMessage, match="the target is") as caught:
        as_id(target)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("content_type", NO_TEXT, ids=repr)
def test_a_content_type_is_text(content_type):
    with pytest.raises(InvalidMessage, match="content type"):
        as_content_type(content_type)
    assert as_content_type("text/plain") == "text/plain"
    assert as_content_type(None) is None


async def echo(context, envelope):
    return envelope.payload


BAD = {"target": NO_NAMES, "payload": NO_BYTES, "content_type": NO_TEXT}


@pytest.mark.parametrize("verb", ["tell", "send", "ask"])
@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field in BAD for value in BAD[field]]
)
async def test_a_bad_message_is_refused_and_nothing_is_delivered(verb, field, value):
    async with running(python("alice", echo)) as (system, _):
        good = {"target": "alice", "payload": b"hello"}
        with pytest.raises(InvalidMessage):
            await getattr(system, verb)(**(good | {field: value}))
        assert system.tree().find("local/alice/0").queued == 0
        assert await system.ask("alice", bytearray(b"hello")) == b"hello"


@pytest.mark.parametrize("verb", ["tell", "send", "ask"])
async def test_an_actor_gets_the_error_too_and_may_go_on(verb):
    async def clumsy(context, envelope):
        refused = 0
        for target, payload in [(None, b""), ("alice", "text"), ("a/b", b"")]:
            try:
                result = getattr(context, verb)(target, payload)
                if result is not None:
                    await result
            except InvalidMessage:
                refused += 1
        return str(refused).encode()

    async with running(python("alice", echo), python("bob", clumsy)) as (system, _):
        assert await system.ask("bob", b"") == b"3"


def test_what_a_mailbox_keeps_besides_the_payload_is_short():
    assert as_content_type("x" * 255)
    with pytest.raises(InvalidMessage, match="more than 255"):
        as_content_type("x" * 256)
    for key in ("k" * 1024, b"k" * 1024):
        assert as_key(key) == key
        with pytest.raises(InvalidMessage, match="more than 1024"):
            as_key(key + key)
