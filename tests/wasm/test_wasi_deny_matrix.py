"""Every function of WASI without a grant: taken away, it does nothing, and that is recorded.

Each function of each interface is in one of the tables here or in `test_wasi` and
`test_wasi_files`; the last test counts them. Resources are made under grants, then all
grants are taken away, and then the function is called. What leads out of the process is
watched by Python's audit events.
"""

import contextlib
import socket
import sys

import pytest
import trio.testing

from airssys.contracts import Limits
from airssys.security import (
    arguments,
    bind,
    clock,
    connect,
    env,
    http,
    insecure_random,
    monotonic_clock,
    random,
    resolve,
    stderr,
    stdout,
)
from airssys.security.authority import Authority
from airssys.security.capabilities import read_grants
from airssys.testing import FakeServices
from airssys.wasm import Err, Ok
from airssys.wasm.host import StopGuest
from airssys.wasm.host.wasi import WASI_INTERFACES
from airssys.wasm.host.wasi.base import Held, Pollable, WasiContext
from airssys.wasm.host.wasi.files import has_openat2
from airssys.wasm.values import Case

LOCAL = "127.0.0.1"
DENIED = Err("access-denied")
ALL = [
    connect(LOCAL),
    bind(LOCAL),
    resolve("*"),
    http(f"http://{LOCAL}:1"),
]
DOORS = (
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "open",
    "os.",
    "subprocess.Popen",
)
opened: list[tuple[str, object]] = []
watching = False


def watch(event, arguments):
    if watching and event.startswith(DOORS):
        opened.append((event, arguments))


sys.addaudithook(watch)  # it cannot be taken away: `watching` turns it off


@contextlib.contextmanager
def no_door_opens():
    global watching  # noqa: PLW0603  # the hook is one for the whole process
    opened.clear()
    watching = True
    try:
        yield
    finally:
        watching = False
    assert opened == []


def at(port, host=(127, 0, 0, 1)):
    return Case("ipv4", (port, host))


class Guest:
    """One instance's functions; it was granted everything, for a while."""

    def __init__(self, nursery, services=None):
        self.services = services or FakeServices(can=ALL)
        self.context = WasiContext(self.services, Limits())
        self.context.take_nursery(nursery)

    async def call(self, full, *arguments):
        where, _, name = full.partition("#")
        (found,) = [i for i in WASI_INTERFACES if i.gives(f"wasi:{where}@0.2.0")]
        function = found.functions[name]
        if function.at_once is None:
            return function.act(self.context, *arguments)
        answer = function.at_once(self.context, *arguments)
        if answer is None:
            with trio.fail_after(10):
                answer = await function.act(self.context, *arguments)
        return answer

    async def tcp(self, method, made, *arguments):
        return await self.call(
            f"sockets/tcp#[method]tcp-socket.{method}", made, *arguments
        )

    async def udp(self, method, made, *arguments):
        return await self.call(
            f"sockets/udp#[method]udp-socket.{method}", made, *arguments
        )

    async def ready(self, source):
        pollable = Pollable(self.context, source, source)
        await self.call("io/poll#[method]pollable.block", pollable)

    def revoke(self):
        assert self.services.permissions.revoke(read_grants(ALL)[0]) is not None
        self.services.denied.clear()

    # ------------------------------------------------------------ resources

    async def make_tcp(self, state, port=0):
        """Make a socket in a state, and the streams of its connection."""
        made = (
            await self.call("sockets/tcp-create-socket#create-tcp-socket", "ipv4")
        ).value
        if state in {"bind-started", "bound", "listen-started", "listening"}:
            assert await self.tcp("start-bind", made, None, at(0)) == Ok(None)
        if state in {"bound", "listen-started", "listening"}:
            assert await self.tcp("finish-bind", made) == Ok(None)
        if state in {"listen-started", "listening"}:
            assert await self.tcp("start-listen", made) == Ok(None)
        if state == "listening":
            assert await self.tcp("finish-listen", made) == Ok(None)
        if state in {"connecting", "connected"}:
            assert await self.tcp("start-connect", made, None, at(port)) == Ok(None)
        if state == "connected":
            await self.ready(made)
            return made, *(await self.tcp("finish-connect", made)).value
        return made, None, None

    async def make_udp(self, state):
        made = (
            await self.call("sockets/udp-create-socket#create-udp-socket", "ipv4")
        ).value
        if state != "unbound":
            assert await self.udp("start-bind", made, None, at(0)) == Ok(None)
        if state in {"bound", "streams"}:
            assert await self.udp("finish-bind", made) == Ok(None)
        if state == "streams":
            return made, *(await self.udp("stream", made, None)).value
        return made, None, None


