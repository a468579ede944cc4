"""Components that handle requests, as children that listen; and what never reaches them."""

import contextlib
import socket

import pytest
import trio

from airssys import (
    Artifact,
    ChildExited,
    DefinitionError,
    EngineMisused,
    ExitKind,
    GuestTrapped,
    TrapReason,
    blueprint,
    http_handler,
    open_system,
)
from wasm_support import http_guest, program

LOCAL = "127.0.0.1"
POST = b"POST / HTTP/1.1\r\nhost: x\r\n"
GET = b"GET / HTTP/1.1\r\nhost: me\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n"


def free_port():
    with socket.create_server((LOCAL, 0)) as opened:
        return opened.getsockname()[1]


def handler(does="answer", **options):
    return http_handler("shop", Artifact.from_text(http_guest(does), "shop"), **options)


@contextlib.asynccontextmanager
async def serving(does="answer", **options):
    """Start a handler; yields what talks to it."""
    port = free_port()
    child = handler(does, listen=f"{LOCAL}:{port}", **options)
    async with open_system(blueprint(child, restarts=100)) as system:
        yield Client(port, system)


class Client:
    def __init__(self, port, system):
        self.port, self.system = port, system

    async def connect(self):
        with trio.fail_after(20):
            while True:
                try:
                    return await trio.open_tcp_stream(LOCAL, self.port)
                except OSError:
                    await trio.sleep(0.01)

    async def ask(self, sent, *, is_all=False):
        """Send bytes, perhaps say that there are no more, and return all that comes."""
        stream = await self.connect()
        found = b""
        with trio.fail_after(20):
            async with stream:
                await stream.send_all(sent)
                if is_all:
                    await stream.send_eof()
                while data := await stream.receive_some():
                    found += data
        return found


def statuses(found):
    return [int(part[:3]) for part in found.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize(
    ("does", "status"),
    [("answer", 200), ("refuse", 502), ("silent", 502)],
)
async def test_a_request_is_answered_whatever_the_guest_does(does, status):
    async with serving(does) as client:
        assert statuses(await client.ask(GET * 2 + LAST)) == [status] * 3


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
        (b"GET http://x/ HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET /\x01 HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n", 501),
        (
            POST + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (POST + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx : y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 70_000 + b"\r\n\r\n", 431),
    ],
)
async def test_what_is_out_of_grammar_reaches_no_guest(sent, status):
    async with serving("crash") as client:
        found = statuses(await client.ask(sent + GET, is_all=True))
    assert found == [status]


async def test_a_client_that_vanishes_or_stalls_holds_up_no_other():
    async with serving() as client:
        slow, gone = await client.connect(), await client.connect()
        await slow.send_all(
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nab"
        )
        await gone.send_all(b"GET / HT")
        await gone.aclose()
        assert statuses(await client.ask(LAST)) == [200]
        await slow.aclose()


async def test_a_crash_is_a_bad_gateway_and_a_failure_of_the_child():
    async with serving("crash") as client:
        with client.system.events() as events:
            for _ in range(3):
                assert statuses(await client.ask(LAST)) == [502]
                async for event in events:
                    if isinstance(event, ChildExited):
                        break
                assert event.reason.kind is ExitKind.CRASH
                assert isinstance(event.reason.error, GuestTrapped)


@pytest.mark.parametrize("quota", ["host_calls_per_second", "network_bytes_per_second"])
async def test_an_end_by_a_quota_is_a_failure_like_any_other(quota):
    sent = LAST.replace(b"host", b"x: " + b"y" * 100 + b"\r\nhost")
    quotas = {quota: {"limit": 2, "at_limit": "end"}}
    async with serving(quotas=quotas) as client:
        with client.system.events() as events:
            for _ in range(2):
                assert statuses(await client.ask(sent)) == [502]
                async for event in events:
                    if isinstance(event, ChildExited):
                        break
                assert event.reason.kind is ExitKind.CRASH
                assert event.reason.error.reason is TrapReason.QUOTA


async def test_a_handler_that_is_not_one_does_not_start():
    other = http_handler("shop", Artifact.from_text(program("(i32.const 0)"), "tool"))
    with pytest.raises(Exception) as caught:  # noqa: PT011  # what is in it is asserted
        async with open_system(blueprint(other)):
            pass
    assert "wasi:http/incoming-handler" in str(caught.value)


@pytest.mark.parametrize("keep", [0, -1, 1.5, "2", None, True])
async def test_keep_is_a_number_of_requests(keep):
    with pytest.raises(DefinitionError, match="keep"):
        async with open_system(blueprint(handler(keep=keep))):
            pass


