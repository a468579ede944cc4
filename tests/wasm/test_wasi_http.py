"""Requests of guests: what a grant allows goes out, and nothing else does."""

import contextlib
import datetime as dt
import functools
import ipaddress
import socket
import ssl
import threading

import pytest
import trio
import trio.testing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airssys.contracts import AccessDenied, Limits
from airssys.security import connect, http
from airssys.security.capabilities import read_grants
from airssys.testing import FakeServices
from airssys.wasm import Err, Ok
from airssys.wasm.host import StopGuest
from airssys.wasm.host.wasi import WASI_INTERFACES
from airssys.wasm.host.wasi.base import Pollable, WasiContext, release
from airssys.wasm.values import Case

LOCAL = "127.0.0.1"


class Guest:
    """Calls functions of `wasi:http` like a guest."""

    def __init__(self, nursery, *can):
        self.services = FakeServices(can=can)
        self.context = WasiContext(self.services, Limits())
        self.context.take_nursery(nursery)

    def do(self, name, *arguments, where="http/types"):
        (found,) = [i for i in WASI_INTERFACES if i.gives(f"wasi:{where}@0.2.0")]
        function = found.functions[name]
        return (function.at_once or function.act)(self.context, *arguments)

    async def wait(self, name, *arguments, where="io/streams"):
        (found,) = [i for i in WASI_INTERFACES if i.gives(f"wasi:{where}@0.2.0")]
        function = found.functions[name]
        answer = function.at_once(self.context, *arguments)
        with trio.fail_after(20):
            if answer is None:
                return await function.act(self.context, *arguments)
        return answer

    def request(self, authority, path="/", method="get", headers=(), scheme="HTTP"):
        fields = self.do("[static]fields.from-list", list(headers)).value
        request = self.do("[constructor]outgoing-request", fields)
        of = "[method]outgoing-request."
        for word, value in (
            ("method", Case(method)),
            ("path-with-query", path),
            ("scheme", Case(scheme)),
            ("authority", authority),
        ):
            assert self.do(f"{of}set-{word}", request, value) == Ok(), word
        return request

    def send(self, request, options=None):
        return self.do("handle", request, options, where="http/outgoing-handler")

    async def answer(self, future):
        """Wait for a response, or its error code."""
        pollable = Pollable(self.context, future, future)
        await self.wait("[method]pollable.block", pollable, where="io/poll")
        release(pollable)
        return self.do("[method]future-incoming-response.get", future).value

    async def body(self, response):
        body = self.do("[method]incoming-response.consume", response).value
        stream = self.do("[method]incoming-body.stream", body).value
        found = b""
        while type(data := await self.read(stream)) is Ok:
            found += data.value
        return found, data.value

    async def read(self, stream):
        return await self.wait("[method]input-stream.blocking-read", stream, 9999)

    @property
    def denied(self):
        found = (e for e in self.services.denied if isinstance(e, AccessDenied))
        return [(e.access.kind, e.access.resource) for e in found]


@pytest.fixture
async def make_guest(nursery):
    made = []

    def make(*can):
        made.append(Guest(nursery, *can))
        return made[-1]

    yield make
    for each in made:
        each.context.close()


class Server:
    """Answers each connection with the bytes that were set; keeps what it sent."""

    reply = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: b\r\n\r\nhello"
    stays = False

    certificate = None
    """What is used for TLS, if it is."""

    def __init__(self):
        self.seen = b""
        self.names = []
        """What clients have asked for by SNI."""

    def _secured(self, stream):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate)
        context.sni_callback = lambda _, name, __: self.names.append(name)
        return trio.SSLStream(stream, context, server_side=True)

    async def serve(self, stream):
        if self.certificate:
            stream = self._secured(stream)
        async with stream:
            with contextlib.suppress(trio.BrokenResourceError):
                while b"\r\n\r\n" not in self.seen:
                    self.seen += await stream.receive_some()
                if b"chunked" in self.seen:
                    while b"\r\n0\r\n" not in self.seen:
                        self.seen += await stream.receive_some()
                await stream.send_all(self.reply)
                if self.stays:
                    await trio.sleep_forever()


@pytest.fixture
async def server(nursery):
    made = Server()
    (listener,) = await nursery.start(
        functools.partial(trio.serve_tcp, made.serve, 0, host=LOCAL)
    )
    made.port = listener.socket.getsockname()[1]
    made.authority = f"{LOCAL}:{made.port}"
    yield made
    nursery.cancel_scope.cancel()


