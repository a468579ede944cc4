"""Attacks on what is granted, by real components: each is denied, and others go on.

What a guest can try goes through `calls.wat`, which calls the host function that its
message names. The kinds that no host function uses yet are decided by the authority of a
component that runs. Each test names its CWE and its place in the OWASP Top 10 of 2021.
"""

import pytest
import trio

from airssys import (
    AccessDenied,
    CalleeFailed,
    Done,
    NotGranted,
    Refused,
    Started,
    actor,
    blueprint,
    component,
    dynamic_supervisor,
    open_system,
    pool,
    supervisor,
)
from airssys.contracts import Access, Artifact, Quota, Quotas, Refusal
from airssys.security import (
    ask,
    bind,
    broadcast,
    clock,
    connect,
    custom,
    delete_files,
    everything,
    http,
    list_files,
    publish,
    read_files,
    read_store,
    request,
    resolve,
    run_command,
    send,
    store,
    subscribe,
    write_files,
)
from airssys.security.capabilities import read_grants
from airssys.security.policies import find_grant_mistakes
from airssys.testing import wait_until_idle
from wasm_support import GUESTS

CALLS = Artifact.at(GUESTS / "calls.wat")
LONG = "x" * 128


def call(*lines):
    return "\n".join(lines).encode()


def denials(events):
    found = []
    while True:
        try:
            event = events.next_nowait()
        except trio.WouldBlock:
            return found
        if isinstance(event, AccessDenied):
            found.append(event)


class Sink:
    """Keeps what it gets, with the sender."""

    def __init__(self, kept):
        self.kept = kept

    async def handle(self, _context, envelope):
        self.kept.append((str(envelope.sender), envelope.payload))
        return b"taken"


# -- what a grant does not stand for

