"""Fixtures for tests with real guests; compiled once for the whole run."""

import pytest

from airssys.testing import ManualTicks
from wasm_support import SocketGuest, open_guests


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    return tmp_path_factory.mktemp("compiled") / "cache"


@pytest.fixture
async def guests(compiled):
    async with open_guests(compiled) as guests:
        yield guests


@pytest.fixture
async def unticked(compiled):
    """Guests whose slices do not end: no tick comes by.

    On a busy machine a first slice may be over before it has begun.
    """
    async with open_guests(compiled, make_ticks=ManualTicks()) as guests:
        yield guests


@pytest.fixture
async def unhurried(compiled):
    """Guests that are sent to the workers for what they do, not for a busy machine.

    A poll holds the thread for too long after two ticks, of the processor; but what the
    machine does besides may count as well, if it is itself a guest of another.
    """
    async with open_guests(compiled, tick=0.1) as guests:
        yield guests


@pytest.fixture
async def make_guest(nursery):
    """Make guests that call `wasi:sockets`."""
    made = []

    def make(*can):
        made.append(SocketGuest(nursery, *can))
        return made[-1]

    yield make
    for each in made:
        each.context.close()
