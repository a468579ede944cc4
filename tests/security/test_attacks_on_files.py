"""Attacks on files by links, in real folders: CWE-22, 59, 61, 62, 363, 367; OWASP A01.

The functions of WASI are called in the way of a guest. The other side of each race is
a thread that exchanges what a path leads through. What is checked in the end is the real
folder outside: nothing in it was read, changed, made or deleted.
"""

import os
import threading
from contextlib import contextmanager

import pytest
import trio

from airssys.contracts import AccessDenied
from airssys.security import delete_files, list_files, read_files, write_files
from airssys.testing import FakeServices
from airssys.wasm import Err
from airssys.wasm.host.wasi.files import has_openat2
from wasm_support import WasiCalls

pytestmark = pytest.mark.skipif(not has_openat2(), reason="no openat2: no files")

ACCESS, NO = Err("access"), frozenset()
LEFT = {Err("not-permitted"), Err("loop"), Err("access"), Err("no-entry")}
"""What a call answers that a link would have led out."""
ROUNDS = 60


@pytest.fixture
async def start():
    """Make calls for an actor with some grants; what it starts ends with the test."""
    async with trio.open_nursery() as nursery:

        async def make(*can):
            wasi = WasiCalls(FakeServices(can=can), nursery)
            return wasi, (await wasi.folders())["/data"]

        yield make
        nursery.cancel_scope.cancel()


@pytest.fixture
def box(tmp_path):
    """A folder that is granted, beside one that is not."""
    for name, text in (("box/in", "inside"), ("outside", "secret")):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "a").write_text(text)
    yield tmp_path / "box"
    outside = tmp_path / "outside"
    assert [each.name for each in outside.iterdir()] == ["a"]
    assert (outside / "a").read_text() == "secret"


def full(box):
    at = str(box)
    words = (read_files, write_files, delete_files)
    return [word("/data/**", at=at) for word in words]


def denied(wasi):
    events = (e for e in wasi.services.denied if isinstance(e, AccessDenied))
    return [(e.access.verb, e.access.resource) for e in events]


async def text_of(wasi, file):
    found = (await wasi.file("read", file, 100, 0))[0]
    wasi.drop(file)
    return found


WAYS_OUT = {
    "absolute": "/",
    "parent": "../outside",
    "far parent": "../" * 50 + "etc",
    "around": "in/../../outside",
    "proc": "/proc/self/root",
    "own folder": "/proc/self/cwd",
}


@pytest.mark.parametrize("way", WAYS_OUT.values(), ids=WAYS_OUT)
@pytest.mark.parametrize("chain", [1, 2, 5])
async def test_no_link_leads_out_by_any_call(start, box, way, chain):
    """A01, CWE-61."""
    (box / "l0").symlink_to(way)
    for number in range(1, chain):
        (box / f"l{number}").symlink_to(f"l{number - 1}")
    link = f"l{chain - 1}"
    wasi, root = await start(*full(box))
    for follow in (True, False):
        flags = frozenset({"symlink-follow"} if follow else ())
        assert await wasi.open(root, f"{link}/a", follow=follow) in LEFT
        made = await wasi.open(root, f"{link}/new", "write", ("create",), follow)
        assert made in LEFT
        assert await wasi.file("stat-at", root, flags, f"{link}/a") in LEFT
    assert await wasi.file("create-directory-at", root, f"{link}/new") in LEFT
    assert await wasi.file("unlink-file-at", root, f"{link}/a") in LEFT
    assert await wasi.file("remove-directory-at", root, f"{link}/a") in LEFT
    assert await wasi.file("rename-at", root, f"{link}/a", root, "mine") in LEFT
    assert await wasi.file("rename-at", root, "in/a", root, f"{link}/b") in LEFT
    assert await wasi.file("link-at", root, NO, f"{link}/a", root, "mine") in LEFT
    assert await wasi.file("link-at", root, NO, "in/a", root, f"{link}/b") in LEFT
    assert await wasi.file("readlink-at", root, f"{link}/a") in LEFT
    assert await wasi.file("symlink-at", root, "x", f"{link}/new") in LEFT
    assert (box / "in/a").read_text() == "inside"
    assert not (box / "mine").exists()


async def test_a_dangling_link_makes_no_file_outside(start, box):
    """A01, CWE-59."""
    (box / "new").symlink_to("../outside/new")
    wasi, root = await start(*full(box))
    for make in (("create",), ("create", "exclusive"), ("create", "truncate")):
        found = await wasi.open(root, "new", "write", make)
        assert found in {*LEFT, Err("exist")}


async def test_a_link_is_deleted_and_renamed_itself_not_what_it_leads_to(start, box):
    """A01, CWE-61."""
    (box / "way").symlink_to("../outside/a")
    wasi, root = await start(*full(box))
    assert await wasi.file("rename-at", root, "way", root, "moved") is None
    assert await wasi.open(root, "moved") in LEFT
    assert await wasi.file("unlink-file-at", root, "moved") is None
    assert not (box / "moved").is_symlink()


async def test_links_inside_are_decided_by_where_they_lead(start, box):
    """A01, CWE-59."""
    (box / "secret").mkdir()
    (box / "secret/a").write_text("hidden")
    (box / "in/way").symlink_to("../secret")
    (box / "in/one").symlink_to("../secret/a")
    (box / "in/back").symlink_to("a")
    at = str(box)
    wasi, root = await start(
        read_files("/data/in/**", at=at), list_files("/data/**", at=at)
    )
    assert await wasi.open(root, "in/way/a") == ACCESS
    assert await wasi.open(root, "in/one") == ACCESS
    assert set(denied(wasi)) == {("read", "/data/secret/a")}
    assert await text_of(wasi, await wasi.open(root, "in/back")) == b"inside"


