"""`wasi:filesystem`: what is granted and nothing beside it, whatever links say."""

import errno
import itertools
import os
import pathlib
import threading

import pytest
import trio
from hypothesis import example, given, settings, strategies as st

from airssys.contracts import AccessDenied
from airssys.security import (
    delete_files,
    list_files,
    read_files,
    write_files,
)
from airssys.security.capabilities import read_grants
from airssys.testing import FakeServices
from airssys.wasm import Err
from airssys.wasm.host.wasi import files
from airssys.wasm.host.wasi.base import (
    StreamClosed,
    StreamFailed,
    open_beneath as open_beneath_it,
)
from airssys.wasm.host.wasi.files import (
    Mount,
    _opening as opening,
    has_openat2,
    mounts_of,
)
from airssys.wasm.values import Case
from pace import PATIENCE
from wasm_support import WasiCalls

pytestmark = pytest.mark.skipif(not has_openat2(), reason="no openat2: no files")

ACCESS = Err("access")
NOW, SAME = Case("now"), Case("no-change")


def full(folder):
    """Grants of everything in a folder, which the guest sees as /data."""
    at = str(folder)
    return [
        read_files("/data/**", at=at),
        write_files("/data/**", at=at),
        delete_files("/data/**", at=at),
    ]


@pytest.fixture
async def start():
    """Make calls for an actor with some grants; what it starts ends with the test."""
    async with trio.open_nursery() as nursery:

        async def make(*can, **limits):
            wasi = WasiCalls(FakeServices(can=can), nursery, **limits)
            return wasi, next(iter((await wasi.folders()).values()), None)

        yield make
        nursery.cancel_scope.cancel()


def denied(wasi):
    events = (e for e in wasi.services.denied if isinstance(e, AccessDenied))
    return [(e.access.verb, e.access.resource) for e in events]


def names_in(folder):
    return sorted(each.name for each in folder.iterdir())


# ---------------------------------------------------------------- mounts


@pytest.mark.parametrize(
    ("grants", "mounts"),
    [
        ([], []),
        ([read_files("/data/**")], [("/data", "/data")]),
        ([read_files("/data/**", at="/srv/a")], [("/data", "/srv/a")]),
        ([read_files("/data/*.txt", at="/srv/a")], [("/data", "/srv/a")]),
        ([read_files("/data/one.txt")], [("/data", "/data")]),
        ([read_files("/**")], [("", "/")]),
        ([read_files("/a/*/b/**", at="x")], [("/a", "x")]),
        (
            [read_files("/data/**", at="/srv/a"), write_files("/data/out/**")],
            [("/data", "/srv/a")],
        ),
        ([read_files("/data/**"), write_files("/data/out/**")], [("/data", "/data")]),
        (
            [read_files("/a/**", at="/x"), read_files("/a/**", at="/y")],
            [("/a", "/x"), ("/a", "/y")],
        ),
    ],
)
def test_grants_make_mounts(grants, mounts):
    assert mounts_of(grants) == tuple(Mount(*each) for each in mounts)


async def test_without_a_grant_there_is_no_folder_and_that_is_reported(start):
    wasi, folder = await start()
    assert folder is None
    assert denied(wasi) == [("list", "/")]


async def test_a_folder_that_is_not_there_is_left_out_with_a_line(start, tmp_path):
    wasi, folder = await start(*full(tmp_path / "nowhere"))
    assert folder is None
    ((_, line, _),) = wasi.services.lines
    assert line == f"/data is not there: {tmp_path}/nowhere: no-entry"


async def test_without_openat2_there_are_no_files(start, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "airssys.wasm.host.wasi.files._descriptors.has_openat2", lambda: False
    )
    _, folder = await start(*full(tmp_path))
    assert folder is None


# ---------------------------------------------------------------- what it can do


async def test_a_file_is_made_written_read_and_removed(start, tmp_path):
    wasi, root = await start(*full(tmp_path))
    file = await wasi.open(root, "a.txt", "read write", {"create"})
    assert await wasi.file("write", file, b"hello", 3) == 5
    assert await wasi.file("read", file, 100, 0) == (b"\0\0\0hello", False)
    assert await wasi.file("read", file, 100, 8) == (b"", True)
    assert await wasi.file("read", file, 0, 0) == (b"", False)
    kind, links, size, *_ = await wasi.file("stat", file)
    assert (kind, links, size) == ("regular-file", 1, 8)
    assert await wasi.file("set-size", file, 2) is None
    assert (tmp_path / "a.txt").read_bytes() == b"\0\0"
    for name in ("sync", "sync-data"):
        assert await wasi.file(name, file) is None
    assert await wasi.file("get-type", file) == "regular-file"
    assert await wasi.file("get-flags", file) == {"read", "write"}
    assert await wasi.file("advise", file, 0, 10, "sequential") is None
    assert await wasi.file("unlink-file-at", root, "a.txt") is None
    assert await wasi.open(root, "a.txt") == Err("no-entry")
    assert denied(wasi) == []


