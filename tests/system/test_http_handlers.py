"""Components that handle requests, as children that listen; and what never reaches them."""

import contextlib
import socket

import pytest
import trio

from airssys import blueprint, component, open_system
from airssys.contracts import Artifact
from wasm_support import http_guest

LOCAL = "127.0.0.1"
POST = b"POST / HTTP/1.1\r\nhost: x\r\n"
GET = b"GET / HTTP/1.1\r\nhost: me\r\n\r\n"


def free_port():
    with socket.create_server((LOCAL, 0)) as opened:
        return opened.getsockname()[1]


@contextlib.asynccontextmanager
async def serving(does="answer", **options):
    """Start a handler; yields what talks to it."""
    port = free_port()
    child = component(
        "shop",
        Artifact.from_text(http_guest(does), "shop"),
        listen=f"{LOCAL}:{port}",
        **options,
    )
    async with open_system(blueprint(child)):
        yield Client(port)


class Client:
    def __init__(self, port):
        self.port = port

    async def connect(self):
        with trio.fail_after(20):
            while True:
                try:
                    return await trio.open_tcp_stream(LOCAL, self.port)
                except OSError:
                    await trio.sleep(0.01)

    async def ask(self, sent):
        """Send bytes, say that there are no more, and return all that comes."""
        stream = await self.connect()
        found = b""
        with trio.fail_after(20):
            async with stream:
                await stream.send_all(sent)
                await stream.send_eof()
                while data := await stream.receive_some():
                    found += data
        return found


def statuses(found):
    return [int(part[:3]) for part in found.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize(
    ("does", "status"),
    [("answer", 200), ("refuse", 502), ("crash", 502), ("silent", 502)],
)
async def test_a_request_is_answered_whatever_the_guest_does(does, status):
    async with serving(does) as client:
        assert statuses(await client.ask(GET * 3)) == [status] * 3


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
        found = statuses(await client.ask(sent + GET))
    assert found == [status]


async def test_a_client_that_vanishes_or_stalls_holds_up_no_other():
    async with serving() as client:
        slow, gone = await client.connect(), await client.connect()
        await slow.send_all(
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nab"
        )
        await gone.send_all(b"GET / HT")
        await gone.aclose()
        assert statuses(await client.ask(GET)) == [200]
        await slow.aclose()
