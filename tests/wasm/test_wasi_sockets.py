"""Sockets of WASI on the loopback: what works with a grant, and what does not without."""

import contextlib
import ipaddress
import socket

import pytest
import trio
import trio.testing

from airssys.contracts import Access, is_private
from airssys.security import bind, connect, resolve
from airssys.security.capabilities import read_grants
from airssys.wasm import Err, Ok
from airssys.wasm.host import StopGuest
from airssys.wasm.host.wasi.base import Reach, release
from airssys.wasm.values import Case
from wasm_support import at

LOCAL = "127.0.0.1"


@pytest.fixture
async def listener():
    with contextlib.closing(socket.create_server((LOCAL, 0))) as opened:
        opened.settimeout(20)
        yield opened


def port(opened):
    return opened.getsockname()[1]


# ---------------------------------------------------------------- tcp


async def test_a_guest_connects_writes_reads_and_ends(make_guest, listener):
    guest = make_guest(connect(LOCAL, port(listener)))
    made, into, out = await guest.connected(port(listener))
    peer, _ = listener.accept()
    with peer:
        assert await guest.write(out, b"hello") == Ok()
        assert peer.recv(10) == b"hello"
        peer.sendall(b"world")
        assert await guest.read(into) == Ok(b"world")
        assert guest.do(made, "remote-address") == Ok(at(port(listener)))
        assert guest.do(made, "shutdown", "send") == Ok(None)
        assert peer.recv(10) == b""
        assert (
            await guest.call("io/streams", "[method]output-stream.check-write", out)
        ).value.name == "closed"
        peer.close()
        assert (await guest.read(into)).value.name == "closed"
    for each in (into, out, made):
        release(each)
    assert made.real.fileno() < 0


async def test_much_is_sent_piece_by_piece_and_nothing_is_kept_beyond_a_stream(
    make_guest, listener
):
    guest = make_guest(connect(LOCAL))
    made, into, out = await guest.connected(port(listener))
    made.real.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    peer, _ = listener.accept()
    write = guest.function("io/streams", "[method]output-stream.write").act
    check = guest.function("io/streams", "[method]output-stream.check-write").act
    sent = 0
    while (room := check(guest.context, out).value) and sent < 100 * 2**20:
        assert write(guest.context, out, bytes(room)) == Ok()
        sent += room
    assert guest.context.tasks == 1
    with pytest.raises(StopGuest, match="where 0 were permitted"):
        write(guest.context, out, b"x")
    for each in (
        into,
        out,
        made,
    ):  # dropped at once: what was written is sent all the same
        release(each)

    def receive():
        with peer:
            return sum(iter(lambda: len(peer.recv(2**20)), 0))

    with trio.fail_after(60):
        assert await trio.to_thread.run_sync(receive) == sent


@pytest.mark.parametrize("verb", ["connect", "bind"])
async def test_each_verb_is_refused_without_its_grant(make_guest, listener, verb):
    other = bind("10.9.9.9", 1) if verb == "connect" else connect("10.9.9.9", 1)
    guest = make_guest(other)
    made = guest.make().value
    method = {"connect": "start-connect", "bind": "start-bind"}[verb]
    answer = guest.do(made, method, guest.network, at(port(listener)))
    assert answer == Err("access-denied")
    assert guest.denied == [(verb, f"{LOCAL}:{port(listener)}")]


async def test_without_any_grant_no_socket_is_made(make_guest):
    guest = make_guest()
    assert guest.make() == Err("access-denied")
    assert guest.make("udp") == Err("access-denied")
    assert guest.denied == [("connect", "0.0.0.0:0"), ("bind", "0.0.0.0:0")]


