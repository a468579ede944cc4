"""Supervisors that are started at run time are nested no deeper than declared ones."""

from airssys.contracts import (
    MAX_DEPTH,
    DynamicSupervisorSpec,
    Refusal,
    Started,
    SupervisorSpec,
)
from airssys.nursery import render

from .company import running


async def test_nesting_ends_where_a_blueprint_would_be_refused(autojump_clock):
    async with running() as (system, _):
        path = "root"
        for _ in range(MAX_DEPTH - 1):
            spec = SupervisorSpec(name="s")
            answer = await system.supervisor(path).start_child(spec)
            assert isinstance(answer, Started)
            path += "/s"
        assert len(render(system.tree()).splitlines()) == MAX_DEPTH
        deepest = system.supervisor(path)
        for spec in (SupervisorSpec(name="s"), DynamicSupervisorSpec(name="d")):
            answer = await deepest.start_child(spec)
            assert answer.why is Refusal.INVALID_SPEC
            assert f"{MAX_DEPTH} supervisors above" in str(answer.mistakes[0])
        changed = SupervisorSpec(name="s", children=(SupervisorSpec(name="t"),))
        answer = await deepest.change_specs(changed)
        assert answer.why is Refusal.INVALID_SPEC


async def test_nor_below_a_dynamic_supervisor(autojump_clock):
    async with running(DynamicSupervisorSpec(name="d")) as (system, _):
        spec = SupervisorSpec(name="s")
        for _ in range(MAX_DEPTH - 3):
            spec = SupervisorSpec(name="s", children=(spec,))
        below = system.supervisor("root/d")
        assert isinstance(await below.start_child(spec), Started)
        deeper = SupervisorSpec(name="t", children=(spec,))
        assert (await below.start_child(deeper)).why is Refusal.INVALID_SPEC
