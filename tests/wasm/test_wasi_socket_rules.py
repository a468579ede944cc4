"""What `wasi:sockets` says of addresses, states, options and ends, for both families.

These are the rules that programs for wasmtime are written against.
"""

import socket

import pytest
import trio

from airssys.security import bind, connect, resolve
from airssys.wasm import Err, Ok
from airssys.wasm.host import StopGuest
from airssys.wasm.host.wasi.base import release
from airssys.wasm.values import Case

SECOND = 10**9
INVALID_ARGUMENT, INVALID_STATE = Err("invalid-argument"), Err("invalid-state")
NOT_IN_PROGRESS = Err("not-in-progress")
V4 = {
    "loopback": (127, 0, 0, 1),
    "unspecified": (0, 0, 0, 0),
    "of documents": (192, 0, 2, 0),
    "broadcast": (255, 255, 255, 255),
    "multicast": (224, 254, 0, 0),
}
V6 = {
    "loopback": (0, 0, 0, 0, 0, 0, 0, 1),
    "unspecified": (0,) * 8,
    "of documents": (0x2001, 0xDB8, 0, 0, 0, 0, 0, 0),
    "multicast": (0xFF00, 0, 0, 0, 0, 0, 0, 0),
    "mapped": (0, 0, 0, 0, 0, 0xFFFF, 0x7F00, 1),
}
OTHER = {"ipv4": "ipv6", "ipv6": "ipv4"}


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


FAMILIES = ["ipv4", "ipv6"] if has_ipv6() else ["ipv4"]


def place(family, name="loopback", port=0):
    if family == "ipv4":
        return Case("ipv4", (port, V4[name]))
    return Case("ipv6", (port, 0, V6[name], 0))


def port_of(where):
    return where.value[0]


def moved(where, port):
    """The same address at another port."""
    return Case(where.name, (port, *where.value[1:]))


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def guest(make_guest):
    everywhere = ("0.0.0.0/0", "::/0")
    grants = [grant(where) for where in everywhere for grant in (bind, connect)]
    return make_guest(*grants, resolve("*"))


def make(guest, protocol, family):
    return guest.make(protocol, family).value


def bound(guest, protocol, where):
    """Make a socket that is bound to a place; answers the code of an error instead."""
    made = make(guest, protocol, where.name)
    started = guest.do(made, "start-bind", guest.network, where)
    if type(started) is Err:
        return started
    assert guest.do(made, "finish-bind") == Ok(None)
    return made


def listening(guest, where):
    made = bound(guest, "tcp", where)
    assert guest.do(made, "start-listen") == Ok(None)
    assert guest.do(made, "finish-listen") == Ok(None)
    return made


def local(guest, made):
    return guest.do(made, "local-address").value


async def connecting(guest, made, where):
    assert guest.do(made, "start-connect", guest.network, where) == Ok(None)
    await guest.until_ready(made)
    return guest.do(made, "finish-connect").value


async def accepted(guest, listener):
    await guest.until_ready(listener)
    return guest.do(listener, "accept").value


async def pair(guest, family):
    """Two ends of a connection: each the socket, its input and its output."""
    listener = listening(guest, place(family))
    client = make(guest, "tcp", family)
    streams = await connecting(guest, client, local(guest, listener))
    return (client, *streams), await accepted(guest, listener)


async def stream(guest, name, *arguments):
    kind = "output" if name in {"check-write", "write", "flush"} else "input"
    return await guest.call("io/streams", f"[method]{kind}-stream.{name}", *arguments)


def is_closed(answer):
    return answer == Err(Case("closed"))


# ---------------------------------------------------------------- binding

BOTH = pytest.mark.parametrize("protocol", ["tcp", "udp"])


@BOTH
@pytest.mark.parametrize("name", ["loopback", "unspecified"])
async def test_the_system_chooses_a_port_and_that_port_may_be_asked_for(
    guest, family, protocol, name
):
    made = bound(guest, protocol, place(family, name))
    found = local(guest, made)
    assert port_of(found) != 0
    assert found == place(family, name, port_of(found))
    release(made)
    again = bound(guest, protocol, found)
    assert local(guest, again) == found


