"""The event that reports the end of a child: the table, by itself."""

import itertools

import pytest

from airssys.contracts import (
    BRUTAL_KILL,
    ChildExited,
    ChildStartFailed,
    ExitKind,
    ExitReason,
    Problem,
    RestartType,
)
from airssys.nursery.restarts import Cause, End, event_of

from .stage import worker

END = End(
    "root/web",
    "local/a/0",
    worker("a"),
    ExitReason(ExitKind.CRASH),
    Cause.OWN,
    restarts=3,
    was_ready=True,
    asked=False,
    restarting=True,
)
ENDS = [
    END._replace(
        reason=ExitReason(kind),
        cause=cause,
        was_ready=ready,
        asked=asked,
        restarting=restarting,
    )
    for kind, cause, ready, asked, restarting in itertools.product(
        ExitKind, Cause, (True, False), (True, False), (True, False)
    )
]


@pytest.mark.parametrize("end", ENDS)
def test_an_end_is_reported_with_all_that_is_known_of_it(end):
    event = event_of(end)
    is_ignored = end.reason.kind is ExitKind.IGNORED
    is_failed_start = not end.was_ready and not end.asked and not is_ignored
    assert isinstance(event, ChildStartFailed if is_failed_start else ChildExited)
    assert (event.supervisor, event.child) == ("root/web", "local/a/0")
    assert (event.reason, event.restarting) == (end.reason, end.restarting)
    assert (event.spec, event.restarts) == (end.spec, 3)
    if isinstance(event, ChildExited):
        assert event.asked is end.asked


@pytest.mark.parametrize(
    ("restart", "cause", "reason", "problem"),
    [
        (RestartType.PERMANENT, Cause.OWN, ExitKind.NORMAL, Problem.CHILD_TERMINATED),
        (RestartType.TRANSIENT, Cause.OWN, ExitKind.NORMAL, None),
        (RestartType.TRANSIENT, Cause.OWN, ExitKind.CRASH, Problem.CHILD_TERMINATED),
        (RestartType.PERMANENT, Cause.STOPPED, ExitKind.SHUTDOWN, None),
        (RestartType.PERMANENT, Cause.STOPPED, ExitKind.KILLED, Problem.SHUTDOWN_ERROR),
        (RestartType.PERMANENT, Cause.SUPERVISOR_KILLED, ExitKind.KILLED, None),
        (RestartType.PERMANENT, Cause.SUPERVISOR_KILLED, ExitKind.CRASH, None),
    ],
)
def test_a_problem_is_judged_by_the_cause(restart, cause, reason, problem):
    spec, why = worker("a", restart=restart), ExitReason(reason)
    end = END._replace(spec=spec, cause=cause, reason=why)
    assert event_of(end).problem is problem


def test_to_be_killed_is_right_where_the_specification_says_so():
    spec = worker("a", shutdown=BRUTAL_KILL)
    killed = ExitReason(ExitKind.KILLED)
    end = END._replace(spec=spec, cause=Cause.STOPPED, reason=killed)
    assert event_of(end).problem is None


@pytest.mark.parametrize("end", ENDS)
def test_an_end_answers_the_request_for_a_start_only_before_it_is_ready(end):
    assert end.cut_its_start_short is not (end.was_ready or end.asked)
    assert end.failed_to_start <= end.cut_its_start_short