@pytest.fixture
async def guest(nursery):
    made = Guest(nursery)
    yield made
    made.context.close()
    nursery.cancel_scope.cancel()


@pytest.fixture
async def peer():
    with contextlib.closing(socket.create_server((LOCAL, 0))) as listener:
        listener.setblocking(False)
        yield listener.getsockname()[1]


# ---------------------------------------------------------------- sockets

TCP = {
    "start-bind": ("unbound", (None, at(0))),
    "finish-bind": ("bind-started", ()),
    "start-listen": ("bound", ()),
    "finish-listen": ("listen-started", ()),
    "accept": ("listening", ()),
    "start-connect": ("unbound", (None, at(9))),
    "finish-connect": ("connecting", ()),
    "local-address": ("connected", ()),
    "remote-address": ("connected", ()),
    "shutdown": ("connected", ("both",)),
    "receive-buffer-size": ("connected", ()),
    "set-receive-buffer-size": ("connected", (4096,)),
    "send-buffer-size": ("connected", ()),
    "set-send-buffer-size": ("connected", (4096,)),
    "keep-alive-enabled": ("connected", ()),
    "set-keep-alive-enabled": ("connected", (True,)),
    "keep-alive-idle-time": ("connected", ()),
    "set-keep-alive-idle-time": ("connected", (10**9,)),
    "keep-alive-interval": ("connected", ()),
    "set-keep-alive-interval": ("connected", (10**9,)),
    "keep-alive-count": ("connected", ()),
    "set-keep-alive-count": ("connected", (3,)),
    "hop-limit": ("connected", ()),
    "set-hop-limit": ("connected", (3,)),
}
ASKS = {"start-bind", "start-connect"}
"""These decide anew; the others find that what they work on is closed."""
TCP_KNOWS = {
    "subscribe": (),
    "is-listening": (),
    "address-family": (),
    "set-listen-backlog-size": (3,),
}
"""What the host answers from what it remembers, without the system's socket."""


@pytest.mark.parametrize("method", TCP)
async def test_no_method_of_a_tcp_socket_outlives_its_grant(guest, peer, method):
    state, arguments = TCP[method]
    made, *_ = await guest.make_tcp(state, peer)
    guest.revoke()
    with no_door_opens():
        assert await guest.tcp(method, made, *arguments) == DENIED
    asked = [each.access.verb for each in guest.services.denied]
    assert asked == ([method.partition("-")[2]] if method in ASKS else [])
    assert method in ASKS or made.real.fileno() < 0


@pytest.mark.parametrize("state", ["unbound", "listening", "connected"])
@pytest.mark.parametrize("method", TCP_KNOWS)
async def test_what_a_tcp_socket_knows_of_itself_leads_nowhere(
    guest, peer, method, state
):
    made, *_ = await guest.make_tcp(state, peer)
    guest.revoke()
    with no_door_opens():
        await guest.tcp(method, made, *TCP_KNOWS[method])
    assert state == "unbound" or made.real.fileno() < 0


UDP = {
    "udp-socket.start-bind": ("unbound", (None, at(0))),
    "udp-socket.finish-bind": ("bind-started", ()),
    "udp-socket.stream": ("bound", (None,)),
    "udp-socket.local-address": ("bound", ()),
    "udp-socket.remote-address": ("bound", ()),
    "udp-socket.receive-buffer-size": ("bound", ()),
    "udp-socket.set-receive-buffer-size": ("bound", (4096,)),
    "udp-socket.send-buffer-size": ("bound", ()),
    "udp-socket.set-send-buffer-size": ("bound", (4096,)),
    "udp-socket.unicast-hop-limit": ("bound", ()),
    "udp-socket.set-unicast-hop-limit": ("bound", (3,)),
    "incoming-datagram-stream.receive": ("streams", (10,)),
    "outgoing-datagram-stream.check-send": ("streams", ()),
    "outgoing-datagram-stream.send": ("streams", ([(b"x", at(9))],)),
}
UDP_KNOWS = {
    "udp-socket.subscribe": (),
    "udp-socket.address-family": (),
    "incoming-datagram-stream.subscribe": (),
    "outgoing-datagram-stream.subscribe": (),
}


