"""`airssys audit`: finds each way in which a log was changed, and shows what it says."""

import json
import subprocess
import sys

import pytest
import trio
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings, strategies as st

from airssys import ComponentId
from airssys.cli import main
from airssys.cli.commands._audit import _follow
from airssys.contracts import Access, Decision
from airssys.security.audit import (
    AuditFile,
    AuditLog,
    Noted,
    files_of,
    verify_log,
)

CART = ComponentId("local", "cart")


def decision(number, resource=None):
    access = Access("messaging", "send", resource or f"local/n{number}/0")
    allowed = number % 3 != 0
    return Noted(number * 10**9, Decision(CART, 1, access, allowed, "messaging send *"))


def write(path, count=60, resource=None, **options):
    """Write a log in several files."""
    file = AuditFile(AuditLog(path, file_bytes=4096, **options))
    done, problem = file.append(decision(n, resource) for n in range(count))
    assert (done, problem) == (count, None)
    assert file.close() is None
    return [file for file in files_of(path) if file.stat().st_size]


def airssys(*arguments):
    return CliRunner().invoke(main, ["audit", *map(str, arguments)])


def test_an_intact_log(tmp_path):
    files = write(tmp_path / "a")
    assert len(files) > 3
    found = airssys("verify", tmp_path / "a")
    assert found.exit_code == 0
    assert "60 records in" in found.output


def change(lines, place):
    return [*lines[:place], lines[place].replace(b"cart", b"till"), *lines[place + 1 :]]


def drop(lines, place):
    return [*lines[:place], *lines[place + 1 :]]


def move(lines, place):
    other = (place + 1) % len(lines)
    found = list(lines)
    found[place], found[other] = found[other], found[place]
    return found


def insert(lines, place):
    return [*lines[:place], lines[place], *lines[place:]]


def insert_text(lines, place):
    return [*lines[:place], b"\x1b[2J\xe2\x80\xae\r\n", *lines[place:]]


def truncate(lines, place):
    return [*lines[:place], lines[place][:30]]


def empty(_lines, _place):
    return []


WAYS = [change, drop, move, insert, insert_text, truncate, empty]


@settings(
    max_examples=max(40, settings.default.max_examples),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(st.sampled_from(WAYS), st.integers(0, 10**6), st.integers(0, 10**6))
def test_every_way_to_change_a_file_is_found_there(tmp_path_factory, way, at, place):
    path = tmp_path_factory.mktemp("log") / "a"
    files = write(path)
    file = files[at % len(files)]
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(way(lines, place % len(lines))))
    flaws = list(verify_log(path))
    assert flaws
    every = files_of(path)
    near = every[every.index(file) :][:2]
    assert flaws[0].file in near  # or the first line of the next one does not follow
    found = airssys("verify", path)
    assert found.exit_code == 1
    assert str(flaws[0])[-30:] in found.output
    assert found.output.replace("\n", "").isprintable()


def test_files_that_are_gone_or_swapped(tmp_path):
    path = tmp_path / "a"
    files = write(path)
    one, two = files[0].read_bytes(), files[1].read_bytes()
    files[0].write_bytes(two)
    files[1].write_bytes(one)
    assert list(verify_log(path))
    files[0].write_bytes(one)
    files[1].write_bytes(two)
    assert list(verify_log(path)) == []
    for file in files[1], files[-1]:
        kept = file.read_bytes()
        file.unlink()
        assert list(verify_log(path))
        file.write_bytes(kept)
    files[0].unlink()
    assert list(verify_log(path))
    assert list(verify_log(path, begins_later=True)) == []


def test_a_log_that_is_not_there(tmp_path):
    found = airssys("verify", tmp_path / "a")
    assert found.exit_code == 1
    assert "there is no such file" in found.output
    assert airssys("query", tmp_path / "a").exit_code == 1
    assert airssys("tail", tmp_path / "missing" / "a").exit_code == 1


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ([], 60),
        (["--denied"], 20),
        (["--actor", "local/cart/*"], 60),
        (["--actor", "local/till/*"], 0),
        (["--resource", "local/n1*/0"], 11),
        (["--verb", "ask"], 0),
        (["--since", "1970-01-01T00:00:50"], 10),
        (["--since", "1970-01-01 00:00:50Z"], 10),
        (["--since", "1970-01"], 60),
        (["--since", "1970-01-02"], 0),
        (["--denied", "--since", "1970-01-01T00:00:50"], 3),
    ],
)
def test_what_is_asked_for_is_shown(tmp_path, options, count):
    write(tmp_path / "a")
    found = airssys("query", tmp_path / "a", *options)
    assert found.exit_code == 0
    assert len(found.output.splitlines()) == count


