"""The fake passes the exam of the port; only then is it worth testing with."""

import pytest

from .fake_guest import FakeComponent
from .guest_exam import QUESTIONS, examine_guests


@pytest.mark.parametrize("question", QUESTIONS)
async def test_the_fake_passes(question, autojump_clock):
    await question(FakeComponent())


async def test_the_whole_exam(autojump_clock):
    async def load():
        return FakeComponent()

    await examine_guests(load)
