"""The guests in tests/guests do what they say, seen through wasmtime's own bindings.

These bindings are synchronous and know nothing of airssys, so that a test of ours that
fails on one of these guests is not the guest's fault.
"""

import re
from pathlib import Path

import pytest
from wasmtime import Config, Engine, Store, WasmtimeError
from wasmtime.component import Component, FuncType, Linker, Record, Variant

import generate
from wat_guests.failing import BROKEN_PROMISES, WAYS_TO_TRAP
from wat_guests.world import HOST_FUNCTIONS, VERSION, interface_id

GUESTS = Path(__file__).resolve().parents[1] / "guests"
WIT = GUESTS.parents[1] / "wit"
FIXTURES = sorted(path.stem for path in GUESTS.glob("*.wat"))
NOT_COMPONENTS = {"core-module", "malformed"}
LIFECYCLE = interface_id("component-lifecycle")


def record(fields):
    made = Record()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def component_id(text="test/alice/0"):
    names = ("namespace", "name", "instance")
    return record(dict(zip(names, text.split("/"), strict=True)))


def text_of(one):
    return f"{one.namespace}/{one.name}/{one.instance}"


class Host:
    """Answers every function of the world, and notes what it was called with."""

    def __init__(self, **answers):
        self.calls = []
        self.answers = {
            "self-id": component_id(),
            "request": "c-1",
            "ask": b"answer",
            "current-time": record({"seconds": 5, "nanoseconds": 7}),
            "current-time-millis": 5000,
            "list-components": [component_id(), component_id("test/bob/0")],
            "get-component-metadata": record(
                {
                    "id": component_id("test/bob/0"),
                    "name": "bob",
                    "version": "1.2.3",
                    "health": "healthy",
                }
            ),
            "get": b"red",
            "exists": True,
            "list-keys": ["colour", "size"],
            "usage": record({"used-bytes": 9, "quota-bytes": 100, "key-count": 2}),
        } | {name.replace("_", "-"): answer for name, answer in answers.items()}

    def function(self, label):
        name = label.partition(".")[2]

        def call(_store, *arguments):
            self.calls.append((label, *arguments))
            return self.answers.get(name)

        return call

    def linker(self, engine):
        linker = Linker(engine)
        with linker.root() as root:
            for interface in ("host-messaging", "host-services", "storage"):
                with root.add_instance(interface_id(interface)) as instance:
                    for one in HOST_FUNCTIONS.values():
                        if one.interface == interface:
                            instance.add_func(one.name, self.function(one.label))
        return linker


class Guest:
    """An instance of a fixture."""

    def __init__(self, engine, name, *, host=None, fuel=10_000_000, **limits):
        self.host = host or Host()
        self.store = Store(engine)
        self.store.set_fuel(fuel)
        self.store.set_limits(**limits)
        component = Component(engine, (GUESTS / f"{name}.wat").read_text())
        linker = self.host.linker(engine)
        self.instance = linker.instantiate(self.store, component)

    def call(self, function, *arguments):
        index = self.instance.get_export_index(self.store, LIFECYCLE)
        index = self.instance.get_export_index(self.store, function, index)
        return self.instance.get_func(self.store, index)(self.store, *arguments)

    def initialize(self, data=None, *, env=(), fuel=None):
        limits = {
            "max-memory-bytes": 1000,
            "max-execution-time-ms": 200,
            "max-fuel": fuel,
        }
        config = {
            "env-vars": list(env),
            "config-data": data,
            "resource-limits": record(limits),
        }
        return self.call("initialize", record(config))

    def tell(self, payload, function="handle-message", correlation=None, kind=None):
        metadata = {
            "correlation-id": correlation,
            "reply-to": None,
            "timestamp": record({"seconds": 1, "nanoseconds": 2}),
            "content-type": kind,
        }
        message = {
            "sender": component_id("test/carol/7"),
            "payload": payload,
            "metadata": record(metadata),
        }
        return self.call(function, record(message))