def test_a_line_for_people_and_one_for_programs(tmp_path):
    write(tmp_path / "a", 2)
    found = airssys("query", tmp_path / "a", "--denied")
    assert found.output == (
        "1970-01-01T00:00:00.000000000Z denied local/cart/0 #1: messaging send "
        "local/n0/0 (messaging send *)\n"
    )
    found = airssys("query", tmp_path / "a", "--denied", "--json")
    assert json.loads(found.output)["event"] == "denied"


NASTY = "a\x1b[31m\n{}\r\u202e\x00\ud800😀"


def test_no_text_of_a_guest_reaches_a_terminal_or_makes_a_line(tmp_path):
    """OWASP A09, CWE-117 and CWE-150: log injection, and escape sequences."""
    path = tmp_path / "a"
    write(path, 3, NASTY * 50)
    raw = path.read_bytes() if path.exists() else files_of(path)[0].read_bytes()
    assert raw.isascii()
    assert raw.count(b"\n") <= 3
    assert list(verify_log(path)) == []
    for arguments in (["query"], ["query", "--json"], ["tail"], ["report"]):
        output = airssys(arguments[0], path, *arguments[1:]).output
        assert output.replace("\n", "").isprintable()
    assert len(airssys("tail", path).output.splitlines()) <= 3


def test_the_last_records(tmp_path):
    write(tmp_path / "a", 5)
    assert len(airssys("tail", tmp_path / "a", "-n", 2).output.splitlines()) == 2


async def test_what_is_written_is_followed_into_the_next_file(
    tmp_path, capsys, autojump_clock
):
    path = tmp_path / "a"
    file = AuditFile(AuditLog(path, file_bytes=4096))
    file.append([decision(0)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_follow, path, 1)
        shown = []
        for number in range(1, 40):
            file.append([decision(number)])
            await trio.sleep(1)
            shown += capsys.readouterr().out.splitlines()
        assert len(files_of(path)) > 2
        with path.open("a") as torn:  # is not shown before it has an end
            torn.write('{"event":"')
        await trio.sleep(1)
        assert capsys.readouterr().out == ""
        nursery.cancel_scope.cancel()
    file.close()
    names = [line.split(" (")[0].rpartition(" ")[2] for line in shown]
    assert names == [f"local/n{number}/0" for number in range(1, 40)]


def test_what_was_used_and_what_would_have_sufficed(tmp_path):
    write(tmp_path / "a", 6)
    found = airssys("report", tmp_path / "a").output
    assert "used messaging send *: 4 times" in found
    assert 'sufficed: can=[send("local/n1/0"), send("local/n2/0")' in found


TOPOLOGY = """\
from airssys import actor, blueprint
from airssys.security import ask, everything, send

async def act(context, envelope): ...

app = blueprint(
    actor("cart", act, can=[send("*"), ask("stock")]),
    actor("idle", act, can=[send("stock")]),
    actor("free", act),
    actor("trusted", act, can=everything()),
)
"""


def test_what_was_granted_and_never_used(tmp_path):
    write(tmp_path / "a", 6)
    (tmp_path / "shop.py").write_text(TOPOLOGY, "utf-8")
    found = airssys(
        "report", tmp_path / "a", "--of", f"{tmp_path / 'shop.py'}:app"
    ).output
    lines = [line.strip() for line in found.splitlines() if "sufficed" not in line]
    assert lines == [
        "local/cart/0",
        "used messaging send *: 4 times",
        "never used messaging ask stock",
        "local/idle/0",
        "never used messaging send stock",
        "local/trusted/0",
        "never used everything",
    ]
    assert found.count("sufficed") == 3


POOL = """\
from airssys import actor, blueprint, pool
from airssys.security import http, send

async def act(context, envelope): ...

app = blueprint(
    pool("cart", actor(act), size=2, can=[send("*"), http("http://a", methods="GET")])
)
"""


def test_members_of_a_pool_are_reported_together(tmp_path):
    file, allowed = AuditFile(AuditLog(tmp_path / "a")), True
    for member in range(3):
        sent = Access("messaging", "send", f"local/n{member % 2}/0")
        asked = Access("http", "request", "http://a:80/x", (("methods", "GET"),))
        for access, rule in (
            (sent, "messaging send *"),
            (asked, "http request http://a methods=GET"),
        ):
            name = ComponentId("local", "cart", str(member))
            file.append([Noted(member, Decision(name, 1, access, allowed, rule))])
    file.close()
    (tmp_path / "shop.py").write_text(POOL, "utf-8")
    target = f"{tmp_path / 'shop.py'}:app"
    found = airssys("report", tmp_path / "a", "--of", target)
    words = ['http("http://a:80/x", methods="GET")']
    words += [f'send("local/n{number}/0")' for number in (0, 1)]
    assert [line.strip() for line in found.stdout.splitlines()] == [
        "local/cart/*",
        "used messaging send *: 3 times",
        "used http request http://a methods=GET: 3 times",
        f"sufficed: can=[{', '.join(words)}]",
    ]
    alone = airssys("report", tmp_path / "a").stdout
    assert [line for line in alone.splitlines() if line.startswith("local")] == [
        f"local/cart/{member}" for member in range(3)
    ]


def test_damaged_lines_are_counted_and_the_rest_is_read(tmp_path):
    path = tmp_path / "a"
    write(path, 5)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"garbage\n", *lines[2:]]))
    found = airssys("query", path)
    assert len(found.stdout.splitlines()) == 4
    assert found.stderr == "1 line cannot be read; see airssys audit verify\n"