async def test_streams_read_and_write_and_append(start, tmp_path):
    wasi, root = await start(*full(tmp_path))
    file = await wasi.open(root, "a", "read write", {"create"})
    out = await wasi.file("write-via-stream", file, 2)
    out.write(b"one")
    out.write(b"two")
    more = await wasi.file("append-via-stream", file)
    more.write(b"end")
    assert (tmp_path / "a").read_bytes() == b"\0\0onetwoend"
    source = await wasi.file("read-via-stream", file, 5)
    assert source.read(4) == b"twoe"
    assert source.read(4) == b"nd"
    with pytest.raises(StreamClosed):
        source.read(4)


async def test_folders_are_made_listed_and_removed(start, tmp_path):
    wasi, root = await start(*full(tmp_path))
    assert await wasi.file("create-directory-at", root, "sub") is None
    assert await wasi.file("create-directory-at", root, "sub") == Err("exist")
    assert await wasi.file("symlink-at", root, "sub", "link") is None
    sub = await wasi.open(root, "sub", make={"directory"})
    (await wasi.open(sub, "a", "write", {"create"}))
    assert await wasi.file("remove-directory-at", root, "sub") == Err("not-empty")
    listing = await wasi.file("read-directory", root)
    each = "filesystem/types#[method]directory-entry-stream.read-directory-entry"
    found = [await wasi.call(each, listing) for _ in range(3)]
    assert sorted(found[:2]) == [("directory", "sub"), ("symbolic-link", "link")]
    assert found[2] is None
    assert await wasi.file("readlink-at", root, "link") == "sub"
    assert await wasi.file("readlink-at", root, "sub") == Err("invalid")
    assert await wasi.file("unlink-file-at", root, "link") is None
    assert await wasi.file("unlink-file-at", root, "sub") == Err("is-directory")
    assert await wasi.file("unlink-file-at", sub, "a") is None
    assert await wasi.file("remove-directory-at", root, "sub") is None
    assert names_in(tmp_path) == []


async def test_files_are_renamed_and_linked(start, tmp_path):
    wasi, root = await start(*full(tmp_path))
    (tmp_path / "a").write_text("a")
    (tmp_path / "sub").mkdir()
    none = frozenset()
    assert await wasi.file("link-at", root, none, "a", root, "sub/b") is None
    a, b = await wasi.open(root, "a"), await wasi.open(root, "sub/b")
    assert await wasi.file("is-same-object", a, b) is True
    assert await wasi.file("is-same-object", a, root) is False
    assert await wasi.file("metadata-hash", a) == await wasi.file("metadata-hash", b)
    found = await wasi.file("metadata-hash-at", root, none, "sub/b")
    assert found == await wasi.file("metadata-hash", a)
    assert await wasi.file("rename-at", root, "a", root, "c") is None
    assert await wasi.file("rename-at", root, "sub", root, "c") == Err("not-directory")
    assert names_in(tmp_path) == ["c", "sub"]
    follow = frozenset({"symlink-follow"})
    assert await wasi.file("link-at", root, follow, "c", root, "d") == Err("invalid")


async def test_times_are_set(start, tmp_path):
    wasi, root = await start(*full(tmp_path))
    (tmp_path / "a").touch()
    file = await wasi.open(root, "a", "write")
    given = Case("timestamp", (7, 9))
    assert await wasi.file("set-times", file, given, SAME) is None
    assert (tmp_path / "a").stat().st_atime_ns == 7_000_000_009
    follow = frozenset({"symlink-follow"})
    assert await wasi.file("set-times-at", root, follow, "a", NOW, given) is None
    assert (tmp_path / "a").stat().st_mtime_ns == 7_000_000_009
    _, _, _, _, modified, _ = await wasi.file("stat-at", root, follow, "a")
    assert modified == (7, 9)
    for wrong in ((7, 10**9), (2**64 - 1, 0)):
        new = Case("timestamp", wrong)
        assert await wasi.file("set-times", file, new, SAME) == Err("invalid")
    only_read = await wasi.open(root, "a", "read")
    assert await wasi.file("set-times", only_read, SAME, NOW) is None
    assert (tmp_path / "a").stat().st_mtime > 7


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("path", ["link", "sub", "sub/", ".", "sub/.", "sub/.."])
async def test_times_of_a_path_are_those_of_what_it_names(
    start, tmp_path, path, follow
):
    wasi, root = await start(*full(tmp_path))
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to("nothing" if not follow else "sub")
    flags = frozenset({"symlink-follow"} if follow else ())
    new = Case("timestamp", (7, 9)), Case("timestamp", (8, 10))
    before = await wasi.file("stat-at", root, flags, path)
    assert await wasi.file("set-times-at", root, flags, path, *new) is None
    kind, *_, accessed, modified, _ = await wasi.file("stat-at", root, flags, path)
    assert (kind, accessed, modified) == (before[0], (7, 9), (8, 10))
    assert await wasi.file("set-times-at", root, flags, path, SAME, SAME) is None
    again = await wasi.file("stat-at", root, flags, path)
    assert again[3:5] == ((7, 9), (8, 10))