async def test_revoking_closes_what_is_open_and_wakes_who_waits(make_guest, listener):
    guest = make_guest(connect(LOCAL))
    made, into, _out = await guest.connected(port(listener))
    peer, _ = listener.accept()
    seen = []

    async def wait():
        seen.append(await guest.read(into))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        rules, _ = read_grants([connect(LOCAL)])
        assert guest.services.permissions.revoke(rules) == 1
    error = seen[0].value
    assert error.name == "last-operation-failed"
    code = guest.function("sockets/network", "network-error-code").act
    assert code(guest.context, error.value) == "access-denied"
    with peer:
        assert peer.recv(1) == b""
    assert guest.do(made, "shutdown", "both") == Err("access-denied")
    again = guest.make()
    assert again == Ok(again.value)  # it holds a grant, which was cut
    answer = guest.do(again.value, "start-connect", guest.network, at(port(listener)))
    assert answer == Err("access-denied")


async def test_a_guest_listens_and_accepts(make_guest):
    guest = make_guest(bind(LOCAL))
    made = guest.make().value
    assert guest.do(made, "start-bind", guest.network, at(0)) == Ok(None)
    assert guest.do(made, "start-listen") == Err("concurrency-conflict")
    assert guest.do(made, "finish-bind") == Ok(None)
    assert guest.do(made, "accept") == Err("invalid-state")
    assert guest.do(made, "start-listen") == Ok(None)
    assert guest.do(made, "finish-listen") == Ok(None)
    assert guest.do(made, "is-listening") is True
    assert guest.do(made, "accept") == Err("would-block")
    where = guest.do(made, "local-address").value.value[0]
    with contextlib.closing(socket.create_connection((LOCAL, where))) as peer:
        await guest.until_ready(made)
        _accepted, into, out = guest.do(made, "accept").value
        peer.sendall(b"ping")
        assert await guest.read(into) == Ok(b"ping")
        assert await guest.write(out, b"pong") == Ok()
        assert peer.recv(10) == b"pong"
        rules, _ = read_grants([bind(LOCAL)])
        assert guest.services.permissions.revoke(rules) == 2
        assert peer.recv(1) == b""
    assert guest.denied == []


async def test_a_port_that_the_system_chooses_has_to_be_granted_too(make_guest):
    guest = make_guest(bind(LOCAL, 1))
    made = guest.make().value
    answer = guest.do(made, "start-bind", guest.network, at(0))
    assert answer == Err("access-denied")
    assert made.real.fileno() < 0
    assert [verb for verb, _ in guest.denied] == ["bind"]


async def test_calls_out_of_order_are_answered_by_the_state(make_guest, listener):
    guest = make_guest(connect(LOCAL), bind(LOCAL))
    made = guest.make().value
    for method, code in (
        ("finish-bind", "not-in-progress"),
        ("finish-connect", "not-in-progress"),
        ("finish-listen", "not-in-progress"),
        ("start-listen", "invalid-state"),
        ("accept", "invalid-state"),
        ("local-address", "invalid-state"),
        ("remote-address", "invalid-state"),
    ):
        assert guest.do(made, method) == Err(code), method
    assert guest.do(made, "shutdown", "both") == Err("invalid-state")
    assert guest.do(made, "start-connect", None, at(port(listener))) == Ok(None)
    for method, taken in (
        ("start-connect", (None, at(1))),
        ("start-bind", (None, at(0))),
        ("start-listen", ()),
        ("shutdown", ("both",)),
    ):
        assert guest.do(made, method, *taken) == Err("concurrency-conflict"), method
    await guest.until_ready(made)
    assert type(guest.do(made, "finish-connect")) is Ok
    for method, taken, code in (
        ("start-connect", (None, at(1)), "invalid-state"),
        ("finish-connect", (), "not-in-progress"),
        ("start-listen", (), "invalid-state"),
        ("set-listen-backlog-size", (3,), "invalid-state"),
    ):
        assert guest.do(made, method, *taken) == Err(code), method


async def test_a_refused_connection_is_that_and_the_socket_is_closed(make_guest):
    with socket.create_server((LOCAL, 0)) as closed:
        free = port(closed)
    guest = make_guest(connect(LOCAL))
    made = guest.make().value
    assert guest.do(made, "start-connect", None, at(free)) == Ok(None)
    await guest.until_ready(made)
    assert guest.do(made, "finish-connect") == Err("connection-refused")
    answer = guest.do(made, "start-connect", None, at(free))
    assert answer == Err("invalid-state")