@pytest.mark.parametrize("command", ["query", "report", "tail"])
def test_a_file_that_is_not_there_is_an_error(tmp_path, command):
    found = airssys(command, tmp_path / "nowhere")
    assert found.exit_code == 1
    assert "nowhere: No such file" in found.stderr


def test_a_report_counts_what_cannot_be_read_too(tmp_path):
    path = tmp_path / "a"
    write(path, 5)
    path.write_bytes(b"garbage\n[]\n" + path.read_bytes())
    found = airssys("report", path)
    assert "sufficed" in found.stdout
    assert found.stderr == "2 lines cannot be read; see airssys audit verify\n"


@pytest.mark.parametrize(
    "time",
    ["yesterday", "", "10:30", "2026-12-01T", "2026-12-1", "2026", "\u0662026-12-01"],
)
def test_what_is_not_a_time_is_not_compared(tmp_path, time):
    write(tmp_path / "a", 5)
    found = airssys("query", tmp_path / "a", "--since", time)
    assert found.exit_code == 2
    assert "write 2026-12-01" in found.stderr


@pytest.mark.parametrize("key", ["", "zz", "ab", "0x" + "a" * 62, "a" * 63, "a" * 66])
def test_what_is_not_a_key_checks_nothing(tmp_path, key):
    write(tmp_path / "a", 5)
    found = airssys("verify", tmp_path / "a", "--key", key)
    assert found.exit_code == 2
    assert "64 hexadecimal digits" in found.stderr


class HandSigner:
    """Signs with a key that anyone could know, for tests."""

    public_key = b"k" * 32

    def sign(self, data):
        return b"signed " + data


def test_checkpoints_are_signed_and_checked(tmp_path):
    from airssys.security.audit import verify_checkpoints

    path = tmp_path / "a"
    write(path, 60, signer=HandSigner(), checkpoint_records=7)

    def check(signature, data):
        return signature == b"signed " + data

    assert list(verify_log(path)) == []
    assert list(verify_checkpoints(path, check)) == []
    assert list(verify_checkpoints(path, lambda *_: False))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    assert [f.problem for f in verify_checkpoints(path, check)] == [
        "what follows the last checkpoint is unsigned"
    ]


@pytest.mark.parametrize("command", ["query", "tail", "report", "verify"])
@pytest.mark.parametrize("most", [0, 1])
def test_a_reader_that_goes_is_not_reported(tmp_path, command, most):
    path = tmp_path / "a"
    file = AuditFile(AuditLog(path))
    assert file.append(decision(n, "x" * 300) for n in range(600)) == (600, None)
    assert file.close() is None
    options = ["-n", "600"] if command == "tail" else []
    with subprocess.Popen(
        [sys.executable, "-m", "airssys", "audit", command, *options, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for _ in range(most):
            assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode in {0, 1}
