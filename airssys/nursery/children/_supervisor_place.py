"""What a supervisor is given by its place in the tree, besides its specification."""

from __future__ import annotations

import random
from typing import final

import attrs

from airssys.contracts import ChildSpec, EventSink
from airssys.nursery.restarts import Record, nothing_to_record

from ._given_names import GivenNames
from ._slots import ChildCellMaker


@final
@attrs.frozen
class SupervisorPlace:
    """All that one incarnation of a supervisor needs from outside."""

    path: str
    """Its own name after those of all above it, e.g. `root/workers`."""
    make_seat: ChildCellMaker
    """Makes the cells of its children."""
    events: EventSink
    rng: random.Random
    """Where jitter comes from."""
    names: GivenNames = attrs.field(factory=GivenNames)
    given: ChildSpec | None = None
    """What was last given as its specification; None: what it starts by."""
    record: Record = nothing_to_record
    """Puts a change of its specification where the next incarnation finds it."""
