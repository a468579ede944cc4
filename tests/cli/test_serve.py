"""`airssys serve`: a handler of a file, or of a topology, that listens."""

import contextlib
import functools
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wasm_support import http_guest, program

SHOUT = Path(__file__).resolve().parents[2] / "examples/shout.wat"
GET = b"GET / HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n"
APP = """
from airssys import http_handler, topology

@topology
class App:
    shop = http_handler("shop.wat", listen="127.0.0.1:1")
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return opened.getsockname()[1]


@contextlib.contextmanager
def serving(folder, *arguments):
    """Run the command; yields the process and its port, when it listens."""
    port = free_port()
    command = [sys.executable, "-m", "airssys", "serve", "--no-cache", *arguments]
    command += ["--listen", f"127.0.0.1:{port}"]
    with subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            for line in process.stderr:
                if "listening at" in line:
                    break
            yield process, port
        finally:
            process.kill()


def ask(port):
    for _ in range(200):  # a handler that has crashed listens again soon
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
                stream.sendall(GET)
                if found := stream.recv(1000):
                    return int(found[9:12])
        except OSError:
            pass
        time.sleep(0.05)  # noqa: TID251  # there is no Trio here
    return None


def test_a_file_is_served_until_a_signal(write):
    path = write("shop.wat", http_guest())
    with serving(path.parent, str(path)) as (process, port):
        assert [ask(port), ask(port)] == [200, 200]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143


def test_a_handler_of_a_topology_is_served_elsewhere(write):
    write("shop.wat", http_guest("once"))
    path = write("shops.py", APP)
    with serving(path.parent, "shops.py:App:shop", "--keep", "9") as (_, port):
        assert ask(port) == 200
        # Some may come before the instance is free again, and get one of their own.
        assert 502 in iter(functools.partial(ask, port), None)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["none.wat"], 2, "there is no file none.wat"),
        (["shop"], 2, "write MODULE:APP:NAME, or FILE.wasm"),
        (["shops.py:App"], 2, "write MODULE:APP:NAME, or FILE.wasm"),
        (
            ["shops.py:App:till"],
            2,
            "no component 'till'; the topology has local/shop/0",
        ),
        (["shops.py:App:shop", "--allow", "random"], 2, "a topology declares them"),
        (["shop.wat", "--listen", "here"], 1, "is not a host and a port"),
        (["shop.wat", "--allow", "red /x"], 2, "did you mean read?"),
        (["shop.wat", "--keep", "0"], 2, "x>=1"),
        (["tool.wat"], 1, "it is not a handler of HTTP requests"),
    ],
)
def test_what_cannot_be_served(airssys, write, monkeypatch, arguments, status, said):
    path = write("shop.wat", http_guest())
    write("shops.py", APP)
    write("tool.wat", program("(i32.const 0)"))
    monkeypatch.chdir(path.parent)
    done = airssys("serve", "--no-cache", *arguments)
    assert done.exit_code == status, done.stderr
    assert said in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SHOUT.read_text("utf-8"), "It is the component of an actor: name it in"),
        (program("(i32.const 0)"), "It is a program: run it by airssys run"),
        ("(component)", "it does not export wasi:http/incoming-handler, but nothing"),
    ],
    ids=["actor", "program", "nothing"],
)
def test_what_handles_no_requests_is_refused_with_what_it_is(
    airssys, write, text, said
):
    done = airssys("serve", str(write("other.wat", text)), "--listen", "127.0.0.1:1")
    assert done.exit_code == 1
    assert said in done.stderr
