"""Guests that are built once, kept by content, and run in a real runtime."""

import faulthandler
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from airssys.building import build
from airssys.contracts import Artifact, ComponentConfig, Limits
from wasm_support import open_guests

ROOT = Path(__file__).resolve().parents[2]
GUESTS = Path(__file__).with_name("guests")


def make_private(name):
    """Make a directory that outlives the run, so that the next one is quick."""
    try:
        directory = ROOT / ".build" / "tests" / name
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.mkdtemp())
    return directory


@pytest.fixture(scope="session")
def built_before():
    """A cache of built guests, kept from run to run."""
    return make_private("built")


@pytest.fixture(scope="session")
def compiled_before():
    """A cache of compiled guests, kept from run to run."""
    return make_private("compiled")


@pytest.fixture(scope="session")
def troubled(built_before):
    """A Python guest, built and compiled here: both take long, once."""
    pytest.importorskip("componentize_py")
    # On a busy machine this takes longer than a test that hangs is given.
    faulthandler.cancel_dump_traceback_later()
    path = build(GUESTS / "troubled.py", cache_directory=built_before).path
    trio.run(compile_once, path)
    return path


@pytest.fixture(scope="session")
def keeper(built_before):
    """A Python guest that hands its state over."""
    pytest.importorskip("componentize_py")
    faulthandler.cancel_dump_traceback_later()
    path = build(GUESTS / "keeper.py", cache_directory=built_before).path
    trio.run(compile_once, path)
    return path


async def compile_once(path):
    async with open_guests(make_private("compiled")) as guests:
        await guests.loader.load(Artifact.at(path))


@pytest.fixture
def open_component():
    """Run a component from bytes or a path: `async with open_component(it) as guest`."""

    @asynccontextmanager
    async def open_one(component, services=None, **env):
        artifact = (
            Artifact.from_bytes(component)
            if isinstance(component, bytes)
            else Artifact.at(component)
        )
        async with open_guests(make_private("compiled")) as guests:
            loaded = await guests.loader.load(artifact)
            limits = Limits(execution_time=20.0)
            guest = await loaded.instantiate(limits, services or guests.services)
            guests.started.append(guest)
            await guest.initialize(ComponentConfig(env=tuple(env.items())))
            yield guest

    return open_one
