"""A message that its target could not read is refused when it is sent."""

import pytest
import trio.testing
from hypothesis import given, strategies as st

from airssys.contracts import (
    CODEC_NAMES,
    JSON_TYPE,
    MSGPACK_TYPE,
    PREFIXED_TYPE,
    PREFIXES,
    TOPIC_TYPE,
    CodecNotTaken,
    Codecs,
    ComponentId,
    Envelope,
    MailboxFull,
    MessageTooLarge,
    MessageTooShort,
    PrefixContradicted,
    UnknownPrefix,
    codec_of,
    known_codecs,
)
from airssys.messaging import Mailbox, content_type_sent
from airssys.messaging.routing._codecs import examine_codec

A, B = ComponentId.parse("a"), ComponentId.parse("b")
CBOR = "application/cbor"
BOTH = Codecs(takes=(MSGPACK_TYPE, JSON_TYPE))
PREFIXED = Codecs(prefixed=True)


def refusal(world, codecs, payload=b"{}", sender=None, **fields):
    """Why `a` does not take a message of `b`; None if it does."""
    world.open(A, codecs=codecs)
    if sender is not None:
        world.open(B, codecs=sender)
    letter = world.letter(A, B, payload, **fields)
    try:
        world.broker.tell(letter)
    except ValueError as error:
        return error
    return None


@pytest.mark.parametrize("kind", [None, "", "text/plain", JSON_TYPE, "no codec at all"])
def test_an_actor_that_declares_nothing_takes_anything(world, kind):
    assert refusal(world, None, content_type=kind) is None


@pytest.mark.parametrize(
    "kind", [JSON_TYPE, "Application/JSON", "application/json; charset=utf-8"]
)
def test_one_that_declares_codecs_takes_these(world, kind):
    assert refusal(world, BOTH, content_type=kind) is None


def test_and_no_others(world):
    error = refusal(world, BOTH, content_type=CBOR)
    assert type(error) is CodecNotTaken
    assert (error.target, error.content_type) == (A, CBOR)
    assert error.takes == (MSGPACK_TYPE, JSON_TYPE)
    assert error.case == "invalid-message"


def test_nor_one_that_names_no_codec(world):
    error = refusal(world, BOTH)
    assert type(error) is CodecNotTaken
    assert error.content_type is None
    assert error.common == MSGPACK_TYPE  # its sender takes anything
    assert "names no codec" in str(error)


@pytest.mark.parametrize(
    ("of_sender", "common"),
    [
        (Codecs(takes=(CBOR, JSON_TYPE)), JSON_TYPE),
        (Codecs(takes=(JSON_TYPE, MSGPACK_TYPE)), MSGPACK_TYPE),
        (Codecs(takes=(CBOR,)), None),
        (PREFIXED, None),
    ],
)
def test_the_refusal_names_a_codec_that_both_know(world, of_sender, common):
    error = refusal(world, BOTH, sender=of_sender, content_type=CBOR)
    assert error.common == common
    assert (common or "no codec in common") in str(error)


@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        (b"\x07\x01", "borsh"),
        (b"\x07\x02", "bincode"),
        (b"\x02\x01", "msgpack"),
        (b"\x00\x50", "protobuf"),
    ],
)
def test_a_prefix_is_two_bytes_the_high_one_first(world, prefix, name):
    assert refusal(world, PREFIXED, prefix) is None
    assert content_type_sent(A, prefix + b"x", PREFIXED) == PREFIXED_TYPE + name
    named = CODEC_NAMES[name]
    world.broker.tell(world.letter(A, B, prefix, content_type=named))


@pytest.mark.parametrize("payload", [b"", b"\x07"])
def test_a_payload_may_be_too_short_for_its_prefix(world, payload):
    error = refusal(world, PREFIXED, payload)
    assert type(error) is MessageTooShort
    assert (error.actor, error.actual) == (A, len(payload))


@pytest.mark.parametrize(("payload", "shown"), [(b"{}", "0x7B7D"), (b"P\0", "0x5000")])
def test_a_prefix_may_be_unknown(world, payload, shown):
    error = refusal(world, PREFIXED, payload)
    assert type(error) is UnknownPrefix
    assert error.prefix == int(shown, 16)
    assert shown in str(error)


def test_a_known_prefix_may_not_be_taken(world):
    borsh = Codecs(takes=(CODEC_NAMES["borsh"],), prefixed=True)
    error = refusal(world, borsh, b"\x02\x01", sender=PREFIXED)
    assert type(error) is CodecNotTaken
    assert error.common == PREFIXED_TYPE + "borsh"


def test_content_type_and_prefix_must_agree(world):
    error = refusal(world, PREFIXED, b"\x07\x01", content_type=MSGPACK_TYPE)
    assert type(error) is PrefixContradicted


