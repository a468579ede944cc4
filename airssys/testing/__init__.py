"""For tests: a clock, fakes, probes, faults at every point, and a model of supervision.

`pytest_airssys` makes fixtures of the first three.
"""

from ._clock import steady_clock
from ._duel import Duel, play
from ._event_record import EventRecord, watched_system
from ._examine_supervisors import examine_supervisors
from ._fake_guest import FakeComponent, FakeGuest, FakeLoader
from ._faults import cancel_at_every_step, raise_at_every_checkpoint
from ._guest_exam import GUEST_QUESTIONS, examine_guests
from ._hand_ticks import HandTicks
from ._model import ModelSupervisor
from ._model_child import ModelChild
from ._model_dynamic import ModelDynamicSupervisor, model_of
from ._probe import Probe
from ._world import (
    CRASH,
    FAILS,
    HANGS,
    IGNORES,
    KILLED,
    NORMAL,
    SHUTDOWN,
    End,
    Habit,
    SteadyChance,
    World,
)

__all__ = (
    "CRASH",
    "FAILS",
    "GUEST_QUESTIONS",
    "HANGS",
    "IGNORES",
    "KILLED",
    "NORMAL",
    "SHUTDOWN",
    "Duel",
    "End",
    "EventRecord",
    "FakeComponent",
    "FakeGuest",
    "FakeLoader",
    "Habit",
    "HandTicks",
    "ModelChild",
    "ModelDynamicSupervisor",
    "ModelSupervisor",
    "Probe",
    "SteadyChance",
    "World",
    "cancel_at_every_step",
    "examine_guests",
    "examine_supervisors",
    "model_of",
    "play",
    "raise_at_every_checkpoint",
    "steady_clock",
    "watched_system",
)
