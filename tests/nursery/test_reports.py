"""What is reported of an end: rule 43 and 57 as tables."""

import pytest

from airssys.contracts import (
    BRUTAL_KILL,
    ExitKind,
    ExitReason,
    Ignored,
    IntensityExceeded,
    NameTaken,
    Problem,
    Refusal,
    Refused,
    RestartType,
)
from airssys.nursery import GaveUp, Stop
from airssys.nursery.restarts._reports import (
    answer_to_start,
    problem_of_end,
    problem_of_stop,
    refused_start,
)

from .stage import worker

PERMANENT, TRANSIENT, TEMPORARY = RestartType
FINE, ERROR, TERMINATED = None, Problem.SHUTDOWN_ERROR, Problem.CHILD_TERMINATED
PLAIN = ExitReason(ExitKind.SHUTDOWN)
ON_PURPOSE = ExitReason(ExitKind.SHUTDOWN, Stop())
GAVE_UP = ExitReason(
    ExitKind.SHUTDOWN, GaveUp([IntensityExceeded("root", "a", 4, 60.0, "")])
)
NORMAL = ExitReason(ExitKind.NORMAL)
KILLED = ExitReason(ExitKind.KILLED)
CRASH = ExitReason(ExitKind.CRASH, ValueError())
UNHEALTHY = ExitReason(ExitKind.UNHEALTHY)
REFUSED = ExitReason(ExitKind.REFUSED)
IGNORED = ExitReason(ExitKind.IGNORED)


@pytest.mark.parametrize(
    ("reason", "permanent", "other"),
    [
        (NORMAL, TERMINATED, FINE),
        (PLAIN, TERMINATED, FINE),
        (ON_PURPOSE, TERMINATED, FINE),
        (GAVE_UP, TERMINATED, FINE),
        (CRASH, TERMINATED, TERMINATED),
        (KILLED, TERMINATED, TERMINATED),
        (UNHEALTHY, TERMINATED, TERMINATED),
        (REFUSED, TERMINATED, TERMINATED),
        (IGNORED, FINE, FINE),
    ],
)
def test_rule_57_ends_that_were_not_requested(reason, permanent, other):
    assert problem_of_end(PERMANENT, reason) is permanent
    assert problem_of_end(TRANSIENT, reason) is other
    assert problem_of_end(TEMPORARY, reason) is other


@pytest.mark.parametrize(
    ("reason", "gentle", "brutal"),
    [
        # each for a permanent child, and for others
        (PLAIN, (FINE, FINE), (ERROR, FINE)),
        (GAVE_UP, (FINE, FINE), (ERROR, FINE)),
        (ON_PURPOSE, (ERROR, FINE), (ERROR, FINE)),
        (NORMAL, (ERROR, FINE), (ERROR, FINE)),
        (KILLED, (ERROR, ERROR), (FINE, FINE)),
        (CRASH, (ERROR, ERROR), (ERROR, ERROR)),
        (UNHEALTHY, (ERROR, ERROR), (ERROR, ERROR)),
        (REFUSED, (FINE, FINE), (FINE, FINE)),
        (IGNORED, (FINE, FINE), (FINE, FINE)),
    ],
)
@pytest.mark.parametrize("restart", RestartType)
def test_rule_43_ends_that_were_asked_for(restart, reason, gentle, brutal):
    which = restart is not PERMANENT
    spec = worker("a", restart=restart, shutdown=5.0)
    assert problem_of_stop(spec, reason) is gentle[which]
    spec = worker("a", restart=restart, shutdown=BRUTAL_KILL)
    assert problem_of_stop(spec, reason) is brutal[which]


def test_a_taken_name_is_refused_as_such():
    taken = ExitReason(ExitKind.CRASH, NameTaken(worker("a").id))
    answer = refused_start("local/a/0", taken)
    assert (answer.why, answer.child) == (Refusal.NAME_TAKEN, "local/a/0")
    assert answer.reason is taken
    assert refused_start("local/a/0", CRASH).why is Refusal.START_FAILED
    assert refused_start("local/a/0", CRASH).reason is CRASH


@pytest.mark.parametrize("kind", ExitKind)
def test_the_request_for_a_start_is_answered_by_how_it_ended(kind):
    reason = ExitReason(kind, ValueError("no"))
    answer = answer_to_start("local/a/0", reason)
    if kind is ExitKind.IGNORED:
        assert answer == Ignored("local/a/0")
    else:
        assert answer == Refused(Refusal.START_FAILED, "local/a/0", reason)
