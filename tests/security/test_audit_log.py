"""A running system writes down what it decides, and refuses what it cannot write down."""

import errno
import json
import os
import resource
import time
from contextlib import suppress

import pytest
import trio

from airssys import (
    AuditFailed,
    ComponentId,
    NotGranted,
    actor,
    blueprint,
    component,
    open_system,
)
from airssys.contracts import Access, Decision
from airssys.security import ask, broadcast, everything, publish, request, send, store
from airssys.security.audit import (
    AuditFile,
    AuditLog,
    Noted,
    _writing,
    files_of,
    lines_of,
    verify_log,
)
from airssys.system.events import _auditor
from wasm_support import GUESTS

CART = ComponentId("local", "cart")


async def cart(context, envelope):
    target, _, times = envelope.payload.decode().partition(" ")
    try:
        for _ in range(int(times or 1)):
            context.tell(target, b"SECRET")
    except NotGranted as error:
        return str(error).encode()
    return b"done"


async def sink(_context, _envelope):
    return b"taken"


APP = blueprint(
    actor("cart", cart, can=[send("stock")], mailbox=100),
    actor("stock", sink, mailbox=10_000),
    actor("till", sink),
)


def records(path):
    found = [json.loads(line) for file in files_of(path) for line in lines_of(file)]
    return [r for r in found if r["event"] not in {"began", "ended"}]


def shown(path):
    return [
        (r["event"], r["actor"], r["verb"], r["resource"], r["times"])
        for r in records(path)
        if "verb" in r
    ]


async def test_what_is_allowed_is_counted_and_what_is_denied_recorded_at_once(tmp_path):
    path = tmp_path / "audit.jsonl"
    async with open_system(APP, audit=AuditLog(path)) as system:
        for _ in range(3):
            await system.ask("cart", b"stock 100")
        assert b"not granted" in await system.ask("cart", b"till")
    assert sorted(shown(path)) == [
        ("allowed", "local/cart/0", "send", "local/stock/0", 300),
        ("denied", "local/cart/0", "send", "local/till/0", 1),
    ]
    assert list(verify_log(path)) == []
    [allowed, denied] = sorted(records(path), key=lambda r: r["event"])
    assert allowed["rule"] == "messaging send stock"
    assert "sender" in allowed
    assert denied["incarnation"] == 1
    assert "correlation" in denied
    assert "SECRET" not in path.read_text()
    assert path.stat().st_mode & 0o77 == 0


async def test_what_is_granted_everything_in_words_is_recorded(tmp_path):
    """So a report can say what would have sufficed in its place."""
    path = tmp_path / "audit.jsonl"
    tree = blueprint(
        actor("cart", cart, can=everything()),
        component("calls", GUESTS / "calls.wat", can=everything()),
        actor("free", cart),
        actor("stock", sink),
        actor("till", sink),
    )
    async with open_system(tree, audit=AuditLog(path)) as system:
        for name in ("cart", "free"):
            assert await system.ask(name, b"till 2") == b"done"
        assert await system.ask("calls", b"storage.get\nkey") == b"ok"
        assert system.grants("cart").narrowest == (send("local/till/0"),)
        system.grants("cart").revoke(send("till"))
        assert b"not granted any more" in await system.ask("cart", b"till")
    assert sorted(shown(path)) == [
        ("allowed", "local/calls/0", "read", "key", 1),
        ("allowed", "local/cart/0", "send", "local/till/0", 2),
        ("denied", "local/cart/0", "send", "local/till/0", 1),
    ]


EACH_GATE = [
    "host-messaging.send\nlocal/stock/0\nSECRET",
    "host-messaging.ask\nlocal/stock/0\nSECRET\n5000",
    "host-messaging.request\nlocal/stock/0\nSECRET\n5000",
    "host-messaging.broadcast\nlocal/stock/0\nSECRET\nlocal/stock/0",
    "host-messaging.publish\nnews\nSECRET",
    "storage.set\nkey\nSECRET",
    "storage.get\nkey",
]


@pytest.mark.parametrize("is_granted", [True, False])
async def test_no_gate_records_a_payload(tmp_path, is_granted):
    """CWE-532: neither of what is allowed nor of what is denied, nor in an event."""
    path = tmp_path / "audit.jsonl"
    words = (send, ask, request, broadcast)
    can = [*(word("stock") for word in words), publish("news"), store("key")]
    tree = blueprint(
        component("a", GUESTS / "calls.wat", can=can if is_granted else []),
        actor("stock", sink),
    )
    async with open_system(tree, audit=AuditLog(path, window=0)) as system:
        with system.events() as events:
            for call in EACH_GATE:
                answer = await system.ask("a", call.encode())
                assert answer.startswith(b"ok" if is_granted else b"err:")
            while True:
                try:
                    assert "SECRET" not in repr(events.next_nowait())
                except trio.WouldBlock:
                    break
    wanted = "allowed" if is_granted else "denied"
    assert {r["event"] for r in records(path)} == {wanted}
    assert len(records(path)) >= len(EACH_GATE)
    assert "SECRET" not in path.read_text()