@pytest.fixture(scope="module")
def engine():
    config = Config()
    config.consume_fuel = True
    return Engine(config)


@pytest.fixture
def start(engine):
    def start(name, data=None, **settings):
        guest = Guest(engine, name, **settings)
        assert guest.initialize(data) is None
        return guest

    return start


def test_the_files_are_what_the_generator_writes():
    written = {path.stem: path.read_text() for path in GUESTS.glob("*.wat")}
    assert written == generate.fixtures()


def test_the_generator_writes_what_changed_and_removes_what_is_gone(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(generate, "HERE", tmp_path)
    (tmp_path / "echo.wat").write_text("something else")
    (tmp_path / "gone.wat").write_text("(component)")
    generate.main()
    written = {path.stem: path.read_text() for path in tmp_path.glob("*.wat")}
    assert written == generate.fixtures()


@pytest.mark.parametrize("name", sorted(generate.fixtures()))
def test_a_first_line_says_what_the_fixture_does(name):
    first = generate.fixtures()[name].partition("\n")[0]
    assert re.fullmatch(rf";; {name}: .{{10,}}", first)


@pytest.mark.parametrize("name", sorted(set(FIXTURES) - NOT_COMPONENTS))
def test_a_fixture_compiles(engine, name):
    Component(engine, (GUESTS / f"{name}.wat").read_text())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("core-module", "attempted to parse a wasm module with a component parser"),
        ("malformed", "expected valid component field"),
    ],
)
def test_what_is_not_a_component_does_not_compile(engine, name, reason):
    with pytest.raises(WasmtimeError, match=reason):
        Component(engine, (GUESTS / f"{name}.wat").read_text())


def test_the_table_of_host_functions_is_that_of_the_world():
    names = {
        f"{interface}.{name}"
        for interface in ("host-messaging", "host-services", "storage")
        for name in re.findall(
            r"^    ([a-z-]+): func",
            (WIT / f"{interface}.wit").read_text(),
            re.MULTILINE,
        )
    }
    assert names == set(HOST_FUNCTIONS)


def test_every_file_of_the_world_names_its_package():
    first_lines = {path.read_text().partition("\n")[0] for path in WIT.glob("*.wit")}
    assert first_lines == {f"package airssys:core@{VERSION};"}


def test_echo_answers_with_the_payload(start):
    assert start("echo").tell(b"hello") == b"hello"


def test_a_large_payload_crosses_whole(start):
    payload = bytes(range(256)) * 300
    assert start("echo").tell(payload) == payload


def test_state_counts_messages_and_initialize_does_not_reset_it(start):
    guest = start("state")
    assert [guest.tell(b""), guest.tell(b"")] == [b"1", b"2"]
    guest.initialize()
    assert guest.tell(b"") == b"3"
    assert start("state").tell(b"") == b"1"


def test_fragile_counts_until_it_traps(start):
    guest = start("fragile")
    assert [guest.tell(b""), guest.tell(b"boo"), guest.tell(b"x")] == [b"1", b"2", b"3"]
    with pytest.raises(WasmtimeError, match="unreachable"):
        guest.tell(b"boom!")


def test_reject_refuses_messages_and_callbacks(start):
    guest = start("reject")
    for function in ("handle-message", "handle-callback"):
        refusal = guest.tell(b"", function)
        assert (refusal.tag, refusal.payload) == ("runtime-error", "rejected")


def test_failing_initialize_says_no(engine):
    refusal = Guest(engine, "failing-initialize").initialize()
    assert (refusal.tag, refusal.payload) == ("initialization-failed", "no")


def test_bad_shutdown_says_no(start):
    refusal = start("bad-shutdown").call("shutdown")
    assert (refusal.tag, refusal.payload) == ("shutdown-failed", "no")


def test_unhealthy_says_so(start):
    assert start("unhealthy").call("health") == "unhealthy"
    assert start("echo").call("health") == "healthy"


