"""Requests and responses between a client and a guest: bodies, deadlines, who vanishes.

The guest is Python code that calls the functions of `wasi:http` as a guest does. Client and
server are joined by streams in memory, and the clock is Trio's own, which jumps.
"""

import contextlib

import h11
import pytest
import trio
import trio.testing

from airssys.contracts import (
    ComponentConfig,
    ExchangeBroken,
    GuestTrapped,
    Limits,
    TrapReason,
)
from airssys.testing import FakeServices
from airssys.wasm import Err, Ok
from airssys.wasm.host.wasi import WASI_INTERFACES
from airssys.wasm.host.wasi.base import Pollable, WasiContext, release
from airssys.wasm.host.wasi.http._handlers import Handler
from airssys.wasm.host.wasi.http._server import Connection, ServerLimits, serve
from airssys.wasm.values import Case

GET = b"GET /a?b HTTP/1.1\r\nhost: me\r\n\r\n"
LAST = GET.replace(b"host", b"connection: close\r\nhost")
CHUNKED = b"POST / HTTP/1.1\r\nhost: me\r\ntransfer-encoding: chunked\r\n\r\n"


class Guest:
    """An instance whose function is written in Python."""

    spent = None

    def __init__(self, act, services, nursery):
        self.act, self.context = act, WasiContext(services, Limits())
        self.context.take_nursery(nursery)
        self.is_closed = False
        self.was_cancelled = False

    def find_context(self, kind):
        return self.context

    async def call(self, name, request, out, *, deadline):
        reason = TrapReason.DEADLINE
        try:
            with trio.move_on_at(deadline) as scope:
                await self.act(self, request, out)
            if not scope.cancelled_caught:
                return
        except ZeroDivisionError:
            reason = TrapReason.UNREACHABLE
        except trio.Cancelled:
            self.was_cancelled = True
            raise
        self.spent = GuestTrapped(reason, name, "it was stopped")
        raise self.spent

    def close(self):
        self.is_closed = True
        self.context.close()

    def do(self, name, *arguments):
        (found,) = [i for i in WASI_INTERFACES if i.gives("wasi:http/types@0.2.0")]
        function = found.functions[name]
        return (function.at_once or function.act)(self.context, *arguments)

    async def wait(self, where, name, *arguments):
        (found,) = [i for i in WASI_INTERFACES if i.gives(f"wasi:{where}@0.2.0")]
        function = found.functions[name]
        answer = function.at_once(self.context, *arguments)
        if answer is None:
            answer = await function.act(self.context, *arguments)
        return answer

    def respond(self, out, status=200):
        """Give a response; returns its body, and what that is written by."""
        response = self.do(
            "[constructor]outgoing-response", self.do("[constructor]fields")
        )
        self.do("[method]outgoing-response.set-status-code", response, status)
        body = self.do("[method]outgoing-response.body", response).value
        stream = self.do("[method]outgoing-body.write", body).value
        self.do("[static]response-outparam.set", out, Ok(response))
        return body, stream

    async def write(self, stream, data):
        """Write any number of bytes; returns the error that ended it, if one did."""
        for start in range(0, len(data), 4096):
            piece = data[start : start + 4096]
            name = "[method]output-stream.blocking-write-and-flush"
            answer = await self.wait("io/streams", name, stream, piece)
            if type(answer) is Err:
                return answer.value
        return None

    def finish(self, body, stream, trailers=None):
        release(stream)
        return self.do("[static]outgoing-body.finish", body, trailers)

    async def read(self, request):
        """Read the body to its end; returns it, what ended it, and the trailers."""
        found, end, body = await self.read_body(request)
        future = self.do("[static]incoming-body.finish", body)
        pollable = Pollable(self.context, future, future)
        await self.wait("io/poll", "[method]pollable.block", pollable)
        release(pollable)
        trailers = self.do("[method]future-trailers.get", future).value.value
        return found, end, trailers

    async def read_body(self, request):
        """Read the body to its end; returns it, what ended it, and its resource."""
        body = self.do("[method]incoming-request.consume", request).value
        stream = self.do("[method]incoming-body.stream", body).value
        name, found = "[method]input-stream.blocking-read", b""
        while type(data := await self.wait("io/streams", name, stream, 9999)) is Ok:
            found += data.value
        release(stream)
        return found, data.value, body