@BOTH
@pytest.mark.parametrize("name", ["loopback", "unspecified"])
async def test_an_address_in_use_is_that(guest, family, protocol, name):
    make_one = listening if protocol == "tcp" else (lambda g, w: bound(g, "udp", w))
    one = make_one(guest, place(family, name))
    assert bound(guest, protocol, local(guest, one)) == Err("address-in-use")


@BOTH
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("of documents", "address-not-bindable"),
        ("multicast", "invalid-argument"),
        ("broadcast", "invalid-argument"),
        ("mapped", "invalid-argument"),
    ],
)
async def test_what_cannot_be_bound_to(guest, family, protocol, name, code):
    if name in (V4 if family == "ipv4" else V6):
        assert bound(guest, protocol, place(family, name)) == Err(code)


@BOTH
async def test_binding_and_connecting_take_the_family_of_the_socket(
    guest, family, protocol
):
    made = make(guest, protocol, family)
    other = place(OTHER[family], port=47)
    assert guest.do(made, "start-bind", guest.network, other) == INVALID_ARGUMENT
    if protocol == "tcp":
        answer = guest.do(made, "start-connect", guest.network, other)
        assert answer == INVALID_ARGUMENT
    else:
        made = bound(guest, "udp", place(family))
        assert guest.do(made, "stream", other) == INVALID_ARGUMENT


async def test_a_listener_is_replaced_while_its_connections_linger(guest, family):
    listener = listening(guest, place(family))
    where = local(guest, listener)
    client = make(guest, "tcp", family)
    streams = await connecting(guest, client, where)
    server, into, out = await accepted(guest, listener)
    assert await guest.write(out, bytes(10)) == Ok()
    for each in (into, out, server, listener):
        release(each)
    assert guest.do(listening(guest, where), "is-listening") is True
    for each in (*streams, client):
        release(each)


# ---------------------------------------------------------------- connecting


@pytest.mark.parametrize(
    ("name", "port"),
    [
        ("unspecified", 47),
        ("loopback", 0),
        ("broadcast", 47),
        ("multicast", 47),
        ("mapped", 47),
    ],
)
@BOTH
async def test_what_cannot_be_connected_to(guest, family, protocol, name, port):
    if name not in (V4 if family == "ipv4" else V6):
        return
    where = place(family, name, port)
    if protocol == "tcp":
        made = make(guest, "tcp", family)
        answer = guest.do(made, "start-connect", guest.network, where)
    else:
        made = bound(guest, "udp", place(family, "unspecified"))
        answer = guest.do(made, "stream", where)
    assert answer == INVALID_ARGUMENT


async def test_a_client_may_be_bound_first(guest, family):
    listener = listening(guest, place(family))
    client = bound(guest, "tcp", place(family))
    here = local(guest, client)
    await connecting(guest, client, local(guest, listener))
    server, _into, _out = await accepted(guest, listener)
    assert guest.do(server, "remote-address") == Ok(here)


async def test_two_clients_after_each_other_are_served(guest, family):
    listener = bound(guest, "tcp", place(family))
    assert guest.do(listener, "set-listen-backlog-size", 32) == Ok(None)
    assert guest.do(listener, "start-listen") == Ok(None)
    assert guest.do(listener, "finish-listen") == Ok(None)
    for text in (b"Hello, world!", b"Greetings, planet!"):
        client = make(guest, "tcp", family)
        streams = await connecting(guest, client, local(guest, listener))
        assert await guest.write(streams[1], b"") == Ok()
        assert await guest.write(streams[1], text) == Ok()
        for each in (*streams, client):
            release(each)
        _server, into, _out = await accepted(guest, listener)
        assert await stream(guest, "read", into, 0) == Ok(b"")
        assert await guest.read(into, len(text)) == Ok(text)


async def test_a_wait_that_is_always_over_starves_no_socket(guest, family):
    listener = listening(guest, place(family))
    client = make(guest, "tcp", family)
    _, out = await connecting(guest, client, local(guest, listener))
    assert await guest.write(out, b"x") == Ok()
    _server, into, _out = await accepted(guest, listener)
    pollable = await guest.call("io/streams", "[method]input-stream.subscribe", into)
    now = await guest.call("clocks/monotonic-clock", "subscribe-duration", 0)
    ready = []
    with trio.fail_after(20):
        while 1 not in ready:
            ready = await guest.call("io/poll", "poll", [now, pollable])
            assert 0 in ready
            await trio.lowlevel.checkpoint()
    assert await guest.read(into) == Ok(b"x")


