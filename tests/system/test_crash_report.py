"""What is reported of a crash: the events that carry it, and the report made of them."""

import time

import pytest

from airssys.contracts import (
    NO_BACKOFF,
    ActorSpec,
    Artifact,
    Blueprint,
    CalleeFailed,
    ChildExited,
    ChildStarted,
    ChildStartFailed,
    ComponentId,
    ComponentSpec,
    ExitKind,
    ExitReason,
    Intensity,
    RestartType,
    SupervisorGaveUp,
    SupervisorSpec,
    TraceContext,
)
from airssys.system import CrashReport, open_system
from airssys.testing import wait_until_idle
from wasm_support import GUESTS

MANY = Intensity(2, 60.0)


async def inner(number):
    raise ValueError(f"number {number}")


class Actor:
    def __init__(self, failing_starts=()):
        self.failing_starts = failing_starts

    async def started(self, context):
        if self.failing_starts and self.failing_starts.pop(0):
            raise OSError("no start")

    async def handle(self, context, envelope):
        await inner(7)


def actor(**options):
    options = {"backoff": NO_BACKOFF} | options
    return ActorSpec(id=ComponentId.parse("a"), behaviour=Actor, **options)


def tree(*children):
    inside = SupervisorSpec(
        name="s", children=children, intensity=MANY, restart=RestartType.TEMPORARY
    )
    return Blueprint(root=SupervisorSpec(name="root", children=(inside,)))


async def happen(blueprint, crashes):
    """Crash the actor that often; return all events."""
    opening = open_system(blueprint)
    stream = opening.listen(1000)
    async with opening as system:
        for _ in range(crashes):
            with pytest.raises(CalleeFailed):
                await system.ask("a", b"x")
            await wait_until_idle()
    return [event async for event in stream]


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


async def test_events_tell_the_offender_the_reason_the_spec_and_the_count():
    spec = actor()
    events = await happen(tree(spec), 3)
    ended = [e for e in of(events, ChildExited) if e.child == "local/a/0"]
    assert [(e.supervisor, e.restarts, e.restarting) for e in ended] == [
        ("root/s", 0, True),
        ("root/s", 1, True),
        ("root/s", 2, False),
    ]
    assert all(e.spec == spec for e in ended)
    (gave_up,) = of(events, SupervisorGaveUp)
    assert gave_up.spec == spec
    assert gave_up.exceeded.child == "local/a/0"
    assert gave_up.exceeded.restarts == 3


async def test_a_start_that_failed_tells_the_same():
    spec = actor(arguments=([False, True, False],))
    events = await happen(tree(spec), 1)
    (failed,) = of(events, ChildStartFailed)
    assert (failed.restarts, failed.restarting) == (0, True)
    assert failed.spec == spec
    report = CrashReport.of(failed)
    assert "crashed while it started: crash (OSError: no start)" in str(report)


async def test_a_report_has_all_of_it_and_the_innermost_call():
    spec = actor(arguments=((),))
    events = await happen(tree(spec), 2)
    _, second = (r for r in map(CrashReport.of, events) if r is not None)
    assert (second.supervisor, second.child) == ("root/s", "local/a/0")
    assert (second.restarts, second.restarting, second.was_ready) == (1, True, True)
    text = str(second)
    first, count, specification, *trace = text.splitlines()
    assert first == "root/s/local/a/0 crashed: crash (ValueError: number 7)"
    assert count == "  restarts before: 1; it will be restarted"
    assert specification.startswith("  specification: ActorSpec(id=")
    assert trace[0] == "  Traceback (most recent call last):"
    assert trace[-1] == "  ValueError: number 7"
    assert any(line.endswith("in inner") for line in trace)


@pytest.mark.parametrize("kind", ExitKind)
def test_only_crashes_are_reported(kind):
    event = ChildExited("root", "a", ExitReason(kind), asked=False, restarting=False)
    wanted = kind in {ExitKind.CRASH, ExitKind.UNHEALTHY}
    assert (CrashReport.of(event) is not None) is wanted
    assert CrashReport.of(ChildStarted("root", "a", 0)) is None


def report_on(error, spec=None):
    reason = ExitReason(ExitKind.CRASH, error, "detail")
    return CrashReport.of(ChildStartFailed("root", "a", reason, spec=spec))


def deep(depth):
    if depth:
        return deep(depth - 1)
    raise ValueError("x" * 10_000 + "\nsecond\x1b[31m line")


def test_errors_without_bounds_make_bounded_reports():
    try:
        deep(500)
    except ValueError as raised:
        error = raised
    for _ in range(30):
        error = ExceptionGroup("g" * 1000, [error, *[OSError("y")] * 50])
    report = report_on(error)
    assert 10 < len(report.traceback) <= 201
    assert all(len(line) <= 500 for line in report.traceback)
    assert all(line.isprintable() for line in report.traceback)


