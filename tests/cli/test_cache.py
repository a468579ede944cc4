"""`airssys cache`: shows what is kept, removes that and nothing else."""

from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

from airssys.cli import main
from airssys.contracts import Artifact, EngineSettings
from airssys.wasm import open_runtime

GUESTS = Path(__file__).resolve().parents[1] / "guests"


def cache(*arguments, **environment):
    return CliRunner().invoke(main, ["cache", *map(str, arguments)], env=environment)


@pytest.fixture
def folder(tmp_path):
    """A cache that holds two components."""
    directory = tmp_path / "cache"

    async def fill():
        async with open_runtime(EngineSettings(), cache_directory=directory) as loader:
            for name in ("echo", "state"):
                await loader.load(Artifact.at(GUESTS / f"{name}.wat"))

    trio.run(fill)
    return directory


def test_what_is_kept_is_listed(folder):
    result = cache("list", "--directory", folder)
    assert result.exit_code == 0
    header, *entries, total = result.stdout.splitlines()
    assert "last used" in header
    assert len(entries) == 2
    assert all("just now" in line or "seconds" in line for line in entries)
    kept = [GUESTS / "echo.wat", GUESTS / "state.wat"]
    for path in kept:
        assert sum(line.endswith(f" {path}") for line in entries) == 1
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert total == f"2 components, {size:,} bytes in {folder}"


def test_a_foreign_entry_is_named_as_such(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    result = cache("list", "--directory", folder)
    assert result.stdout.count("not written by you, and never used") == 2


def test_clearing_removes_what_is_kept_and_nothing_else(folder):
    (folder / "notes.txt").write_text("mine")
    result = cache("clear", "--directory", folder)
    assert result.exit_code == 0
    assert result.stdout.startswith("removed 2 components, ")
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert cache("list", "--directory", folder).stdout.startswith(
        "there are no compiled components in"
    )


@pytest.mark.parametrize("what", ["list", "clear"])
def test_a_directory_that_is_not_there_is_not_made(tmp_path, what):
    result = cache(what, "--directory", tmp_path / "none")
    assert result.exit_code == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["list", "clear"])
def test_a_directory_for_others_reads_well(tmp_path, what):
    tmp_path.chmod(0o777)
    result = cache(what, "--directory", tmp_path)
    assert result.exit_code == 1
    assert str(tmp_path) in result.stderr
    assert "make it private" in result.stderr
    assert "Traceback" not in result.output


def test_the_users_own_directory_is_the_default(folder):
    (folder.parent / "airssys").mkdir()
    (folder.parent / "airssys" / "compiled").symlink_to(folder)
    result = cache("list", XDG_CACHE_HOME=str(folder.parent))
    assert "2 components" in result.stdout
