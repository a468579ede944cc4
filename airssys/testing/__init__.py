"""For tests: a clock, fakes, probes, faults at every point, and a model of supervision.

`pytest_airssys` makes fixtures of the first three.
"""

from ._clock import steady_clock
from ._duel import Duel, play
from ._event_record import EventRecord, watched_system
from ._examine_supervisors import examine_supervisors
from ._fake_guest import FakeComponent, FakeGuest, FakeLoader
from ._fake_services import FakeServices
from ._fake_store import FakeKeyspace, FakeStore
from ._faults import cancel_at_every_step, raise_at_every_checkpoint
from ._guest_exam import GUEST_QUESTIONS, examine_guests
from ._hand_ticks import HandTicks
from ._loader_exam import LOADER_QUESTIONS, examine_loaders
from ._model import ModelSupervisor
from ._model_child import ModelChild
from ._model_dynamic import ModelDynamicSupervisor, model_of
from ._probe import Probe
from ._services_exam import SERVICES_QUESTIONS, Stand, examine_services
from ._small_exams import (
    examine_event_sink,
    examine_randomness,
    examine_ticks,
    examine_wall_clock,
)
from ._small_fakes import EventList, HandWallClock, SeededRandomness
from ._store_exam import STORE_QUESTIONS, examine_stores
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
    "LOADER_QUESTIONS",
    "NORMAL",
    "SERVICES_QUESTIONS",
    "SHUTDOWN",
    "STORE_QUESTIONS",
    "Duel",
    "End",
    "EventList",
    "EventRecord",
    "FakeComponent",
    "FakeGuest",
    "FakeKeyspace",
    "FakeLoader",
    "FakeServices",
    "FakeStore",
    "Habit",
    "HandTicks",
    "HandWallClock",
    "ModelChild",
    "ModelDynamicSupervisor",
    "ModelSupervisor",
    "Probe",
    "SeededRandomness",
    "Stand",
    "SteadyChance",
    "World",
    "cancel_at_every_step",
    "examine_event_sink",
    "examine_guests",
    "examine_loaders",
    "examine_randomness",
    "examine_services",
    "examine_stores",
    "examine_supervisors",
    "examine_ticks",
    "examine_wall_clock",
    "model_of",
    "play",
    "raise_at_every_checkpoint",
    "steady_clock",
    "watched_system",
)