class Served:
    """A handler, and clients of it."""

    def __init__(self, act, nursery, **config):
        self.act, self.nursery, self.guests = act, nursery, []
        self.services = FakeServices()
        self.services.config = ComponentConfig(**config)
        self.handler = Handler(self, "handle", Limits(), self.services)
        self.limits = ServerLimits()
        self.failures = []
        self.has_ended = False

    async def run(self):
        try:
            await self.handler.call("run")
        except GuestTrapped as error:
            self.failures.append(error)
        self.has_ended = True

    async def instantiate(self, limits, services):
        self.guests.append(Guest(self.act, services, self.nursery))
        return self.guests[-1]

    def connect(self, pair=None):
        ours, theirs = pair or trio.testing.memory_stream_pair()

        async def answer():
            async with theirs:
                with contextlib.suppress(ExchangeBroken):
                    await Connection(theirs, self.limits, h11).serve(
                        self.handler.answer
                    )

        self.nursery.start_soon(answer)
        return ours

    async def ask(self, sent):
        stream = self.connect()
        await stream.send_all(sent)
        return await everything_of(stream)


async def everything_of(stream):
    found = b""
    while data := await stream.receive_some():
        found += data
    return found


async def answer_of(stream):
    """Return the status of a whole response, which is in chunks or has no body."""
    found = b""
    while not found.endswith(b"0\r\n\r\n"):
        found += await stream.receive_some()
    return status_of(found)


def status_of(found):
    return int(found[9:12])


@pytest.fixture
async def serving(nursery):
    def start(act, **config):
        served = Served(act, nursery, **config)
        nursery.start_soon(served.run)
        return served

    yield start
    nursery.cancel_scope.cancel()


async def echo(guest, request, out):
    data, _, trailers = await guest.read(request)
    body, stream = guest.respond(out)
    assert await guest.write(stream, data) is None
    guest.finish(body, stream, trailers)


@pytest.mark.parametrize("size", [0, 1, 4096, 65_536, 65_537, 500_000])
async def test_bodies_go_both_ways_whole(autojump_clock, serving, size):
    served = serving(echo)
    data = bytes(n % 251 for n in range(size))
    head = f"POST / HTTP/1.1\r\nhost: me\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n"
    found = []
    stream = served.connect()
    async with trio.open_nursery() as both:
        both.start_soon(stream.send_all, head.encode() + data)
        found.append(await everything_of(stream))
    connection = h11.Connection(h11.CLIENT)
    connection.send(
        h11.Request(
            method="POST", target="/", headers=[("host", "me"), ("content-length", "0")]
        )
    )
    connection.send(h11.EndOfMessage())
    connection.receive_data(found[0])
    connection.receive_data(b"")
    assert connection.next_event().status_code == 200
    body = b""
    while type(event := connection.next_event()) is h11.Data:
        body += bytes(event.data)
    assert type(event) is h11.EndOfMessage
    assert body == data


async def test_trailers_of_a_request_reach_the_guest_and_go_back(
    autojump_clock, serving
):
    served = serving(echo)
    sent = CHUNKED.replace(b"host", b"connection: close\r\nhost")
    found = await served.ask(sent + b"3\r\nabc\r\n0\r\nx-sum: 9\r\n\r\n")
    assert found.endswith(b"3\r\nabc\r\n0\r\nx-sum: 9\r\n\r\n")


async def test_a_guest_that_takes_too_long_is_a_504_and_no_failure(
    autojump_clock, serving
):
    async def wait(guest, request, out):
        await trio.sleep_forever()

    served = serving(wait)
    began = trio.current_time()
    stream = served.connect()
    await stream.send_all(GET * 2)
    assert status_of(await stream.receive_some()) == 504
    assert trio.current_time() - began == pytest.approx(60)
    assert status_of(await stream.receive_some()) == 504
    await trio.testing.wait_all_tasks_blocked()
    assert served.failures == []
    assert all(each.is_closed for each in served.guests)