def test_a_payload_with_a_prefix_is_another_codec_than_without(world):
    """The host takes no prefix off, so its receiver would read it as data."""
    kind = content_type_sent(B, b"\x02\x01", PREFIXED)
    error = refusal(world, BOTH, b"\x02\x01", content_type=kind, sender=PREFIXED)
    assert type(error) is CodecNotTaken


def test_a_topic_is_not_a_codec(world):
    topic = TOPIC_TYPE + "a.b"
    assert refusal(world, BOTH, content_type=topic) is None


def test_but_its_prefix_is_checked(world):
    error = refusal(world, PREFIXED, b"{}", content_type=TOPIC_TYPE + "a.b")
    assert type(error) is UnknownPrefix


def test_the_size_still_counts(world):
    world.open(A, codecs=BOTH, message_bytes=2)
    with pytest.raises(MessageTooLarge):
        world.broker.tell(world.letter(A, B, b"123", content_type=CBOR))


async def test_send_and_ask_are_refused_the_same_way(served):
    served.open(A, codecs=BOTH)
    with pytest.raises(CodecNotTaken):
        await served.broker.send(served.letter(A, B, content_type=CBOR))
    with pytest.raises(CodecNotTaken):
        await served.ask(A, B, content_type=CBOR)


async def test_one_that_waited_for_room_is_checked_again(world, nursery):
    """The name may belong to another mailbox by then."""
    full = world.open(A, capacity=1)
    world.broker.tell(world.letter(A, B))
    errors = []

    async def send():
        try:
            await world.broker.send(world.letter(A, B))
        except CodecNotTaken as error:
            errors.append(error)

    nursery.start_soon(send)
    await trio.testing.wait_all_tasks_blocked()
    full.codecs, full.unexamined_bytes = BOTH, -1
    full.take_nowait()
    await trio.testing.wait_all_tasks_blocked()
    assert len(errors) == 1


def test_a_refused_message_takes_no_room(world):
    world.open(A, capacity=1, codecs=BOTH)
    with pytest.raises(CodecNotTaken):
        world.broker.tell(world.letter(A, B, content_type=CBOR))
    world.broker.tell(world.letter(A, B, content_type=JSON_TYPE))
    with pytest.raises(MailboxFull):
        world.broker.tell(world.letter(A, B, content_type=JSON_TYPE))


def test_one_that_declares_nothing_is_not_checked():
    assert Mailbox(A, 1).unexamined_bytes == Mailbox(A, 1).message_bytes
    assert Mailbox(A, 1, codecs=BOTH).unexamined_bytes == -1


@pytest.mark.parametrize(
    ("codecs", "kind"),
    [
        (None, None),
        (BOTH, MSGPACK_TYPE),
        (Codecs(takes=(JSON_TYPE,), sends=CBOR), CBOR),
    ],
)
def test_what_a_component_sends_has_the_codec_that_it_declares(codecs, kind):
    assert content_type_sent(A, b"", codecs) == kind


KINDS = st.sampled_from([*CODEC_NAMES.values(), CBOR])
TAKES = st.lists(KINDS, unique=True, min_size=1).map(tuple)
ANY_CODECS = st.one_of(
    st.none(),
    TAKES.map(lambda takes: Codecs(takes=takes)),
    st.lists(st.sampled_from(sorted(PREFIXES.values())), unique=True).map(
        lambda names: Codecs(takes=tuple(CODEC_NAMES[n] for n in names), prefixed=True)
    ),
)


@given(
    codecs=ANY_CODECS.filter(bool),
    of_sender=ANY_CODECS,
    kind=st.one_of(st.none(), KINDS, st.text(max_size=9)),
    payload=st.one_of(
        st.binary(max_size=4),
        st.sampled_from(sorted(PREFIXES)).map(lambda p: p.to_bytes(2, "big")),
    ),
)
def test_what_is_let_in_is_what_was_declared(codecs, of_sender, kind, payload):
    error = None
    try:
        examine_codec(Envelope(A, B, payload, kind), codecs, {B: of_sender}.get)
    except ValueError as raised:
        error = raised
    takes = known_codecs(codecs)
    prefix = PREFIXES.get(int.from_bytes(payload[:2], "big")) if payload[1:] else None
    named = None if kind is None else codec_of(kind)
    means = f"{PREFIXED_TYPE}{prefix}" if codecs.prefixed else named
    if codecs.prefixed and prefix is None:
        assert type(error) in {MessageTooShort, UnknownPrefix}
    elif codecs.prefixed and named not in {None, means, CODEC_NAMES[prefix]}:
        assert type(error) is PrefixContradicted
    elif means in takes:
        assert error is None
    else:
        assert type(error) is CodecNotTaken
        both = [t for t in takes if of_sender is None or t in known_codecs(of_sender)]
        assert error.common == (both[0] if both else None)