async def test_a_file_that_is_opened_for_nothing_can_be_read_if_that_is_granted(
    start, tmp_path
):
    (tmp_path / "a").write_text("text")
    wasi, root = await start(*full(tmp_path))
    file = await wasi.open(root, "a", "")
    assert await wasi.file("get-flags", file) == {"read"}
    assert await wasi.file("read", file, 10, 0) == (b"text", False)
    assert await wasi.file("write", file, b"x", 0) == Err("bad-descriptor")
    wasi, root = await start(write_files("/data/**", at=str(tmp_path)))
    file = await wasi.open(root, "a", "")
    assert await wasi.file("get-flags", file) == frozenset()
    assert await wasi.file("read", file, 10, 0) == ACCESS
    assert denied(wasi) == [("read", "/data/a")]


async def test_what_is_not_granted_is_denied_also_by_a_descriptor_that_could_not(
    start, tmp_path
):
    """As for a folder that is only read: what it was opened for comes second."""
    (tmp_path / "a").write_text("text")
    wasi, root = await start(read_files("/data/**", at=str(tmp_path)))
    file = await wasi.open(root, "a", "read")
    assert await wasi.file("write-via-stream", file, 0) == ACCESS
    assert await wasi.file("append-via-stream", file) == ACCESS
    assert await wasi.file("write", file, b"x", 0) == ACCESS
    assert await wasi.open(root, "a", "read", {"truncate"}) == ACCESS
    source = await wasi.file("read-via-stream", file, 0)
    assert source.read(100) == b"text"
    assert denied(wasi)[0] == ("write", "/data/a")


async def test_a_folder_is_not_read_as_a_file(start, tmp_path):
    wasi, root = await start(*full(tmp_path))
    for name, taken in (
        ("read-via-stream", (0,)),
        ("write-via-stream", (0,)),
        ("append-via-stream", ()),
        ("read", (1, 0)),
        ("write", (b"", 0)),
        ("set-size", (0,)),
    ):
        assert await wasi.file(name, root, *taken) == Err("is-directory"), name


async def test_truncating_asks_to_write_whatever_the_descriptor_may_do(start, tmp_path):
    (tmp_path / "a").write_text("text")
    wasi, root = await start(*full(tmp_path))
    file = await wasi.open(root, "a", "read", {"truncate"})
    assert (tmp_path / "a").read_text() == ""
    assert await wasi.file("get-flags", file) == {"read"}
    assert await wasi.file("write", file, b"x", 0) == Err("bad-descriptor")


async def test_a_kernel_that_does_not_know_what_is_cached_opens_in_threads(
    start, tmp_path, monkeypatch
):
    """Linux before 5.12 answers so to a flag of `openat2` that it does not know."""

    def open_beneath(*arguments, cached=False, **options):
        if cached:
            raise OSError(errno.EINVAL, "RESOLVE_CACHED")
        return open_beneath_it(*arguments, **options)

    monkeypatch.setattr(opening, "open_beneath", open_beneath)
    (tmp_path / "a").write_text("text")
    wasi, root = await start(*full(tmp_path))
    file = await wasi.open(root, "a", "read")
    assert await wasi.file("read", file, 10, 0) == (b"text", False)
    kind, *_ = await wasi.file("stat-at", root, frozenset(), "a")
    assert kind == "regular-file"


@pytest.mark.parametrize(
    ("path", "flags", "make", "code"),
    [
        ("", "read", (), "no-entry"),
        ("/etc/passwd", "read", (), "not-permitted"),
        ("../x", "read", (), "not-permitted"),
        ("sub/../../x", "read", (), "not-permitted"),
        ("nope", "read", (), "no-entry"),
        ("nope/x", "write", ("create",), "no-entry"),
        ("a/x", "read", (), "not-directory"),
        ("a/", "read", (), "not-directory"),
        ("a", "read", ("directory",), "not-directory"),
        ("sub", "write", (), "is-directory"),
        ("sub", "read", ("create",), "is-directory"),
        ("sub", "write", ("directory",), "is-directory"),
        ("a", "write", ("directory",), "not-directory"),
        ("a", "read write", ("directory",), "not-directory"),
        ("a", "write", ("create", "exclusive"), "exist"),
        ("sub", "read", ("directory", "create"), "invalid"),
        ("a", "read file-integrity-sync", (), "unsupported"),
        ("n" * 300, "read", (), "name-too-long"),
        ("x\0y", "read", (), "illegal-byte-sequence"),
        ("out", "read", (), "not-permitted"),
        ("up", "read", (), "not-permitted"),
        ("loop", "read", (), "loop"),
        ("dangling", "read", (), "no-entry"),
        ("dangling", "write", ("truncate",), "no-entry"),
        ("dangling", "write", ("create", "exclusive"), "exist"),
        ("a/", "write", ("create",), "is-directory"),
        ("new/", "write", ("create",), "is-directory"),
        ("nope/x/", "write", ("create",), "no-entry"),
    ],
)
async def test_what_cannot_be_opened_has_the_code_of_the_interface(
    start, tmp_path, path, flags, make, code
):
    box = tmp_path / "box"
    box.mkdir()
    (tmp_path / "x").touch()
    (box / "a").touch()
    (box / "sub").mkdir()
    for name, target in (
        ("out", "/etc/passwd"),
        ("up", "../x"),
        ("loop", "loop"),
        ("dangling", "nothing"),
    ):
        (box / name).symlink_to(target)
    wasi, root = await start(*full(box))
    assert await wasi.open(root, path, flags, make) == Err(code)
    assert names_in(box) == ["a", "dangling", "loop", "out", "sub", "up"]


