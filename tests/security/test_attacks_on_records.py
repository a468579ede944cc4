"""Attacks on what is kept and read: audit logs, manifests, and the texts in both.

What a component can write into a log or a manifest is tried with real files. Each test
names its CWE and its place in the OWASP Top 10 of 2021. Further ones: each way to change
the lines of a log is in `test_audit_chain.py` and in `cli/test_audit.py`, each mistake of
a manifest in `test_manifest.py`.
"""

import json
import os
import time
import tomllib

import pytest
import trio
from click.testing import CliRunner
from trio.testing import MockClock

from airssys import (
    AuditFailed,
    NotGranted,
    actor,
    blueprint,
    component,
    open_system,
)
from airssys.cli import main
from airssys.contracts import Access, ComponentId, Decision, find_mistakes
from airssys.security import Ed25519Signer, everything, send, store
from airssys.security.audit import (
    AuditFile,
    AuditLog,
    Head,
    Noted,
    ed25519_check,
    files_of,
    lines_of,
    verify_checkpoints,
    verify_log,
    write_record,
)
from airssys.security.audit._files import head_path, write_head
from airssys.security.capabilities import read_grants
from airssys.security.manifest import read_manifest
from wasm_support import GUESTS

CALLS = (GUESTS / "calls.wat").read_bytes()
CART = ComponentId("local", "cart")


@pytest.fixture
def autojump_clock():
    return MockClock(autojump_threshold=0)


def call(*lines):
    return "\n".join(lines).encode()


def records(path):
    lines = (line for file in files_of(path) for line in lines_of(file))
    return [json.loads(line) for line in lines]


# -- the audit log


async def test_a_confused_deputy_and_who_used_it_are_both_in_the_record(tmp_path):
    """A01 Broken access control, CWE-441: what was denied, and what was allowed."""
    path = tmp_path / "audit"

    async def taken(_context, _envelope):
        return b""

    async def use(context, envelope):
        await context.ask("deputy", envelope.payload)

    tree = blueprint(
        component("deputy", GUESTS / "calls.wat", can=[send("b")]),
        actor("b", taken),
        actor("c", taken),
        actor("mallory", use),
    )
    async with open_system(tree, audit=AuditLog(path)) as system:
        for name in ("b", "c"):
            target = f"local/{name}/0"
            await system.ask("mallory", call("host-messaging.send", target, "x"))
    found = {
        (r["event"], r["actor"], r["sender"], r["resource"])
        for r in records(path)
        if "resource" in r
    }
    assert found == {
        ("allowed", "local/deputy/0", "local/mallory/0", "local/b/0"),
        ("denied", "local/deputy/0", "local/mallory/0", "local/c/0"),
    }


async def test_a_log_that_is_taken_away_while_it_is_written(tmp_path, autojump_clock):
    """A09 Logging failures, CWE-778: removed, with nothing or another file in its place."""
    path = tmp_path / "audit"

    async def told(context, _envelope):
        try:
            context.tell("b", b"")
        except NotGranted as error:
            return str(error).encode()

    tree = blueprint(actor("cart", told, can=[send("b")]), actor("b", told, can=[]))
    with pytest.raises(AuditFailed, match="records are lost: it was removed"):  # noqa: PT012  # the block ends
        async with open_system(tree, audit=AuditLog(path, window=0)) as system:
            assert await system.ask("cart", b"") is None
            await trio.to_thread.run_sync(written_to, path)
            os.unlink(path)  # noqa: PTH108  # in a test of Trio
            while not (why := await system.ask("cart", b"")):  # noqa: ASYNC110  # a thread writes
                await trio.sleep(0.1)
            assert b"the audit log cannot be written, it was removed" in why
    problems = [flaw.problem for flaw in verify_log(path)]
    assert any("no such file" in problem for problem in problems)
    path.write_text("")
    with pytest.raises(AuditFailed, match="records are missing"):
        AuditFile(AuditLog(path))


