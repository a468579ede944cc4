"""`cache_directory` of `open_system` and `run`: by default in the user's own."""

import functools
from pathlib import Path

import pytest

from airssys import blueprint, component, open_system, run
from airssys.system import open_wasm_loader

GUESTS = Path(__file__).resolve().parents[1] / "guests"


def tree():
    return blueprint(component("echo", GUESTS / "echo.wat"))


async def use(system):
    assert await system.ask("echo", b"hello") == b"hello"


async def test_an_open_system_keeps_what_it_compiled(tmp_path):
    folder = tmp_path / "cache"
    async with open_system(tree(), cache_directory=folder) as system:
        await use(system)
    assert len(list(folder.glob("*.cwasm"))) == 1


def test_a_program_keeps_what_it_compiled(tmp_path):
    folder = tmp_path / "cache"
    run(tree(), use, cache_directory=str(folder))
    assert len(list(folder.glob("*.cwasm"))) == 1


def test_by_default_it_is_kept_for_the_user(tmp_path, monkeypatch):
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    run(tree(), use)
    folder = tmp_path / "XDG_CACHE_HOME" / "airssys" / "compiled"
    assert len(list(folder.glob("*.cwasm"))) == 1


def test_nothing_is_kept_if_it_is_not_wanted(tmp_path, monkeypatch):
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    run(tree(), use, cache_directory=None)
    assert list(tmp_path.iterdir()) == []


async def test_a_directory_for_others_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match="make it private"):
        async with open_system(tree(), cache_directory=tmp_path):
            pytest.fail("it was opened")


def test_another_loader_has_its_own_cache():
    with pytest.raises(ValueError, match="pass it to your open_loader"):
        open_system(
            tree(), cache_directory="x", open_loader=functools.partial(open_wasm_loader)
        )