async def test_a_client_that_is_late_with_its_head_gets_408(autojump_clock, serving):
    served = serving(echo)
    assert status_of(await served.ask(b"GET / HT")) == 408
    assert served.guests == []


async def test_a_client_that_is_late_with_its_body_ends_it_for_the_guest(
    autojump_clock, serving
):
    seen = []

    async def read(guest, request, out):
        seen.append(await guest.read(request))

    served = serving(read)
    found = await served.ask(CHUNKED + b"3\r\nabc\r\n")
    ((data, end, trailers),) = seen
    assert (data, end.name, status_of(found)) == (b"abc", "last-operation-failed", 408)
    assert trailers is None or type(trailers) is Case


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (b"nonsense\r\n", 400),
        (b"ffffff\r\n" + b"x" * 0xFFFFFF + b"\r\nff\r\n" + b"x" * 255, 413),
    ],
)
async def test_a_body_that_is_not_valid_ends_with_an_error(
    autojump_clock, serving, rest, status
):
    ends = []

    async def read(guest, request, out):
        ends.append((await guest.read(request))[1].name)

    served = serving(read)
    stream = served.connect()
    async with trio.open_nursery() as both:

        async def send():
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(CHUNKED + rest)

        both.start_soon(send)
        found = await everything_of(stream)
    assert (ends, status_of(found)) == (["last-operation-failed"], status)


async def test_a_client_that_does_not_read_holds_up_the_guest(autojump_clock, serving):
    written = []

    async def write_on(guest, request, out):
        body, stream = guest.respond(out)
        for _ in range(100):
            if await guest.write(stream, b"x" * 4096) is not None:
                return
            written.append(4096)
        guest.finish(body, stream)

    served = serving(write_on)
    ours, theirs = trio.testing.lockstep_stream_pair()

    async def answer():
        async with theirs:
            await Connection(theirs, served.limits, h11).serve(served.handler.answer)

    with contextlib.suppress(BaseExceptionGroup):
        async with trio.open_nursery() as both:
            both.start_soon(answer)
            await ours.send_all(GET)
            await trio.testing.wait_all_tasks_blocked()
            held = sum(written)
            assert held <= 3 * 65_536
            await trio.sleep(20)
            assert sum(written) == held
            await trio.sleep(11)  # 30 seconds after the first piece
            assert served.guests[0].is_closed
            both.cancel_scope.cancel()


async def test_a_guest_that_does_not_read_holds_up_its_client(autojump_clock, serving):
    go_on = trio.Event()

    async def wait(guest, request, out):
        await go_on.wait()
        assert len((await guest.read(request))[0]) == 400_000
        guest.finish(*guest.respond(out))

    served = serving(wait)
    ours, theirs = trio.testing.lockstep_stream_pair()
    sent = []
    async with trio.open_nursery() as both:

        async def answer():
            async with theirs:
                await Connection(theirs, served.limits, h11).serve(
                    served.handler.answer
                )

        async def send():
            await ours.send_all(CHUNKED)
            for _ in range(100):
                await ours.send_all(b"fa0\r\n" + b"x" * 4000 + b"\r\n")
                sent.append(4000)
            await ours.send_all(b"0\r\n\r\n")

        both.start_soon(answer)
        both.start_soon(send)
        await trio.testing.wait_all_tasks_blocked()
        assert sum(sent) <= 3 * 65_536
        go_on.set()
        assert status_of(await ours.receive_some()) == 200
        assert sum(sent) == 400_000
        both.cancel_scope.cancel()


@pytest.mark.parametrize("keep", [1, 5])
async def test_a_client_that_vanishes_ends_the_guest_at_once(
    autojump_clock, serving, keep
):
    async def wait(guest, request, out):
        await trio.sleep_forever()

    served = serving(wait, keep=keep)
    began = trio.current_time()
    stream = served.connect()
    await stream.send_all(GET)
    await trio.testing.wait_all_tasks_blocked()
    await stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    (guest,) = served.guests
    assert guest.was_cancelled
    assert guest.is_closed
    assert trio.current_time() == began
    assert served.failures == []


