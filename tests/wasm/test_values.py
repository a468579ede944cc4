"""Values cross whole: through memory alone for any type, and through real guests."""

import math

import pytest
import trio
from hypothesis import given, settings, strategies as st

from airssys.contracts import ComponentConfig, ComponentId, Limits, Timestamp
from airssys.wasm.fallback.values._frame import PIECE
from airssys.wasm.fallback.values._marshaller import Marshaller
from airssys.wasm.host._core_world import EXPORTS, IMPORTS
from airssys.wasm.values._types import (
    BYTES,
    STRING,
    Budget,
    Case,
    Enum,
    Err,
    Function,
    List,
    Number,
    Ok,
    Option,
    Result,
    TooMuch,
    Tuple,
    ValueUnfit,
    function,
    record,
    variant,
)
from wasm_support import (
    TEXTS,
    TYPED_VALUES,
    ScriptedServices,
    envelope,
    open_guests,
    same,
    types,
    values_of,
)

ENOUGH = 2**40

# -- any type, any value

FEW = settings(max_examples=max(10, settings.default.max_examples // 4))


def there_and_back(marshaller, value):
    frame, address = marshaller.lower_result(value)
    lifted = marshaller.lift_result(address, Budget(ENOUGH))
    marshaller.give_back(frame)
    return lifted


@given(TYPED_VALUES)
def test_any_value_of_any_type_comes_back(typed):
    wit, value = typed
    assert same(there_and_back(Marshaller(Function((), wit)), value), value)


@FEW
@given(
    types().flatmap(lambda w: st.tuples(st.just(w), st.lists(values_of(w), max_size=5)))
)
def test_a_frame_used_again_keeps_nothing_of_the_value_before(typed):
    wit, values = typed
    marshaller = Marshaller(Function((), wit))
    for value in values:
        assert same(there_and_back(marshaller, value), value)


@FEW
@given(st.lists(TYPED_VALUES, max_size=4))
def test_any_parameters_come_back(typed):
    params = tuple((f"p{number}", wit) for number, (wit, _) in enumerate(typed))
    marshaller = Marshaller(Function(params, None))
    values = [value for _, value in typed]
    frame = marshaller.lower_params(values)
    lifted = marshaller.lift_params(frame.fixed.base, Budget(ENOUGH))
    assert same(tuple(lifted), tuple(values))


SIGNATURES = [
    pytest.param(signature, id=name)
    for functions in (EXPORTS, *IMPORTS.values())
    for name, signature in functions.items()
]


@pytest.mark.parametrize("signature", SIGNATURES)
@FEW
@given(st.data())
def test_the_values_of_the_world_come_back(signature, data):
    marshaller = Marshaller(signature)
    values = [data.draw(values_of(wit)) for _, wit in signature.params]
    frame = marshaller.lower_params(values)
    assert marshaller.lift_params(frame.fixed.base, Budget(ENOUGH)) == values
    if signature.result is not None:
        value = data.draw(values_of(signature.result))
        assert there_and_back(marshaller, value) == value


@pytest.mark.parametrize("size", [0, 1, 255, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_any_size_and_kind_come_back(size, kind):
    data = bytes(range(256)) * (size // 256 + 1)
    marshaller = Marshaller(function(to=BYTES))
    assert there_and_back(marshaller, kind(data[:size])) == data[:size]


@FEW
@given(st.lists(st.binary(max_size=3000) | TEXTS, max_size=20))
def test_many_strings_and_byte_lists_find_room(values):
    wit = List(variant(data=BYTES, text=STRING))
    cases = [Case("data" if isinstance(v, bytes) else "text", v) for v in values]
    assert there_and_back(Marshaller(Function((), wit)), cases) == tuple(cases)


def test_very_many_identities_come_back_while_they_are_in_use():
    """Rows of strings are kept for the next message, but not all of them for ever."""
    identity = record(namespace=STRING, name=STRING)
    marshaller = Marshaller(function(ids=List(identity)))
    many = tuple(("space", f"name-{number}") for number in range(5000))
    frame = marshaller.lower_params([many])
    marshaller.lower_params([tuple(("other", f"{number}") for number in range(5000))])
    assert marshaller.lift_params(frame.fixed.base, Budget(ENOUGH)) == [many]


# -- what does not fit

INTEGERS = [number for number in Number if number is not Number.BOOL]


@given(st.sampled_from(INTEGERS), st.integers(-(2**70), 2**70))
def test_integers_fit_exactly_within_their_range(number, value):
    _, _, low, high = number.value
    marshaller = Marshaller(Function((), number))
    if low <= value <= high:
        assert there_and_back(marshaller, value) == value
    else:
        with pytest.raises(
            ValueUnfit, match=f"is not a valid {number.value[0]} @ result"
        ):
            marshaller.lower_result(value)


@pytest.mark.parametrize("number", INTEGERS)
@pytest.mark.parametrize("value", [True, 1.0, "1", None, b"1"])
def test_only_integers_are_integers(number, value):
    with pytest.raises(ValueUnfit):
        Marshaller(Function((), number)).lower_result(value)


PAIR = record(one=STRING, two=Number.U8)


@pytest.mark.parametrize(
    ("wit", "value", "text"),
    [
        (Number.BOOL, 1, "1 (int) is not a valid bool @ result"),
        (STRING, b"x", "b'x' (bytes) is not a valid str @ result"),
        (BYTES, "x", "'x' (str) is not a valid bytes @ result"),
        (BYTES, [1], "[1] (list) is not a valid bytes @ result"),
        (List(STRING), "abc", "'abc' (str) is not a valid list @ result"),
        (List(STRING), {"a"}, "{'a'} (set) is not a valid list @ result"),
        (List(STRING), ["a", 1], "1 (int) is not a valid str @ result[1]"),
        (Enum(("a", "b")), "c", "'c' (str) is not a valid a | b @ result"),
        (PAIR, ("a",), "('a',) (tuple) is not a valid tuple of 2 @ result"),
        (PAIR, ["a", 1], "['a', 1] (list) is not a valid tuple of 2 @ result"),
        (PAIR, ("a", 256), "256 (int) is not a valid u8 @ result.two"),
        (record(a=STRING, b=STRING), ("a", 1), "1 (int) is not a valid str @ result.b"),
        (
            record(a=STRING, b=STRING),
            ("a",),
            "('a',) (tuple) is not a valid tuple of 2 @ result",
        ),
        (record(a=STRING, b=STRING), ["a", "b"], "is not a valid tuple of 2 @ result"),
        (
            Tuple((STRING, STRING)),
            ("a", None),
            "None (NoneType) is not a valid str @ result.1",
        ),
        (Option(Number.U8), "x", "'x' (str) is not a valid u8 @ result"),
        (variant(a=STRING), "a", "'a' (str) is not a valid a @ result"),
        (variant(a=STRING, b=None), Case("c"), "is not a valid a | b @ result"),
        (variant(a=STRING), Case("a", 1), "1 (int) is not a valid str @ result.a"),
        (Result(STRING, None), "x", "'x' (str) is not a valid Ok | Err @ result"),
        (Result(STRING, None), Ok(1), "1 (int) is not a valid str @ result.ok"),
        (
            Result(None, PAIR),
            Err(("", -1)),
            "-1 (int) is not a valid u8 @ result.err.two",
        ),
        (STRING, "a\ud800", "'a\\ud800' has lone surrogates"),
        (record(a=STRING), ("\udfff",), "'\\udfff' has lone surrogates"),
        (STRING, 10**100, "1000"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(wit, value, text):
    with pytest.raises(ValueUnfit) as caught:
        Marshaller(Function((), wit)).lower_result(value)
    assert text in str(caught.value)
    assert len(str(caught.value)) < 150


def test_parameters_are_named():
    marshaller = Marshaller(function(first=STRING, second_one=List(PAIR)))
    with pytest.raises(ValueUnfit, match=r"@ second-one\[0\]\.two"):
        marshaller.lower_params(["", [("x", -1)]])
    with pytest.raises(ValueUnfit, match="1 values for 2 parameters"):
        marshaller.lower_params([""])


def test_a_function_without_a_result_has_none():
    marshaller = Marshaller(function())
    with pytest.raises(ValueUnfit, match="without a result"):
        marshaller.lower_result(1)
    assert marshaller.lift_result(0, Budget(0)) is None


def test_a_value_that_did_not_fit_leaves_the_next_alone():
    marshaller = Marshaller(function(to=record(a=BYTES, b=STRING, c=Number.U8)))
    for _ in range(3):
        with pytest.raises(ValueUnfit):
            marshaller.lower_result((b"abc", "text", 256))
    assert there_and_back(marshaller, (b"", "", 1)) == (b"", "", 1)


# -- frames


def test_frames_are_used_again():
    marshaller = Marshaller(function(a=STRING))
    frame = marshaller.lower_params(["x"])
    marshaller.give_back(frame)
    assert marshaller.lower_params(["y"]) is frame


def test_a_frame_that_was_given_back_holds_on_to_nothing():
    marshaller = Marshaller(function(a=List(record(b=STRING)), c=BYTES))
    for _ in range(3):
        frame = marshaller.lower_params([[("x" * 3000,), ("y",)], b"z" * 3000])
        marshaller.give_back(frame)
    assert frame is marshaller.lower_params([[], b""])
    assert (frame.borrowed, frame.more) == ([], [])


def test_two_live_calls_have_their_own_frames():
    marshaller = Marshaller(function(a=STRING, b=BYTES))
    calls = [[f"text {number}", b"%d" % number] for number in range(5)]
    frames = [marshaller.lower_params(values) for values in calls]
    for frame, values in zip(frames, calls, strict=True):
        lifted = marshaller.lift_params(frame.fixed.base, Budget(ENOUGH))
        assert lifted == values


@pytest.mark.parametrize("value", ["x" * 600_000, b"x" * 100_000])
def test_frames_that_grew_large_are_not_kept(value):
    marshaller = Marshaller(function(a=variant(text=STRING, data=BYTES)))
    case = Case("text" if isinstance(value, str) else "data", value)
    frame = marshaller.lower_params([case])
    marshaller.give_back(frame)
    assert marshaller.lower_params([case]) is not frame


def test_only_some_frames_are_kept():
    marshaller = Marshaller(function(a=STRING))
    frames = [marshaller.lower_params(["x"]) for _ in range(2000)]
    for frame in frames:
        marshaller.give_back(frame)
    again = [marshaller.lower_params(["x"]) for _ in range(2000)]
    assert 0 < len(set(map(id, frames)) & set(map(id, again))) < 1500


def test_of_frames_that_grew_a_little_only_few_are_kept():
    marshaller = Marshaller(function(a=STRING))
    text = "x" * 20_000
    frames = [marshaller.lower_params([text]) for _ in range(100)]
    for frame in frames:
        marshaller.give_back(frame)
    again = [marshaller.lower_params([text]) for _ in range(100)]
    assert 0 < len(set(map(id, frames)) & set(map(id, again))) < 50


# -- the budget


@pytest.mark.parametrize(
    ("wit", "value", "cost"),
    [
        (STRING, "", 0),
        (STRING, "größe", 7),
        (BYTES, b"abc", 3),
        (List(Number.U64), (1, 2, 3), 96),
        (List(STRING), ("ab", "c"), 67),
        (Tuple((STRING, BYTES)), ("ab", b"cde"), 5),
        (Option(STRING), "ab", 2),
        (variant(a=STRING), Case("a", "abc"), 3),
        (Result(None, STRING), Err("abcd"), 4),
        (record(a=List(record(b=STRING))), ((("xy",), ("z",)),), 67),
    ],
)
def test_a_value_costs_what_the_host_keeps(wit, value, cost):
    marshaller = Marshaller(Function((), wit))
    _frame, address = marshaller.lower_result(value)
    budget = Budget(cost)
    assert marshaller.lift_result(address, budget) == value
    assert budget.left == 0
    if cost:
        with pytest.raises(TooMuch):
            marshaller.lift_result(address, Budget(cost - 1))


def test_parameters_share_one_budget():
    marshaller = Marshaller(function(a=STRING, b=STRING))
    frame = marshaller.lower_params(["abc", "def"])
    assert marshaller.lift_params(frame.fixed.base, Budget(6)) == ["abc", "def"]
    with pytest.raises(TooMuch):
        marshaller.lift_params(frame.fixed.base, Budget(5))


# -- through real guests

SEGMENTS = st.text(
    st.characters(categories=["L", "N", "P", "S"], exclude_characters="/"),
    min_size=1,
    max_size=128,
)
IDS = st.builds(ComponentId, SEGMENTS, SEGMENTS, SEGMENTS)


@pytest.fixture(scope="session")
def with_guest(compiled):
    """Runs a check with a fresh guest; its services can be given answers."""

    def run(name, check, config=None, services=None, **answers):
        async def main():
            async with open_guests(compiled) as guests:
                mine = services or ScriptedServices(**answers)
                guest = await guests.make(name, services=mine)
                await guest.initialize(config or ComponentConfig())
                return await check(guest)

        return trio.run(main)

    return run


def answer_to(payload, **fields):
    async def check(guest):
        return await guest.handle_message(envelope(payload, **fields))

    return check


@given(payloads=st.lists(st.binary(max_size=3000), min_size=1, max_size=20))
@FEW
def test_payloads_come_back(with_guest, payloads):
    async def check(guest):
        return [await guest.handle_message(envelope(each)) for each in payloads]

    assert with_guest("echo", check) == payloads


@given(
    messages=st.lists(
        st.tuples(IDS, st.none() | TEXTS, st.none() | IDS, st.none() | TEXTS),
        min_size=1,
        max_size=10,
    )
)
@FEW
def test_messages_arrive_whole(with_guest, messages):
    async def check(guest):
        for sender, correlation, reply_to, kind in messages:
            message = envelope(
                correlation_id=correlation, reply_to=reply_to, content_type=kind
            )
            answer = await guest.handle_message(message._replace(sender=sender))
            optional = ["-" if each is None else each for each in (correlation, kind)]
            assert answer.decode() == "|".join([str(sender), *optional])

    with_guest("whoami", check)


@given(
    env=st.lists(st.tuples(TEXTS, TEXTS), max_size=10),
    data=st.none() | st.binary(max_size=1000),
    limits=st.builds(
        Limits,
        memory_bytes=st.integers(0, 2**40),
        execution_time=st.floats(0.001, 86_400),
        fuel=st.none() | st.integers(1, 2**63),
    ),
)
@FEW
def test_configurations_arrive_whole(with_guest, env, data, limits):
    async def check(guest):
        return [
            await guest.handle_message(envelope(topic)) for topic in (b"c", b"e", b"l")
        ]

    config = ComponentConfig(env=tuple(env), data=data, limits=limits)
    got_data, got_env, got_limits = with_guest("config", check, config)
    fuel = "-" if limits.fuel is None else limits.fuel
    milliseconds = math.ceil(limits.execution_time * 1000)
    assert got_data == data
    assert got_env.decode() == "".join(f"{name}={value}\n" for name, value in env)
    assert got_limits.decode() == f"{limits.memory_bytes} {milliseconds} {fuel}"


U64 = st.integers(0, 2**64 - 1)


@given(
    ids=st.lists(IDS, max_size=10),
    keys=st.lists(TEXTS, max_size=10),
    data=st.none() | st.binary(max_size=1000),
    usage=st.tuples(U64, U64, U64),
    time=st.builds(Timestamp, U64, st.integers(0, 2**32 - 1)),
)
@FEW
def test_answers_of_the_host_arrive_whole(with_guest, ids, keys, data, usage, time):
    def answer_for(payload, **answers):
        return with_guest("calls", answer_to(payload), **answers)

    joined = ",".join(map(str, ids))
    assert answer_for(b"host-services.list-components", list_components=ids) == (
        f"ok:{joined}".encode()
    )
    assert answer_for(b"storage.list-keys", storage_keys=keys) == (
        f"ok:{','.join(keys)}".encode()
    )
    assert answer_for(b"storage.get", storage_get=data) == (
        b"ok" if data is None else b"ok:" + data
    )
    assert answer_for(b"storage.usage", storage_usage=usage) == (
        "ok:{} {} {}".format(*usage).encode()
    )
    assert answer_for(b"host-services.current-time", current_time=time) == (
        f"ok:{time.seconds} {time.nanoseconds}".encode()
    )


LINES = TEXTS.map(lambda text: text.replace("\n", ""))


@given(
    target=IDS,
    key=LINES,
    value=st.binary(max_size=500).filter(lambda data: b"\n" not in data),
    milliseconds=U64,
)
@FEW
def test_what_a_guest_says_arrives_whole(with_guest, target, key, value, milliseconds):
    services = ScriptedServices()

    async def check(guest):
        number = b"%d" % milliseconds
        for lines in (
            (b"host-messaging.request", str(target).encode(), value, number),
            (b"storage.set", key.encode(), value),
        ):
            await guest.handle_message(envelope(b"\n".join(lines)))

    with_guest("calls", check, services=services)
    assert services.calls == [
        ("request", target, value, milliseconds / 1000),
        ("storage_set", key, value),
    ]