@pytest.mark.parametrize("method", UDP | UDP_KNOWS)
async def test_no_method_of_a_udp_socket_outlives_its_grant(guest, method):
    state, arguments = UDP.get(method) or ("streams", ())
    made, into, out = await guest.make_udp(state)
    on = into if method.startswith("in") else out if method.startswith("out") else made
    if method.endswith(".send"):
        full = "sockets/udp#[method]outgoing-datagram-stream.check-send"
        assert await guest.call(full, out) == Ok(16)
    guest.revoke()
    with no_door_opens():
        answer = await guest.call(f"sockets/udp#[method]{method}", on, *arguments)
    assert method in UDP_KNOWS or answer == DENIED


@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize("method", ["subscribe", "resolve-next-address"])
async def test_a_lookup_does_not_outlive_its_grant(guest, method, has_begun):
    asked = []

    class Never:
        async def getaddrinfo(self, name, *_):
            asked.append(name)
            await trio.sleep_forever()

    trio.socket.set_custom_hostname_resolver(Never())
    try:
        full = "sockets/ip-name-lookup#"
        found = await guest.call(
            f"{full}resolve-addresses", Held(guest.context), "example.com"
        )
        if has_begun:
            await trio.testing.wait_all_tasks_blocked()
        guest.revoke()
        await trio.testing.wait_all_tasks_blocked()
        assert bool(asked) == has_begun
        with no_door_opens():
            answer = await guest.call(
                f"{full}[method]resolve-address-stream.{method}", found.value
            )
        assert method == "subscribe" or answer == DENIED
    finally:
        trio.socket.set_custom_hostname_resolver(None)


# ---------------------------------------------------------------- streams

STREAMS = {
    "input-stream.read": (10,),
    "input-stream.blocking-read": (10,),
    "input-stream.skip": (10,),
    "input-stream.blocking-skip": (10,),
    "input-stream.subscribe": (),
    "output-stream.check-write": (),
    "output-stream.write": (b"x",),
    "output-stream.blocking-write-and-flush": (b"x",),
    "output-stream.flush": (),
    "output-stream.blocking-flush": (),
    "output-stream.subscribe": (),
    "output-stream.write-zeroes": (3,),
    "output-stream.blocking-write-zeroes-and-flush": (3,),
    "output-stream.splice": ("input", 3),
    "output-stream.blocking-splice": ("input", 3),
}


@pytest.mark.parametrize("method", STREAMS)
async def test_no_stream_of_a_connection_outlives_its_grant(guest, peer, method):
    _made, into, out = await guest.make_tcp("connected", peer)
    arguments = [into if each == "input" else each for each in STREAMS[method]]
    check = "io/streams#[method]output-stream.check-write"
    assert (await guest.call(check, out)).value > 0
    guest.revoke()
    on = into if method.startswith("input") else out
    with no_door_opens():
        answer = await guest.call(f"io/streams#[method]{method}", on, *arguments)
        if method.endswith(".subscribe"):
            await guest.call("io/poll#[method]pollable.block", answer)
            assert await guest.call("io/poll#[method]pollable.ready", answer)
            assert await guest.call("io/poll#poll", [answer]) == [0]
            return
    if not isinstance(answer, Err):  # it is noted, and found out by the next call
        answer = await guest.call(check, out)
    assert answer.value.name == "last-operation-failed"
    failure = answer.value.value
    code = await guest.call("sockets/network#network-error-code", failure)
    assert code == "access-denied"
    assert await guest.call("io/error#[method]error.to-debug-string", failure)


# ---------------------------------------------------------------- http

HTTP_VALUES = {
    "fields": "get has set delete append entries clone",
    "outgoing-request": (
        "body method set-method path-with-query set-path-with-query scheme set-scheme "
        "authority set-authority headers"
    ),
    "outgoing-response": "status-code set-status-code headers body",
    "outgoing-body": "write",
    "request-options": (
        "connect-timeout set-connect-timeout first-byte-timeout set-first-byte-timeout "
        "between-bytes-timeout set-between-bytes-timeout"
    ),
}
"""What a guest makes for itself: it leads nowhere until `handle` or `set` is called."""
HTTP_GIVEN = {
    "incoming-request": "method path-with-query scheme authority headers consume",
    "incoming-response": "status headers consume",
    "incoming-body": "stream",
    "future-trailers": "get subscribe",
}
"""What came in under a grant, or what a handler was called with."""
ARGUMENTS = {
    "get": ("x-a",),
    "has": ("x-a",),
    "set": ("x-a", [b"b"]),
    "delete": ("x-a",),
    "append": ("x-a", b"b"),
    "set-method": (Case("get"),),
    "set-path-with-query": ("/",),
    "set-scheme": (Case("HTTP"),),
    "set-authority": (f"{LOCAL}:1",),
    "set-status-code": (200,),
    "set-connect-timeout": (10**9,),
    "set-first-byte-timeout": (10**9,),
    "set-between-bytes-timeout": (10**9,),
}