async def test_a_client_that_goes_with_its_response_lets_the_guest_finish(
    autojump_clock, serving
):
    async def work_on(guest, request, out):
        guest.finish(*guest.respond(out))
        await trio.sleep(30)

    served = serving(work_on, keep=2)
    stream = served.connect()
    await stream.send_all(GET)
    assert await answer_of(stream) == 200
    await stream.aclose()
    await trio.sleep(31)
    (guest,) = served.guests
    assert not guest.was_cancelled
    assert not guest.is_closed


async def test_a_kept_instance_handles_that_many_requests(autojump_clock, serving):
    served = serving(echo, keep=3)
    stream = served.connect()
    for _ in range(7):
        await stream.send_all(GET)
        assert await answer_of(stream) == 200
        await trio.testing.wait_all_tasks_blocked()
    assert [each.is_closed for each in served.guests] == [True, True, False]


async def test_requests_in_progress_are_answered_after_a_crash_of_another(
    autojump_clock, serving
):
    async def act(guest, request, out):
        if guest is not served.guests[0]:
            raise ZeroDivisionError
        await trio.sleep(3)
        guest.finish(*guest.respond(out))

    served = serving(act)
    slow = served.connect()
    await slow.send_all(GET)
    await trio.testing.wait_all_tasks_blocked()
    assert status_of(await served.ask(LAST)) == 502
    assert status_of(await served.ask(LAST)) == 503
    assert served.failures == []
    assert status_of(await slow.receive_some()) == 200
    await trio.testing.wait_all_tasks_blocked()
    assert [each.reason for each in served.failures] == [TrapReason.UNREACHABLE]


@pytest.mark.parametrize("also", [None, "crash"])
async def test_one_that_is_stopped_answers_what_is_in_progress(
    autojump_clock, serving, also
):
    """Also if an instance crashes meanwhile: then the time for the others is bounded."""

    async def act(guest, request, out):
        await trio.sleep(3 if guest is served.guests[0] else 2)
        if also == "crash" and guest is not served.guests[0]:
            raise ZeroDivisionError
        guest.finish(*guest.respond(out))

    served = serving(act)
    streams = [served.connect(), served.connect()]
    for each in streams:
        await each.send_all(GET)
        await trio.testing.wait_all_tasks_blocked()
    served.handler.stop()
    assert status_of(await served.ask(LAST)) == 503
    assert not served.has_ended
    answers = [status_of(await each.receive_some()) for each in streams]
    assert answers == [200, 200 if also is None else 502]
    await trio.testing.wait_all_tasks_blocked()
    assert served.has_ended
    assert len(served.failures) == (also is not None)
    assert all(each.is_closed for each in served.guests)


async def test_one_that_is_stopped_and_has_nothing_to_answer_ends_at_once(
    autojump_clock, serving
):
    served = serving(echo, keep=3)
    stream = served.connect()
    await stream.send_all(GET)
    assert await answer_of(stream) == 200
    served.handler.stop()
    await trio.testing.wait_all_tasks_blocked()
    assert served.has_ended
    assert [each.is_closed for each in served.guests] == [True]


async def test_a_response_that_is_not_completed_closes_the_connection(
    autojump_clock, serving
):
    async def act(guest, request, out):
        _, stream = guest.respond(out)
        await guest.write(stream, b"abc")
        raise ZeroDivisionError

    served = serving(act)
    found = await served.ask(GET)
    assert found.endswith(b"3\r\nabc\r\n")
    await trio.testing.wait_all_tasks_blocked()
    assert len(served.failures) == 1


async def test_more_connections_than_allowed_get_503(autojump_clock, serving):
    served = serving(echo)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    limits = ServerLimits(connections=2)
    served.nursery.start_soon(serve, [listener], served.handler.answer, limits)
    streams = [
        await trio.testing.open_stream_to_socket_listener(listener) for _ in range(3)
    ]
    found = await streams[2].receive_some()
    assert status_of(found) == 503
    await streams[0].send_all(GET)
    assert status_of(await streams[0].receive_some()) == 200
    for each in streams:
        await each.aclose()


