"""The real supervisors against the model: the same story, event by event.

`AIRSSYS_SEED` repeats a run of the slow test.
"""

import os
import re

import pytest
from hypothesis import Phase

from airssys.testing import ModelSupervisor, examine_supervisors

SEED = int(os.environ["AIRSSYS_SEED"]) if "AIRSSYS_SEED" in os.environ else None


def test_supervisors_tell_the_same_story_as_the_model():
    examine_supervisors(examples=200, seed=1 if SEED is None else SEED)


@pytest.mark.slow
def test_supervisors_tell_the_same_story_as_the_model_at_length():
    examine_supervisors(examples=2000, steps=25, seed=SEED)


def failure(**options):
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        examine_supervisors(**options)
    error = caught.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return caught.value, str(error)


def test_a_failure_names_its_seed_and_the_seed_repeats_it(monkeypatch):
    """Here the model is wrong: it allows one restart too few."""
    recent = ModelSupervisor._recent
    monkeypatch.setattr(
        ModelSupervisor, "_recent", lambda self, now: [now, *recent(self, now)]
    )
    # Looking for the shortest script takes a while, and is hypothesis' business.
    monkeypatch.setattr(
        "airssys.testing.model._state_machine.PHASES", (Phase.generate,)
    )
    error, text = failure(examples=1000)
    (note,) = (n for n in error.__notes__ if "to repeat: " in n)
    seed = int(re.search(r"seed=(\d+)", note)[1])
    assert failure(examples=1000, seed=seed)[1] == text