@pytest.mark.parametrize(("name", "stateful"), [("echo", False), ("state", True)])
def test_metadata_names_the_fixture(start, name, stateful):
    metadata = start(name).call("metadata")
    assert metadata.name == name
    assert metadata.version == "1.0.0"
    assert metadata.license == "MIT"
    assert getattr(metadata, "supported-operations") == [name]
    assert metadata.stateful is stateful


def test_lifecycle_traces_every_call(start):
    guest = start("lifecycle")
    guest.tell(b"", "handle-callback")
    guest.call("metadata")
    guest.call("health")
    assert guest.tell(b"") == b"icdhm"
    guest.call("shutdown")
    assert guest.tell(b"") == b"icdhmsm"


def test_lifecycle_log_logs_every_call(start):
    guest = start("lifecycle-log")
    guest.tell(b"", "handle-callback")
    guest.call("shutdown")
    logged = [
        ("host-services.log", "info", name, None)
        for name in ("initialize", "handle-callback", "shutdown")
    ]
    assert guest.host.calls == logged


def test_config_tells_what_it_was_given(engine):
    guest = Guest(engine, "config")
    guest.initialize(b"\0data", env=[("A", "1"), ("B", "")], fuel=7)
    assert guest.tell(b"c") == b"\0data"
    assert guest.tell(b"e") == b"A=1\nB=\n"
    assert guest.tell(b"l") == b"1000 200 7"
    assert guest.tell(b"?").tag == "runtime-error"


def test_config_tells_what_it_was_not_given(start):
    guest = start("config")
    assert [guest.tell(b"c"), guest.tell(b"e")] == [None, b""]
    assert guest.tell(b"l") == b"1000 200 -"


def test_whoami_tells_the_message_it_saw(start):
    guest = start("whoami")
    assert guest.tell(b"", correlation="c-1", kind="text/plain") == (
        b"test/carol/7|c-1|text/plain"
    )
    assert guest.tell(b"") == b"test/carol/7|-|-"


def test_callback_keeps_the_last(start):
    guest = start("callback")
    assert guest.tell(b"") is None
    for payload in (b"first", b"second"):
        guest.tell(payload, "handle-callback")
    assert [guest.tell(b""), guest.tell(b"")] == [b"second", b"second"]


def test_requester_requests_and_keeps_the_answer(start):
    guest = start("requester", b"test/dave/1")
    assert guest.tell(b"question") == b"c-1"
    (_, target, payload, timeout), *_ = guest.host.calls
    assert (text_of(target), payload, timeout) == ("test/dave/1", b"question", 5000)
    guest.tell(b"answer", "handle-callback")
    assert guest.tell(b"") == b"answer"


@pytest.mark.parametrize(
    ("data", "target"), [(b"test/dave/1", "test/dave/1"), (None, "test/bob/0")]
)
def test_sender_sends_on(start, data, target):
    guest = start("sender", data)
    assert guest.tell(b"hello") is None
    (_, sent_to, payload), *_ = guest.host.calls
    assert (text_of(sent_to), payload) == (target, b"hello")


@pytest.mark.parametrize(
    ("data", "timeout"), [(b"test/dave/1", 5000), (b"test/dave/1/250", 250)]
)
def test_asker_answers_with_the_answer(start, data, timeout):
    guest = start("asker", data)
    assert guest.tell(b"hello") == b"answer"
    (_, target, payload, waits), *_ = guest.host.calls
    assert (text_of(target), payload, waits) == ("test/dave/1", b"hello", timeout)


@pytest.mark.parametrize("verb", ["send", "ask"])
def test_those_that_repeat_send_or_ask_that_often(start, verb):
    guest = start(f"repeat-{verb}er", b"test/dave/1/3")
    assert guest.tell(b"hello") is None
    sent = [(text_of(target), payload) for _, target, payload, *_ in guest.host.calls]
    assert sent == [("test/dave/1", b"hello")] * 3


def test_stage_sends_on_but_traps_on_its_number(start):
    guest = start("stage", b"test/dave/1/2")
    assert guest.tell(b"1 hello") is None
    with pytest.raises(WasmtimeError, match="unreachable"):
        guest.tell(b"2 hello")
    assert [call[2] for call in guest.host.calls] == [b"1 hello"]