# ---------------------------------------------------------------- states

OPTIONS = {
    "keep-alive-enabled": False,
    "keep-alive-idle-time": 1,
    "keep-alive-interval": 1,
    "keep-alive-count": 1,
    "hop-limit": 255,
    "receive-buffer-size": 16_000,
    "send-buffer-size": 16_000,
}
UDP_OPTIONS = {
    "unicast-hop-limit": 255,
    "receive-buffer-size": 16_000,
    "send-buffer-size": 16_000,
}
IN_STATE = {
    "unbound": {
        "start-listen": INVALID_STATE,
        "accept": INVALID_STATE,
        "local-address": INVALID_STATE,
        "remote-address": INVALID_STATE,
    },
    "bound": {
        "start-bind": INVALID_STATE,
        "accept": INVALID_STATE,
        "remote-address": INVALID_STATE,
    },
    "listening": {
        "start-bind": INVALID_STATE,
        "start-connect": INVALID_STATE,
        "start-listen": INVALID_STATE,
        "remote-address": INVALID_STATE,
    },
    "connected": {
        "start-bind": INVALID_STATE,
        "start-connect": INVALID_STATE,
        "start-listen": INVALID_STATE,
        "accept": INVALID_STATE,
    },
}


async def in_state(guest, family, state):
    if state == "unbound":
        return make(guest, "tcp", family)
    if state == "bound":
        return bound(guest, "tcp", place(family))
    if state == "listening":
        return listening(guest, place(family))
    return (await pair(guest, family))[0][0]


@pytest.mark.parametrize("state", IN_STATE)
async def test_each_state_of_tcp_has_its_answers(guest, family, state):
    made = await in_state(guest, family, state)
    refused = dict.fromkeys(
        ("finish-bind", "finish-connect", "finish-listen"), NOT_IN_PROGRESS
    )
    for name, answer in (refused | IN_STATE[state]).items():
        starts = name in {"start-bind", "start-connect"}
        given = (guest.network, place(family, port=47)) if starts else ()
        assert guest.do(made, name, *given) == answer, name
    if state != "connected":
        assert guest.do(made, "shutdown", "both") == INVALID_STATE
        assert guest.do(made, "set-listen-backlog-size", 32) == Ok(None)
    assert guest.do(made, "is-listening") is (state == "listening")
    assert guest.do(made, "address-family") == family
    for name in ("local-address", "remote-address"):
        if name not in IN_STATE[state]:
            assert type(guest.do(made, name)) is Ok, name
    check_options(guest, made, OPTIONS)


def check_options(guest, made, options):
    for name, value in options.items():
        assert type(guest.do(made, name)) is Ok, name
        assert guest.do(made, f"set-{name}", value) == Ok(None), name


@pytest.mark.parametrize("state", ["unbound", "bound", "connected"])
async def test_each_state_of_udp_has_its_answers(guest, family, state):
    made = make(guest, "udp", family)
    if state != "unbound":
        made = bound(guest, "udp", place(family))
    if state == "connected":
        for each in guest.do(made, "stream", place(family, port=54321)).value:
            release(each)
    assert guest.do(made, "finish-bind") == NOT_IN_PROGRESS
    if state == "unbound":
        assert guest.do(made, "stream", None) == INVALID_STATE
        assert guest.do(made, "stream", place(family, port=47)) == INVALID_STATE
        assert guest.do(made, "local-address") == INVALID_STATE
    else:
        again = guest.do(made, "start-bind", guest.network, place(family))
        assert again == INVALID_STATE
        assert type(guest.do(made, "local-address")) is Ok
    remote = guest.do(made, "remote-address")
    assert remote == INVALID_STATE if state != "connected" else type(remote) is Ok
    assert guest.do(made, "address-family") == family
    check_options(guest, made, UDP_OPTIONS)


