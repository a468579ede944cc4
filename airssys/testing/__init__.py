"""For tests: a clock, fakes, probes, fault injection, and a model of supervision.

`pytest_airssys` provides fixtures for the first three.
"""

from airssys.contracts import renamed

from ._clock import steady_clock
from ._event_record import EventRecord, watched_system
from ._faults import cancel_at_every_step, raise_at_every_checkpoint
from ._idle import wait_until_idle
from ._manual_ticks import ManualTicks
from ._policy import assert_can_reach, assert_cannot_reach
from ._probe import Probe
from .conformance import (
    GUEST_QUESTIONS,
    LOADER_QUESTIONS,
    SERVICES_QUESTIONS,
    STORAGE_QUESTIONS,
    Stand,
    examine_event_sink,
    examine_guests,
    examine_loaders,
    examine_randomness,
    examine_services,
    examine_storages,
    examine_ticks,
    examine_wall_clock,
)
from .fakes import (
    EventList,
    FakeComponent,
    FakeGuest,
    FakeKeyspace,
    FakeLoader,
    FakeServices,
    FakeStorage,
    HandWallClock,
    SeededRandomness,
)
from .model import (
    CRASH,
    FAILS,
    HANGS,
    IGNORES,
    KILLED,
    NORMAL,
    SHUTDOWN,
    End,
    Habit,
    Lockstep,
    ModelChild,
    ModelDynamicSupervisor,
    ModelSupervisor,
    Script,
    SteadyChance,
    examine_supervisors,
    model_of,
    play,
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
    "STORAGE_QUESTIONS",
    "End",
    "EventList",
    "EventRecord",
    "FakeComponent",
    "FakeGuest",
    "FakeKeyspace",
    "FakeLoader",
    "FakeServices",
    "FakeStorage",
    "Habit",
    "HandWallClock",
    "Lockstep",
    "ManualTicks",
    "ModelChild",
    "ModelDynamicSupervisor",
    "ModelSupervisor",
    "Probe",
    "Script",
    "SeededRandomness",
    "Stand",
    "SteadyChance",
    "assert_can_reach",
    "assert_cannot_reach",
    "cancel_at_every_step",
    "examine_event_sink",
    "examine_guests",
    "examine_loaders",
    "examine_randomness",
    "examine_services",
    "examine_storages",
    "examine_supervisors",
    "examine_ticks",
    "examine_wall_clock",
    "model_of",
    "play",
    "raise_at_every_checkpoint",
    "steady_clock",
    "wait_until_idle",
    "watched_system",
)

__getattr__ = renamed(
    __name__,
    {
        "Duel": "Lockstep",
        "FakeStore": "FakeStorage",
        "HandTicks": "ManualTicks",
        "STORE_QUESTIONS": "STORAGE_QUESTIONS",
        "World": "Script",
        "examine_stores": "examine_storages",
    },
)