class Hostile(Exception):
    def __str__(self):
        raise RuntimeError("not even that")


class Shy:
    def __repr__(self):
        raise RuntimeError("no")


def test_what_cannot_be_shown_is_named():
    assert report_on(Hostile()).traceback
    report = report_on(ValueError("v"), actor(arguments=(Shy(),)))
    shown = "<ActorSpec that cannot be shown: RuntimeError>"
    assert f"specification: {shown}" in str(report)
    assert report_on(None).traceback == ()


def caused(count, link="__cause__"):
    """Make an error with that many causes, one behind the other."""
    error = ValueError("the first")
    for number in range(count):
        cause, error = error, ValueError(f"number {number}")
        setattr(error, link, cause)
    return error


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_of_many_causes_the_nearest_are_shown(link):
    began = time.process_time()
    lines = report_on(caused(100_000, link)).traceback
    assert time.process_time() - began < 1
    assert lines[-1] == "ValueError: number 99999"
    assert sum(line.startswith("ValueError") for line in lines) == 50
    assert "ValueError: the first" in report_on(caused(3, link)).traceback


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_causes_may_lead_in_a_cycle(link):
    first = caused(2, link)
    setattr(getattr(getattr(first, link), link), link, first)
    lines = report_on(first).traceback
    assert sum(line.startswith("ValueError") for line in lines) == 3


@pytest.mark.unmeasured
@pytest.mark.parametrize("depth", [600, 100_000])
def test_of_groups_the_outer_ones_are_shown(depth):
    error = ValueError("the innermost")
    for _ in range(depth):
        error = ExceptionGroup("group", [error])
    lines = report_on(error).traceback
    assert sum("group (1 sub-exception)" in line for line in lines) == 6


def test_of_many_members_the_first_are_shown():
    errors = [ValueError(f"number {number}") for number in range(60)]
    lines = report_on(ExceptionGroup("group", errors)).traceback
    assert sum("ValueError: number" in line for line in lines) == 5
    assert any("and 55 more, which are not shown" in line for line in lines)


def test_an_error_is_shown_with_its_class_its_notes_and_where_it_came_from():
    try:
        try:
            deep(1)
        except ValueError:
            raise LookupError("while that was handled") from None
    except LookupError as raised:
        error = raised
    error.add_note("a note")
    lines = report_on(error).traceback
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2:] == ("LookupError: while that was handled", "a note")
    assert not any("second" in line for line in lines)
    name = f"{Hostile.__module__}.Hostile"
    assert report_on(Hostile()).traceback == (
        f"{name}: <it cannot be shown: RuntimeError>",
    )


class Untrue(Hostile):
    __bool__ = __len__ = __eq__ = __hash__ = Hostile.__str__
    __notes__ = __class__ = property(Hostile.__str__)


def test_an_error_that_can_be_asked_nothing_is_shown_with_its_cause():
    error = Untrue()
    error.__cause__ = Untrue()
    lines = report_on(ExceptionGroup("group", [error])).traceback
    assert sum("Untrue: <it cannot be shown" in line for line in lines) == 2


async def crash_by(child, payload, trace, caplog):
    """Send a message that an actor crashes over; return the event and the record."""
    opening = open_system(
        Blueprint(root=SupervisorSpec(name="root", children=(child,)))
    )
    stream = opening.listen(100)
    async with opening as system:
        system.tell(child.id, payload, trace=trace)
        await wait_until_idle(0.02)
        async for event in stream:
            if isinstance(event, ChildExited):
                break
    records = [r for r in caplog.records if r.__dict__.get("event") == "ChildExited"]
    return event, records[0]


TRACE = TraceContext("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
TRAPPING = ComponentSpec(
    id=ComponentId.parse("a"),
    artifact=Artifact.at(GUESTS / "trap-unreachable.wat"),
    backoff=NO_BACKOFF,
)


@pytest.mark.parametrize("child", [actor(), TRAPPING], ids=["actor", "component"])
@pytest.mark.parametrize("trace", [TRACE, None])
async def test_a_crash_has_the_trace_of_the_message_in_progress(child, trace, caplog):
    event, record = await crash_by(child, b"x", trace, caplog)
    assert event.reason.kind is ExitKind.CRASH
    assert event.trace == trace
    assert record.trace == (trace and trace.traceparent)


async def test_an_actor_that_is_stopped_between_messages_has_no_trace():
    events = await happen(tree(actor()), 1)
    ended = of(events, ChildExited)
    assert ended
    assert all(event.trace is None for event in ended)