MESSAGING_ERRORS = [
    Variant("delivery-failed", "no"),
    Variant("correlation-timeout", "c-1"),
    Variant("invalid-message", "no"),
    Variant("queue-full"),
    Variant("target-not-found", component_id("test/bob/0")),
]


@pytest.mark.parametrize("error", MESSAGING_ERRORS, ids=lambda error: error.tag)
@pytest.mark.parametrize(
    "name",
    [
        "sender",
        "asker",
        "requester",
        "huge-to-host",
        "stage",
        "repeat-sender",
        "repeat-asker",
    ],
)
def test_a_messaging_error_is_passed_on_by_name(start, name, error):
    host = Host(send=error, ask=error, request=error)
    refusal = start(name, host=host).tell(b"1")
    assert (refusal.tag, refusal.payload) == ("runtime-error", error.tag)


ANSWERS = {
    "host-messaging.send": b"ok",
    "host-messaging.request": b"ok:c-1",
    "host-messaging.cancel-request": b"ok",
    "host-messaging.broadcast": b"ok",
    "host-messaging.self-id": b"ok:test/alice/0",
    "host-messaging.ask": b"ok:answer",
    "host-messaging.publish": b"ok",
    "host-messaging.subscribe": b"ok",
    "host-messaging.unsubscribe": b"ok",
    "host-services.log": b"ok",
    "host-services.current-time": b"ok:5 7",
    "host-services.current-time-millis": b"ok:5000",
    "host-services.sleep-millis": b"ok",
    "host-services.list-components": b"ok:test/alice/0,test/bob/0",
    "host-services.get-component-metadata": b"ok:test/bob/0|bob|1.2.3|healthy",
    "storage.get": b"ok:red",
    "storage.set": b"ok",
    "storage.delete": b"ok",
    "storage.exists": b"ok:true",
    "storage.list-keys": b"ok:colour,size",
    "storage.usage": b"ok:9 100 2",
}


def test_calls_imports_every_function_of_the_world(engine):
    component = Component(engine, (GUESTS / "calls.wat").read_text())
    imports = component.type.imports(engine)
    functions = {
        f"{interface}.{name}"
        for interface in ("host-messaging", "host-services", "storage")
        for name, item in type_of(imports[interface_id(interface)])
        .exports(engine)
        .items()
        if isinstance(type_of(item), FuncType)
    }
    assert functions == set(HOST_FUNCTIONS) == set(ANSWERS)


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_calls_calls_what_its_message_names(start, name):
    guest = start("calls")
    assert guest.tell(name.encode()) == ANSWERS[name]
    assert [label for label, *_ in guest.host.calls] == [name]


def type_of(item):
    """Return what an import or export is; wasmtime 48 has no wrapper around it."""
    return getattr(item, "ty", item)


def plain(value):
    """Turn component-ids, wherever they are, into text."""
    if isinstance(value, Record):
        return text_of(value)
    return [plain(one) for one in value] if isinstance(value, list) else value


BOB = "test/bob/0"
DAVE = "test/dave/1"


@pytest.mark.parametrize(
    ("payload", "arguments"),
    [
        ("host-messaging.send", [BOB, b"hi"]),
        ("host-messaging.send\ntest/dave/1\nbody", [DAVE, b"body"]),
        ("host-messaging.request", [BOB, b"hi", 1000]),
        ("host-messaging.ask\ntest/dave/1\n\n20", [DAVE, b"", 20]),
        ("host-messaging.cancel-request", ["request-1"]),
        ("host-messaging.cancel-request\nc-1", ["c-1"]),
        ("host-messaging.broadcast", [[BOB, "test/carol/0"], b"hi"]),
        ("host-messaging.broadcast\ntest/dave/1\nx\na/b/c", [[DAVE, "a/b/c"], b"x"]),
        ("host-messaging.publish", ["news.today", b"hi"]),
        ("host-messaging.subscribe\n#", ["#"]),
        ("host-messaging.unsubscribe", ["news.*"]),
        ("host-services.log", ["info", "hello", [("colour", "red")]]),
        ("host-services.log\nbye\n4", ["error", "bye", [("colour", "red")]]),
        ("host-services.sleep-millis", [1]),
        ("host-services.get-component-metadata\ntest/dave/1", [DAVE]),
        ("storage.get", ["colour"]),
        ("storage.set", ["colour", b"red"]),
        ("storage.set\nsize\n", ["size", b""]),
        ("storage.list-keys", [None]),
        ("storage.list-keys\nco", ["co"]),
        ("storage.usage", []),
    ],
)
def test_calls_passes_the_arguments_it_is_given(start, payload, arguments):
    guest = start("calls")
    guest.tell(payload.encode())
    assert [plain(one) for one in guest.host.calls[0][1:]] == arguments


