"""Components that export `wasi:cli/run`: tasks under a supervisor, which run once."""

import pytest
import trio

from airssys import (
    blueprint,
    component,
    dynamic_supervisor,
    open_system,
)
from airssys.contracts import (
    Artifact,
    ChildExited,
    DefinitionError,
    EngineSettings,
    ExitKind,
    Logged,
    Started,
    TrapReason,
)
from airssys.security import arguments, env, stdin, stdout
from wasm_support import ARGUMENTS, CAT, leaving, order, program, sleeping, wasi_guest

GOOD, BAD = program("(i32.const 0)"), program("(i32.const 1)")


async def run_program(text, lane="own", wait=True, **options):
    """Run a program to its end; returns that, and the lines that it wrote."""
    tree = blueprint(dynamic_supervisor("programs"), engine=EngineSettings(lane=lane))
    async with open_system(tree) as system:
        events = system.events()
        options = {"restart": "temporary"} | options
        spec = component("it", Artifact.from_text(text, "it"), **options)
        answer = await system.supervisor("root/programs").start_child(spec)
        assert isinstance(answer, Started), answer
        lines = []
        while True:
            event = await anext(events)
            if isinstance(event, Logged):
                lines.append(event.message)
            if isinstance(event, ChildExited):
                return event, lines


@pytest.mark.parametrize("lane", ["own", "wasmtime"])
@pytest.mark.parametrize(
    ("text", "kind", "status"),
    [
        (GOOD, ExitKind.SHUTDOWN, None),
        (leaving(0), ExitKind.SHUTDOWN, None),
        (BAD, ExitKind.CRASH, 1),
        (leaving(7), ExitKind.CRASH, 7),
        (program("(unreachable)"), ExitKind.CRASH, None),
    ],
)
async def test_how_a_program_ends(lane, text, kind, status):
    end, _ = await run_program(text, lane)
    assert end.reason.kind is kind
    assert getattr(end.reason.error, "status", None) == status


@pytest.mark.parametrize("lane", ["own", "wasmtime"])
async def test_it_reads_what_it_is_given_and_writes_lines(lane):
    given = "one\n" + "x" * 5000 + "\nend"
    end, lines = await run_program(
        program(CAT), lane, can=[stdin(), stdout()], stdin=given
    )
    assert lines == ["one", "x" * 5000, "end"]
    assert end.reason.kind is ExitKind.SHUTDOWN


async def test_without_a_grant_it_reads_nothing():
    _, lines = await run_program(program(CAT), can=[stdout()], stdin="one")
    assert lines == []


async def test_arguments_and_environment_are_spelled_out():
    given = {"HOME": "/root", "KEY": "secret"}
    options = {"arguments": ["-v", "a b"], "env": given}
    can = [stdout(), arguments(), env("HOME")]
    _, lines = await run_program(program(ARGUMENTS), can=can, **options)
    assert lines == ["local/it/0", "-v", "a b", "HOME", "/root"]
    _, lines = await run_program(program(ARGUMENTS), can=[stdout()], **options)
    assert lines == []


async def test_one_that_fails_is_restarted_and_one_that_ends_well_is_not():
    for text, restarting in ((leaving(0), False), (GOOD, False), (leaving(2), True)):
        end, _ = await run_program(text, restart="transient")
        assert end.restarting is restarting


async def test_a_program_that_sleeps_is_stopped_at_once(autojump_clock):
    tree = blueprint(
        component("it", Artifact.from_text(sleeping(10**6), "it"), shutdown=100)
    )
    async with open_system(tree):
        await trio.sleep(1000)
        began = trio.current_time()
    assert trio.current_time() - began < 1


async def test_sleeping_is_not_execution_time(autojump_clock):
    limits = {"execution_time": 0.5}
    end, _ = await run_program(sleeping(3600), limits=limits)
    assert end.reason.kind is ExitKind.SHUTDOWN


async def test_many_programs_sleep_beside_each_other(autojump_clock):
    tree = blueprint(dynamic_supervisor("programs"))
    artifact = Artifact.from_text(sleeping(1), "it")
    async with open_system(tree) as system:
        events = system.events()
        for number in range(100):
            spec = component(f"it-{number}", artifact, restart="temporary")
            await system.supervisor("root/programs").start_child(spec)
        began, ended = trio.current_time(), 0
        while ended < 100:
            ended += isinstance(await anext(events), ChildExited)
        assert trio.current_time() - began <= 1.15


async def test_a_program_that_loops_is_stopped_by_its_limit():
    text = program("(loop $l (br $l)) (unreachable)")
    end, _ = await run_program(text, limits={"execution_time": 0.05})
    assert end.reason.error.reason is TrapReason.TIME_LIMIT


async def test_an_actor_that_exits_with_0_has_ended_well():
    artifact = Artifact.from_text(wasi_guest(), "guest")
    for status, kind in ((0, ExitKind.NORMAL), (3, ExitKind.CRASH)):
        tree = blueprint(component("it", artifact, restart="transient"))
        async with open_system(tree) as system:
            events = system.events()
            await system.send("it", order("x", status))
            end = await anext(events)
            while not isinstance(end, ChildExited):
                end = await anext(events)
            assert end.reason.kind is kind
            assert end.restarting is (status != 0)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"arguments": "-v"}, "is not a list of texts"),
        ({"arguments": [1]}, "is not a list of texts"),
        ({"stdin": 3}, "neither bytes nor text"),
        ({"passes_stdio": "yes"}, "neither True nor False"),
    ],
)
async def test_wrong_options_are_mistakes(options, found):
    tree = blueprint(component("it", Artifact.from_text(GOOD, "it"), **options))
    with pytest.raises(DefinitionError, match=found):
        async with open_system(tree):
            pass