async def test_a_granted_request_goes_out_and_its_answer_comes_in(make_guest, server):
    guest = make_guest(http(f"http://{server.authority}/api", methods="GET"))
    request = guest.request(server.authority, "/api/x?y=1", headers=[("x-me", b"you")])
    response = await guest.answer(guest.send(request).value)
    assert type(response) is Ok
    assert guest.do("[method]incoming-response.status", response.value) == 200
    headers = guest.do("[method]incoming-response.headers", response.value)
    assert guest.do("[method]fields.get", headers, "X-A") == [b"b"]
    with pytest.raises(StopGuest, match="before 1 of what was made"):
        release(response.value)
    assert await guest.body(response.value) == (b"hello", Case("closed"))
    assert server.seen.startswith(b"GET /api/x?y=1 HTTP/1.1\r\n")
    assert f"host: {server.authority}\r\n".encode() in server.seen.lower()
    assert b"x-me: you" in server.seen
    assert guest.denied == []


class Carried:
    """Counts bytes like the meter of a guest."""

    def __init__(self):
        self.bytes = 0

    def note_network(self, size):
        self.bytes += size


async def test_headers_and_bodies_are_counted_in_both_directions(make_guest, server):
    guest = make_guest(http(f"http://{server.authority}"))
    guest.services.meter = meter = Carried()
    headers = [("x-me", b"you")]
    request = guest.request(server.authority, method="post", headers=headers)
    body = guest.do("[method]outgoing-request.body", request).value
    out = guest.do("[method]outgoing-body.write", body).value
    future = guest.send(request).value
    name = "[method]output-stream.blocking-write-and-flush"
    assert await guest.wait(name, out, b"some bytes") == Ok()
    release(out)
    assert guest.do("[static]outgoing-body.finish", body, None) == Ok()
    assert meter.bytes == len(b"x-me: you\r\n" + b"some bytes")
    sent = meter.bytes
    response = (await guest.answer(future)).value
    assert await guest.body(response) == (b"hello", Case("closed"))
    came = len(b"content-length: 5\r\n" + b"x-a: b\r\n" + b"hello")
    assert meter.bytes == sent + came


async def test_a_body_is_sent_in_chunks_with_its_trailers(make_guest, server):
    guest = make_guest(http(f"http://{server.authority}"))
    request = guest.request(server.authority, method="post")
    body = guest.do("[method]outgoing-request.body", request).value
    assert guest.do("[method]outgoing-request.body", request) == Err()
    out = guest.do("[method]outgoing-body.write", body).value
    future = guest.send(request).value
    name = "[method]output-stream.blocking-write-and-flush"
    assert await guest.wait(name, out, b"some bytes") == Ok()
    release(out)
    trailers = guest.do("[static]fields.from-list", [("x-sum", b"7")]).value
    assert guest.do("[static]outgoing-body.finish", body, trailers) == Ok()
    assert type(await guest.answer(future)) is Ok
    assert b"some bytes" in server.seen
    assert b"x-sum: 7" in server.seen


@pytest.mark.parametrize(
    ("path", "method", "host"),
    [
        ("/api/../secret", "get", LOCAL),
        ("/api/%2e%2e/secret", "get", LOCAL),
        ("/apis", "get", LOCAL),
        ("/api", "post", LOCAL),
        ("/api", "get", "localhost"),
        ("/api", "get", "127.0.0.2"),
    ],
)
async def test_just_outside_of_a_grant_is_denied(
    make_guest, server, path, method, host
):
    guest = make_guest(http(f"http://{server.authority}/api", methods="GET"))
    where = f"{host}:{server.port}"
    answer = guest.send(guest.request(where, path, method))
    assert answer == Err(Case("HTTP-request-denied"))
    assert guest.denied == [("http", f"http://{where}{path}")]
    assert server.seen == b""


async def test_without_a_grant_every_request_is_denied(make_guest, server):
    guest = make_guest()
    answer = guest.send(guest.request(server.authority))
    assert answer == Err(Case("HTTP-request-denied"))
    assert guest.context.tasks == 0


async def test_a_redirect_is_an_answer_like_any_other(make_guest, server):
    server.reply = (
        b"HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\ncontent-length: 0\r\n\r\n"
    )
    guest = make_guest(http(f"http://{server.authority}"))
    found = await guest.answer(guest.send(guest.request(server.authority)).value)
    assert guest.do("[method]incoming-response.status", found.value) == 302