@pytest.mark.parametrize(
    ("payload", "host", "answer"),
    [
        ("storage.get", Host(get=None), b"ok"),
        ("storage.get", Host(get=b""), b"ok:"),
        ("storage.exists", Host(exists=False), b"ok:false"),
        ("storage.list-keys", Host(list_keys=[]), b"ok:"),
        (
            "storage.set",
            Host(set=Variant("invalid-key", "too long")),
            b"err:invalid-key:too long",
        ),
        ("storage.usage", Host(usage=Variant("io-error", "no")), b"err:io-error:no"),
        (
            "storage.delete",
            Host(delete=Variant("quota-exceeded")),
            b"err:quota-exceeded",
        ),
        (
            "host-messaging.ask",
            Host(ask=Variant("correlation-timeout", "c-1")),
            b"err:correlation-timeout:c-1",
        ),
        (
            "host-messaging.send",
            Host(send=Variant("target-not-found", component_id(BOB))),
            b"err:target-not-found:test/bob/0",
        ),
        (
            "host-messaging.send",
            Host(send=Variant("queue-full")),
            b"err:queue-full",
        ),
        (
            "host-services.get-component-metadata",
            Host(get_component_metadata=Variant("not-initialized")),
            b"err:not-initialized",
        ),
    ],
)
def test_calls_tells_what_came_back(start, payload, host, answer):
    assert start("calls", host=host).tell(payload.encode()) == answer


def test_calls_refuses_a_function_that_is_none(start):
    refusal = start("calls").tell(b"storage.format")
    assert (refusal.tag, refusal.payload) == ("runtime-error", "no such function")


TRAP_TEXTS = {
    "unreachable": "wasm trap: wasm `unreachable` instruction executed",
    "memory-out-of-bounds": "wasm trap: out of bounds memory access",
    "table-out-of-bounds": ("wasm trap: undefined element: out of bounds table access"),
    "null-indirect-call": "wasm trap: uninitialized element",
    "mistyped-indirect-call": "wasm trap: indirect call type mismatch",
    "integer-overflow": "wasm trap: integer overflow",
    "division-by-zero": "wasm trap: integer divide by zero",
    "bad-conversion": "wasm trap: invalid conversion to integer",
    "stack-exhausted": "wasm trap: call stack exhausted",
    "endless-loop": "wasm trap: all fuel consumed by WebAssembly",
}
MOMENTS = {
    "i": lambda guest: guest.initialize(b"i"),
    "m": lambda guest: guest.tell(b""),
    "n": lambda guest: guest.tell(b""),
    "a": lambda guest: guest.tell(b""),
    "p": lambda guest: guest.tell(b""),
    "c": lambda guest: guest.tell(b"", "handle-callback"),
    "d": lambda guest: guest.call("metadata"),
    "h": lambda guest: guest.call("health"),
    "s": lambda guest: guest.call("shutdown"),
}


def fail_at(engine, name, moment):
    """Bring a guest to the moment when it fails, and return what wasmtime says."""
    guest = Guest(engine, name)
    if moment != "i":
        assert guest.initialize(moment.encode()) is None
    with pytest.raises(WasmtimeError) as failure:
        MOMENTS[moment](guest)
    with pytest.raises(WasmtimeError, match="cannot enter component instance"):
        guest.call("health")
    return str(failure.value)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("reason", WAYS_TO_TRAP)