async def make_value(guest, kind):
    full = "http/types#[constructor]"
    fields = await guest.call(f"{full}fields")
    if kind == "fields":
        return fields
    if kind == "request-options":
        return await guest.call(f"{full}request-options")
    word = "outgoing-response" if kind == "outgoing-response" else "outgoing-request"
    made = await guest.call(f"{full}{word}", fields)
    if kind == "outgoing-body":
        body = "http/types#[method]outgoing-request.body"
        return (await guest.call(body, made)).value
    return made


@pytest.mark.parametrize(
    ("kind", "method"),
    [(kind, word) for kind, words in HTTP_VALUES.items() for word in words.split()],
)
async def test_what_a_guest_makes_of_http_leads_nowhere(guest, kind, method):
    made = await make_value(guest, kind)
    guest.revoke()
    with no_door_opens():
        full = f"http/types#[method]{kind}.{method}"
        await guest.call(full, made, *ARGUMENTS.get(method, ()))
    assert guest.context.tasks == 0
    assert list(guest.services.denied) == []


async def request(guest):
    made = await make_value(guest, "outgoing-request")
    for word, value in (("authority", f"{LOCAL}:1"), ("scheme", Case("HTTP"))):
        full = f"http/types#[method]outgoing-request.set-{word}"
        assert await guest.call(full, made, value) == Ok()
    return made


@pytest.mark.parametrize("options", [False, True])
async def test_no_request_goes_out(guest, options):
    made = await request(guest)
    given = await make_value(guest, "request-options") if options else None
    guest.revoke()
    with no_door_opens():
        answer = await guest.call("http/outgoing-handler#handle", made, given)
    assert answer == Err(Case("HTTP-request-denied"))
    (event,) = guest.services.denied
    assert (event.access.kind, event.access.verb) == ("http", "request")


@pytest.mark.parametrize("has_begun", [False, True])
async def test_a_request_in_progress_ends_with_its_grant(guest, monkeypatch, has_begun):
    async def never(*_):
        asked.append(1)
        await trio.sleep_forever()

    asked = []
    monkeypatch.setattr("airssys.wasm.host.wasi.http._outgoing.fetch", never)
    made = await request(guest)
    future = (await guest.call("http/outgoing-handler#handle", made, None)).value
    if has_begun:
        await trio.testing.wait_all_tasks_blocked()
    guest.revoke()
    pollable = await guest.call(
        "http/types#[method]future-incoming-response.subscribe", future
    )
    with no_door_opens():
        await guest.call("io/poll#[method]pollable.block", pollable)
        get = "http/types#[method]future-incoming-response.get"
        answer = await guest.call(get, future)
    assert answer == Ok(Err(Case("HTTP-request-denied")))
    await trio.testing.wait_all_tasks_blocked()
    assert guest.context.tasks == 0
    assert bool(asked) == has_begun


# ---------------------------------------------------------------- just outside