async def test_each_access_is_a_record_without_a_window(tmp_path):
    path = tmp_path / "audit.jsonl"
    async with open_system(APP, audit=AuditLog(path, window=0)) as system:
        await system.ask("cart", b"stock 3")
    one = ("allowed", "local/cart/0", "send", "local/stock/0", 1)
    assert shown(path) == [one] * 3
    assert all("correlation" in r for r in records(path))


async def test_a_window_is_written_while_the_system_runs(tmp_path, autojump_clock):
    path = tmp_path / "audit.jsonl"
    async with open_system(APP, audit=AuditLog(path, window=5)) as system:
        await system.ask("cart", b"stock 7")
        for _ in range(1000):
            if shown(path):
                break
            await trio.sleep(1)
            time.sleep(0.01)  # noqa: ASYNC251, TID251  # real time, for the thread that writes
        await system.ask("cart", b"stock 2")
    assert [each[-1] for each in shown(path)] == [7, 2]


async def test_changes_of_grants_are_recorded(tmp_path):
    path = tmp_path / "audit.jsonl"
    async with open_system(APP, audit=AuditLog(path)) as system:
        system.grants("cart").revoke(send("stock"))
    [record] = records(path)
    assert record["event"] == "changed"
    assert record["change"] == "revoked messaging send stock"


async def test_a_log_is_continued_and_rotated(tmp_path):
    path = tmp_path / "audit.jsonl"
    for _ in range(3):
        log = AuditLog(path, window=0, file_bytes=4096)
        async with open_system(APP, audit=log) as system:
            await system.ask("cart", b"stock 20")
    files = files_of(path)
    assert len(files) > 4
    assert [file.name for file in files[:2]] == ["audit.jsonl.1", "audit.jsonl.2"]
    assert list(verify_log(path)) == []
    assert len(records(path)) == 60
    assert all(file.stat().st_size < 8192 for file in files)


def failing(monkeypatch, is_full):
    """Make writing fail as long as `is_full()`, sometimes after a part was written."""
    write = _writing._write_all

    def write_all(descriptor, data):
        if is_full():
            write(descriptor, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(descriptor, data)

    monkeypatch.setattr(_writing, "_write_all", write_all)


async def refused(system):
    answer = await system.ask("cart", b"stock")
    return None if answer == b"done" else answer.decode()


async def test_a_full_disk_refuses_and_says_so_until_there_is_room(
    tmp_path, monkeypatch, autojump_clock
):
    path, full = tmp_path / "audit.jsonl", []
    failing(monkeypatch, lambda: bool(full))
    async with open_system(APP, audit=AuditLog(path)) as system:
        await system.ask("cart", b"stock 5")
        full.append(1)
        while not (why := await refused(system)):  # noqa: ASYNC110  # a thread writes
            await trio.sleep(0.1)
        assert "the audit log cannot be written, No space left on device" in why
        assert (
            system.grants("cart").allows("messaging", "send", "local/stock/0") is False
        )
        await trio.sleep(10)
        assert await refused(system)
        full.clear()
        while await refused(system):  # noqa: ASYNC110  # a thread writes
            await trio.sleep(0.1)
    found = records(path)
    assert list(verify_log(path)) == []
    assert sum(r["times"] for r in found if r["event"] == "allowed") >= 6
    assert any("No space left" in r["rule"] for r in found if r["event"] == "denied")


async def test_a_flood_of_denials_keeps_no_log_closed_that_can_be_written(
    tmp_path, monkeypatch, autojump_clock
):
    """Whenever some records are written, there is another one."""
    full, flood, notices = [], [1], []
    append = AuditFile.append

    def append_and_note_more(file, records):
        found = append(file, records)
        if flood:
            trio.from_thread.run_sync(auditor.note_decision, denied)
        return found

    denied = Decision(CART, 0, Access("messaging", "send", "local/a/0"), False, "")
    failing(monkeypatch, lambda: bool(full))
    monkeypatch.setattr(AuditFile, "append", append_and_note_more)
    monkeypatch.setattr(_auditor, "log_notice", notices.append)
    path = tmp_path / "audit.jsonl"
    auditor = _auditor.Auditor(AuditLog(path), lambda: 1, pytest.fail)
    async with trio.open_nursery() as nursery:
        await auditor.open()
        full.append(1)
        nursery.start_soon(auditor.serve)
        while not notices:  # noqa: ASYNC110  # a thread writes
            await trio.sleep(0.1)
        full.clear()
        while len(notices) == 1:  # noqa: ASYNC110  # as above
            await trio.sleep(0.1)
        assert notices[1] == f"the audit log {path} is written again"
        flood.clear()
        await auditor.finish(60)
    auditor.check_end()
    assert list(verify_log(path)) == []


async def test_a_file_that_cannot_grow_is_a_full_disk(tmp_path):
    """The kernel itself refuses to write, in the middle of a line, and allows it later."""
    path = tmp_path / "audit.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = AuditLog(path, window=0, retry=0.02)
    with trio.fail_after(60):
        async with open_system(APP, audit=log) as system:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_001, before[1]))
            try:
                while (why := await system.ask("cart", b"stock 50")) == b"done":  # noqa: ASYNC110  # a thread writes
                    await trio.sleep(0.01)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert b"the audit log cannot be written, File too large" in why
            while await refused(system):  # noqa: ASYNC110  # a thread writes
                await trio.sleep(0.02)
    assert path.stat().st_size > 100_001
    assert list(verify_log(path)) == []
    assert all(r["event"] in {"allowed", "denied"} for r in records(path))


