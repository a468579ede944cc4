"""Compiled code on disk: found again, never trusted without its mark, bounded."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import attrs
import pytest
import trio
import wasmtime
from hypothesis import HealthCheck, given, settings, strategies as st

from airssys.contracts import Artifact, EngineSettings, Limits
from airssys.wasm import open_runtime
from airssys.wasm.artifacts._footprint import footprint
from airssys.wasm.cache import _artifact_cache
from airssys.wasm.cache._artifact_cache import ArtifactCache
from airssys.wasm.cache._entries import code_name, record_name, seen_name, surplus
from airssys.wasm.cache._private_directory import PrivateDirectory
from airssys.wasm.cache._secret import Secret, load_secret, user_state_directory
from airssys.wasm.loading import _component_loader
from pace import PATIENCE, finished
from wasm_support import GUESTS, envelope, open_guests, wrap_compilers

ECHO = (GUESTS / "echo.wat").read_text()
SMALL = bytes(wasmtime.wat2wasm("(component)"))
DIGEST = "d" * 64


@pytest.fixture
def compilations(monkeypatch):
    """The threads of all compilations."""
    threads = []

    def noting(original):
        def compile_noted(*arguments):
            threads.append(threading.current_thread())
            return original(*arguments)

        return compile_noted

    wrap_compilers(monkeypatch, noting)
    return threads


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def engine():
    return wasmtime.Engine()


@pytest.fixture
def large(monkeypatch):
    """Everything counts as large: checked once, then recognised."""
    monkeypatch.setattr(_artifact_cache, "LARGE", 1)


def names(folder, ending=".cwasm"):
    return sorted(folder.glob(f"*{ending}"))


async def load_echo(folder, artifact=None, **settings):
    async with open_guests(folder, **settings) as guests:
        component = await guests.loader.load(artifact or Artifact.from_text(ECHO))
        guest = await component.instantiate(Limits(), guests.services)
        guests.started.append(guest)
        assert await guest.handle_message(envelope(b"hello")) == b"hello"


def compiled(engine, code=SMALL):
    return wasmtime.component.Component(engine, code)


def filled(folder, engine, **settings):
    cache = ArtifactCache(folder, EngineSettings(**settings))
    cache.keep(DIGEST, compiled(engine), footprint(SMALL), "mine")
    return cache


# -- what is found


async def test_the_second_load_uses_the_file(folder, compilations):
    for _ in range(2):
        await load_echo(folder)
    assert len(compilations) == 1
    assert len(names(folder)) == len(names(folder, ".entry")) == 1
    assert len(list(folder.iterdir())) == 2


async def test_other_settings_or_code_have_other_files(folder, compilations):
    await load_echo(folder)
    await load_echo(folder, guest_stack_bytes=256 * 1024)
    async with open_guests(folder) as guests:
        await guests.component("state")
    assert len(compilations) == len(names(folder)) == 3


async def test_settings_that_are_not_compiled_in_share_files(folder, compilations):
    await load_echo(folder)
    await load_echo(folder, tick=0.02, compile_time=10)
    assert len(compilations) == 1


async def test_another_version_of_wasmtime_has_other_files(
    folder, compilations, monkeypatch
):
    await load_echo(folder)
    monkeypatch.setattr(_artifact_cache, "version", lambda _: "0.1")
    await load_echo(folder)
    assert len(compilations) == len(names(folder)) == 2


async def test_limits_hold_for_what_was_kept_before(folder):
    await load_echo(folder)
    with pytest.raises(_component_loader.ComponentRefused, match="functions"):
        await load_echo(folder, component_functions=1)


async def test_what_wasmtime_does_not_take_is_compiled_anew(
    folder, compilations, monkeypatch
):
    """As when the home directory is used on two kinds of processors."""
    await load_echo(folder)

    def refuse(*_):
        raise wasmtime.WasmtimeError("compiled for another processor")

    with monkeypatch.context() as patch:
        for form in (_artifact_cache.Compiled, wasmtime.Module):  # of either lane
            patch.setattr(form, "deserialize", refuse)
        await load_echo(folder)
    await load_echo(folder)
    assert len(compilations) == 2


# -- what is recognised


async def test_large_code_is_checked_once(folder, large, monkeypatch, compilations):
    checks = []
    original = ArtifactCache._checked

    def noted(*arguments):
        checks.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(ArtifactCache, "_checked", noted)
    for _ in range(3):
        await load_echo(folder)
    assert (len(compilations), len(checks)) == (1, 1)


async def test_a_large_file_is_read_once(folder, large, tmp_path, monkeypatch):
    path = tmp_path / "echo.wat"
    path.write_text(ECHO)
    at_rest()
    await load_echo(folder, Artifact.at(path))
    monkeypatch.delattr("airssys.wasm.artifacts._source.Reading.read")
    await load_echo(folder, Artifact.at(path))


async def test_each_file_is_remembered_by_itself(folder, large, tmp_path):
    cache = ArtifactCache(folder, EngineSettings(), wall_clock=lambda: 1 << 62)
    found = {}
    for name in "ab":
        path = tmp_path / name
        path.write_text(ECHO)
        found[path] = path.stat()
        cache.remember(path, found[path], found[path], name * 64)
    digests = [cache.recognise(path, status) for path, status in found.items()]
    assert digests == ["a" * 64, "b" * 64]


async def test_a_file_that_has_just_changed_is_read_again(folder, large, tmp_path):
    """What changes a second time within the same step of the clock looks the same."""
    path = tmp_path / "echo.wat"
    clock = [0]
    cache = ArtifactCache(folder, EngineSettings(), wall_clock=lambda: clock[0])
    path.write_text(ECHO)
    found = path.stat()
    clock[0] = found.st_ctime_ns + 49_000_000
    cache.remember(path, found, found, DIGEST)
    assert cache.recognise(path, found) is None
    clock[0] += 2_000_000
    cache.remember(path, found, found, DIGEST)
    assert cache.recognise(path, found) == DIGEST


async def test_a_file_that_changed_while_it_was_read_is_not_remembered(
    folder, large, tmp_path
):
    path = tmp_path / "echo.wat"
    path.write_text(ECHO)
    before = path.stat()
    at_rest()
    path.write_text(ECHO + " ")
    cache = ArtifactCache(folder, EngineSettings())
    cache.remember(path, before, path.stat(), DIGEST)
    assert cache.recognise(path, before) is None


async def test_a_changed_component_is_compiled_anew(
    folder, large, tmp_path, compilations
):
    """Even one of the same size, with the time of the old one."""
    path = tmp_path / "echo.wat"
    path.write_text(ECHO + "  ")
    at_rest()
    await load_echo(folder, Artifact.at(path))
    before = path.stat()
    path.write_text(ECHO + " \n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    await load_echo(folder, Artifact.at(path))
    assert len(compilations) == 2


def at_rest():
    time.sleep(0.06)  # noqa: TID251  # the clock of the file system


# -- what is damaged or foreign


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    """Change one bit in place, with the size and the times as they were."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def grow(path):
    with path.open("ab") as file:
        file.write(b"more")