@pytest.mark.parametrize("path", [".", "./", "sub/..", "sub/."])
async def test_a_path_without_a_last_name_has_the_code_of_its_call(
    start, tmp_path, path
):
    (tmp_path / "a").touch()
    (tmp_path / "sub").mkdir()
    wasi, root = await start(*full(tmp_path))
    for name, taken, code in (
        ("create-directory-at", (path,), "exist"),
        ("symlink-at", ("a", path), "exist"),
        ("remove-directory-at", (path,), "invalid"),
        ("unlink-file-at", (path,), "is-directory"),
        ("rename-at", (path, root, "new"), "busy"),
        ("rename-at", ("a", root, path), "busy"),
        ("link-at", (NONE, path, root, "new"), "not-permitted"),
        ("link-at", (NONE, "a", root, path), "exist"),
    ):
        assert await wasi.file(name, root, *taken) == Err(code), name
    assert names_in(tmp_path) == ["a", "sub"]


async def test_a_slash_after_a_name_says_that_it_is_a_folder(start, tmp_path):
    (tmp_path / "a").touch()
    (tmp_path / "sub").mkdir()
    wasi, root = await start(*full(tmp_path))
    for name, taken, code in (
        ("symlink-at", ("a", "new/"), "no-entry"),
        ("symlink-at", ("a", "sub/"), "exist"),
        ("link-at", (NONE, "a", root, "new/"), "no-entry"),
        ("link-at", (NONE, "a", root, "sub/"), "exist"),
        ("link-at", (NONE, "a/", root, "new"), "not-directory"),
        ("rename-at", ("a/", root, "new"), "not-directory"),
        ("rename-at", ("a", root, "new/"), "not-directory"),
        ("unlink-file-at", ("a/",), "not-directory"),
        ("unlink-file-at", ("sub/",), "is-directory"),
        ("remove-directory-at", ("a/",), "not-directory"),
    ):
        assert await wasi.file(name, root, *taken) == Err(code), (name, taken)
    assert names_in(tmp_path) == ["a", "sub"]
    assert wasi.context.keep("files", None).usage._made == 0
    assert await wasi.file("create-directory-at", root, "new/") is None
    assert await wasi.file("rename-at", root, "new/", root, "other/") is None
    assert await wasi.file("remove-directory-at", root, "other/") is None


async def test_links_inside_are_followed_if_that_is_asked_for(start, tmp_path):
    wasi, root = await start(*full(tmp_path))
    (tmp_path / "a").write_text("a")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/up").symlink_to("../a")
    (tmp_path / "to-sub").symlink_to("sub")
    file = await wasi.open(root, "to-sub/up")
    assert await wasi.file("read", file, 9, 0) == (b"a", False)
    assert file.inside == "a"
    assert await wasi.open(root, "sub/up", follow=False) == Err("loop")
    kind, *_ = await wasi.file("stat-at", root, frozenset(), "to-sub/up")
    assert kind == "symbolic-link"
    made = await wasi.open(root, "to-sub/new", "write", {"create"})
    assert made.inside == "sub/new"


@pytest.mark.parametrize(
    ("path", "made"),
    [
        ("link", "target"),
        ("sub/up", "target"),
        ("to-sub/up", "target"),
        ("chain", "target"),
        ("into", "sub/target"),
    ],
)
async def test_a_file_is_made_where_a_link_leads(start, tmp_path, path, made):
    (tmp_path / "sub").mkdir()
    for name, target in (
        ("link", "target"),
        ("sub/up", "../target"),
        ("to-sub", "sub"),
        ("chain", "link"),
        ("into", "to-sub/./target"),
    ):
        (tmp_path / name).symlink_to(target)
    wasi, root = await start(*full(tmp_path))
    flags = "read write"
    assert await wasi.open(root, path, flags, {"create"}, follow=False) == Err("loop")
    file = await wasi.open(root, path, flags, {"create", "truncate"})
    assert file.inside == made
    assert (tmp_path / made).read_text() == ""
    assert await wasi.file("set-size", file, 3) is None


async def test_a_file_is_not_made_where_a_link_leads_if_that_is_not_granted(
    start, tmp_path
):
    (tmp_path / "ok").mkdir()
    (tmp_path / "ok/link").symlink_to("../target")
    (tmp_path / "ok/root").symlink_to("/nowhere/target")
    wasi, root = await start(write_files("/data/ok/**", at=str(tmp_path / "ok")))
    for name in ("link", "root"):
        found = await wasi.open(root, name, "write", {"create"})
        assert found == Err("not-permitted")
    wasi, root = await start(
        write_files("/data/ok/**", at=str(tmp_path / "ok")),
        read_files("/data/**", at=str(tmp_path)),
        write_files("/data/ok/**", at=str(tmp_path)),
    )
    assert await wasi.open(root, "ok/link", "write", {"create"}) == ACCESS
    assert denied(wasi) == [("write", "/data/target")]
    assert not (tmp_path / "target").exists()


async def test_a_file_that_is_only_read_keeps_its_size(start, tmp_path):
    (tmp_path / "a").write_text("text")
    wasi, root = await start(*full(tmp_path))
    file = await wasi.open(root, "a", "read")
    assert await wasi.file("set-size", file, 1) == Err("invalid")


