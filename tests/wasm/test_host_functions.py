"""The text of the world, the table of it, and every import driven by a real guest."""

from importlib.metadata import files

import pytest

from airssys.contracts import (
    AskTimedOut,
    BadAnswer,
    BadTopic,
    BroadcastFailed,
    CalleeFailed,
    CodecNotTaken,
    ComponentId,
    ComponentInfo,
    DeliveryFailed,
    GuestRejected,
    GuestTrapped,
    InvalidMessage,
    LogLevel,
    MailboxFull,
    MessageExpired,
    MessageTooLarge,
    MessageTooShort,
    MessagingError,
    NotEncodable,
    NotGranted,
    NotUnderstood,
    PrefixContradicted,
    QuotaExceeded,
    RequestCancelled,
    RequestWouldDeadlock,
    StashFull,
    StorageRefused,
    TargetNotFound,
    Timestamp,
    TooManyRequests,
    TrapReason,
    Unavailable,
    UnhandledMessage,
    UnknownPrefix,
)
from airssys.wasm import EXPORTS, IMPORTS, full_name
from airssys.wasm.host import CORE_INTERFACES, FunctionKind, bind_all
from airssys.wasm.host._core_world import LIFECYCLE, TYPE_ONLY
from wasm_support import (
    BOB,
    ScriptedServices,
    checkout_wit,
    envelope,
    read_wit,
    wit_folder,
)
from wat_guests.world import HOST_FUNCTIONS

# -- the text and the table


@pytest.fixture(scope="module")
def world():
    return read_wit(wit_folder())


def test_the_text_is_where_it_is_looked_for():
    texts = {path.name: path.read_text() for path in wit_folder().glob("*.wit")}
    assert "world.wit" in texts
    assert texts == {
        path.name: path.read_text() for path in checkout_wit().glob("*.wit")
    }


def test_the_wheel_has_the_text():
    try:
        installed = {path.name for path in files("airssys") or ()}
    except ImportError:
        installed = set()
    if "py.typed" not in installed:
        pytest.skip("airssys runs from the checkout")
    assert installed >= {path.name for path in checkout_wit().glob("*.wit")}


def test_the_world_imports_and_exports_what_the_table_says(world):
    assert world.imports == list(IMPORTS)
    assert world.exports == [LIFECYCLE]


@pytest.mark.parametrize("interface", IMPORTS)
def test_every_import_has_the_same_types(world, interface):
    assert world.interfaces[interface].functions == IMPORTS[interface]


def test_every_export_has_the_same_types(world):
    assert world.interfaces[LIFECYCLE].functions == EXPORTS


def test_interfaces_without_functions_are_known(world):
    without = {name for name, found in world.interfaces.items() if not found.functions}
    assert without == set(TYPE_ONLY)


def test_every_import_has_a_host_function_and_the_other_way_round():
    wanted = [(name, each) for name, found in IMPORTS.items() for each in found]
    table = bind_all(CORE_INTERFACES)
    made = [(each.interface, each.name) for each in table.functions]
    assert made == [(full_name(interface), name) for interface, name in wanted]
    for interface, name in wanted:
        (given,) = [i for i in CORE_INTERFACES if i.gives(full_name(interface))]
        assert given.functions[name].type == IMPORTS[interface][name]


def test_full_names_are_those_of_the_package():
    assert full_name("storage") == "airssys:core/storage@1.0.0"


def test_the_functions_that_wait_are_those_that_the_world_says_may():
    functions = bind_all(CORE_INTERFACES).functions
    waiting = {each.name for each in functions if each.waits}
    assert waiting == {"send", "ask", "broadcast", "publish", "sleep-millis"}


def test_only_what_looks_something_up_is_instant():
    functions = bind_all(CORE_INTERFACES).functions
    instant = {each.name for each in functions if each.kind is FunctionKind.INSTANT}
    assert instant == {"self-id", "current-time", "current-time-millis"}


# -- every function, driven


async def call(guests, payload, **answers):
    """Have `calls` call a function; returns its answer and what the host was asked."""
    services = ScriptedServices(**answers)
    guest = await guests.start("calls", services=services)
    expected = await guest.handle_message(envelope(payload.encode()))
    assert guest.spent is None
    return expected.decode(), services.calls


DAVE = ComponentId("größe", "名前", "🦀")
CAROL = ComponentId("test", "carol")