OUTSIDE = [
    (connect(LOCAL, 9), "connect", (127, 0, 0, 1), 9, True),
    (connect(LOCAL, 9), "connect", (127, 0, 0, 1), 10, False),
    (connect(LOCAL, 9), "connect", (127, 0, 0, 1), 8, False),
    (connect(LOCAL, 9), "connect", (127, 0, 0, 2), 9, False),
    (connect(LOCAL, 9), "bind", (127, 0, 0, 1), 9, False),
    (connect("127.0.0.0/31", "9-11"), "connect", (127, 0, 0, 1), 11, True),
    (connect("127.0.0.0/31", "9-11"), "connect", (127, 0, 0, 1), 12, False),
    (connect("127.0.0.0/31", "9-11"), "connect", (127, 0, 0, 2), 9, False),
    (bind(LOCAL, 7009), "bind", (127, 0, 0, 1), 7009, True),
    (bind(LOCAL, 7009), "bind", (127, 0, 0, 1), 7010, False),
    (bind(LOCAL, 7009), "bind", (127, 0, 0, 1), 0, False),
    (bind(LOCAL, 7009), "bind", (0, 0, 0, 0), 7009, False),
    (bind(LOCAL, 7009), "connect", (127, 0, 0, 1), 7009, False),
]


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize(("grant", "verb", "host", "port", "allowed"), OUTSIDE)
async def test_just_outside_of_a_grant_of_the_network_is_denied(
    nursery, protocol, grant, verb, host, port, allowed
):
    services = FakeServices(can=[grant, bind("127.0.0.3")])
    guest = Guest(nursery, services)
    made = await (guest.make_tcp if protocol == "tcp" else guest.make_udp)("unbound")
    if protocol == "tcp" or verb == "bind":
        call = guest.tcp if protocol == "tcp" else guest.udp
        answer = await call(f"start-{verb}", made[0], None, at(port, host))
    else:
        assert await guest.udp("start-bind", made[0], None, at(0, (127, 0, 0, 3))) == (
            Ok(None)
        )
        assert await guest.udp("finish-bind", made[0]) == Ok(None)
        answer = await guest.udp("stream", made[0], at(port, host))
    assert (answer != DENIED) == allowed
    denied = [(e.access.verb, e.access.kind) for e in services.denied]
    assert denied == ([] if allowed else [(verb, "network")])
    guest.context.close()
    nursery.cancel_scope.cancel()


NAMES = [
    ("db.example", "db.example", True),
    ("db.example", "DB.Example", True),
    ("db.example", "example", False),
    ("db.example", "x.db.example", False),
    ("db.example", "db.example.net", False),
    ("*.example", "db.example", True),
    ("*.example", "example", False),
    ("*.example", "dbexample", False),
]


@pytest.mark.parametrize(("granted", "name", "allowed"), NAMES)
async def test_just_outside_of_a_grant_of_names_nothing_is_looked_up(
    nursery, granted, name, allowed
):
    guest = Guest(nursery, FakeServices(can=[resolve(granted)]))
    answer = await guest.call(
        "sockets/ip-name-lookup#resolve-addresses", Held(guest.context), name
    )
    assert (answer != DENIED) == allowed
    guest.context.close()
    nursery.cancel_scope.cancel()


GIVEN = [("HOME", "/root"), ("HOMES", "x"), ("HOM", "y"), ("home", "z")]
WORDS = {
    "env": (env("HOME"), "cli/environment#get-environment", (), [("HOME", "/root")]),
    "arguments": (arguments(), "cli/environment#get-arguments", (), ["local/me/0"]),
    "clock": (clock(0.5), "clocks/wall-clock#resolution", (), (0, 500_000_000)),
    "monotonic": (
        monotonic_clock(0.5),
        "clocks/monotonic-clock#resolution",
        (),
        500_000_000,
    ),
}


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("other", WORDS)
async def test_a_grant_of_one_kind_gives_nothing_of_another(nursery, word, other):
    grant, _, _, _ = WORDS[word]
    _, full, taken, inside = WORDS[other]
    guest = Guest(nursery, FakeServices(can=[grant], environment=GIVEN))
    answer = await guest.call(full, *taken)
    assert (answer == inside) == (word == other)
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("granted", ["stdout", "stderr"])
async def test_a_grant_of_one_stream_gives_nothing_of_the_other(nursery, granted):
    can = [stdout() if granted == "stdout" else stderr()]
    services = FakeServices(can=can)
    guest = Guest(nursery, services)
    for name in ("stdout", "stderr"):
        stream = await guest.call(f"cli/{name}#get-{name}")
        write = "io/streams#[method]output-stream.blocking-write-and-flush"
        assert await guest.call(write, stream, b"line\n") == Ok()
    assert [context for *_, context in services.lines] == [(("stream", granted),)]
    assert [each.access.kind for each in services.denied] == ["streams"]
    nursery.cancel_scope.cancel()


async def test_insecure_numbers_are_not_secure_ones(nursery):
    """The other way round there is no harm: `random()` is both."""
    guest = Guest(nursery, FakeServices(can=[insecure_random()]))
    await guest.call("random/insecure#get-insecure-random-u64")
    with pytest.raises(StopGuest):
        await guest.call("random/random#get-random-bytes", 8)
    (event,) = guest.services.denied
    assert (event.access.kind, event.access.verb) == ("random", "secure")
    both = Guest(nursery, FakeServices(can=[random()]))
    await both.call("random/insecure#get-insecure-random-u64")
    assert len(await both.call("random/random#get-random-bytes", 8)) == 8
    assert list(both.services.denied) == []
    nursery.cancel_scope.cancel()