# ---------------------------------------------------------------- every function, no grant

NONE = frozenset()
METHODS = {
    "read-via-stream": (0,),
    "write-via-stream": (0,),
    "append-via-stream": (),
    "read": (10, 0),
    "write": (b"x", 0),
    "set-size": (0,),
    "set-times": (NOW, NOW),
    "read-directory": (),
    "create-directory-at": ("new",),
    "stat-at": (NONE, "a"),
    "set-times-at": (NONE, "a", NOW, NOW),
    "link-at": (NONE, "a", "itself", "new"),
    "open-at": (NONE, "a", NONE, frozenset({"read"})),
    "readlink-at": ("link",),
    "remove-directory-at": ("sub",),
    "rename-at": ("a", "itself", "new"),
    "symlink-at": ("a", "new"),
    "unlink-file-at": ("a",),
    "metadata-hash-at": (NONE, "a"),
}
OF_WHAT_IS_OPEN = {
    "advise": (0, 0, "normal"),
    "sync-data": (),
    "get-flags": (),
    "get-type": (),
    "sync": (),
    "stat": (),
    "metadata-hash": (),
}


def test_every_method_is_in_the_matrix():
    types = WasiCalls(None).interface("filesystem/types")
    names = {
        n.rpartition(".")[2] for n in types.functions if ".read-directory-" not in n
    }
    listed = {*METHODS, *OF_WHAT_IS_OPEN, "is-same-object", "filesystem-error-code"}
    assert names == listed


def tree(folder):
    """A small tree, and what it looks like."""
    (folder / "a").write_text("a")
    (folder / "sub").mkdir()
    (folder / "link").symlink_to("a")


def look(folder):
    return sorted(
        (str(p.relative_to(folder)), p.lstat().st_mtime_ns) for p in folder.rglob("*")
    )


@pytest.mark.parametrize("name", METHODS | OF_WHAT_IS_OPEN)
async def test_after_a_revocation_no_function_does_anything(start, tmp_path, name):
    tree(tmp_path)
    wasi, root = await start(*full(tmp_path))
    about = await wasi.open(root, "a", "read write")
    folder_methods = name.endswith("-at") or name == "read-directory"
    on = root if folder_methods else about
    before = look(tmp_path)
    wasi.services.permissions.revoke(read_grants(full(tmp_path))[0])
    given = METHODS.get(name, OF_WHAT_IS_OPEN.get(name))
    arguments = [root if each == "itself" else each for each in given]
    answer = await wasi.file(name, on, *arguments)
    assert answer in {ACCESS, Err("bad-descriptor")}
    assert look(tmp_path) == before
    if folder_methods:
        assert denied(wasi)
    assert await wasi.folders() == {}


@pytest.mark.parametrize("name", [n for n in METHODS if n.endswith("-at")])
async def test_just_outside_of_a_grant_no_function_does_anything(start, tmp_path, name):
    """Every path that is not the granted one is denied, whether it is there or not."""
    tree(tmp_path)
    at = str(tmp_path)
    own = "/data/own/**"
    (tmp_path / "own").mkdir()
    wasi, root = await start(
        list_files("/data/*.none", at=at),
        read_files(own, at=at),
        write_files(own, at=at),
        delete_files(own, at=at),
    )
    folders = await wasi.folders()
    root = folders["/data"]
    before = look(tmp_path)
    arguments = [root if each == "itself" else each for each in METHODS[name]]
    assert await wasi.file(name, root, *arguments) == ACCESS
    changed = ["nope" if each in {"a", "sub", "link"} else each for each in arguments]
    assert await wasi.file(name, root, *changed) == ACCESS
    assert denied(wasi)
    assert look(tmp_path) == before


@pytest.mark.parametrize("word", ["read", "list", "write", "delete"])
async def test_each_grant_allows_its_own_verb_and_no_other(start, tmp_path, word):
    tree(tmp_path)
    grant = {
        "read": read_files,
        "list": list_files,
        "write": write_files,
        "delete": delete_files,
    }[word]
    wasi, root = await start(grant("/data/**", at=str(tmp_path)))
    allowed = {
        "read": not isinstance(await wasi.open(root, "a"), Err),
        "write": not isinstance(await wasi.open(root, "a", "write"), Err),
        "create": not isinstance(await wasi.open(root, "n", "write", {"create"}), Err),
        "list": not isinstance(await wasi.file("read-directory", root), Err),
        "delete": await wasi.file("unlink-file-at", root, "a") is None,
        "folder": not isinstance(await wasi.open(root, "sub"), Err),
    }
    expected = {
        "read": {"read", "list", "folder"},
        "list": {"list", "folder"},
        "write": {"write", "create", "folder"},
        "delete": {"delete", "folder"},
    }[word]
    assert {name for name, is_so in allowed.items() if is_so} == expected


async def test_a_link_leads_to_no_path_that_is_not_granted(start, tmp_path):
    (tmp_path / "secret.key").write_text("secret")
    at = str(tmp_path)
    wasi, root = await start(
        read_files("/data/*.txt", at=at), write_files("/data/*.txt", at=at)
    )
    assert await wasi.file("symlink-at", root, "secret.key", "a.txt") is None
    assert await wasi.open(root, "a.txt") == ACCESS
    assert denied(wasi) == [("read", "/data/secret.key")]
    none = frozenset()
    linked = await wasi.file("link-at", root, none, "secret.key", root, "b.txt")
    assert linked == ACCESS


