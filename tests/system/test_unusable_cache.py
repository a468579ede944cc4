"""The cache is a convenience: a system starts without it, and says so once."""

import errno
import logging
import os
import shutil
from pathlib import Path

import pytest

from airssys import blueprint, component, open_system
from airssys.wasm.cache import _private_directory

GUESTS = Path(__file__).resolve().parents[1] / "guests"


def a_file_in_its_place(cache, state):
    cache.parent.mkdir(parents=True)
    cache.write_text("")


def a_file_above_it(cache, state):
    cache.parent.parent.mkdir(parents=True, exist_ok=True)
    cache.parent.write_text("")


def a_loop_of_links(cache, state):
    cache.parent.mkdir(parents=True)
    cache.symlink_to(cache)


def a_file_in_place_of_the_state(cache, state):
    state.parent.mkdir(parents=True)
    state.write_text("")


def a_secret_that_is_a_directory(cache, state):
    (state / "cache-secret").mkdir(parents=True)
    state.chmod(0o700)


def a_secret_that_is_a_link(cache, state):
    state.mkdir(parents=True, mode=0o700)
    (state / "cache-secret").symlink_to("/dev/zero")


def a_secret_for_others(cache, state):
    state.mkdir(parents=True, mode=0o700)
    (state / "cache-secret").write_bytes(bytes(32))
    (state / "cache-secret").chmod(0o666)


UNUSABLE = [
    a_file_in_its_place,
    a_file_above_it,
    a_loop_of_links,
    a_file_in_place_of_the_state,
    a_secret_that_is_a_directory,
    a_secret_that_is_a_link,
    a_secret_for_others,
]


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "cache" / "compiled", tmp_path / "state" / "airssys"


async def start(cache, caplog):
    """Open a system of two components, use it, and return what was warned of."""
    caplog.clear()
    two = blueprint(
        component("a", GUESTS / "echo.wat"), component("b", GUESTS / "reject.wat")
    )
    with caplog.at_level(logging.WARNING, logger="airssys.cache"):
        async with open_system(two, cache_directory=cache) as system:
            assert await system.ask("a", b"hello") == b"hello"
    return [r.getMessage() for r in caplog.records if r.name == "airssys.cache"]


@pytest.mark.parametrize("spoil", UNUSABLE)
async def test_a_system_starts_without_a_cache_and_says_so_once(places, caplog, spoil):
    cache, state = places
    spoil(cache, state)
    (warning,) = await start(cache, caplog)
    assert warning.startswith("components are compiled anew, and not kept in ")


@pytest.mark.parametrize("size", [0, 31, 33, 5000])
async def test_a_damaged_secret_is_made_anew(places, caplog, size):
    cache, state = places
    state.mkdir(parents=True, mode=0o700)
    (state / "cache-secret").write_bytes(b"x" * size)
    (state / "cache-secret").chmod(0o600)
    assert await start(cache, caplog) == []
    assert (state / "cache-secret").stat().st_size == 32
    assert len(list(cache.glob("*.cwasm"))) == 2


async def test_without_a_home_a_system_starts(places, caplog, monkeypatch):
    cache, _ = places

    def no_home():
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    (warning,) = await start(cache, caplog)
    assert "set XDG_STATE_HOME" in warning


async def test_a_directory_that_others_can_reach_is_refused(places, caplog):
    cache, state = places
    state.mkdir(parents=True)
    state.chmod(0o777)
    with pytest.raises(PermissionError, match="make it private"):
        await start(cache, caplog)


class FailingOs:
    """The module `os`, of which the n-th call fails, or it and all that follow."""

    def __init__(self, calls, number, is_lasting):
        self.calls, self.number, self.is_lasting = calls, number, is_lasting

    def __getattr__(self, name):
        real = getattr(os, name)
        if name not in {
            "open",
            "fstat",
            "link",
            "rename",
            "fsync",
            "unlink",
            "listdir",
            "stat",
            "utime",
        }:
            return real

        def call(*arguments, **keywords):
            self.calls -= 1
            if self.calls == 0 or (self.is_lasting and self.calls < 0):
                raise OSError(self.number, os.strerror(self.number))
            return real(*arguments, **keywords)

        return call


@pytest.mark.slow
@pytest.mark.parametrize("is_lasting", [False, True])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
async def test_a_system_starts_whatever_call_fails(
    places, caplog, monkeypatch, number, is_lasting
):
    cache, state = places
    for calls in range(1, 200):
        shutil.rmtree(cache, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)
        failing = FailingOs(calls, number, is_lasting)
        monkeypatch.setattr(_private_directory, "os", failing)
        assert len(await start(cache, caplog)) <= 1
        if failing.calls > 0:
            break
    assert calls > 10