# ---------------------------------------------------------------- the record


class Recorder:
    """Keeps what an authority decided."""

    records_each = False

    def __init__(self):
        self.decisions = []

    def note_decision(self, decision):
        self.decisions.append(decision)


ASKING = {
    "cli/environment#get-environment": ("environment", ()),
    "cli/environment#get-arguments": ("arguments", ()),
    "clocks/wall-clock#now": ("clock", ()),
    "clocks/wall-clock#resolution": ("clock", ()),
    "clocks/monotonic-clock#now": ("clock", ()),
    "clocks/monotonic-clock#resolution": ("clock", ()),
    "random/random#get-random-bytes": ("random", (8,)),
    "random/random#get-random-u64": ("random", ()),
    "random/insecure#get-insecure-random-bytes": ("random", (4,)),
    "random/insecure#get-insecure-random-u64": ("random", ()),
    "filesystem/preopens#get-directories": ("files", ()),
    "sockets/tcp-create-socket#create-tcp-socket": ("network", ("ipv4",)),
    "sockets/udp-create-socket#create-udp-socket": ("network", ("ipv6",)),
    "sockets/ip-name-lookup#resolve-addresses": ("network", (None, "example.com")),
}


@pytest.mark.parametrize("full", ASKING)
async def test_each_denial_is_a_record_of_its_actor(guest, full):
    kind, arguments = ASKING[full]
    recorder, services = Recorder(), guest.services
    services._authority = Authority(
        services.name,
        read_grants([])[0],
        (),
        services.denied,
        trio.current_time,
        recorder,
    )
    guest.context = WasiContext(services, Limits())
    has_openat2()  # asks the system once, and remembers it
    with no_door_opens(), contextlib.suppress(StopGuest):
        await guest.call(full, *arguments)
    (decision,) = recorder.decisions
    assert (decision.actor, decision.allowed) == (services.name, False)
    assert decision.access.kind == kind
    (event,) = services.denied
    assert event.access == decision.access


# ---------------------------------------------------------------- nothing is left out

ELSEWHERE = {
    *("cli/exit#exit", "cli/exit#exit-with-code"),
    *("cli/environment#initial-cwd", "random/insecure-seed#insecure-seed"),
    *("cli/stdin#get-stdin", "cli/stdout#get-stdout", "cli/stderr#get-stderr"),
    "clocks/monotonic-clock#subscribe-instant",
    "clocks/monotonic-clock#subscribe-duration",
    "sockets/instance-network#instance-network",
    "sockets/network#network-error-code",
    "http/types#http-error-code",
    "http/types#[static]fields.from-list",
    "http/types#[static]incoming-body.finish",
    "http/types#[static]outgoing-body.finish",
    "http/types#[static]response-outparam.set",
    "http/types#[constructor]fields",
    "http/types#[constructor]outgoing-request",
    "http/types#[constructor]outgoing-response",
    "http/types#[constructor]request-options",
}
"""They have no access to ask for: `test_wasi` and `test_wasi_http` call them."""


def of(interface, *tables):
    return {f"{interface}#[method]{name}" for table in tables for name in table}


def words(table):
    return {f"{kind}.{word}" for kind, of_it in table.items() for word in of_it.split()}


def test_every_function_of_wasi_is_in_a_matrix():
    every = {
        f"{each.name[5:].partition('@')[0]}#{name}"
        for each in WASI_INTERFACES
        for name in each.functions
        if "filesystem/types" not in each.name  # all of it is in test_wasi_files
        and "cli/terminal" not in each.name  # there is none: test_wasi
    }
    here = (
        ELSEWHERE
        | set(ASKING)
        | of("sockets/tcp", [f"tcp-socket.{name}" for name in TCP | TCP_KNOWS])
        | of("sockets/udp", UDP, UDP_KNOWS)
        | of(
            "sockets/ip-name-lookup",
            [
                f"resolve-address-stream.{m}"
                for m in ("subscribe", "resolve-next-address")
            ],
        )
        | of("io/streams", STREAMS)
        | {"io/error#[method]error.to-debug-string", "io/poll#poll"}
        | of("io/poll", ["pollable.block", "pollable.ready"])
        | of("http/types", words(HTTP_VALUES), words(HTTP_GIVEN))
        | of(
            "http/types",
            [f"future-incoming-response.{m}" for m in ("get", "subscribe")],
        )
        | {"http/outgoing-handler#handle"}
    )
    assert every == here