class Names(trio.abc.HostnameResolver):
    """Every name leads to this machine."""

    async def getaddrinfo(self, host, port, *_args, **_options):
        await trio.lowlevel.checkpoint()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (LOCAL, port))]

    async def getnameinfo(self, sockaddr, flags):
        raise AssertionError


async def test_a_name_leads_to_a_private_address_only_if_that_is_granted(
    make_guest, server
):
    before = trio.socket.set_custom_hostname_resolver(Names())
    where = f"shop.example:{server.port}"
    try:
        guest = make_guest(http(f"http://{where}"))
        found = await guest.answer(guest.send(guest.request(where)).value)
        assert found == Err(Case("destination-IP-prohibited"))
        assert guest.denied == [("network", server.authority)]
        guest = make_guest(http(f"http://{where}"), connect(LOCAL, server.port))
        found = await guest.answer(guest.send(guest.request(where)).value)
        assert type(found) is Ok
        assert f"host: {where}\r\n".encode() in server.seen.lower()
    finally:
        trio.socket.set_custom_hostname_resolver(before)


def certificate(path, *names):
    """Write a certificate for these names that is signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    me = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(me)
        .issuer_name(me)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key_bytes = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(pem) + key_bytes)
    return path


SHOP = x509.DNSName("shop.example")
HERE = x509.IPAddress(ipaddress.ip_address(LOCAL))


@pytest.mark.parametrize(
    ("host", "names", "is_trusted", "code"),
    [
        ("shop.example", [SHOP], True, None),
        (LOCAL, [HERE], True, None),
        ("shop.example", [HERE], True, "TLS-certificate-error"),
        (LOCAL, [SHOP], True, "TLS-certificate-error"),
        ("shop.example", [SHOP], False, "TLS-certificate-error"),
    ],
)
async def test_the_server_has_to_prove_its_name(
    make_guest, server, tmp_path, monkeypatch, host, names, is_trusted, code
):
    server.certificate = certificate(tmp_path / "server.pem", *names)
    other = certificate(tmp_path / "other.pem", *names)
    trusted = server.certificate if is_trusted else other
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    where = f"{host}:{server.port}"
    before = trio.socket.set_custom_hostname_resolver(Names())
    try:
        guest = make_guest(http(f"https://{where}"), connect(LOCAL, server.port))
        request = guest.request(where, scheme="HTTPS")
        found = await guest.answer(guest.send(request).value)
    finally:
        trio.socket.set_custom_hostname_resolver(before)
    assert server.names == [None if host == LOCAL else host]
    if code is None:
        assert guest.do("[method]incoming-response.status", found.value) == 200
        assert f"host: {where}\r\n".encode() in server.seen.lower()
    else:
        assert found == Err(Case(code))
        assert server.seen == b""


async def test_trusted_certificates_are_read_in_another_thread_and_once(
    make_guest, server, tmp_path, monkeypatch
):
    server.certificate = certificate(tmp_path / "server.pem", HERE)
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    threads, original = [], ssl.create_default_context

    def create(purpose=ssl.Purpose.SERVER_AUTH):
        if purpose is ssl.Purpose.SERVER_AUTH:
            threads.append(threading.get_ident())
        return original(purpose)

    monkeypatch.setattr(ssl, "create_default_context", create)
    guest = make_guest(http(f"https://{server.authority}"))
    for _ in range(2):
        request = guest.request(server.authority, scheme="HTTPS")
        assert type(await guest.answer(guest.send(request).value)) is Ok
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_one_that_does_not_speak_tls_is_an_error(make_guest, server):
    guest = make_guest(http(f"https://{server.authority}"))
    server.reply = b"hello\r\n\r\n"
    request = guest.request(server.authority, scheme="HTTPS")
    sent = guest.send(request).value
    server.seen = b"\r\n\r\n"  # it answers without reading
    found = await guest.answer(sent)
    assert found == Err(Case("TLS-protocol-error"))


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (b"", "HTTP-response-incomplete"),
        (b"nonsense\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000, "HTTP-protocol-error"),
        (
            b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 2000 + b"\r\n",
            "HTTP-response-header-section-size",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "HTTP-protocol-error",
        ),
    ],
)
async def test_nonsense_of_a_server_is_an_error_code(make_guest, server, reply, code):
    server.reply = reply
    guest = make_guest(http(f"http://{server.authority}"))
    found = await guest.answer(guest.send(guest.request(server.authority)).value)
    assert type(found) is Err
    assert found.value.name in {code, "HTTP-response-incomplete"}


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
    ],
)
async def test_a_body_that_ends_early_is_an_error_and_not_an_end(
    make_guest, server, reply
):
    server.reply = reply
    guest = make_guest(http(f"http://{server.authority}"))
    found = await guest.answer(guest.send(guest.request(server.authority)).value)
    data, end = await guest.body(found.value)
    assert data == b"short"
    assert end.name == "last-operation-failed"
    code = guest.do("http-error-code", end.value)
    assert code.name in {"HTTP-response-incomplete", "HTTP-protocol-error"}


async def test_revoking_ends_a_request_in_progress(make_guest, server):
    server.reply, server.stays = b"", True
    guest = make_guest(http(f"http://{server.authority}"))
    future = guest.send(guest.request(server.authority)).value
    await trio.testing.wait_all_tasks_blocked(0.01)
    rules, _ = read_grants([http(f"http://{server.authority}")])
    guest.services.permissions.revoke(rules)
    assert await guest.answer(future) == Err(Case("HTTP-request-denied"))
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert guest.context.tasks == 0


async def test_dropping_the_future_ends_the_request(make_guest, server):
    server.reply, server.stays = b"", True
    guest = make_guest(http(f"http://{server.authority}"))
    future = guest.send(guest.request(server.authority)).value
    release(future)
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert guest.context.tasks == 0


async def test_headers_are_checked_when_they_are_set(make_guest):
    guest = make_guest()
    fields = guest.do("[constructor]fields")
    for name, value, case in (
        ("bad name", b"x", "invalid-syntax"),
        ("", b"x", "invalid-syntax"),
        ("x", b"a\r\nb: c", "invalid-syntax"),
        ("Host", b"x", "forbidden"),
        ("Transfer-Encoding", b"chunked", "forbidden"),
        ("connection", b"close", "forbidden"),
    ):
        answer = guest.do("[method]fields.append", fields, name, value)
        assert answer == Err(Case(case)), name
        answer = guest.do("[static]fields.from-list", [(name, value)])
        assert answer == Err(Case(case)), name
    assert guest.do("[method]fields.set", fields, "X-A", [b"1", b"2"]) == Ok()
    assert guest.do("[method]fields.append", fields, "x-a", b"3") == Ok()
    assert guest.do("[method]fields.get", fields, "x-A") == [b"1", b"2", b"3"]
    copy = guest.do("[method]fields.clone", fields)
    assert guest.do("[method]fields.delete", fields, "x-a") == Ok()
    assert not guest.do("[method]fields.has", fields, "x-a")
    assert len(guest.do("[method]fields.entries", copy)) == 3
    with pytest.raises(StopGuest, match="headers of"):
        guest.do(
            "[method]fields.append", fields, "x", bytes(70_000).replace(b"\0", b"x")
        )
    assert guest.context._handles == 2


async def test_a_request_out_of_grammar_is_refused_when_it_is_made(make_guest):
    guest = make_guest(http("*://*"))
    request = guest.request("example.com")
    of = "[method]outgoing-request."
    for word, value in (
        ("method", Case("other", "A B")),
        ("path-with-query", "no-slash"),
        ("path-with-query", "/a b"),
        ("path-with-query", "/a\r\nhost: x"),
        ("path-with-query", "/" + "x" * 9000),
        ("scheme", Case("other", "a b")),
        ("authority", "user@example.com"),
        ("authority", "example.com:80/x"),
        ("authority", "ex ample.com"),
    ):
        assert guest.do(f"{of}set-{word}", request, value) == Err(), value
    assert guest.do(f"{of}set-authority", request, "example.com:99999") == Ok()
    assert guest.send(request) == Err(Case("HTTP-request-URI-invalid"))


async def test_a_body_has_the_length_that_was_announced(make_guest):
    guest = make_guest()
    for data in (b"12345", b"123"):
        request = guest.request("x", headers=[("content-length", b"4")])
        body = guest.do("[method]outgoing-request.body", request).value
        out = guest.do("[method]outgoing-body.write", body).value
        answer = guest.do("[method]output-stream.write", out, data, where="io/streams")
        if len(data) > 4:
            assert answer.value.name == "last-operation-failed"
            code = guest.do("http-error-code", answer.value.value)
        else:
            release(out)
            code = guest.do("[static]outgoing-body.finish", body, None).value
        assert code == Case("HTTP-request-body-size", len(data))
