"""Fixtures for tests with real guests; compiled once for the whole run."""

import pytest

from wasm_support import open_guests


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    return tmp_path_factory.mktemp("compiled") / "cache"


@pytest.fixture
async def guests(compiled):
    async with open_guests(compiled) as guests:
        yield guests