def test_a_guest_traps_when_its_message_wants_it(engine, reason, moment):
    assert TRAP_TEXTS[reason] in fail_at(engine, f"trap-{reason}", moment)


@pytest.mark.parametrize("reason", WAYS_TO_TRAP)
def test_a_guest_traps_in_handle_message_when_its_message_is_empty(start, reason):
    with pytest.raises(WasmtimeError, match=re.escape(TRAP_TEXTS[reason])):
        start(f"trap-{reason}").tell(b"")


@pytest.mark.parametrize("reason", [*WAYS_TO_TRAP, *BROKEN_PROMISES, "bad-realloc"])
def test_a_guest_that_is_given_another_moment_is_an_echo(start, reason):
    guest = start(f"trap-{reason}", b"-")
    assert guest.tell(b"hello") == b"hello"
    assert guest.call("health") == "healthy"
    assert guest.call("shutdown") is None


@pytest.mark.parametrize("reason", WAYS_TO_TRAP)
def test_a_guest_traps_while_it_is_instantiated(engine, reason):
    with pytest.raises(WasmtimeError, match=re.escape(TRAP_TEXTS[reason])):
        Guest(engine, f"trap-{reason}-start")


BROKEN_TEXTS = {
    "bad-pointer": "pointer(/length)? out of bounds of memory",
    "misaligned-pointer": "pointer not aligned",
    "bad-utf8": "invalid utf-8 sequence of 1 bytes from index 0",
    "bad-discriminant": r"discriminant (7|99) out of range \[0..\d\)",
    "bad-realloc": "realloc return: beyond end of memory",
    "misaligned-realloc": "realloc return: result not aligned",
}


@pytest.mark.parametrize(
    ("reason", "moment"),
    [(reason, moment) for reason, ends in BROKEN_PROMISES.items() for moment in ends]
    + [(reason, moment) for reason in list(BROKEN_TEXTS)[-2:] for moment in "na"],
)
def test_a_guest_breaks_the_abi_when_its_message_wants_it(engine, reason, moment):
    text = fail_at(engine, f"trap-{reason}", moment)
    assert re.search(BROKEN_TEXTS[reason], text)
    assert "wasm trap" not in text


OUT_OF_FUEL = "all fuel consumed"


@pytest.mark.parametrize("name", ["loop", "flood", "log-flood", "publish-flood"])
def test_handle_message_never_returns(start, name):
    guest = start(name, fuel=20_000)
    with pytest.raises(WasmtimeError, match=OUT_OF_FUEL):
        guest.tell(b"")


def test_initialize_never_returns(engine):
    with pytest.raises(WasmtimeError, match=OUT_OF_FUEL):
        Guest(engine, "loop-init").initialize()


def test_instantiation_never_returns(engine):
    with pytest.raises(WasmtimeError, match=OUT_OF_FUEL):
        Guest(engine, "loop-start")


def test_shutdown_never_returns(start):
    guest = start("loop-shutdown")
    assert guest.tell(b"hello") == b"hello"
    with pytest.raises(WasmtimeError, match=OUT_OF_FUEL):
        guest.call("shutdown")


def test_spin_spins_as_often_as_its_message_says(start):
    guest = start("spin", fuel=100_000_000)
    before = guest.store.get_fuel()
    assert guest.tell(b"2") == b"2"
    assert before - guest.store.get_fuel() > 2_000_000


def test_sleep_asks_the_host_to_sleep(start):
    guest = start("sleep")
    assert guest.tell(b"250") == b"250"
    assert guest.host.calls == [("host-services.sleep-millis", 250)]


def test_deep_recursion_goes_as_deep_as_its_message_says(start):
    assert start("deep-recursion").tell(b"1000") == b"1000"
    with pytest.raises(WasmtimeError, match="call stack exhausted"):
        start("deep-recursion", fuel=1_000_000_000).tell(b"10000000")


