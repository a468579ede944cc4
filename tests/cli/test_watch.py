"""`airssys build --watch`: builds again when the sources change."""

from pathlib import Path

import pytest
import trio

from airssys.building import BuildFailed
from airssys.cli.commands.building import _build


async def test_each_change_of_the_sources_is_built_once(
    monkeypatch, airssys_clock, capsys
):
    """A build that fails is reported, and is tried again after the next change."""
    contents = [b"1", b"1", b"2", b"2", b"wrong", b"wrong", None, b"3"]
    looks = iter(contents)
    built, latest = [], []

    def sources_of(_):
        content = next(looks, b"3")
        latest[:] = [content]
        if content is None:
            raise BuildFailed("gone for a moment")
        return {"guest.py": content}

    def build(*_, **options):
        assert options["dev"]
        if latest in ([b"wrong"], [None]):
            raise BuildFailed(f"does not build: {latest[0]}")
        built.append(latest[0])
        return "made"

    monkeypatch.setattr(_build, "sources_of", sources_of)
    monkeypatch.setattr(_build, "build", build)
    monkeypatch.setattr(_build, "_describe", str)
    how = {
        "dev": True,
        "wasi": False,
        "no_compile": True,
        "watch": True,
        "fresh": False,
    }
    job = _build._Job(Path("guest.py"), Path("guest.wasm"), None, how)
    with trio.move_on_after(20):
        await _build._watch(job)
    assert built == [b"1", b"2", b"3"]
    printed = capsys.readouterr()
    assert printed.out == "made\n" * 3
    assert printed.err.count("does not build") == 2
    assert printed.err.count("watching guest.py") == 5


@pytest.mark.parametrize("option", ["--dev", "--watch"])
def test_the_options_are_explained(airssys, option):
    assert option in airssys("build", "--help").stdout