async def test_a_file_cannot_be_moved_to_where_more_is_allowed(start, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").write_text("secret")
    (tmp_path / "out").mkdir()
    at = str(tmp_path)
    wasi, _ = await start(
        write_files("/data/**", at=at),
        delete_files("/data/**", at=at),
        read_files("/data/out/**", at=at),
    )
    root = (await wasi.folders())["/data"]
    assert await wasi.file("rename-at", root, "in/a", root, "out/a") == ACCESS
    none = frozenset()
    assert await wasi.file("link-at", root, none, "in/a", root, "out/a") == ACCESS
    assert await wasi.file("rename-at", root, "in/a", root, "in/b") is None


async def test_a_revocation_closes_what_is_open_and_its_streams(start, tmp_path):
    (tmp_path / "a").write_text("hello")
    wasi, root = await start(*full(tmp_path))
    file = await wasi.open(root, "a", "read write")
    source = await wasi.file("read-via-stream", file, 0)
    out = await wasi.file("write-via-stream", file, 0)
    assert source.read(1) == b"h"
    wasi.services.permissions.revoke(read_grants([write_files("/data/**")])[0])
    assert file.file is None
    assert source.read(1) == b"e"
    with pytest.raises(StreamFailed):
        out.write(b"x")
    wasi.services.permissions.revoke(read_grants([read_files("/data/**")])[0])
    with pytest.raises(StreamFailed):
        source.read(1)
    for each in (source, out, file, root):
        wasi.drop(each)
    assert wasi.context.keep("files", None).usage.open_files == 0


# ---------------------------------------------------------------- quotas


async def test_open_files_are_bounded_and_counted_back(start, tmp_path):
    (tmp_path / "a").touch()
    wasi, root = await start(*full(tmp_path), open_files=3)
    held = [await wasi.open(root, "a") for _ in range(2)]
    assert await wasi.open(root, "a") == Err("quota")
    wasi.drop(held[0])
    assert not isinstance(await wasi.open(root, "a"), Err)
    assert await wasi.open(root, "nope") == Err("quota")


async def test_files_are_bounded_and_what_is_deleted_is_given_back(start, tmp_path):
    wasi, root = await start(*full(tmp_path), files=2)
    for name in ("a", "b"):
        await wasi.open(root, name, "write", {"create"})
    assert await wasi.open(root, "c", "write", {"create"}) == Err("quota")
    assert await wasi.file("create-directory-at", root, "c") == Err("quota")
    assert await wasi.file("symlink-at", root, "a", "c") == Err("quota")
    none = frozenset()
    assert await wasi.file("link-at", root, none, "a", root, "c") == Err("quota")
    assert await wasi.file("unlink-file-at", root, "b") is None
    assert await wasi.file("create-directory-at", root, "c") is None


async def test_bytes_are_bounded_and_what_is_shorter_is_given_back(start, tmp_path):
    wasi, root = await start(*full(tmp_path), file_bytes=10)
    file = await wasi.open(root, "a", "write", {"create"})
    assert await wasi.file("write", file, b"x" * 10, 0) == 10
    assert await wasi.file("write", file, b"y" * 10, 0) == 10
    assert await wasi.file("write", file, b"z", 10) == Err("quota")
    assert await wasi.file("set-size", file, 2**40) == Err("quota")
    out = await wasi.file("append-via-stream", file)
    with pytest.raises(StreamFailed) as caught:
        out.write(b"z")
    assert caught.value.code == "quota"
    assert await wasi.file("set-size", file, 4) is None
    assert await wasi.file("write", file, b"z" * 6, 4) == 6
    again = await wasi.open(root, "a", "write", {"truncate"})
    assert await wasi.file("write", again, b"z" * 10, 0) == 10
    assert await wasi.file("write", file, b"x", 2**63) == Err("invalid")


async def test_only_what_was_written_counts(start, tmp_path, monkeypatch):
    """A full disk takes less than it is given."""
    wasi, root = await start(*full(tmp_path), file_bytes=10)
    file = await wasi.open(root, "a", "read write", {"create"})
    for nothing in (100, 2**62):
        assert await wasi.file("write", file, b"", nothing) == 0
    assert (tmp_path / "a").stat().st_size == 0
    write = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", lambda fd, data, at: write(fd, data[:3], at))
        assert await wasi.file("write", file, b"x" * 10, 0) == 3
    assert await wasi.file("write", file, b"x" * 7, 3) == 7
    assert await wasi.file("write", file, b"x", 10) == Err("quota")


async def test_what_a_guest_asks_for_is_not_what_the_host_allocates(start, tmp_path):
    (tmp_path / "a").write_bytes(bytes(3 * 2**20))
    wasi, root = await start(*full(tmp_path), host_call_bytes=2**20)
    file = await wasi.open(root, "a")
    found, is_end = await wasi.file("read", file, 2**64 - 1, 0)
    assert (len(found), is_end) == (2**20, False)
    source = await wasi.file("read-via-stream", file, 0)
    read = "io/streams#[method]input-stream.blocking-read"
    assert 0 < len(await wasi.call(read, source, 2**64 - 1)) <= 2**16


@pytest.mark.parametrize(("make", "kind"), [({"create"}, "a"), ({"directory"}, ".")])
async def test_what_is_open_to_read_can_be_synchronized(start, tmp_path, make, kind):
    (tmp_path / "a").touch()
    wasi, root = await start(*full(tmp_path))
    opened = await wasi.open(root, kind, "read", make)
    for name in ("sync", "sync-data"):
        assert await wasi.file(name, opened) is None


async def test_appending_takes_no_heed_of_where_others_write(start, tmp_path):
    (tmp_path / "a").write_text("one ")
    wasi, root = await start(*full(tmp_path))
    file = await wasi.open(root, "a", "write")
    first, second = [await wasi.file("append-via-stream", file) for _ in range(2)]
    for out, text in ((first, b"two "), (second, b"three "), (first, b"four")):
        out.write(text)
    assert (tmp_path / "a").read_text() == "one two three four"


@pytest.mark.parametrize("seconds", [-(2**31), -1, 0, 2**33, 2**34])
async def test_times_that_no_one_expects_are_times(start, tmp_path, seconds):
    """Before 1970 there is none in the interface."""
    (tmp_path / "a").write_text("hello")
    os.utime(tmp_path / "a", (seconds, seconds))
    wasi, root = await start(*full(tmp_path))
    *_, modified, _changed = await wasi.file("stat-at", root, frozenset(), "a")
    kept = (tmp_path / "a").stat().st_mtime_ns  # some file systems hold less
    assert modified == (divmod(kept, 10**9) if kept >= 0 else None)
    file = await wasi.open(root, "a")
    assert await wasi.file("read", file, 10, 0) == (b"hello", False)


async def test_counts_outlive_an_instance(start, tmp_path):
    services = FakeServices(can=full(tmp_path))
    for expected in (3, Err("quota")):
        wasi = WasiCalls(services, file_bytes=5)
        root = (await wasi.folders())["/data"]
        file = await wasi.open(root, "a", "write", {"create"})
        out = await wasi.file("write", file, b"abc", 0 if expected == 3 else 3)
        assert out == expected


async def test_the_size_of_a_listing_is_bounded(start, tmp_path):
    for number in range(20):
        (tmp_path / f"{number}").touch()
    wasi, root = await start(*full(tmp_path), host_call_bytes=500)
    answer = await wasi.file("read-directory", root)
    assert answer == Err("insufficient-memory")


# ---------------------------------------------------------------- threads


def slow_disk(wasi, root):
    """Have every call made in a thread, as for a network file system."""
    root.file.disk._is_local = False


async def test_what_needs_a_disk_is_done_in_threads(start, tmp_path, monkeypatch):
    wasi, root = await start(*full(tmp_path))
    slow_disk(wasi, root)
    monkeypatch.setattr(
        "airssys.wasm.host.wasi.files._file_streams.read_now", lambda *_: None
    )
    file = await wasi.open(root, "a", "read write", {"create"})
    assert await wasi.file("write", file, b"hello", 0) == 5
    out = await wasi.file("append-via-stream", file)
    out.write(b" you")
    assert not out.is_ready()
    assert out.room() == 0
    while not out.is_ready():
        await wasi.context.changed.wait()
    source = await wasi.file("read-via-stream", file, 0)
    assert source.read(99) == b""
    while not source.is_ready():
        await wasi.context.changed.wait()
    assert source.read(6) == b"hello "
    assert source.read(99) == b"you"
    assert (await wasi.file("stat", file))[2] == 9


def is_open(descriptor):
    return pathlib.Path(f"/proc/self/fd/{descriptor}").exists()


async def test_a_cancelled_call_closes_what_its_thread_opens(
    start, tmp_path, monkeypatch
):
    """Cancelling does not wait for the thread, and nothing stays open."""
    wasi, root = await start(*full(tmp_path))
    slow_disk(wasi, root)
    (tmp_path / "a").touch()
    module = "airssys.wasm.host.wasi.files._opening.open_beneath"
    real, go, opened = files._opening.open_beneath, threading.Event(), []
    begun = trio.Event()

    def wait_and_open(*arguments, **options):
        trio.from_thread.run_sync(begun.set)
        go.wait(PATIENCE)
        opened.append(real(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(module, wait_and_open)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wasi.open, root, "a")
        await begun.wait()
        nursery.cancel_scope.cancel()
    assert opened == []
    go.set()
    with trio.fail_after(PATIENCE):
        while not opened or is_open(opened[0]):  # noqa: ASYNC110  # a thread's work
            await trio.sleep(0.002)
    assert wasi.context.keep("files", None).usage.open_files == 1


# ---------------------------------------------------------------- races and walks


async def test_a_link_that_is_exchanged_never_leads_out(start, tmp_path):
    box, outside = tmp_path / "box", tmp_path / "outside"
    for folder, text in ((box / "in", "inside"), (outside, "secret")):
        folder.mkdir(parents=True)
        (folder / "a").write_text(text)
    wasi, root = await start(*full(box))
    stop = threading.Event()

    def exchange():
        number = 0
        while not stop.is_set():
            number += 1
            (tmp_path / "next").symlink_to(("in", outside)[number % 2])
            (tmp_path / "next").rename(box / "way")

    (box / "way").symlink_to("in")
    thread = threading.Thread(target=exchange)
    thread.start()
    seen = set()
    denied = {"not-permitted", "loop"}
    try:
        for tries in itertools.count():
            # Both threads can keep in step for long: the link leads the same way each time.
            if tries == 20_000 or (
                tries >= 120 and b"inside" in seen and seen & denied
            ):
                break
            await trio.sleep(0.0001)  # the other thread has a turn
            file = await wasi.open(root, "way/a")
            if isinstance(file, Err):
                seen.add(file.value)
            else:
                seen.add((await wasi.file("read", file, 20, 0))[0])
                wasi.drop(file)
    finally:
        stop.set()
        thread.join()
    assert b"secret" not in seen
    assert b"inside" in seen
    assert seen & denied, "the link was never in the way"
    assert seen <= {b"inside", "no-entry", *denied}


NAMES = st.sampled_from(["a", "b", "d", "d/a", "d/b", "d/e", "../a", "d/../b", "/a"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), NAMES, st.binary(max_size=4)),
        st.tuples(st.just("read"), NAMES),
        st.tuples(st.just("mkdir"), NAMES),
        st.tuples(st.just("rmdir"), NAMES),
        st.tuples(st.just("unlink"), NAMES),
        st.tuples(st.just("rename"), NAMES, NAMES),
    ),
    max_size=12,
)