# ---------------------------------------------------------------- odd clients

REQUESTS = {
    "GET / HTTP/1.0||": [200],
    "GET / HTTP/1.0|connection: keep-alive||GET / HTTP/1.0||": [200],
    "GET /1 HTTP/1.1|host: x||GET /2 HTTP/1.1|host: x||": [200, 200],
    "GET / HTTP/1.1|host: x|upgrade: h2c|connection: upgrade||GET / HTTP/1.1|host: x||": [
        200,
        200,
    ],
    "GET //other/%00%0d%0a HTTP/1.1|host: x||": [200],
    "GET / HTTP/1.1|host: [::1]:80||": [200],
    "PUT / HTTP/1.1|host: x|content-length: 2|content-length: 2||hi": [200],
    "PUT / HTTP/1.1|host: x|expect: 100-continue|content-length: 2||hi": [200],
    "PRI * HTTP/2.0||SM||": [505],
    "GET / HTTP/2.0|host: x||": [505],
    "GET / HTTP/9.9|host: x||": [505],
    "GET /||": [400],
    "OPTIONS * HTTP/1.1|host: x||": [400],
    "GET http://x/a HTTP/1.1|host: x||": [400],
    "GET /\xe9 HTTP/1.1|host: x||": [400],
    "GET /a#b HTTP/1.1|host: x||": [400],
    "GET / HTTP/1.1|host: a@b||": [400],
    "GET / HTTP/1.1|host: a/b||": [400],
    "GET / HTTP/1.1| a: b|host: x||": [400],
    "GET / HTTP/1.1|host: x|a: b\0c||": [400],
    "GET / HTTP/1.1|host: x|a: b\rc: d||": [400],
    "PUT / HTTP/1.1|host: x|content-length: +2||hi": [400],
    f"PUT / HTTP/1.1|host: x|content-length: {'9' * 5000}||": [400],
    "PUT / HTTP/1.1|host: x|transfer-encoding: xchunked||0||": [501],
    "PUT / HTTP/1.1|host: x|transfer-encoding: identity, chunked||0||": [501],
    "PUT / HTTP/1.1|host: x|transfer-encoding:\x0bchunked||0||": [400],
    "PUT / HTTP/1.0|host: x|transfer-encoding: chunked||0||": [400],
}


@pytest.mark.parametrize("request_text", REQUESTS)
async def test_odd_requests(autojump_clock, serving, request_text):
    served = serving(echo)
    stream = served.connect()
    sent = request_text.replace("|", "\r\n").encode("latin-1")
    await stream.send_all(sent)
    await trio.testing.wait_all_tasks_blocked()
    await stream.send_eof()
    found = await everything_of(stream)
    statuses = [int(each[:3]) for each in found.split(b"HTTP/1.1 ")[1:]]
    assert statuses == REQUESTS[request_text]
    assert len(served.guests) == statuses.count(200)


async def test_a_head_that_comes_byte_by_byte_has_no_more_time(autojump_clock, serving):
    served = serving(echo)
    stream, began = served.connect(), trio.current_time()

    async def drip():
        with contextlib.suppress(trio.BrokenResourceError):
            for byte in GET[:-2] + b"x: " + b"y" * 100:
                await stream.send_all(bytes([byte]))
                await trio.sleep(served.limits.head_time - 1)

    served.nursery.start_soon(drip)
    assert status_of(await everything_of(stream)) == 408
    assert trio.current_time() - began == served.limits.head_time
    assert served.guests == []


async def test_trailers_are_as_short_as_headers(autojump_clock, serving):
    seen = []

    async def read(guest, request, out):
        seen.append((await guest.read_body(request))[1])

    served = serving(read)
    sent = CHUNKED + b"0\r\n" + b"a:\r\n" * 3000 + b"\r\n"
    assert status_of(await served.ask(sent)) == 431
    failed = "last-operation-failed"
    assert [each.name for each in seen] == [failed]