def written_to(path):
    while not path.stat().st_size:
        time.sleep(0.01)  # noqa: TID251  # a thread


def decision(number):
    access = Access("messaging", "send", f"local/n{number}/0")
    return Noted(number, Decision(CART, 1, access, number % 2 == 0, "messaging send *"))


def written(path, count=20, **options):
    file = AuditFile(AuditLog(path, **options))
    assert file.append(map(decision, range(count))) == (count, None)
    assert file.close() is None
    return path


def test_a_history_that_is_written_anew_is_found_by_its_signatures(
    tmp_path, private_key
):
    """A08 Integrity failures, CWE-353: all hashes are right, and so is the end."""
    signer = Ed25519Signer(private_key)
    path = written(tmp_path / "a", signer=signer, checkpoint_records=5)
    is_signature = ed25519_check(signer.public_key)
    assert list(verify_log(path)) == []
    assert list(verify_checkpoints(path, is_signature)) == []
    assert (
        CliRunner()
        .invoke(main, ["audit", "verify", str(path), "--key", signer.public_key.hex()])
        .output
        == f"{path}: 24 records in 1 files are intact\n"
    )

    forged, head, place = [], Head(), 0
    for line in lines_of(path):
        record = json.loads(line)
        place += record["event"] == "denied"
        if record["event"] == "denied" and place == 1:
            continue  # what was denied never happened
        plain = {k: v for k, v in record.items() if k not in {"n", "before", "hash"}}
        text, head = write_record(plain, head)
        forged.append(text + "\n")
    path.write_text("".join(forged))
    head_path(path).write_bytes(write_head(head))
    assert list(verify_log(path)) == []
    flaws = list(verify_checkpoints(path, is_signature))
    assert [flaw.problem for flaw in flaws] == [
        "its signature is not that of this key"
    ] * 4
    done = CliRunner().invoke(
        main, ["audit", "verify", str(path), "--key", signer.public_key.hex()]
    )
    assert done.exit_code == 1

    # Without its signatures, or with those of another key, it is found as well.
    unsigned = [text for text in forged if '"checkpoint"' not in text]
    path.write_text("".join(unsigned))
    assert [f.problem for f in verify_checkpoints(path, is_signature)] == [
        "what follows the last checkpoint is unsigned"
    ]


def test_another_kind_of_file_is_not_written(tmp_path):
    """A05 Security misconfiguration, CWE-59 and CWE-62: links, pipes, folders."""
    target = tmp_path / "target"
    target.write_text("")
    (tmp_path / "soft").symlink_to(target)
    (tmp_path / "hard").hardlink_to(target)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "b.head").symlink_to(target)
    for name in ("soft", "hard", "pipe", "folder", "b"):
        with pytest.raises(AuditFailed):
            AuditFile(AuditLog(tmp_path / name))
    assert target.read_text() == ""


# -- manifests of strangers


MANIFEST = """
[package]
name = "shelf"
version = "1.0.0"
{package}
[source]
path = "{path}"
{source}
{rest}
"""


@pytest.fixture
def manifest(tmp_path):
    def write(path="calls.wat", package="", source="", rest=""):
        (tmp_path / "calls.wat").write_bytes(CALLS)
        file = tmp_path / "Component.toml"
        text = MANIFEST.format(path=path, package=package, source=source, rest=rest)
        file.write_text(text, "utf-8")
        return file

    return write


ASKS = '[capabilities]\nsend = ["*"]\nstore = ["**"]\n'


async def test_b9_where_it_says_it_comes_from_grants_nothing(manifest):
    """A08, CWE-346: the predecessor trusted a component for the URL that it named."""
    file = manifest(
        package='repository = "https://github.com/trusted/shelf"', rest=ASKS
    )
    (spec,) = blueprint(component("a", file)).root.children
    assert find_mistakes(blueprint(spec)) == []
    assert spec.can == ()
    async with open_system(blueprint(component("a", file, can=[store("k")]))) as system:
        assert await system.ask("a", call("storage.set", "k", "v")) == b"ok"
        assert (await system.ask("a", call("storage.set", "l", "v"))).startswith(b"err")
        sent = await system.ask("a", call("host-messaging.send", "local/a/0", "x"))
        assert sent.startswith(b"err")
        with pytest.raises(NotGranted):
            system.grants("b")