@pytest.mark.parametrize(
    "where",
    [
        at(80, (0, 0, 0, 0)),
        at(0),
        at(80, (224, 0, 0, 1)),
        at(80, (255, 255, 255, 255)),
        Case("ipv6", (80, 0, (0, 0, 0, 0, 0, 0, 0, 1), 0)),
    ],
)
async def test_addresses_that_are_none_to_connect_to(make_guest, where):
    guest = make_guest(connect("0.0.0.0/0"), connect("::/0"))
    made = guest.make().value
    assert guest.do(made, "start-connect", None, where) == Err("invalid-argument")


async def test_an_ipv4_address_in_an_ipv6_one_is_not_an_ipv6_address(make_guest):
    guest = make_guest(connect("0.0.0.0/0"), connect("::/0"))
    made = guest.make(family="ipv6")
    if made == Err("not-supported"):
        pytest.skip("this machine has no IPv6")
    mapped = Case("ipv6", (80, 0, (0, 0, 0, 0, 0, 0xFFFF, 0x7F00, 1), 0))
    answer = guest.do(made.value, "start-connect", None, mapped)
    assert answer == Err("invalid-argument")


async def test_options_are_what_was_set(make_guest):
    guest = make_guest(connect(LOCAL))
    made = guest.make().value
    for name, value in (
        ("receive-buffer-size", 10_000),
        ("send-buffer-size", 10_000),
        ("keep-alive-idle-time", 60_000_000_000),
        ("keep-alive-interval", 5_000_000_000),
        ("keep-alive-count", 7),
        ("hop-limit", 9),
    ):
        assert guest.do(made, f"set-{name}", 0) == Err("invalid-argument"), name
        assert guest.do(made, f"set-{name}", value) == Ok(None), name
        assert guest.do(made, name) == Ok(value), name
    assert guest.do(made, "keep-alive-enabled") == Ok(value=False)
    assert guest.do(made, "set-keep-alive-enabled", True) == Ok(None)
    assert guest.do(made, "keep-alive-enabled") == Ok(value=True)
    assert guest.do(made, "set-listen-backlog-size", 0) == Err("invalid-argument")
    assert guest.do(made, "set-receive-buffer-size", 2**64 - 1) == Ok(None)
    assert guest.do(made, "address-family") == "ipv4"


async def test_the_number_of_sockets_is_bounded_and_they_close_with_the_instance(
    make_guest,
):
    guest = make_guest(connect(LOCAL))
    sockets = [guest.make() for _ in range(65)]
    assert sockets[-1] == Err("new-socket-limit")
    assert guest.context._handles == 65  # the network, and 64 sockets
    for each in sockets[:-1]:
        release(each.value)
    assert guest.context._handles == 1
    assert type(guest.make()) is Ok


async def test_a_socket_must_not_be_dropped_before_its_streams(make_guest, listener):
    guest = make_guest(connect(LOCAL))
    made, _into, _out = await guest.connected(port(listener))
    with pytest.raises(StopGuest, match="before 2 of what was made"):
        release(made)


# ---------------------------------------------------------------- udp