# ---------------------------------------------------------------- options

LARGEST = {
    "keep-alive-idle-time": 2**64 - 1,
    "keep-alive-interval": 2**64 - 1,
    "keep-alive-count": 2**32 - 1,
    "hop-limit": 255,
    "unicast-hop-limit": 255,
    "receive-buffer-size": 2**64 - 1,
    "send-buffer-size": 2**64 - 1,
}
SET = {
    "keep-alive-idle-time": 42 * SECOND,
    "keep-alive-interval": 42 * SECOND,
    "keep-alive-count": 42,
    "hop-limit": 42,
    "receive-buffer-size": 0x10000,
    "send-buffer-size": 0x10000,
}


@BOTH
async def test_options_have_defaults_are_cut_to_what_is_possible_and_refuse_zero(
    guest, family, protocol
):
    made = make(guest, protocol, family)
    for name in OPTIONS if protocol == "tcp" else UDP_OPTIONS:
        if name == "keep-alive-enabled":
            continue
        assert guest.do(made, name).value > 0, name
        assert guest.do(made, f"set-{name}", 0) == INVALID_ARGUMENT, name
        assert guest.do(made, f"set-{name}", 1) == Ok(None), name
        assert guest.do(made, name).value > 0, name
        assert guest.do(made, f"set-{name}", LARGEST[name]) == Ok(None), name


async def test_a_backlog_is_cut_too(guest, family):
    made = make(guest, "tcp", family)
    assert guest.do(made, "set-listen-backlog-size", 0) == INVALID_ARGUMENT
    for size in (1, 2**64 - 1):
        assert guest.do(made, "set-listen-backlog-size", size) == Ok(None)


async def test_options_of_udp_are_what_was_set(guest, family):
    made = make(guest, "udp", family)
    for name in UDP_OPTIONS:
        value = SET.get(name, 42)
        assert guest.do(made, f"set-{name}", value) == Ok(None)
        assert guest.do(made, name) == Ok(value)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_is_accepted_has_the_options_of_its_listener(guest, family, when):
    """Whether they were set before it listened or after; later changes are its own."""
    listener = bound(guest, "tcp", place(family))

    def set_all(more):
        assert guest.do(listener, "set-keep-alive-enabled", more == 0) == Ok(None)
        for name, value in SET.items():
            step = SECOND if value >= SECOND else 1
            assert guest.do(listener, f"set-{name}", value + more * step) == Ok(None)

    if when == "before":
        set_all(0)
    assert guest.do(listener, "start-listen") == Ok(None)
    assert guest.do(listener, "finish-listen") == Ok(None)
    if when == "after":
        set_all(0)
    client = make(guest, "tcp", family)
    await connecting(guest, client, local(guest, listener))
    server, _into, _out = await accepted(guest, listener)
    for _ in range(2):
        assert guest.do(server, "keep-alive-enabled") == Ok(value=True)
        for name, value in SET.items():
            found = guest.do(server, name).value
            assert found == value or ("buffer" in name and found > value), name
        set_all(1)


# ---------------------------------------------------------------- ends of connections


async def test_what_the_other_side_has_shut_is_closed(guest, family):
    (_client, into, _out), (server, *streams) = await pair(guest, family)
    assert guest.do(server, "shutdown", "both") == Ok(None)
    for each in (*streams, server):
        release(each)
    await guest.until_ready(into)
    assert is_closed(await stream(guest, "read", into, 10))
    assert is_closed(await stream(guest, "read", into, 0))


async def test_what_was_shut_for_reading_is_closed_though_bytes_came(guest, family):
    (client, into, _out), (_server, _in, back) = await pair(guest, family)
    assert await guest.write(back, b"x" * 100) == Ok()
    await guest.until_ready(into)
    assert guest.do(client, "shutdown", "receive") == Ok(None)
    assert is_closed(await stream(guest, "read", into, 10))
    assert is_closed(await stream(guest, "read", into, 0))


async def test_what_was_shut_for_writing_is_closed(guest, family):
    (client, _into, out), _server = await pair(guest, family)
    assert (await stream(guest, "check-write", out)).value >= 3
    assert guest.do(client, "shutdown", "send") == Ok(None)
    assert is_closed(await stream(guest, "write", out, b"Hi!"))
    assert is_closed(await stream(guest, "check-write", out))
    assert is_closed(await stream(guest, "flush", out))