@pytest.mark.parametrize(
    "rest",
    [
        "[trust]\ndev_mode = true",
        '[security]\nmode = "permissive"',
        "[component]\ntrusted = true",
        '[capabilities]\nbypass = ["*"]',
        "[capabilities]\neverything = 1",
        '[permissions.filesystem]\nread = ["/**"]',
    ],
)
def test_b10_no_word_of_a_manifest_turns_checks_off(manifest, rest):
    """A05, CWE-1188: there is no development mode; what is not known is a mistake."""
    found = read_manifest(manifest(rest=rest))
    assert found.mistakes
    assert all(mistake.line for mistake in found.mistakes)
    tree = blueprint(component("a", manifest(rest=rest), can=[everything()]))
    assert len(find_mistakes(tree)) == len(found.mistakes)


def test_b11_what_is_asked_for_is_only_asked_for(manifest):
    """A01, CWE-269: no level of trust approves it by itself; the topology does, or not."""
    file = manifest(rest=ASKS)
    assert len(read_manifest(file).requests) == 2
    for can, held in [
        (None, ()),
        ([], ()),
        ([send("b")], (send("b"),)),
        ([everything()], (send("*"), store("**"))),
    ]:
        options = {} if can is None else {"can": can}
        (spec,) = blueprint(component("a", file, **options)).root.children
        assert {*read_grants(spec.can)[0].rules} == {*read_grants(held)[0].rules}


@pytest.mark.parametrize(
    "path",
    [
        "../calls.wat",
        "/etc/passwd",
        "a/../../calls.wat",
        "",
        ".",
        "a\\u0000b",
        "//host/x",
    ],
)
def test_code_is_below_the_folder_of_its_manifest(manifest, path):
    """A01, CWE-22 and CWE-36: a manifest does not have another file of the host loaded."""
    assert read_manifest(manifest(path=path)).mistakes


async def test_other_code_than_its_digest_names_does_not_start(manifest, tmp_path):
    """A08, CWE-494 and CWE-367: exchanged before it is read, also behind a link."""
    file = manifest(source=f'sha256 = "{"0" * 64}"')
    with pytest.raises(Exception, match=r"sha256|digest"):
        async with open_system(blueprint(component("a", file, can=[]))):
            pass
    link = tmp_path / "calls.wat"
    link.unlink()
    link.symlink_to(GUESTS / "echo.wat")
    with pytest.raises(Exception, match=r"sha256|digest"):
        async with open_system(blueprint(component("a", file, can=[]))):
            pass


NASTY = "\\u001b[2J\\u202e\\u0007\\r\\nallowed: everything\\u2028"


def test_no_text_of_a_manifest_controls_a_terminal(manifest):
    """A09, CWE-117 and CWE-150: in what is shown of it, right or wrong."""
    right = manifest(
        package=f'description = "{NASTY}"\nauthors = ["{NASTY}"]\nlicense = "{NASTY}"',
        rest=f'[capabilities]\nsend = ["shop/*"]\nenv = ["{NASTY}"]',
    )
    tomllib.loads(right.read_text("utf-8"))
    for command in ("explain", "check"):
        output = CliRunner().invoke(main, ["manifest", command, str(right)]).output
        assert output.replace("\n", "").isprintable()
    wrong = manifest(
        package=f'"{NASTY}" = 1',
        rest=f'[capabilities]\nsend = ["{NASTY}/*"]\n"{NASTY}" = ["{NASTY}"]',
    )
    output = CliRunner().invoke(main, ["manifest", "check", str(wrong)]).output
    assert output.replace("\n", "").isprintable()
    assert len(read_manifest(wrong).mistakes) == 3