async def test_datagrams_go_where_a_grant_says(make_guest):
    guest = make_guest(bind(LOCAL), connect(LOCAL))
    one, other = guest.make("udp").value, guest.make("udp").value
    ports = []
    for each in (one, other):
        assert guest.do(each, "stream", None) == Err("invalid-state")
        assert guest.do(each, "start-bind", None, at(0)) == Ok(None)
        assert guest.do(each, "finish-bind") == Ok(None)
        ports.append(guest.do(each, "local-address").value.value[0])
    into, out = guest.do(one, "stream", None).value
    theirs, back = guest.do(other, "stream", at(ports[0])).value
    with pytest.raises(StopGuest, match="0 were permitted"):
        guest.do(out, "send", [(b"x", at(ports[1]))])
    assert guest.do(out, "check-send") == Ok(16)
    assert guest.do(out, "send", [(b"x", None)]) == Err("invalid-argument")
    assert guest.do(out, "send", [(b"a", at(ports[1])), (b"b", at(ports[1]))]) == Ok(2)
    await guest.until_ready(theirs)
    found = guest.do(theirs, "receive", 10).value
    assert found == [(b"a", at(ports[0])), (b"b", at(ports[0]))]
    assert guest.do(back, "check-send") == Ok(16)
    assert guest.do(back, "send", [(b"c", None)]) == Ok(1)
    assert guest.do(back, "send", [(b"c", at(1))]) == Err("invalid-argument")
    assert guest.do(other, "remote-address") == Ok(at(ports[0]))
    await guest.until_ready(into)
    assert guest.do(into, "receive", 10).value == [(b"c", at(ports[1]))]
    assert guest.do(into, "receive", 10) == Ok([])
    denied = guest.do(out, "send", [(b"x", at(9, (10, 0, 0, 1)))])
    assert denied == Err("access-denied")
    assert guest.denied == [("connect", "10.0.0.1:9")]
    with pytest.raises(StopGuest, match="before it dropped"):
        guest.do(one, "stream", None)


class Carried:
    """Counts bytes like the meter of a guest."""

    def __init__(self):
        self.bytes = 0

    def note_network(self, size):
        self.bytes += size


async def test_what_is_sent_and_received_is_counted_once(make_guest, listener):
    guest = make_guest(bind(LOCAL), connect(LOCAL))
    guest.services.meter = meter = Carried()
    made, into, out = await guest.connected(port(listener))
    peer, _ = listener.accept()
    with peer:
        size = 0
        assert await guest.write(out, b"x" * 4000) == Ok()
        assert meter.bytes == 4000
        peer.sendall(b"y" * 300)
        while size < 300:
            size += len((await guest.read(into)).value)
        assert meter.bytes == 4300
    for each in (into, out, made):
        release(each)
    udp = guest.make("udp").value
    guest.do(udp, "start-bind", None, at(0))
    guest.do(udp, "finish-bind")
    here = guest.do(udp, "local-address").value
    into, out = guest.do(udp, "stream", None).value
    guest.do(out, "check-send")
    assert guest.do(out, "send", [(b"12345", here)]) == Ok(1)
    assert meter.bytes == 4305
    assert guest.do(out, "send", [(b"x", at(9, (10, 0, 0, 1)))]) == Err("access-denied")
    await guest.until_ready(into)
    assert guest.do(into, "receive", 10).value == [(b"12345", here)]
    assert meter.bytes == 4310


# ---------------------------------------------------------------- names


class Names(trio.abc.HostnameResolver):
    """Knows some names."""

    def __init__(self, **known):
        self.known, self.asked = known, []

    async def getaddrinfo(self, host, port, *_args, **_options):
        self.asked.append(host)
        await trio.lowlevel.checkpoint()
        name = host.decode() if isinstance(host, bytes) else host
        if name not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        found = self.known[name]
        if found == "never":
            await trio.sleep_forever()
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found
        ]

    async def getnameinfo(self, sockaddr, flags):
        raise AssertionError


@pytest.fixture
async def names():
    made = Names(db=["127.0.0.1"], web=["93.184.216.34", "8.8.8.8"], slow="never")
    before = trio.socket.set_custom_hostname_resolver(made)
    yield made
    trio.socket.set_custom_hostname_resolver(before)


async def look_up(guest, name):
    found = guest.function("sockets/ip-name-lookup", "resolve-addresses").act(
        guest.context, guest.network, name
    )
    if type(found) is Err:
        return found
    await guest.until_ready(found.value)
    answers = []
    while (answer := guest.do(found.value, "resolve-next-address")) != Ok(None):
        if type(answer) is Err:
            return answer
        answers.append(".".join(map(str, answer.value.value)))
    return answers