def test_host_call_count_counts(start):
    guest = start("host-call-count")
    assert guest.tell(b"25") == b"25"
    assert guest.host.calls == [("host-services.current-time-millis",)] * 25


PAGE = 65536


def test_memory_hog_keeps_what_it_gets(start):
    guest = start("memory-hog", memory_size=10 * PAGE)
    answers = [guest.tell(pages) for pages in (b"4", b"6", b"5", b"1")]
    assert answers == [b"1", b"-1", b"5", b"-1"]


def test_table_hog_keeps_what_it_gets(start):
    guest = start("table-hog", table_elements=100)
    answers = [guest.tell(elements) for elements in (b"50", b"50", b"49")]
    assert answers == [b"1", b"-1", b"51"]


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("memory-hog-twenty", {"memory_size": 10 * PAGE}),
        ("multi-memory-hog", {"memory_size": 10 * PAGE}),
        ("table-hog-twenty", {"table_elements": 10}),
    ],
)
def test_wasmtime_limits_each_memory_and_table_not_their_sum(start, name, limits):
    guest = start(name, **limits)
    assert [guest.tell(b"9"), guest.tell(b"1")] == [b"20", b"0"]


def test_memory_hog_init_is_not_instantiated_under_a_limit(engine):
    with pytest.raises(WasmtimeError, match="exceeds memory limits"):
        Guest(engine, "memory-hog-init", memory_size=64 * PAGE)


def test_huge_to_host_sends_much(start):
    guest = start("huge-to-host", b"test/dave/1")
    assert guest.tell(b"100000") == b"ok"
    (_, target, payload), *_ = guest.host.calls
    assert (text_of(target), payload) == (DAVE, b"0" * 100_000)


def test_huge_log_logs_much(start):
    guest = start("huge-log")
    assert guest.tell(b"100000") == b"ok"
    assert guest.host.calls == [("host-services.log", "info", "0" * 100_000, None)]


def test_huge_list_to_host_names_many(start):
    guest = start("huge-list-to-host")
    assert guest.tell(b"1000") == b"ok"
    (_, targets, payload), *_ = guest.host.calls
    assert ([text_of(one) for one in targets], payload) == (["//"] * 1000, b"hello")


def test_huge_return_returns_much(start):
    assert start("huge-return").tell(b"100000") == b"0" * 100_000


@pytest.mark.parametrize(
    "name", ["huge-to-host", "huge-log", "huge-list-to-host", "huge-return"]
)
def test_what_is_too_huge_for_the_memory_is_refused_by_the_guest(start, name):
    refusal = start(name, memory_size=10 * PAGE).tell(b"1000000")
    assert (refusal.tag, refusal.payload) == ("runtime-error", "no memory")


def exports_of(engine, name):
    component = Component(engine, (GUESTS / f"{name}.wat").read_text())
    return component.type.exports(engine)


def test_wrong_version_exports_another_version(engine):
    instances = {name for name in exports_of(engine, "wrong-version") if ":" in name}
    assert instances == {interface_id("component-lifecycle", "2.0.0")}


def test_missing_export_lacks_health(engine):
    whole, lacking = (
        set(type_of(exports_of(engine, name)[LIFECYCLE]).exports(engine))
        for name in ("echo", "missing-export")
    )
    assert whole - lacking == {"health"}


def test_empty_exports_nothing(engine):
    assert exports_of(engine, "empty") == {}


def test_bad_signature_fails_only_when_it_is_called(start):
    with pytest.raises(TypeError):
        start("bad-signature").tell(b"")


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("unknown-import", "acme:other/thing@1.0.0"),
        ("unknown-function", "airssys:core/host-services@1.0.0"),
        ("wasi-import", "wasi:keyvalue/store@0.2.9"),
    ],
)
def test_what_no_host_function_answers_cannot_be_linked(engine, name, missing):
    with pytest.raises(WasmtimeError, match=re.escape(missing)):
        Guest(engine, name)