class Model:
    """A file system as a dict: bytes for a file, None for a folder."""

    def __init__(self):
        self.things = {"": None}

    def find(self, path):
        if path.startswith("/"):
            return None
        kept = []
        for each in path.split("/"):
            if each == "..":
                is_folder = self.things.get("/".join(kept), b"") is None
                if not kept or not is_folder:
                    return None
                kept.pop()
            else:
                kept.append(each)
        return "/".join(kept)

    def parent(self, name):
        folder = name.rpartition("/")[0]
        return folder in self.things and self.things[folder] is None

    def do(self, what, path, *rest):
        """Do something; returns what a read gives, True, or None if it is refused."""
        name = self.find(path)
        if name is None or not self.parent(name):
            return None
        return getattr(self, what)(name, *rest)

    def write(self, name, data):
        if name in self.things and self.things[name] is None:
            return None
        self.things[name] = data
        return True

    def read(self, name):
        return self.things.get(name)

    def mkdir(self, name):
        if name in self.things:
            return None
        self.things[name] = None
        return True

    def below(self, name):
        return [each for each in self.things if each.startswith(f"{name}/")]

    def rmdir(self, name):
        if self.things.get(name, b"") is not None or self.below(name):
            return None
        del self.things[name]
        return True

    def unlink(self, name):
        if self.things.get(name) is None:
            return None
        del self.things[name]
        return True

    def rename(self, name, path):
        new = self.find(path)
        if new is None or not self.parent(new) or name not in self.things:
            return None
        if new == name:
            return True
        is_folder = self.things[name] is None
        if new.startswith(f"{name}/") or name.startswith(f"{new}/"):
            return None
        if new in self.things and (self.things[new] is None) != is_folder:
            return None
        if is_folder and self.below(new):
            return None
        moved = {n: self.things.pop(n) for n in [name, *self.below(name)]}
        self.things.pop(new, None)
        self.things |= {new + n[len(name) :]: data for n, data in moved.items()}
        return True


