"""A guest's calls to `wasi:sockets`, without a guest."""

from __future__ import annotations

import trio

from airssys.contracts import AccessDenied, Limits
from airssys.testing import FakeServices
from airssys.wasm.host.wasi import WASI_INTERFACES
from airssys.wasm.host.wasi.base import Held, Pollable, WasiContext, release
from airssys.wasm.values import Case, Ok


def at(port, host=(127, 0, 0, 1)):
    """Write an `ip-socket-address` of IPv4."""
    return Case("ipv4", (port, host))


class SocketGuest:
    """Calls functions of WASI like a guest."""

    def __init__(self, nursery, *can):
        self.services = FakeServices(can=can)
        self.context = WasiContext(self.services, Limits())
        self.context.take_nursery(nursery)
        self.network = Held(self.context)

    def function(self, where, name):
        (found,) = [i for i in WASI_INTERFACES if i.gives(f"wasi:{where}@0.2.0")]
        return found.functions[name]

    async def call(self, where, name, *arguments):
        function = self.function(where, name)
        if function.at_once is None:
            return function.act(self.context, *arguments)
        found = function.at_once(self.context, *arguments)
        return await function.act(self.context, *arguments) if found is None else found

    def do(self, thing, method, *arguments):
        """Call a method that does not wait."""
        for kind, where in (
            ("tcp-socket", "sockets/tcp"),
            ("udp-socket", "sockets/udp"),
            ("incoming-datagram-stream", "sockets/udp"),
            ("outgoing-datagram-stream", "sockets/udp"),
            ("resolve-address-stream", "sockets/ip-name-lookup"),
        ):
            if type(thing).__name__ == NAMES[kind]:
                act = self.function(where, f"[method]{kind}.{method}").act
                return act(self.context, thing, *arguments)
        raise AssertionError(thing)

    def make(self, protocol="tcp", family="ipv4"):
        where = f"sockets/{protocol}-create-socket"
        act = self.function(where, f"create-{protocol}-socket").act
        return act(self.context, family)

    async def until_ready(self, source):
        pollable = Pollable(self.context, source, source)
        with trio.fail_after(20):
            await self.call("io/poll", "[method]pollable.block", pollable)
        release(pollable)

    async def connected(self, port):
        made = self.make().value
        assert self.do(made, "start-connect", self.network, at(port)) == Ok(None)
        await self.until_ready(made)
        return made, *self.do(made, "finish-connect").value

    async def read(self, stream, most=100):
        return await self.call(
            "io/streams", "[method]input-stream.blocking-read", stream, most
        )

    async def write(self, stream, data):
        name = "[method]output-stream.blocking-write-and-flush"
        return await self.call("io/streams", name, stream, data)

    @property
    def denied(self):
        found = (e for e in self.services.denied if isinstance(e, AccessDenied))
        return [(each.access.verb, each.access.resource) for each in found]


NAMES = {
    "tcp-socket": "TcpSocket",
    "udp-socket": "UdpSocket",
    "incoming-datagram-stream": "Datagrams",
    "outgoing-datagram-stream": "OutgoingDatagrams",
    "resolve-address-stream": "Lookup",
}