async def test_names_are_looked_up_with_a_grant(make_guest, names):
    guest = make_guest(resolve("web"), resolve("gone"))
    assert await look_up(guest, "web") == ["93.184.216.34", "8.8.8.8"]
    assert await look_up(guest, "gone") == Err("name-unresolvable")
    assert await look_up(guest, "db") == Err("access-denied")
    assert guest.denied == [("resolve", "db")]
    assert await look_up(guest, "192.0.2.7") == ["192.0.2.7"]
    for wrong in ("", "a b", "x/y", "\0", "n" * 254):
        assert await look_up(guest, wrong) == Err("invalid-argument")
    assert len(names.asked) == 2


async def test_a_name_opens_its_public_answers_and_no_others(make_guest, names):
    guest = make_guest(resolve("*"), connect("web", 443), connect("db", 5432))
    reach = guest.context.keep("reach", Reach)
    web, db = ipaddress.ip_address("8.8.8.8"), ipaddress.ip_address(LOCAL)
    assert reach.connect(web, 443) is None  # it was not looked up yet
    await look_up(guest, "web")
    await look_up(guest, "db")
    assert reach.connect(web, 443) == Access("network", "connect", "web:443")
    assert reach.connect(web, 80) is None
    assert reach.connect(db, 5432) is None  # a private address is named by number
    assert guest.denied[-1] == ("connect", "127.0.0.1:5432")


async def test_a_lookup_ends_with_its_grant_and_with_its_instance(make_guest, names):
    guest = make_guest(resolve("slow"))
    act = guest.function("sockets/ip-name-lookup", "resolve-addresses").act
    slow = act(guest.context, guest.network, "slow").value
    await trio.testing.wait_all_tasks_blocked()
    assert guest.do(slow, "resolve-next-address") == Err("would-block")
    rules, _ = read_grants([resolve("slow")])
    guest.services.permissions.revoke(rules)
    await guest.until_ready(slow)
    assert guest.do(slow, "resolve-next-address") == Err("access-denied")
    other = make_guest(resolve("slow"))
    act(other.context, other.network, "slow")
    await trio.testing.wait_all_tasks_blocked()
    assert other.context.tasks == 1
    other.context.close()
    await trio.testing.wait_all_tasks_blocked()
    assert other.context.tasks == 0


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("127.0.0.1", True),
        ("10.0.0.1", True),
        ("169.254.169.254", True),
        ("100.64.0.1", True),
        ("224.0.0.1", True),
        ("0.0.0.0", True),
        ("::1", True),
        ("fe80::1", True),
        ("fd00::1", True),
        ("::ffff:10.0.0.1", True),
        ("64:ff9b::a00:1", True),
        ("2002:a00:1::1", True),
        ("::10.0.0.1", True),
        ("::ffff:0:10.0.0.1", True),
        ("64:ff9b:1::a00:1", True),
        ("64:ff9b::a9fe:a9fe", True),
        ("64:ff9b::808:808", False),
        ("2001:0:a00:1::1", True),
        ("fec0::1", True),
        ("fd00:ec2::254", True),
        ("ff02::1", True),
        ("5f00::1", True),
        ("3fff::1", True),
        ("192.0.0.192", True),
        ("192.88.99.1", True),
        ("168.63.129.16", True),
        ("168.63.129.17", False),
        ("8.8.8.8", False),
        ("2606:4700::1111", False),
    ],
)
def test_private_addresses_in_every_dress(text, private):
    assert is_private(ipaddress.ip_address(text)) is private


async def test_eight_lookups_are_in_progress_at_most(make_guest, names):
    guest = make_guest(resolve("*"))
    act = guest.function("sockets/ip-name-lookup", "resolve-addresses").act
    found = [act(guest.context, guest.network, "slow") for _ in range(8)]
    assert all(type(each) is Ok for each in found)
    refused = Err("temporary-resolver-failure")
    assert act(guest.context, guest.network, "slow") == refused
    release(found[0].value)  # whether it was begun or not, it makes room
    await trio.testing.wait_all_tasks_blocked()
    found.append(act(guest.context, guest.network, "slow"))
    assert type(found[-1]) is Ok
    assert act(guest.context, guest.network, "slow") == refused
