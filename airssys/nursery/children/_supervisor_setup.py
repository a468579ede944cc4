"""What an incarnation of a supervisor is given by its cell."""

from __future__ import annotations

import random
from typing import final

import attrs

from airssys.contracts import EventSink
from airssys.nursery.restarts import Declared

from ._given_names import GivenNames
from ._slots import CellMaker


@final
@attrs.frozen
class SupervisorSetup:
    """All that one incarnation of a supervisor needs from outside."""

    path: str
    """Its own name after those of all above it, e.g. `root/workers`."""
    declared: Declared
    """What it is declared to be, now and after each change."""
    make_cell: CellMaker
    """Makes the cells of its children."""
    events: EventSink
    rng: random.Random
    """Where jitter comes from."""
    names: GivenNames = attrs.field(factory=GivenNames)