async def test_shutting_sends_first_what_was_written(guest, family):
    (client, _into, out), (_server, into, _out) = await pair(guest, family)
    assert guest.do(client, "set-send-buffer-size", 1024) == Ok(None)
    small = guest.do(client, "send-buffer-size").value
    room = (await stream(guest, "check-write", out)).value
    assert room > small
    assert await stream(guest, "write", out, bytes(room)) == Ok()
    assert guest.do(client, "shutdown", "send") == Ok(None)
    size = 0
    with trio.fail_after(20):
        while type(found := await guest.read(into, 2**16)) is Ok:
            size += len(found.value)
    assert is_closed(found)
    assert size == room


# ---------------------------------------------------------------- datagrams


def streams_of(guest, made, remote=None):
    answer = guest.do(made, "stream", remote)
    assert type(answer) is Ok, answer
    return answer.value


def forget(streams):
    for each in streams:
        release(each)


async def test_a_socket_is_connected_anew_and_let_go(guest, family):
    client = bound(guest, "udp", place(family, "unspecified"))
    before = local(guest, client)
    one, two = place(family, port=4321), place(family, port=4320)
    for remote in (None, None, one, one, two, None, one):
        forget(streams_of(guest, client, remote))
        expected = INVALID_STATE if remote is None else Ok(remote)
        assert guest.do(client, "remote-address") == expected
        assert port_of(local(guest, client)) == port_of(before)
        if remote is None:
            assert local(guest, client) == before
    permissions = guest.services.permissions
    for _ in range(100):
        forget(streams_of(guest, client, one))
    assert len(client._scopes) == 2  # of what it is bound to, and connected to
    release(client)
    assert permissions is guest.services.permissions


async def test_a_port_that_another_has_taken_meanwhile_is_not_shared(
    guest, family, monkeypatch
):
    """The system takes back the port that it chose when a socket has no other side."""
    client = bound(guest, "udp", place(family))
    here = local(guest, client)
    forget(streams_of(guest, client, place(family, port=4321)))
    taken = []

    def disconnect(fd):
        from airssys.wasm.host.wasi.base import disconnect as real

        real(fd)
        taken.append(bound(guest, "udp", here))

    monkeypatch.setattr("airssys.wasm.host.wasi.sockets._udp.disconnect", disconnect)
    assert guest.do(client, "stream", None) == Err("address-in-use")
    assert client.real.fileno() < 0
    assert local(guest, taken[0]) == here


async def test_a_datagram_is_sent_when_the_stream_says_it_is_ready(guest, family):
    client = bound(guest, "udp", place(family))
    _, out = streams_of(guest, client, place(family, port=4320))
    await guest.until_ready(out)
    assert guest.do(out, "check-send").value > 0
    assert guest.do(out, "send", [(b"hello", None)]) == Ok(1)


async def test_more_datagrams_than_permitted_stop_the_guest(guest, family):
    client = bound(guest, "udp", place(family))
    _, out = streams_of(guest, client, place(family, port=4320))
    permitted = guest.do(out, "check-send").value
    with pytest.raises(StopGuest, match="were permitted"):
        guest.do(out, "send", [(b"hello", None)] * (permitted + 1))


async def test_an_application_of_datagrams(guest, family):
    server = bound(guest, "udp", place(family))
    into, _ = streams_of(guest, server)
    there = local(guest, server)
    client = bound(guest, "udp", place(family, "unspecified"))
    streams = streams_of(guest, client, there)
    assert guest.do(streams[1], "check-send").value >= 2
    both = [(b"", None), (b"Hello, world!", there)]
    assert guest.do(streams[1], "send", both) == Ok(2)
    here = local(guest, client)
    assert here == place(family, port=port_of(here))
    assert await received(guest, into, 2) == [(b"", here), (b"Hello, world!", here)]
    forget((*streams, client))
    other = bound(guest, "udp", place(family, "unspecified"))
    _, out = streams_of(guest, other)
    guest.do(out, "check-send")
    assert guest.do(out, "send", [(b"Greetings", there)]) == Ok(1)
    ((text, _),) = await received(guest, into, 1)
    assert text == b"Greetings"


