"""`System.asgi` in a server of others: hypercorn, on Trio."""

import contextlib
import functools
import logging

import hypercorn.trio
import pytest
import trio

from airssys import Artifact, blueprint, http_handler, open_system
from wasm_support import http_guest

GET = b"GET %s HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n"


@contextlib.asynccontextmanager
async def served(does, **options):
    """Mount a handler in hypercorn; yields the port."""
    code = Artifact.from_text(http_guest(does), "shop")
    tree = blueprint(http_handler("shop", code, **options), restarts=100)
    config = hypercorn.Config()
    config.bind, config.errorlog = ["127.0.0.1:0"], logging.getLogger("hypercorn")
    ended = trio.Event()
    async with open_system(tree) as system, trio.open_nursery() as nursery:
        app = system.asgi("shop")
        serve = functools.partial(
            hypercorn.trio.serve, app, config, shutdown_trigger=ended.wait
        )
        (place,) = await nursery.start(serve)
        try:
            yield int(place.rpartition(":")[2])
        finally:
            ended.set()


async def status(port, sent=GET % b"/"):
    with trio.fail_after(20):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(sent)
            found = b""
            while data := await stream.receive_some():
                found += data
    return int(found[9:12])


@pytest.mark.parametrize(
    ("does", "expected"), [("answer", 200), ("refuse", 502), ("silent", 502)]
)
async def test_requests_are_answered(does, expected):
    async with served(does) as port:
        assert await status(port) == expected
        assert await status(port, GET % b"/a%20b?c=d") == expected


async def test_a_crash_is_a_bad_gateway_and_the_next_one_is_answered():
    async with served("once", keep=9) as port:
        found = [await status(port) for _ in range(2)]
        assert found == [200, 502]
        with trio.fail_after(20):
            while await status(port) == 503:  # noqa: ASYNC110  # it is restarted
                await trio.sleep(0.01)
        assert await status(port) in {200, 502}


async def test_many_at_once():
    async with served("answer") as port, trio.open_nursery() as nursery:
        found = []

        async def ask():
            found.append(await status(port))

        for _ in range(20):
            nursery.start_soon(ask)
    assert found == [200] * 20


async def test_a_body_goes_in_and_a_client_that_vanishes_stops_nothing():
    async with served("answer") as port:
        head = b"POST / HTTP/1.1\r\nhost: me\r\ncontent-length: 100000\r\n\r\n"
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(head + bytes(1000))
        await stream.aclose()
        assert await status(port) == 200