@pytest.mark.parametrize(("keep", "answers"), [(1, 1), (3, 3)])
async def test_an_instance_handles_as_many_requests_as_it_is_kept_for(keep, answers):
    """The guest answers as often as it has not before, and then crashes."""
    async with mounted("once", keep=keep) as app:
        found = [(await app.ask())[0] for _ in range(4)]
    assert found == ([200] * 4 if keep == 1 else [200, 502, 503, 503])


# ---------------------------------------------------------------- as an ASGI application


class App:
    """Asks an ASGI application like a server."""

    def __init__(self, system):
        self.system, self.app = system, system.asgi("shop")
        self.begun = trio.Event()
        """Set when a handler has asked for the body of a request."""

    async def ask(self, *messages, **scope):
        """Return the status, and all messages after the first one."""
        told = iter(messages or ({"type": "http.request"},))
        sent = []

        async def receive():
            self.begun.set()
            for message in told:
                return message
            return await trio.sleep_forever()

        async def send(message):
            await trio.lowlevel.checkpoint()
            sent.append(message)

        whole = {"type": "http", "method": "GET", "path": "/", "headers": []} | scope
        with trio.fail_after(20):
            await self.app(whole, receive, send)
        return (sent[0].get("status"), sent[1:]) if sent else (None, [])


@contextlib.asynccontextmanager
async def mounted(does="answer", **options):
    options.setdefault("restart", "temporary")
    async with open_system(blueprint(handler(does, **options))) as system:
        yield App(system)


async def test_a_handler_is_mounted_in_an_asgi_server():
    async with mounted() as app:
        status, rest = await app.ask()
        assert (status, rest) == (200, [{"type": "http.response.body", "body": b""}])


async def test_a_crash_is_a_bad_gateway_for_asgi_too_and_then_there_is_none():
    async with mounted("crash") as app:
        assert (await app.ask())[0] == 502
        assert (await app.ask())[0] == 503


async def test_a_restarted_handler_answers_again():
    async with mounted("crash", restart="permanent") as app:
        with app.system.events() as events:
            assert (await app.ask())[0] == 502
            async for event in events:
                if isinstance(event, ChildExited):
                    break
        with trio.fail_after(20):
            while (status := (await app.ask())[0]) == 503:  # noqa: ASYNC110  # no event tells that
                await trio.sleep(0.01)
        assert status == 502


async def test_there_is_none_of_that_name():
    async with mounted() as app:
        app.app = app.system.asgi("other")
        assert (await app.ask())[0] == 503


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"method": "CONNECT"}, 501),
        ({"path": "/\x01", "raw_path": b"/\x01"}, 400),
        ({"path": "x", "raw_path": b"x"}, 400),
        ({"headers": [(b"host", b"a"), (b"host", b"b")]}, 400),
        ({"headers": [(b"host", b"a b")]}, 400),
        ({"headers": [(b"x", b"y" * 70_000)]}, 431),
        ({"headers": [(b"content-length", b"99999999")]}, 413),
        ({"path": "/a b/\u00e9", "query_string": b"x=1"}, 200),
    ],
)
async def test_what_asgi_passes_on_is_checked_too(scope, status):
    async with mounted() as app:
        assert (await app.ask(**scope))[0] == status


async def test_a_client_of_asgi_that_vanishes_ends_the_guest():
    """Which loops: its limit is not awaited."""
    async with mounted("loop", limits={"execution_time": 600.0}) as app:
        gone = {"type": "http.disconnect"}
        assert await app.ask({"type": "http.request"}, gone) == (None, [])
        assert await app.ask(gone) == (None, [])


async def test_lifespan_and_websockets_of_asgi():
    async with mounted() as app:
        starts = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}
        _, rest = await app.ask(*starts, type="lifespan")
        assert rest == [{"type": "lifespan.shutdown.complete"}]
        assert await app.ask({"type": "websocket.connect"}, type="websocket") == (
            None,
            [],
        )
        with pytest.raises(EngineMisused, match="'other'"):
            await app.ask(type="other")


async def test_an_asgi_server_that_does_not_run_on_trio_is_refused():
    async with mounted() as app:

        def call():
            app.app({"type": "http"}, None, None).send(None)

        with pytest.raises(EngineMisused, match="Trio"):
            await trio.to_thread.run_sync(call)


async def test_stopping_a_handler_ends_what_it_answers_at_its_time_limit():
    limits = {"execution_time": 600.0}
    async with mounted("loop", limits=limits, shutdown=0.05) as app:
        found = []

        async def ask():
            found.append((await app.ask())[0])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await app.begun.wait()
            await app.system.supervisor("root").terminate_child("local/shop/0")
        assert found == [503]