async def do(wasi, root, what, path, *rest):
    """Do the same by the functions of WASI."""
    if what == "write":
        file = await wasi.open(root, path, "write", {"create", "truncate"})
        if isinstance(file, Err):
            return None
        assert await wasi.file("write", file, rest[0], 0) == len(rest[0])
        wasi.drop(file)
        return True
    if what == "read":
        file = await wasi.open(root, path)
        found = None if isinstance(file, Err) else await wasi.file("read", file, 9, 0)
        if not isinstance(file, Err):
            wasi.drop(file)
        return None if found is None or isinstance(found, Err) else found[0]
    names = {
        "mkdir": "create-directory-at",
        "rmdir": "remove-directory-at",
        "unlink": "unlink-file-at",
        "rename": "rename-at",
    }
    rest = [root, *rest] if what == "rename" else rest
    answer = await wasi.file(names[what], root, path, *rest)
    assert answer is None or isinstance(answer, Err)
    return True if answer is None else None


def contents(folder):
    return {
        str(p.relative_to(folder)): None if p.is_dir() else p.read_bytes()
        for p in folder.rglob("*")
    }


@settings(max_examples=40, deadline=None)
@example([("write", "d", b""), ("write", "d/../b", b"")])
@given(steps=STEPS)
def test_walks_are_those_of_a_model(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("walk")

    async def walk():
        async with trio.open_nursery() as nursery:
            wasi = WasiCalls(FakeServices(can=full(folder)), nursery)
            root, model = (await wasi.folders())["/data"], Model()
            for step in steps:
                assert await do(wasi, root, *step) == model.do(*step), step
            assert contents(folder) | {"": None} == model.things
            wasi.drop(root)
            assert wasi.context.keep("files", None).usage.open_files == 0

    trio.run(walk)