async def test_no_count_is_lost_while_it_cannot_be_written(
    tmp_path, monkeypatch, autojump_clock
):
    path, full = tmp_path / "audit.jsonl", []
    failing(monkeypatch, lambda: bool(full))
    log = AuditLog(path, when_full="drop", queue_records=8, window=0)
    async with open_system(APP, audit=log) as system:
        full.append(1)
        for _ in range(20):
            await system.ask("cart", b"stock 50")
        full.clear()
        await trio.sleep(5)
    found = records(path)
    assert sum(r["times"] for r in found) == 1000
    assert any(r.get("merged") for r in found)
    assert list(verify_log(path)) == []


async def test_the_system_ends_if_that_is_wanted(tmp_path, monkeypatch, autojump_clock):
    path, full = tmp_path / "audit.jsonl", []
    failing(monkeypatch, lambda: bool(full))
    log = AuditLog(path, when_full="end")
    with pytest.raises(AuditFailed, match="No space left"):  # noqa: PT012  # the block ends
        async with open_system(APP, audit=log) as system:
            full.append(1)
            await refused(system)
            await trio.sleep(20)
    assert list(verify_log(path)) == []


async def test_what_is_lost_at_the_end_is_reported(
    tmp_path, monkeypatch, autojump_clock
):
    full = []
    failing(monkeypatch, lambda: bool(full))
    with pytest.raises(AuditFailed, match="records are lost: No space"):  # noqa: PT012  # as above
        async with open_system(APP, audit=AuditLog(tmp_path / "a")) as system:
            await system.ask("cart", b"stock")
            full.append(1)


async def test_one_actor_cannot_close_the_gates_of_others(tmp_path):
    """A component that is denied in a loop takes its share of the queue, and no more."""
    path = tmp_path / "audit.jsonl"

    async def flood(context, _envelope):
        for number in range(5000):
            try:
                context.tell(f"n{number}", b"")
            except NotGranted:
                continue

    app = blueprint(actor("flood", flood, can=[]), *APP.root.children)
    log = AuditLog(path, queue_records=80)
    async with open_system(app, audit=log) as system:
        await system.ask("flood", b"")
        await system.ask("cart", b"stock")
    found = records(path)
    assert sum(r["times"] for r in found if r["event"] == "denied") == 5000
    assert sum(r["times"] for r in found if r["event"] == "allowed") == 1


async def test_two_systems_do_not_write_one_log(tmp_path):
    log = AuditLog(tmp_path / "a")
    async with open_system(APP, audit=log):
        with pytest.raises(AuditFailed, match="written by another system"):
            async with open_system(APP, audit=log):
                pass
    assert list(verify_log(log.path)) == []


async def start(path):
    async with open_system(APP, audit=AuditLog(path)) as system:
        await system.ask("cart", b"stock")


class Crashed(BaseException):
    """The process ends here, whatever it was about to do."""