async def test_a_loop_of_links_is_an_answer(start, box):
    """A01, CWE-674."""
    (box / "x").symlink_to("y")
    (box / "y").symlink_to("x")
    wasi, root = await start(*full(box))
    assert await wasi.open(root, "x") == Err("loop")
    assert await wasi.open(root, "x/a") == Err("loop")


# ---------------------------------------------------------------- hard links


@pytest.mark.parametrize("source", ["read", "write", "delete", "list"])
async def test_a_hard_link_gives_no_access_that_its_file_did_not_have(
    start, box, source
):
    """A01, CWE-62: a second name for a file that may only be read must not make it writable."""
    word = {
        "read": read_files,
        "write": write_files,
        "delete": delete_files,
        "list": list_files,
    }
    at = str(box)
    (box / "free").mkdir()
    wasi, root = await start(
        list_files("/data/**", at=at),
        word[source]("/data/in/**", at=at),
        *(each("/data/free/**", at=at) for each in word.values()),
    )
    assert await wasi.file("link-at", root, NO, "in/a", root, "free/b") == ACCESS
    assert await wasi.file("rename-at", root, "in/a", root, "free/b") == ACCESS
    assert list((box / "free").iterdir()) == []
    assert (box / "in/a").stat().st_nlink == 1


async def test_a_hard_link_to_a_link_does_not_lead_out(start, box):
    """A01, CWE-62."""
    (box / "way").symlink_to("../outside/a")
    wasi, root = await start(*full(box))
    follow = frozenset({"symlink-follow"})
    for flags in (NO, follow):
        answer = await wasi.file("link-at", root, flags, "way", root, "mine")
        if answer is None:  # a second name of the link itself
            assert await wasi.open(root, "mine") in LEFT
            assert (box / "mine").is_symlink()
            assert await wasi.file("unlink-file-at", root, "mine") is None
    assert (box.parent / "outside/a").stat().st_nlink == 1


async def test_a_hard_link_that_the_host_made_is_a_name_like_any_other(start, box):
    """A01, CWE-62: the host gave the file this name below the folder; deleting takes the name alone."""
    os.link(box.parent / "outside/a", box / "shared")
    wasi, root = await start(read_files("/data/**", at=str(box)))
    assert await text_of(wasi, await wasi.open(root, "shared")) == b"secret"
    assert await wasi.open(root, "shared", "write") == ACCESS
    assert await wasi.file("unlink-file-at", root, "shared") == ACCESS


# ---------------------------------------------------------------- races


@contextmanager
def exchanging(box, *targets):
    """Have `way` lead to each of these in turn, at once, as fast as it goes."""
    stop, turns = threading.Event(), 0

    def exchange():
        nonlocal turns
        while not stop.is_set():
            turns += 1
            following = box.parent / "next"
            following.symlink_to(targets[turns % len(targets)])
            following.rename(box / "way")

    (box / "way").symlink_to(targets[0])
    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert turns > 1, "nothing was exchanged"


ATTEMPTS = {
    "create": lambda w, r, n: w.open(r, f"way/new{n}", "write", ("create",)),
    "truncate": lambda w, r, _: w.open(r, "way/a", "write", ("truncate",)),
    "make": lambda w, r, n: w.file("create-directory-at", r, f"way/d{n}"),
    "unlink": lambda w, r, _: w.file("unlink-file-at", r, "way/a"),
    "rename": lambda w, r, n: w.file("rename-at", r, "way/a", r, f"mine{n}"),
    "rename to": lambda w, r, n: w.file("rename-at", r, "in/b", r, f"way/b{n}"),
    "link": lambda w, r, n: w.file("link-at", r, NO, "way/a", r, f"mine{n}"),
    "symlink": lambda w, r, n: w.file("symlink-at", r, "a", f"way/s{n}"),
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
async def test_no_call_reaches_out_while_a_link_is_exchanged(start, box, attempt):
    """A01, CWE-363, CWE-367."""
    wasi, root = await start(*full(box))
    with exchanging(box, "in", box.parent / "outside"):
        for number in range(ROUNDS):
            (box / "in/a").write_text("inside")
            (box / "in/b").write_text("inside")
            await trio.sleep(0.0001)  # the other thread has a turn
            answer = await attempt(wasi, root, number)
            if answer is not None and not isinstance(answer, Err):
                wasi.drop(answer)
    for each in box.glob("mine*"):
        assert each.read_text() == "inside"


async def test_a_link_that_is_exchanged_leads_to_no_file_that_is_denied(start, box):
    """A01, CWE-367."""
    (box / "secret").mkdir()
    (box / "secret/a").write_text("hidden")
    at = str(box)
    wasi, root = await start(
        read_files("/data/in/**", at=at), list_files("/data/**", at=at)
    )
    seen = set()
    with exchanging(box, "in", "secret"):
        for _ in range(ROUNDS):
            await trio.sleep(0.0001)
            file = await wasi.open(root, "way/a")
            seen.add(file.value if isinstance(file, Err) else await text_of(wasi, file))
    assert b"hidden" not in seen
    assert seen <= {b"inside", "access", "loop", "no-entry"}


async def test_a_folder_that_is_moved_out_while_it_is_open_leads_nowhere(start, box):
    """A01, CWE-22: `..` from a folder that was moved away must not walk through its new place."""
    (box / "in/deep").mkdir()
    wasi, root = await start(*full(box))
    deep = await wasi.open(root, "in/deep", "read mutate-directory", ("directory",))
    assert not isinstance(deep, Err)
    (box / "in/deep").rename(box.parent / "moved")
    for path in ("../outside/a", "..", "../moved", "../box/in/a"):
        assert isinstance(await wasi.open(deep, path), Err)