async def received(guest, into, count):
    found = []
    while len(found) < count:
        await guest.until_ready(into)
        found += guest.do(into, "receive", 100).value
    return found


async def test_a_receiver_that_is_gone_is_reported(guest, family):
    gone = bound(guest, "udp", place(family))
    there = local(guest, gone)
    release(gone)
    sender = bound(guest, "udp", place(family))
    into, out = streams_of(guest, sender, there)
    guest.do(out, "check-send")
    assert guest.do(out, "send", [(b"hello", None)]) == Ok(1)
    with trio.fail_after(20):
        while (answer := guest.do(into, "receive", 1)) == Ok([]):
            await guest.until_ready(into)
    assert answer == Err("connection-refused")
    assert guest.do(into, "receive", 1) == Ok([])


async def test_a_connected_socket_receives_from_its_other_side_only(guest, family):
    """Also of what came before it was connected."""
    server = bound(guest, "udp", place(family))
    there = local(guest, server)
    senders = {name: bound(guest, "udp", place(family)) for name in (b"A", b"B")}
    for name in (b"A", b"B", b"A"):
        streams = streams_of(guest, senders[name], there)
        guest.do(streams[1], "check-send")
        assert guest.do(streams[1], "send", [(name, None)]) == Ok(1)
        forget(streams)
    wanted = local(guest, senders[b"B"])
    into, _ = streams_of(guest, server, wanted)
    assert await received(guest, into, 1) == [(b"B", wanted)]


async def test_a_flood_of_others_does_not_hold_up_the_loop(guest, family):
    """What is dropped counts as much as what is received."""
    server = bound(guest, "udp", place(family))
    there = local(guest, server)
    other = bound(guest, "udp", place(family))
    streams = streams_of(guest, other, there)
    for _ in range(2):
        assert guest.do(streams[1], "check-send") == Ok(16)
        assert guest.do(streams[1], "send", [(b"x", None)] * 16) == Ok(16)
    into, _ = streams_of(guest, server, place(family, port=4320))
    for left in (True, False):
        assert guest.do(into, "receive", 100) == Ok([])
        assert into.is_ready() is left


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("0.0.0.0", Case("ipv4", (0, 0, 0, 0))),
        ("127.0.0.1", Case("ipv4", (127, 0, 0, 1))),
        ("192.0.2.0", Case("ipv4", (192, 0, 2, 0))),
        ("::", Case("ipv6", (0,) * 8)),
        ("[::]", Case("ipv6", (0,) * 8)),
        ("::1", Case("ipv6", (0, 0, 0, 0, 0, 0, 0, 1))),
        ("2001:0db8:0:0:0:0:0:0", Case("ipv6", (0x2001, 0xDB8, 0, 0, 0, 0, 0, 0))),
        ("dead:beef::", Case("ipv6", (0xDEAD, 0xBEEF, 0, 0, 0, 0, 0, 0))),
        ("DEAD:BEEF::0", Case("ipv6", (0xDEAD, 0xBEEF, 0, 0, 0, 0, 0, 0))),
    ],
)
async def test_addresses_are_their_own_answers(guest, name, answer):
    act = guest.function("sockets/ip-name-lookup", "resolve-addresses").act
    found = act(guest.context, guest.network, name).value
    assert guest.do(found, "resolve-next-address") == Ok(answer)
    assert guest.do(found, "resolve-next-address") == Ok(None)


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "a.b<&>", "127.0.0.1:80", "[::]:80", "http://example.com/"),
        *("[127.0.0.1]", "[::", "::]", "fe80::1%lo", "[fe80::1%lo]", "a..b", "a%b"),
        *("x" * 64, "a\x7f", "a\nb", "user@host", "a\\b", "a|b", "a^b"),
    ],
)
async def test_a_text_that_cannot_be_the_name_of_a_host(guest, name):
    act = guest.function("sockets/ip-name-lookup", "resolve-addresses").act
    assert act(guest.context, guest.network, name) == INVALID_ARGUMENT
