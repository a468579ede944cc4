"""A system as a fixture: open before each test, stopped in order after it.

`pytest -o trio_mode=true` runs it too, with pytest-trio installed.
"""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airssys import System, blueprint, component, open_system

SHOUT = Path(__file__).parents[1] / "shout.wat"


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with open_system(blueprint(component("shout", SHOUT))) as system:
        yield system


async def test_it_shouts(system: System) -> None:
    assert await system.ask("shout", b"hello") == b"HELLO"


async def test_a_system_of_its_own_for_each_test(system: System) -> None:
    await system.send("shout", b"whatever another test has sent")
    assert [node.restarts for node in system.tree().children] == [0]


if __name__ == "__main__":
    options = ["-o", "trio_mode=true", "-q", "-p", "no:cacheprovider"]
    sys.exit(subprocess.call([sys.executable, "-m", "pytest", *options, __file__]))
