"""The guests in tests/guests do what they say, seen through wasmtime's own bindings.

These bindings are synchronous and know nothing of airssys, so that a test of ours that
fails on one of these guests is not the guest's fault.
"""

import re
from pathlib import Path

import generate
import pytest
from wasmtime import Config, Engine, Store, WasmtimeError
from wasmtime.component import Component, Linker, Record, Variant
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
def test_what_is_no_component_does_not_compile(engine, name, reason):
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
    payload = bytes(range(256)) * 1000
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


MESSAGING_ERRORS = [
    Variant("delivery-failed", "no"),
    Variant("correlation-timeout", "c-1"),
    Variant("invalid-message", "no"),
    Variant("queue-full"),
    Variant("target-not-found", component_id("test/bob/0")),
]


@pytest.mark.parametrize("error", MESSAGING_ERRORS, ids=lambda error: error.tag)
@pytest.mark.parametrize("name", ["sender", "asker", "requester", "huge-to-host"])
def test_a_messaging_error_is_passed_on_by_name(start, name, error):
    host = Host(send=error, ask=error, request=error)
    refusal = start(name, host=host).tell(b"1")
    assert (refusal.tag, refusal.payload) == ("runtime-error", error.tag)