def crashing(monkeypatch, at):
    """End the process before its call number `at` that changes a file."""
    left = [at]

    def counted(call):
        def checked(*arguments, **options):
            left[0] -= 1
            if left[0] == 0:
                raise Crashed
            return call(*arguments, **options)

        return checked

    for name in ("write", "pwrite", "open", "rename", "fsync"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    return left


def noted(number):
    access = Access("messaging", "send", f"local/n{number}/0")
    actor = ComponentId("local", "cart")
    return Noted(number, Decision(actor, 1, access, allowed=True, rule="x" * 400))


def test_no_crash_at_any_step_of_a_rotation_damages_the_log(tmp_path):
    """CWE-460: it is continued, nothing is lost that was confirmed, nothing is double."""
    at, is_over = 0, False
    while not is_over:
        at += 1
        path = tmp_path / str(at) / "a"
        path.parent.mkdir()
        log = AuditLog(path, file_bytes=4096)
        file, confirmed = AuditFile(log), 0
        with pytest.MonkeyPatch.context() as patch:
            left = crashing(patch, at)
            try:
                for number in range(20):
                    done, problem = file.append([noted(number)])
                    assert (done, problem) == (1, None)
                    confirmed += 1
            except Crashed:
                pass
            is_over = left[0] > 0
        for descriptor in (file._descriptor, file._heads):
            with suppress(OSError):
                os.close(descriptor)
        again = AuditFile(log)
        assert again.append([noted(99)]) == (1, None)
        assert again.close() is None
        assert list(verify_log(path)) == []
        kept = [r["resource"] for r in records(path)]
        assert kept[:confirmed] == [f"local/n{n}/0" for n in range(confirmed)]
        assert len(set(kept)) == len(kept) <= confirmed + 2
    assert at > 40


def test_a_rotation_that_fails_writes_no_record_twice(tmp_path, monkeypatch):
    """A04, CWE-460: the record that fills a file is there, so it is not given again."""
    path = tmp_path / "a"
    file, rename, failures = AuditFile(AuditLog(path, file_bytes=4096)), os.rename, []

    def failing_sometimes(*arguments, **options):
        failures.append(1)
        if len(failures) % 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return rename(*arguments, **options)

    monkeypatch.setattr(os, "rename", failing_sometimes)
    problems, number = 0, 0
    while number < 40:
        done, problem = file.append(noted(n) for n in range(number, 40))
        number += done
        problems += problem is not None
    assert problems > 3
    assert file.close() is None
    assert list(verify_log(path)) == []
    assert [r["resource"] for r in records(path)] == [
        f"local/n{n}/0" for n in range(40)
    ]


def cut_line(lines):
    return [*lines[:-1], lines[-1][:20]]


def change_line(lines):
    return [*lines[:-1], lines[-1].replace(b"ended", b"began")]


DAMAGE = {
    "torn": (cut_line, "cut off, or damaged"),
    "changed": (change_line, "its hash is another one"),
    "dropped": (lambda lines: lines[:-1], "does not end with record"),
    "emptied": (lambda _: [], "all 3 records are missing"),
}


@pytest.mark.parametrize("name", DAMAGE)
async def test_a_damaged_log_is_reported_and_left_as_it_is(tmp_path, name):
    damage, problem = DAMAGE[name]
    path = tmp_path / "a"
    await start(path)
    path.write_bytes(b"".join(damage(path.read_bytes().splitlines(keepends=True))))
    before = path.read_bytes()
    with pytest.raises(AuditFailed, match=problem) as caught:
        await start(path)
    assert "airssys audit verify" in str(caught.value)
    assert path.read_bytes() == before
    assert list(verify_log(path))


async def test_a_log_without_its_head_is_not_continued(tmp_path):
    path = tmp_path / "a"
    await start(path)
    os.unlink(f"{path}.head")  # noqa: PTH108  # in a test of Trio
    with pytest.raises(AuditFailed, match="not the end of a log"):
        await start(path)


async def test_a_log_that_cannot_be_opened(tmp_path):
    with pytest.raises(AuditFailed, match="cannot be opened: No such file"):
        await start(tmp_path / "missing" / "a")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with pytest.raises(AuditFailed, match="cannot be opened"):
        await start(tmp_path / "link")


@pytest.mark.parametrize(
    "options",
    [
        {"window": -1},
        {"window": "1"},
        {"when_full": "panic"},
        {"sync": "sometimes"},
        {"file_bytes": 1},
        {"queue_records": 2.5},
        {"retry": 0},
    ],
)
def test_options_that_are_not_valid(options):
    with pytest.raises((TypeError, ValueError), match="of an audit log"):
        AuditLog("a", **options)