def copy_with_a_flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    path.touch(mode=0o600)
    path.write_bytes(content)


def open_to_others(path):
    path.chmod(0o666)


def make_a_link(path):
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


def make_a_pipe(path):
    path.unlink()
    os.mkfifo(path, mode=0o600)


def make_a_directory(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("ending", [".cwasm", ".entry"])
@pytest.mark.parametrize("is_large", [True, False], ids=["large", "small"])
@pytest.mark.parametrize(
    "damage",
    [
        cut,
        empty,
        flip,
        grow,
        copy_with_a_flip,
        open_to_others,
        make_a_link,
        make_a_pipe,
        Path.unlink,
    ],
)
async def test_a_damaged_file_is_ignored_and_replaced(
    folder, compilations, request, damage, ending, is_large
):
    if is_large:
        request.getfixturevalue("large")
    await load_echo(folder)
    (path,) = names(folder, ending)
    damage(path)
    with trio.fail_after(PATIENCE):
        await load_echo(folder)
    assert len(compilations) == 2
    await load_echo(folder)
    assert len(compilations) == 2


async def test_what_cannot_be_written_is_not_a_failure(folder, compilations, caplog):
    await load_echo(folder)
    make_a_directory(*names(folder, ".entry"))
    await load_echo(folder)
    assert len(compilations) == 2
    assert "component text is not kept in" in caplog.text


async def test_a_file_that_moved_is_checked_and_found(folder, large, compilations):
    """As when a cache is restored from a backup: other inodes, the same content."""
    await load_echo(folder)
    for path in folder.iterdir():
        content = path.read_bytes()
        path.unlink()
        path.touch(mode=0o600)
        path.write_bytes(content)
    await load_echo(folder)
    assert len(compilations) == 1


async def test_code_of_another_user_is_not_loaded(
    folder, compilations, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    await load_echo(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "me"))
    await load_echo(folder)
    assert len(compilations) == 2


@pytest.mark.parametrize("is_large", [True, False], ids=["large", "small"])
async def test_code_under_the_name_of_another_is_not_loaded(
    folder, engine, request, is_large
):
    """Both are ours; each is bound to what it was made from."""
    if is_large:
        request.getfixturevalue("large")
    cache = filled(folder, engine)
    echo = compiled(engine, bytes(wasmtime.wat2wasm(ECHO)))
    cache.keep("e" * 64, echo, footprint(SMALL), "other")
    (mine,) = folder.glob(f"{cache._key(DIGEST)}-*.cwasm")
    (other,) = folder.glob(f"{cache._key('e' * 64)}-*.cwasm")
    other.write_bytes(mine.read_bytes())
    other.chmod(0o600)
    record = folder / record_name(cache._key("e" * 64))
    assert cache.find(engine, "e" * 64) is None
    record.write_bytes((folder / record_name(cache._key(DIGEST))).read_bytes())
    assert cache.find(engine, "e" * 64) is None
    assert cache.find(engine, DIGEST) is not None


@given(position=st.integers(0, 10**6), bit=st.integers(0, 7), of_code=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_is_found(
    tmp_path_factory, engine, monkeypatch, position, bit, of_code
):
    folder = tmp_path_factory.mktemp("cache") / "cache"
    cache = filled(folder, engine)
    (path,) = names(folder, ".cwasm" if of_code else ".entry")
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1 << bit
    path.write_bytes(content)
    assert cache.find(engine, DIGEST) is None


# -- whose it is


async def test_the_cache_is_its_owners_alone(tmp_path):
    folder = tmp_path / "new" / "cache"
    await load_echo(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o750, 0o777])
async def test_a_directory_for_others_is_refused(folder, mode):
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(PermissionError, match="make it private") as caught:
        async with open_runtime(EngineSettings(), cache_directory=folder):
            pytest.fail("it was opened")
    assert str(folder) in str(caught.value)


async def test_a_directory_of_another_user_is_refused(folder, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(PermissionError, match="make it private"):
        ArtifactCache(folder, EngineSettings())


def test_a_directory_that_is_renamed_is_still_the_one_that_was_checked(
    folder, engine, tmp_path
):
    cache = filled(folder, engine)
    folder.rename(tmp_path / "moved")
    folder.mkdir(mode=0o777)
    cache.keep("e" * 64, compiled(engine), footprint(SMALL), "other")
    assert cache.find(engine, "e" * 64) is not None
    assert list(folder.iterdir()) == []


# -- the secret


def test_the_secret_is_made_once_and_ours_alone(tmp_path):
    first, second = (load_secret(tmp_path / "state") for _ in range(2))
    (path,) = (tmp_path / "state").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == 32
    assert first.mark("p", "n", b"c") == second.mark("p", "n", b"c")


def test_two_users_have_two_secrets(tmp_path):
    marks = {load_secret(tmp_path / who).mark("p", "n", b"c") for who in "ab"}
    assert len(marks) == 2


def test_threads_that_make_the_secret_at_once_get_the_same_one(tmp_path):
    together, marks = threading.Barrier(8), []

    def load():
        together.wait(PATIENCE)
        marks.append(load_secret(tmp_path / "state").mark("p", "n", b"c"))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(marks), len(set(marks))) == (8, 1)


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)])
def test_a_damaged_secret_is_made_anew(tmp_path, content):
    load_secret(tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    load_secret(tmp_path)
    assert len(path.read_bytes()) == 32
    assert path.read_bytes() != content


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    load_secret(tmp_path)
    (path,) = tmp_path.iterdir()
    path.chmod(0o644)
    with pytest.raises(PermissionError, match="cache-secret"):
        load_secret(tmp_path)


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_a_base_directory_that_is_not_absolute_is_ignored(monkeypatch, value):
    monkeypatch.setenv("XDG_STATE_HOME", value)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert user_state_directory() == Path("/home/somebody/.local/state/airssys")


def test_without_a_home_it_says_what_to_set(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(FileNotFoundError, match="set XDG_STATE_HOME to a directory"):
        user_state_directory()


def test_a_secret_that_cannot_be_made_says_what_to_set(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as caught:  # noqa: PT011  # its note is what matters
        load_secret(tmp_path / "file" / "airssys")
    assert "set XDG_STATE_HOME" in "".join(caught.value.__notes__)


@given(st.lists(st.tuples(st.text(), st.text(), st.binary()), min_size=2, max_size=2))
def test_a_mark_is_good_for_one_purpose_one_name_and_one_content(pair):
    pair = [(p.replace("\0", ""), n.replace("\0", ""), c) for p, n, c in pair]
    (purpose, name, content), other = pair
    secret = Secret(bytes(32))
    mark = secret.mark(purpose, name, content)
    assert secret.is_ours(mark, purpose, name, content)
    assert secret.is_ours(mark, *other) == (pair[0] == pair[1])


# -- how large it becomes

DAY = 86_400
NOW = 1000.0 * DAY


@attrs.frozen
class File:
    st_size: int
    st_mtime: float


def entry(number, size, age):
    """An entry that was used that many seconds ago."""
    key = f"{number:064x}"
    code = (code_name(key, "f" * 64), File(size - 1, NOW - age - DAY))
    return [code, (record_name(key), File(1, NOW - age))]


@given(
    st.lists(st.tuples(st.integers(2, 50), st.integers(0, 10 * DAY)), max_size=8),
    st.integers(0, 200),
)
def test_what_was_not_used_for_longest_goes_first(entries, most):
    files = [
        file
        for number, (size, age) in enumerate(entries)
        for file in entry(number, size, age)
    ]
    gone = set(surplus(files, most, NOW))
    left = [file for name, file in files if name not in gone]
    assert sum(file.st_size for file in left) <= most
    numbers = {int(name[:64], 16) for name in gone}
    for number in numbers:
        assert {name for name, _ in entry(number, 2, 0)} <= gone, "a half was left"
    kept = [age for n, (_, age) in enumerate(entries) if n not in numbers]
    lost = [(age, size) for n, (size, age) in enumerate(entries) if n in numbers]
    if lost:
        youngest, size = min(lost)
        assert all(age <= youngest for age in kept)
        assert sum(file.st_size for file in left) + size > most or len(lost) > 1


def test_a_record_goes_before_its_code():
    gone = list(surplus(entry(1, 10, 0), 0, NOW))
    assert [name.endswith(".entry") for name in gone] == [True, False]


def test_what_is_never_finished_goes_and_what_is_not_ours_stays():
    old, young = File(10, NOW - DAY), File(10, NOW - 60)
    files = [
        (".unfinished-old", old),
        (".unfinished-young", young),
        (code_name("a" * 64, "b" * 64), old),
        (code_name("c" * 64, "b" * 64), young),
        ("notes.txt", old),
        ("x.cwasm", old),
        *[(seen_name(f"{n:064x}"), File(9, NOW - n)) for n in range(1001)],
    ]
    gone = set(surplus(files, 1000, NOW))
    assert gone == {
        ".unfinished-old",
        code_name("a" * 64, "b" * 64),
        seen_name(f"{1000:064x}"),
    }


async def test_a_cache_stays_within_its_size(folder, compilations):
    await load_echo(folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    for name in ("state", "spin", "sleep"):
        async with open_guests(folder, cache_bytes=size * 2) as guests:
            await guests.component(name)
            used = sum(path.stat().st_size for path in folder.iterdir())
            assert size / 2 < used <= size * 2
    await load_echo(folder)
    assert len(compilations) == 5, "what was used least recently was still there"


async def test_what_is_used_stays(folder, compilations):
    """The first of two is used again, and then a third one needs room."""
    await load_echo(folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    async with open_guests(folder) as guests:
        await guests.component("state")
    for path in folder.iterdir():
        os.utime(path, (2, 2))
    await load_echo(folder)
    async with open_guests(folder, cache_bytes=int(size * 2.9)) as guests:
        await guests.component("spin")
    await load_echo(folder)
    assert len(compilations) == 3


async def test_code_larger_than_the_whole_cache_is_not_kept(folder, compilations):
    await load_echo(folder)
    async with open_guests(folder, cache_bytes=100) as guests:
        await guests.component("state")
    assert len(names(folder)) == 1


# -- who uses it at once


def test_two_threads_may_keep_the_same_code_at_once(folder, engine):
    """As when one file is loaded under two labels."""
    cache = ArtifactCache(folder, EngineSettings())
    both, failures = threading.Barrier(2), []
    original = PrivateDirectory.write

    def write(*arguments):
        both.wait(PATIENCE)
        original(*arguments)

    def keep():
        try:
            cache.keep(DIGEST, compiled(engine), footprint(SMALL), "mine")
        except Exception as error:  # noqa: BLE001  # asserted below
            failures.append(error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PrivateDirectory, "write", write)
        threads = [threading.Thread(target=keep) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert cache.find(engine, DIGEST) is not None


def test_of_two_codes_for_one_entry_the_older_one_goes():
    """Two processes compiled the same; wasmtime does not yield the same bytes twice."""
    older, newer = code_name("a" * 64, "1" * 64), code_name("a" * 64, "2" * 64)
    record = (record_name("a" * 64), File(1, NOW))

    def gone(older_age, newer_age):
        files = [
            (older, File(9, NOW - older_age)),
            (newer, File(9, NOW - newer_age)),
            record,
        ]
        return list(surplus(files, 1000, NOW))

    assert gone(DAY, 60) == [older]
    assert gone(120, 60) == []


@pytest.mark.parametrize(
    "rounds", [15, pytest.param(200, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_killed_processes_leave_nothing_wrong(folder, rounds):
    """Four at once, of which one or two are killed at a random moment."""
    program = Path(__file__).with_name("cache_rounds.py")
    done = finished([sys.executable, str(program), str(folder), str(rounds), "1"])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == 0, found
    assert found["other ends"] == {}, done.stderr
    assert found["killed"] + found["ended well"] == 4 * rounds
    assert found["killed"] > rounds / 4, found
    assert found["found"] > rounds / 4, found
    assert found["compiled"] > rounds / 4, found


async def test_what_was_checked_for_another_world_is_compiled_anew(
    folder, compilations, monkeypatch
):
    await load_echo(folder)
    monkeypatch.setattr(_artifact_cache, "_WORLD", "another")
    await load_echo(folder)
    assert len(compilations) == 2


def test_the_world_has_the_same_name_in_every_process():
    code = "from airssys.wasm.cache._artifact_cache import _WORLD; print(_WORLD)"
    names = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert names == {f"{_artifact_cache._WORLD}\n".encode()}


async def test_a_component_that_is_refused_is_not_kept(folder):
    async with open_guests(folder) as guests:
        with pytest.raises(_component_loader.ComponentRefused):
            await guests.component("wasi-import")
    assert list(folder.iterdir()) == []