async def test_a_length_in_trailers_is_none(autojump_clock, serving):
    seen = []

    async def look(guest, request, out):
        trailers = (await guest.read(request))[2]
        seen.extend(guest.do("[method]fields.entries", trailers))
        body, stream = guest.respond(out)
        pairs = [("content-length", b"9"), ("x-sum", b" 7 ")]
        fields = guest.do("[static]fields.from-list", pairs).value
        guest.finish(body, stream, fields)

    served = serving(look)
    sent = CHUNKED.replace(b"host", b"connection: close\r\nhost")
    found = await served.ask(sent + b"0\r\ncontent-length: 9\r\na: b\r\n\r\n")
    assert seen == [("a", b"b")]
    assert found.endswith(b"\r\n\r\n0\r\nx-sum: 7\r\n\r\n")


async def test_one_that_waits_for_100_may_be_answered_without_it(
    autojump_clock, serving
):
    """The response begins while `100 Continue` is on its way, and comes behind it."""

    async def answer(guest, request, out):
        await trio.sleep(1)
        guest.finish(*guest.respond(out))

    served = serving(answer)
    stream = served.connect(trio.testing.lockstep_stream_pair())
    head = b"PUT / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2"
    await stream.send_all(head + b"\r\n\r\n")
    await trio.sleep(2)
    found = await everything_of(stream)
    statuses = [int(each[:3]) for each in found.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [100, 200]
    assert served.failures == []


async def test_a_flood_of_small_chunks_leaves_passes_to_others(nursery, serving):
    served = serving(echo)
    stream, passes = served.connect(), 0

    async def count():
        nonlocal passes
        while True:
            await trio.lowlevel.checkpoint()
            passes += 1

    nursery.start_soon(count)
    await stream.send_all(CHUNKED + b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n")
    assert await answer_of(stream) == 200
    assert passes > 5000


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"content-length: 99999999", 413),
        (b"content-length: 9999999", 200),
        (b"transfer-encoding: gzip", 501),
    ],
)
async def test_a_client_that_still_sends_gets_its_response(
    autojump_clock, serving, head, status
):
    async def answer(guest, request, out):
        guest.finish(*guest.respond(out))

    served = serving(answer)
    stream = served.connect()
    await stream.send_all(b"PUT / HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n\r\n")
    for _ in range(4):
        await trio.sleep(1)
        await stream.send_all(b"x" * 100_000)
    assert status_of(await everything_of(stream)) == status
    await trio.sleep(2)
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(b"x")


@pytest.mark.parametrize(
    "values", [[b"abc"], [b"-1"], [b"5,5"], [b"5", b"6"], [b"9" * 16], [b""], [b"\t"]]
)
async def test_a_guest_says_one_length(autojump_clock, serving, values):
    seen = []

    async def announce(guest, request, out):
        pairs = [("Content-Length", value) for value in values]
        seen.append(guest.do("[static]fields.from-list", pairs))
        body, stream = guest.respond(out)
        guest.finish(body, stream)

    served = serving(announce)
    assert status_of(await served.ask(LAST)) == 200
    assert seen == [Err(Case("invalid-syntax"))]


async def test_spaces_around_values_do_not_belong_to_them(autojump_clock, serving):
    async def answer(guest, request, out):
        pairs = [("x", b" a b\t"), ("content-length", b" 2 "), ("y", b" ")]
        fields = guest.do("[static]fields.from-list", pairs).value
        response = guest.do("[constructor]outgoing-response", fields)
        body = guest.do("[method]outgoing-response.body", response).value
        stream = guest.do("[method]outgoing-body.write", body).value
        guest.do("[static]response-outparam.set", out, Ok(response))
        assert await guest.write(stream, b"hi") is None
        assert guest.finish(body, stream) == Ok()

    found = await serving(answer).ask(LAST)
    assert b"x: a b\r\ncontent-length: 2\r\ny: \r\n" in found
    assert found.endswith(b"\r\n\r\nhi")