DRIVEN = [
    ("host-messaging.send", ("send", BOB, b"hi"), {}, "ok"),
    (f"host-messaging.send\n{DAVE}\n", ("send", DAVE, b""), {}, "ok"),
    ("host-messaging.request", ("request", BOB, b"hi", 1.0), {}, "ok:c-1"),
    (
        f"host-messaging.request\n{DAVE}\nfür\n1",
        ("request", DAVE, "für".encode(), 0.001),
        {"request": "naïve"},
        "ok:naïve",
    ),
    ("host-messaging.cancel-request\nö", ("cancel_request", "ö"), {}, "ok"),
    ("host-messaging.broadcast", ("broadcast", [BOB, CAROL], b"hi"), {}, "ok"),
    ("host-messaging.self-id", ("self_id",), {"self_id": DAVE}, f"ok:{DAVE}"),
    ("host-messaging.ask", ("ask", BOB, b"hi", 1.0), {"ask": b""}, "ok:"),
    (
        "host-messaging.ask\ntest/bob/0\n\n18446744073709551615",
        ("ask", BOB, b"", (2**64 - 1) / 1000),
        {},
        "ok:answer",
    ),
    ("host-messaging.publish", ("publish", "news.today", b"hi"), {}, "ok"),
    ("host-messaging.subscribe\n#", ("subscribe", "#"), {}, "ok"),
    ("host-messaging.unsubscribe", ("unsubscribe", "news.*"), {}, "ok"),
    *(
        (
            f"host-services.log\nTür\n{number}",
            ("log", level, "Tür", (("colour", "red"),)),
            {},
            "ok",
        )
        for number, level in enumerate(LogLevel)
    ),
    (
        "host-services.current-time",
        ("current_time",),
        {"current_time": Timestamp(2**64 - 1, 999_999_999)},
        "ok:18446744073709551615 999999999",
    ),
    ("host-services.current-time-millis", ("current_time",), {}, "ok:5007"),
    ("host-services.sleep-millis\n2", ("sleep", 0.002), {}, "ok"),
    (
        "host-services.list-components",
        ("list_components",),
        {"list_components": (BOB, DAVE)},
        f"ok:{BOB},{DAVE}",
    ),
    (
        "host-services.list-components",
        ("list_components",),
        {"list_components": []},
        "ok:",
    ),
    (
        "host-services.get-component-metadata",
        ("component_info", BOB),
        {"component_info": ComponentInfo(DAVE, "Ð", "0.1", "degraded")},
        f"ok:{DAVE}|Ð|0.1|degraded",
    ),
    ("storage.get", ("storage_get", "colour"), {}, "ok:red"),
    ("storage.get", ("storage_get", "colour"), {"storage_get": None}, "ok"),
    ("storage.get", ("storage_get", "colour"), {"storage_get": b""}, "ok:"),
    ("storage.set\nk\nvalue", ("storage_set", "k", b"value"), {}, "ok"),
    ("storage.delete", ("storage_delete", "colour"), {}, "ok"),
    ("storage.exists", ("storage_exists", "colour"), {}, "ok:true"),
    (
        "storage.exists",
        ("storage_exists", "colour"),
        {"storage_exists": False},
        "ok:false",
    ),
    ("storage.list-keys", ("storage_keys", None), {}, "ok:colour,size"),
    ("storage.list-keys\nco", ("storage_keys", "co"), {"storage_keys": ()}, "ok:"),
    ("storage.usage", ("storage_usage",), {}, "ok:9 100 2"),
]


def test_every_function_is_driven():
    assert {payload.partition("\n")[0] for payload, *_ in DRIVEN} == set(HOST_FUNCTIONS)


@pytest.mark.parametrize(("payload", "asked", "answers", "expected"), DRIVEN)
async def test_values_cross_whole(guests, payload, asked, answers, expected):
    assert await call(guests, payload, **answers) == (expected, [asked])


async def test_a_log_line_may_have_no_context(guests):
    guest = await guests.start("huge-log")
    await guest.handle_message(envelope(b"3"))
    assert guests.services.called("log") == [[LogLevel.INFO, "000", ()]]


# -- refusals become the world's own cases