API = "https://api.example.com:443"
DECISIONS = [
    # the predecessor's suite, cases 1 to 15; case 9 was allowed there
    ("1 exact path", read_files("/app/config.json"), "files read /app/config.json", True),
    ("2 one star", read_files("/app/data/*.json"), "files read /app/data/a.json", True),
    ("3 two stars", read_files("/app/data/**/*.log"), "files read /app/data/x/y/a.log", True),
    ("4 read", read_files("/app/data/*"), "files read /app/data/x", True),
    ("5 write", write_files("/app/data/*"), "files write /app/data/x", True),
    ("6 endpoint", connect("api.example.com", 443), "network connect api.example.com:443", True),
    ("7 keys", store("component:test-id:data:*"), "storage write component:test-id:data:a", True),
    ("8 path outside, CWE-22", read_files("/app/data/*"), "files read /app/secret", False),
    ("9 traversal, CWE-22", read_files("/app/data/*"), "files read /app/data/../../../etc/passwd", False),
    ("10 empty path, CWE-20", read_files("/**"), "files read ", False),
    ("11 brackets", read_files("/app/file[1].txt"), "files read /app/file[1].txt", True),
    ("11 brackets match themselves only, CWE-1286", read_files("/app/file[1].txt"), "files read /app/file1.txt", False),
    ("12 other endpoint, CWE-918", connect("api.example.com", 443), "network connect evil.example:443", False),
    ("13 other port, CWE-918", connect("api.example.com", 443), "network connect api.example.com:80", False),
    ("14 other keys, CWE-639", store("component:test-id:*"), "storage read component:other:a", False),
    ("15 write by a read grant, CWE-269", read_files("/app/*"), "files write /app/x", False),
    # its bypass tests, 1 to 8
    ("b1 up and down, CWE-22", read_files("/app/data/*"), "files read /app/../etc/passwd", False),
    ("b1 inside the grant, CWE-22", read_files("/app/data/**"), "files read /app/data/x/../../secret", False),
    ("b2 absolute, CWE-36", read_files("/app/*"), "files read /root/.ssh/id_rsa", False),
    ("b3 inflation, CWE-269", read_files("/app/*"), "files delete /app/x", False),
    ("b4 other component, CWE-639", read_store("a/*"), "storage read b/x", False),
    ("b7 wildcards, CWE-155", read_files("/app/data/**/*"), "files read /etc/passwd", False),
    ("b8 empty resource, CWE-20", store("*"), "storage read a/b", False),
    # what it put off
    ("encoded dots are names, CWE-177", read_files("/data/**"), "files read /data/%2e%2e/etc", True),
    ("encoded dots in a url, CWE-177", http(f"{API}/v1"), f"http request {API}/v1/%2e%2e/admin", False),
    ("mixed encoding, CWE-177", http(f"{API}/v1"), f"http request {API}/v1/.%2E/admin", False),
    ("encoded slash, CWE-177", http(f"{API}/v1"), f"http request {API}/v1/..%2Fadmin", False),
    ("encoded twice, CWE-174", http(f"{API}/v1"), f"http request {API}/v1/%252e%252e/admin", False),
    ("encoded often, CWE-174", http(f"{API}/v1"), f"http request {API}/v1/%{'25' * 40}2e", False),
    ("backslashes, CWE-22", http(f"{API}/v1"), f"http request {API}/v1/..\\admin", False),
    ("encoded NUL, CWE-158", http(f"{API}/v1"), f"http request {API}/v1/x%00", False),
    ("an encoded slash of a name", http(f"{API}/v1"), f"http request {API}/v1/projects/a%2Fb", True),
    ("a longer segment, CWE-22", http(f"{API}/v1"), f"http request {API}/v10", False),
    ("user info, CWE-918", http(f"{API}/v1"), "http request https://api.example.com:443@evil.example:443/v1", False),
    ("a fragment, CWE-918", http(f"{API}/v1"), f"http request {API}#/v1", False),
    ("another scheme, CWE-319", http(f"{API}/v1"), "http request http://api.example.com:443/v1", False),
    ("dots of other scripts, CWE-176", read_files("/data/*"), "files read /data/\u2024\u2024/x", False),
    ("a fullwidth slash, CWE-176", read_files("/data/*"), "files read /data/a\uff0fb", True),
    ("NUL, CWE-158", read_files("/data/**"), "files read /data/a\0.txt", False),
    ("a lone surrogate, CWE-176", read_files("/data/**"), "files read /data/\ud800", False),
    ("case, CWE-178", read_files("/data/*"), "files read /DATA/x", False),
    ("a slash at the end", read_files("/data/x"), "files read /data/x/", True),
    ("a slash at the end is not a child, CWE-22", list_files("/data/*/*"), "files list /data/x/", False),
    ("a name that begins the same way, CWE-22", read_files("/data/**"), "files read /database", False),
    ("a path that is too long, CWE-400", read_files("/**"), f"files read /{'a/' * 4000}", False),
    ("the name itself, CWE-1023", connect("*.example.com", 443), "network connect example.com:443", False),
    ("an ending, CWE-1023", connect("*.example.com", 443), "network connect evilexample.com:443", False),
    ("two labels, CWE-1023", connect("*.example.com", 443), "network connect a.b.example.com:443", False),
    ("a dot at the end", connect("api.example.com", 443), "network connect API.example.com.:443", True),
    ("an address, CWE-918", connect("*", 80), "network connect 169.254.169.254:80", False),
    ("a mapped address", connect("10.0.0.0/8", 80), "network connect [::ffff:10.1.2.3]:80", True),
    ("an address as a number, CWE-918", connect("*", 80), "network connect 2130706433:80", False),
    ("an address in octal, CWE-918", connect("127.0.0.1", 80), "network connect 0177.0.0.1:80", False),
    ("a host with NUL, CWE-158", connect("*.example.com", 80), "network connect evil.example\0.example.com:80", False),
    ("a host that is too long, CWE-400", connect("*", 80), f"network connect {'a.' * 5000}com:80", False),
    ("above a range of ports, CWE-918", bind("127.0.0.1", "8000-8099"), "network bind 127.0.0.1:8100", False),
    ("port 0, CWE-918", bind("127.0.0.1"), "network bind 127.0.0.1:0", False),
    ("a huge port, CWE-190", bind("127.0.0.1"), "network bind 127.0.0.1:65536", False),
    ("a negative port, CWE-190", bind("127.0.0.1"), "network bind 127.0.0.1:-1", False),
    ("another script's digits, CWE-176", bind("127.0.0.1"), "network bind 127.0.0.1:\u0664\u0664", False),
    ("no port, CWE-20", connect("*"), "network connect example.com", False),
    ("to connect is not to resolve, CWE-269", connect("example.com"), "network resolve example.com", False),
    ("to resolve is not to connect, CWE-269", resolve("example.com"), "network connect example.com:80", False),
    ("a command, CWE-78", run_command("/bin/ls"), "process run /bin/ls;sh", False),
    ("a command beside, CWE-22", run_command("/bin/*"), "process run /bin/../sbin/halt", False),
    ("to delete is not to write, CWE-269", delete_files("/d/*"), "files write /d/x", False),
    ("a name with more segments, CWE-22", send("shop/*"), "messaging send shop/a/0/x", False),
    ("a name with fewer, CWE-20", send("*"), "messaging send shop/a", False),
    ("a topic above, CWE-639", publish("orders.*"), "messaging publish orders", False),
    ("a topic that is a pattern, CWE-155", publish("orders.eu"), "messaging publish orders.*", False),
    ("a wider subscription, CWE-639", subscribe("orders.*"), "messaging subscribe orders.#", False),
    ("a finer clock, CWE-208", clock(1), "clock wall 0.001", False),
    ("no number, CWE-20", clock(1), "clock wall nan", False),
    ("an unknown verb, CWE-284", store("**"), "storage execute k", False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("grant", "what", "verdict"),
    [case[1:] for case in DECISIONS],
    ids=[case[0] for case in DECISIONS],
)
def test_what_a_grant_stands_for_a01(grant, what, verdict):
    """A01 Broken access control, with the CWE of each case in its name."""
    rules, mistakes = read_grants([grant])
    assert not mistakes
    kind, verb, resource = what.split(" ", 2)
    assert rules.allows(Access(kind, verb, resource)) is verdict


async def test_the_same_is_decided_for_a_component_that_runs():
    """A01, CWE-862: an authority at work decides as the rules do; others hold nothing."""
    tree = blueprint(
        component("a", CALLS, can=[case[1] for case in DECISIONS]),
        component("none", CALLS),
    )
    async with open_system(tree) as system:
        held, none = system.grants("a"), system.grants("none")
        for _, _, what, verdict in DECISIONS:
            kind, verb, resource = what.split(" ", 2)
            assert held.allows(kind, verb, resource) or not verdict
            assert not none.allows(kind, verb, resource)


def test_an_undefined_kind_is_a_mistake():
    """A05 Security misconfiguration, CWE-1188: it is not silently without effect."""
    tree = blueprint(component("a", CALLS, can=[custom("printer", "print")]))
    (mistake,) = find_grant_mistakes(tree.root)
    assert "'printer' is not a kind of grants" in mistake.found


# -- who is who


async def test_a_taken_name_changes_and_gains_nothing():
    """A07 Identification failures, CWE-694: the predecessor's takeover by registering."""
    kept = []
    own = component("a", CALLS, can=[store("a/*")])
    tree = blueprint(supervisor("one", own), supervisor("two"), actor("b", Sink, kept))
    async with open_system(tree) as system:
        assert await system.ask("a", call("storage.set", "a/1", "mine")) == b"ok"
        before = system.grants("a").held
        again = component("a", CALLS, can=everything())
        for path in ("root/one", "root/two", "root"):
            answer = await system.supervisor(path).start_child(again)
            assert isinstance(answer, Refused)
            assert answer.why in {Refusal.ALREADY_STARTED, Refusal.NAME_TAKEN}
        assert system.grants("a").held == before
        assert await system.ask("a", call("storage.get", "a/1")) == b"ok:mine"
        sent = await system.ask("a", call("host-messaging.send", "local/b/0", "x"))
        assert sent.startswith(b"err:")
    assert kept == []


async def test_the_host_says_who_sends():
    """A07, CWE-290: nothing that a guest passes changes the sender of its messages."""
    kept = []
    tree = blueprint(
        component("a", CALLS, can=everything()),
        component("c", CALLS, can=[send("b")]),
        actor("b", Sink, kept),
    )
    async with open_system(tree) as system:
        for name in ("a", "c"):
            await system.ask(
                name, call("host-messaging.send", "local/b/0", "local/x/0")
            )
    assert kept == [("local/a/0", b"local/x/0"), ("local/c/0", b"local/x/0")]


async def test_an_answer_cannot_be_forged():
    """A08 Integrity failures, CWE-345: only who was asked answers, by its reply."""
    asked = trio.Event()

    async def slow(_context, _envelope):
        asked.set()
        await trio.sleep_forever()

    tree = blueprint(
        component("a", CALLS, can=[request("b")]),
        component("evil", CALLS, can=everything()),
        actor("b", slow),
    )
    async with open_system(tree) as system:
        made = await system.ask("a", call("host-messaging.request", "local/b/0", "x"))
        name = made.decode().removeprefix("ok:")
        await asked.wait()
        cancel = await system.ask("evil", call("host-messaging.cancel-request", name))
        assert cancel.startswith(b"err:invalid-message")
        forged = call("host-messaging.send", "local/a/0", name)
        assert await system.ask("evil", forged) == b"ok"
        # The request is still open: its own asker can cancel it.
        assert (
            await system.ask("a", call("host-messaging.cancel-request", name)) == b"ok"
        )


async def test_a_confused_deputy_is_refused_and_both_are_named():
    """A01, CWE-441: who relays does what it may itself, and the record names the sender."""
    kept = []
    for_me = call("host-messaging.send", "local/b/0", "for me")
    tree = blueprint(
        component("deputy", CALLS, can=[send("other")]),
        actor("b", Sink, kept),
    )
    async with open_system(tree) as system:
        with system.events() as events:

            async def relay(context, _envelope):
                await context.send("deputy", for_me)

            root = system.supervisor("root")
            started = await root.start_child(actor("mallory", relay))
            assert isinstance(started, Started)
            await system.ask("mallory", b"")
            while not (found := denials(events)):
                await wait_until_idle(0.001)
    (denial,) = found
    assert str(denial.actor) == "local/deputy/0"
    assert str(denial.on_behalf_of) == "local/mallory/0"
    assert denial.access.resource == "local/b/0"
    assert kept == []


# -- what outlives what


async def test_what_was_taken_stays_so_through_restarts_and_replacement():
    """A01, CWE-613: neither an end, nor a supervisor's, nor new code brings it back."""
    tree = blueprint(
        supervisor("inner", component("a", CALLS, can=[store("**")])), restarts=10
    )
    async with open_system(tree) as system:
        system.grants("a").revoke(store("secret/*"))
        read = call("storage.get", "secret/1")
        assert isinstance(await system.replace("a", CALLS), Done)
        assert (await system.ask("a", read)).startswith(b"err:io-error")
        for path, child in (("root/inner", "local/a/0"), ("root", "inner")):
            await system.supervisor(path).terminate_child(child)
            assert isinstance(
                await system.supervisor(path).restart_child(child), Started
            )
            answer = await system.ask("a", read)
            assert answer.startswith(b"err:io-error"), path
        assert await system.ask("a", call("storage.set", "open", "x")) == b"ok"


async def test_a_topic_of_the_declaration_ends_with_its_grant():
    """A01, CWE-613: `topics=` is a subscription too, also after the supervisor ended."""
    kept = []
    listener = actor("a", Sink, kept, can=[subscribe("news.#")], topics=["news.*"])
    async with open_system(blueprint(supervisor("inner", listener))) as system:
        await system.publish("news.fr", b"1")
        await system.ask("a", b"asked")
        assert system.grants("a").revoke(subscribe("news.fr")) == 1
        await system.publish("news.fr", b"2")
        root = system.supervisor("root")
        await root.terminate_child("inner")
        assert isinstance(await root.restart_child("inner"), Started)
        await system.publish("news.fr", b"3")
        await system.ask("a", b"again")
    assert [payload for _, payload in kept] == [b"1", b"asked", b"again"]


def test_a_pool_is_not_subscribed_to_what_its_members_are_not_granted():
    """A01, CWE-862: what a pool gets is handled by its members."""
    member = component("w", CALLS, can=[subscribe("jobs.#")])
    tree = blueprint(pool("w", member, size=2, topics=["secrets"]))
    (mistake,) = find_grant_mistakes(tree.root)
    assert mistake.path.endswith(".topics")
    assert "'secrets', which it is not granted" in mistake.found
    fine = blueprint(pool("w", member, size=2, topics=["jobs.new"]))
    assert find_grant_mistakes(fine.root) == []


async def test_new_code_gets_no_more():
    """A08, CWE-269: a replacement holds what it followed; wider only if that is given."""
    async with open_system(
        blueprint(
            supervisor(
                "shop", component("a", CALLS, can=[store("a/*")]), bound=[store("a/**")]
            )
        )
    ) as system:
        wider = await system.replace("a", CALLS, can=[store("**")])
        assert isinstance(wider, Refused)
        assert "beyond the bound of shop" in str(wider)
        assert (await system.ask("a", call("storage.get", "b"))).startswith(b"err")
        assert isinstance(await system.replace("a", CALLS), Done)
        assert (await system.ask("a", call("storage.get", "a/b/c"))).startswith(b"err")
        assert await system.ask("a", call("storage.get", "a/b")) == b"ok"


async def test_nothing_below_a_bound_is_started_with_more():
    """A01, CWE-269: a child, a subtree, a template, a changed declaration."""
    wide = component("w", CALLS, can=[send("*")])
    tree = blueprint(
        supervisor(
            "shop",
            dynamic_supervisor("late", component("d", CALLS, can=[send("shop/a")])),
            bound=[send("shop/*")],
        )
    )
    async with open_system(tree) as system:
        shop = system.supervisor("root/shop")
        for each in (
            wide,
            supervisor("deep", supervisor("deeper", wide)),
            supervisor("deep", bound=[send("*")]),
            dynamic_supervisor("more", wide),
            pool("p", component("w", CALLS, can=[send("*")]), size=1),
        ):
            answer = await shop.start_child(each)
            assert isinstance(answer, Refused), each
            assert answer.why is Refusal.INVALID_SPEC
            assert "beyond the bound of shop" in str(answer)
        answer = await system.supervisor("root/shop/late").change_specs(
            dynamic_supervisor("late", component("d", CALLS, can=[send("*")]))
        )
        assert isinstance(answer, Refused)
        assert "beyond the bound of shop" in str(answer)


# -- what a guest may learn, and what it can make others read


async def test_the_time_of_a_message_is_as_coarse_as_the_clock():
    """A04 Insecure design, CWE-208: each message carries a time, which is a clock too."""
    # The guest answers the timestamp of the message itself instead of asking the host.
    text = (GUESTS / "calls.wat").read_text()
    text = text.replace(
        "(call $host-services.current-time (i32.const 128))",
        "(memory.copy (i32.const 128) (i32.add (global.get $m) (i32.const 72)) (i32.const 16))",
    )
    take = "(call $payload (local.get $message))\n      (global.set $request-size)"
    assert take in text
    text = text.replace(take, f"(global.set $m (local.get $message))\n{take}")
    text = text.replace(
        "(global $request (mut i32)",
        "(global $m (mut i32) (i32.const 0)) (global $request (mut i32)",
    )
    code = Artifact.from_text(text)
    tree = blueprint(
        component("none", code),
        component("coarse", code, can=[clock(2)]),
        component("all", code, can=everything()),
    )
    asked = b"host-services.current-time"
    async with open_system(tree, wall_clock=lambda: 5_000_000_007) as system:
        assert await system.ask("all", asked) == b"ok:5 7"
        assert await system.ask("coarse", asked) == b"ok:4 0"
        assert await system.ask("none", asked) == b"ok:0 0"
        system.grants("coarse").narrow()
        assert await system.ask("coarse", asked) == b"ok:0 0"


EVIL = "k\x1b[2J\x1b]0;owned\x07\r\nroot/other ended\u202e\u2066\u200b\u2028\x9b31m"


async def test_a_denied_resource_writes_one_clean_line(caplog):
    """A09 Logging failures, CWE-117 and CWE-150: ANSI, line ends, bidirectional marks."""
    guest = component("a", CALLS)
    lines = []
    with caplog.at_level(1, logger="airssys"):
        async with open_system(blueprint(guest)) as system:
            with system.events() as events:
                for word in (
                    "storage.get",
                    "host-messaging.publish",
                    "host-messaging.subscribe",
                ):
                    # Its arguments are lines: leave out the line ends.
                    asked = call(word, EVIL.replace("\r\n", ""), "x")
                    assert (await system.ask("a", asked)).startswith(b"err")
                found = denials(events)
            with pytest.raises(NotGranted) as refused:
                system.grants("a")._authority.check("storage", "read", EVIL)
    assert len(found) == 3
    lines += [str(each) for each in found] + [each.why for each in found]
    lines += [str(refused.value)]
    lines += [record.getMessage() for record in caplog.records]
    assert [line for line in lines if not line.isprintable()] == []
    assert any("was denied: storage read k\\x1b[2J" in line for line in lines)


async def test_others_are_as_if_they_were_not_there():
    """A01, CWE-203: who is there and who is not looks the same to one that may not see."""
    tree = blueprint(component("a", CALLS), component("b", CALLS))
    async with open_system(tree) as system:
        answers = []
        for name in ("local/b/0", "local/nobody/0"):
            for word in ("send", "ask", "request"):
                told = await system.ask("a", call(f"host-messaging.{word}", name, "x"))
                answers.append(told.decode().replace(name, "-"))
            seen = call("host-services.get-component-metadata", name)
            answers.append((await system.ask("a", seen)).decode().replace(name, "-"))
        assert answers[:4] == answers[4:]


async def test_names_of_the_longest_kind():
    """A04, CWE-1284: longest names are compared, denied and shown in full length."""
    name = f"{LONG}/{LONG}/{LONG}"
    kept = []
    tree = blueprint(
        component("a", CALLS, can=[send(name), broadcast("b")]), actor(name, Sink, kept)
    )
    async with open_system(tree) as system:
        with system.events() as events:
            assert (
                await system.ask("a", call("host-messaging.send", name, "x")) == b"ok"
            )
            other = f"{LONG}/{LONG}/{LONG[1:]}y"
            told = await system.ask("a", call("host-messaging.send", other, "x"))
            assert told.startswith(b"err:delivery-failed")
            (denial,) = denials(events)
            assert denial.access.resource == other
            too_long = await system.ask(
                "a", call("host-messaging.send", f"{name}z", "x")
            )
            assert too_long.startswith(b"err:")
    assert [payload for _, payload in kept] == [b"x"]


async def test_a_trap_while_something_is_held_leaves_nothing():
    """A04, CWE-460: a guest that is stopped while it asks releases all, and starts anew."""
    started = trio.Event()

    async def slow(_context, _envelope):
        started.set()
        await trio.sleep_forever()

    tree = blueprint(
        component("a", CALLS, can=[ask("b"), subscribe("news"), request("b")]),
        actor("b", slow),
    )
    async with open_system(tree) as system:
        await system.ask("a", call("host-messaging.subscribe", "news"))
        await system.ask("a", call("host-messaging.request", "local/b/0", "x", "60000"))
        holds = system.grants("a")._authority._holds
        assert len(holds) == 2
        async with trio.open_nursery() as nursery:

            async def asking():
                with pytest.raises(CalleeFailed):
                    await system.ask(
                        "a", call("host-messaging.ask", "local/b/0", "x", "60000")
                    )

            nursery.start_soon(asking)
            await started.wait()
            while len(holds) < 3:
                await wait_until_idle(0.001)
            await system.supervisor("root").kill_child("local/a/0")
        while system.find("a") is None:
            await wait_until_idle(0.001)
        assert list(holds) == []
        assert await system.ask("a", call("host-messaging.self-id")) == b"ok:local/a/0"


async def test_a_taken_name_keeps_its_quotas():
    """A07, CWE-694: quotas belong to a name as grants do; what tries it gives none back."""
    own = component(
        "a", CALLS, can=[store("a/*")], quotas=Quotas(storage_bytes=Quota(50))
    )
    tree = blueprint(supervisor("one", own), supervisor("two"))
    fill = call("storage.set", "a/1", "x" * 40)
    async with open_system(tree) as system:
        assert await system.ask("a", fill) == b"ok"
        again = component(
            "a", CALLS, can=[store("a/*")], quotas=Quotas(storage_bytes=Quota(5000))
        )
        for path in ("root/two", "root"):
            answer = await system.supervisor(path).start_child(again)
            assert answer.why is Refusal.NAME_TAKEN
        used, limit = system.usage("a")["storage_bytes"]
        assert used >= 40
        assert limit == 50
        more = await system.ask("a", call("storage.set", "a/2", "x" * 40))
        assert more.startswith(b"err:quota-exceeded")


async def test_of_two_that_start_by_one_name_the_first_has_all_of_it():
    """A07, CWE-362: the one that is ready first has no mailbox of the other's grants."""
    may_go_on, runs = trio.Event(), []

    class Slow:
        async def started(self, _context):
            runs.append("slow")
            await may_go_on.wait()

        async def handle(self, context, _envelope):
            context.tell("b", b"x")
            return b"slow"

    class Quick:
        async def started(self, _context):
            runs.append("quick")

        async def handle(self, _context, _envelope):
            return b"quick"

    tree = blueprint(
        actor("b", Sink, []), dynamic_supervisor("one"), dynamic_supervisor("two")
    )
    async with open_system(tree) as system, trio.open_nursery() as nursery:
        answers = []

        async def start(where, spec):
            answer = await system.supervisor(f"root/{where}").start_child(spec)
            answers.append((where, answer))

        nursery.start_soon(start, "one", actor("a", Slow, can=[send("b")]))
        while not runs:
            await wait_until_idle(0.001)
        await start("two", actor("a", Quick, can=[send("*")], restart="temporary"))
        ((where, answer),) = answers
        assert where == "two"
        assert not isinstance(answer, Started)
        assert runs == ["slow"], "its code ran under a name that is another's"
        may_go_on.set()
        while len(answers) < 2:
            await wait_until_idle(0.001)
        assert isinstance(answers[1][1], Started)
        assert await system.ask("a", b"") == b"slow"
        assert system.grants("a").held == (send("b"),)
