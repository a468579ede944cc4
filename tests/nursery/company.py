"""Small systems for tests: blueprints in a line, events as lists."""

from __future__ import annotations

from contextlib import asynccontextmanager

import trio

from airssys.contracts import (
    EVERYTHING,
    ActorSpec,
    Artifact,
    Blueprint,
    ChildEvent,
    ComponentConfig,
    ComponentId,
    ComponentSpec,
    Intensity,
    Limits,
    SupervisorSpec,
)
from airssys.system import open_system

from .fake_guest import FakeLoader
from .stage import assert_lives_are_over

ARTIFACT = Artifact.from_text("(component)", "fake")


def python(name, behaviour, **options):
    return ActorSpec(id=ComponentId.parse(name), behaviour=behaviour, **options)


def component(name, data=None, artifact=ARTIFACT, limits=None, **options):
    options.setdefault("can", (EVERYTHING,))  # tests/security has what is not granted
    config = ComponentConfig(data=data, limits=limits or Limits())
    return ComponentSpec(
        id=ComponentId.parse(name), artifact=artifact, config=config, **options
    )


def blueprint(*children, restarts=3, **options):
    root = SupervisorSpec(
        name="root", children=children, intensity=Intensity(restarts, 60.0)
    )
    return Blueprint(root=root, **options)


class Watch:
    """All events of one system, as they came."""

    def __init__(self, stream):
        self._stream, self._seen = stream, []

    def of(self, kind):
        while True:
            try:
                self._seen.append(self._stream.next_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                return [event for event in self._seen if isinstance(event, kind)]


@asynccontextmanager
async def running(*children, loader=None, **options):
    """Open a small system; yields it, and a watch on its events.

    Options that are those of a blueprint go there, the others to `open_system`.
    """
    own = {"restarts", "stop_timeout", "engine"}
    of_plan = {name: options.pop(name) for name in own & options.keys()}
    plan = blueprint(*children, **of_plan)
    opening = open_system(plan, open_loader=loader or FakeLoader(), **options)
    from_the_start = Watch(opening.listen(100_000))
    try:
        async with opening as system:
            yield system, Watch(system.events(100_000))
    finally:
        assert_lives_are_over(from_the_start.of(ChildEvent))