REFUSALS = [
    (DeliveryFailed("no way"), "delivery-failed:no way"),
    (
        QuotaExceeded("local/a/0", "messages", 1, 10, 2.0),
        "delivery-failed:quota exceeded: ",
    ),
    (NotGranted("send to test/bob/0"), "delivery-failed:not granted: send to test/bob"),
    (InvalidMessage("too large"), "invalid-message:too large"),
    (MailboxFull(BOB, 7), "queue-full"),
    (TargetNotFound(BOB), "target-not-found:test/bob/0"),
    (
        Unavailable(BOB, "it stops"),
        "delivery-failed:test/bob/0 is not running: it stops",
    ),
    (AskTimedOut(BOB, "c-9", 1.5), "correlation-timeout:c-9"),
    (RequestWouldDeadlock([BOB, CAROL, BOB]), "delivery-failed:would wait for itself"),
    (CalleeFailed(BOB, "crashed"), "delivery-failed:test/bob/0 did not answer"),
    (BadTopic("no topic"), "invalid-message:no topic"),
    (BroadcastFailed({BOB: NotGranted("no")}), "delivery-failed:1 not reached"),
    (BroadcastFailed({BOB: NotGranted("no")}, 7), "delivery-failed:8 not reached"),
    (TooManyRequests(BOB, 7), "delivery-failed:test/bob/0 already has 7 open requests"),
    (RequestCancelled(BOB, "c-9"), "delivery-failed:the request to test/bob/0"),
    (DeliveryFailed("a\ud800b"), "delivery-failed:a\\ud800b"),
    (MessageTooLarge(BOB, 9, 7), "invalid-message:9 bytes are too many for"),
    (MessageExpired(BOB), "delivery-failed:the ttl of the message to"),
    (StashFull(BOB, 3), "delivery-failed:test/bob/0 already has 3 messages"),
    (
        CodecNotTaken(BOB, "a/b", ["c/d"], "c/d"),
        "invalid-message:test/bob/0 accepts c/d",
    ),
    (MessageTooShort(BOB, 1), "invalid-message:payloads of test/bob/0 begin with"),
    (UnknownPrefix(BOB, 80), "invalid-message:payloads of test/bob/0 begin with"),
    (PrefixContradicted(BOB, "a/b", "borsh"), "invalid-message:the message is a/b"),
    (NotUnderstood("Bob", ["Order"], ["a"]), "invalid-message:Bob handles Order"),
    (UnhandledMessage(BOB, "Order", ["Look"]), "invalid-message:test/bob/0 handles"),
    (NotEncodable("Order", "a/b", "odd"), "invalid-message:this Order cannot be"),
    (BadAnswer(BOB, "str", ["int"]), "delivery-failed:the answer of test/bob/0 is not"),
]
MESSAGING = ["send", "request", "broadcast", "ask", "publish", "subscribe"]
MESSAGING += ["unsubscribe", "cancel-request"]


def test_every_messaging_error_is_tested():
    def kinds(error):
        return {
            error,
            *(each for kind in error.__subclasses__() for each in kinds(kind)),
        }

    ours = {
        kind
        for kind in kinds(MessagingError)
        if kind.__module__.startswith("airssys.contracts.")
    }
    assert {type(error) for error, _ in REFUSALS} == ours - {MessagingError}


def test_two_refusals_are_known_by_the_beginning_of_their_text():
    for error, _ in REFUSALS:
        begins = str(error).startswith("quota exceeded: ")
        assert begins == isinstance(error, QuotaExceeded)
        assert str(error).startswith("not granted: ") == isinstance(error, NotGranted)


@pytest.mark.parametrize(("error", "expected"), REFUSALS)
async def test_a_messaging_error_is_reported_by_its_case(guests, error, expected):
    for name in MESSAGING:
        service = name.replace("-", "_")
        answer, _ = await call(guests, f"host-messaging.{name}", **{service: error})
        assert answer.startswith(f"err:{expected}"), name


STORAGE = {
    "get": "storage_get",
    "set": "storage_set",
    "delete": "storage_delete",
    "exists": "storage_exists",
    "list-keys": "storage_keys",
    "usage": "storage_usage",
}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (StorageRefused("not-found", "colour"), "err:not-found:colour"),
        (StorageRefused("already-exists", "colour"), "err:already-exists:colour"),
        (StorageRefused("quota-exceeded", "100 bytes"), "err:quota-exceeded"),
        (StorageRefused("invalid-key", "\ud800"), "err:invalid-key:?"),
        (StorageRefused("io-error", "storage is not granted"), "err:io-error:storage"),
        (StorageRefused("io-error"), "err:io-error:"),
    ],
)
async def test_a_storage_error_is_reported_by_its_case(guests, error, expected):
    for name, service in STORAGE.items():
        answer, _ = await call(guests, f"storage.{name}", **{service: error})
        assert answer.startswith(expected)
        assert "None" not in answer


async def test_a_case_that_the_world_has_not_is_a_host_error(guests):
    with pytest.raises(GuestTrapped, match="not-found") as caught:
        await call(guests, "storage.get", storage_get=StorageRefused("gone"))
    assert caught.value.reason is TrapReason.HOST_ERROR


async def test_a_name_that_is_not_there_is_reported(guests):
    answer, _ = await call(
        guests, "host-services.get-component-metadata", component_info=None
    )
    assert answer == "err:invalid-state:no component is called test/bob/0"


@pytest.mark.parametrize("target", ["//", "a//0", "a/b/c\x07", f"a/b/{'c' * 129}"])
async def test_a_name_that_is_not_valid_is_not_found(guests, target):
    for name in ("send", "request", "ask", "broadcast"):
        answer, asked = await call(guests, f"host-messaging.{name}\n{target}")
        assert answer == f"err:target-not-found:{target}"
        assert asked == []


async def test_a_name_that_is_not_valid_has_no_metadata(guests):
    answer, asked = await call(guests, "host-services.get-component-metadata\n//")
    assert answer == "err:invalid-state:no component is called //"
    assert asked == []


async def test_calls_rejects_what_the_world_has_not(guests):
    with pytest.raises(GuestRejected, match="no such function"):
        await call(guests, "storage.format")
