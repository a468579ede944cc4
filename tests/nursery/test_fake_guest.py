"""The fake passes the conformance check of the port, as a real guest does."""

import attrs
import pytest

from airssys.testing import GUEST_QUESTIONS, FakeComponent, examine_guests


@pytest.mark.parametrize("question", GUEST_QUESTIONS)
async def test_the_fake_passes(question, autojump_clock):
    await question(FakeComponent())
    await question(FakeComponent(hands_over=True))


async def test_every_question_of_the_conformance_check(autojump_clock):
    async def load():
        return FakeComponent()

    await examine_guests(load)


@attrs.define(eq=False)
class Wrong:
    """A guest that does one thing otherwise than it should."""

    guest: object
    wrongs: dict

    def __getattr__(self, name):
        if name in self.wrongs:
            return self.wrongs[name](self.guest)
        return getattr(self.guest, name)


class WrongComponent:
    def __init__(self, **wrongs):
        self.real, self.wrongs = FakeComponent(hands_over=True), wrongs

    async def instantiate(self, limits, services):
        return Wrong(await self.real.instantiate(limits, services), self.wrongs)


async def nothing(*_):
    return None


async def zeros():
    return b"0"


@pytest.mark.parametrize(
    ("wrongs", "question"),
    [
        ({"metadata": lambda guest: nothing}, "answers_and_keeps_its_state"),
        ({"handle_message": lambda guest: nothing}, "answers_and_keeps_its_state"),
        (
            {"spent": lambda guest: None},
            "a_trap_spends_it",
        ),
        ({"initialize": lambda guest: nothing}, "a_failing_initialize_says_how"),
        (
            {"close": lambda guest: lambda: None},
            "closing_is_final_and_may_be_repeated",
        ),
        (
            {"import_state": lambda guest: nothing},
            "hands_its_state_over_and_keeps_it",
        ),
        (
            {"export_state": lambda guest: zeros},
            "hands_its_state_over_and_keeps_it",
        ),
    ],
)
async def test_the_conformance_check_finds_what_is_wrong(
    wrongs, question, autojump_clock
):
    async def load():
        return WrongComponent(**wrongs)

    with pytest.raises(AssertionError) as caught:
        await examine_guests(load)
    assert caught.value.__notes__ == [question]
