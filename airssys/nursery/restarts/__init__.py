"""Restart decisions as pure functions: who, how often, how soon."""

from ._backoff import failures_before, pause_before_restart
from ._checkpoints import CheckpointClock, CheckpointUse
from ._declaration import (
    Declaration,
    Declared,
    bounds_above,
    grant_mistakes_below,
    grant_mistakes_of,
    open_account,
)
from ._ends import Cause, End, event_of
from ._exit_reason import (
    CutOff,
    GaveUp,
    Ignore,
    Stop,
    describe,
    exceeded_behind,
    exit_kind,
    exit_reason,
    failure_to_start,
    unjudged,
    why_children_end,
)
from ._intensity import RestartWindow
from ._plan import (
    RETRY_PAUSE,
    Attempt,
    Verdict,
    directive_for,
    ends_supervisor,
    judge_end,
    plan_attempt,
    sharing,
)
from ._pool_rule import grown, shrunk
from ._reports import answer_to_start
from ._round import Act, Aim, Round
from ._spec_change import (
    ChangeableSpec,
    merged_order,
    mistakes_of_change,
)
from ._template import Template, made_from, remade_from, stem_of, without_arguments

__all__ = (
    "RETRY_PAUSE",
    "Act",
    "Aim",
    "Attempt",
    "Cause",
    "ChangeableSpec",
    "CheckpointClock",
    "CheckpointUse",
    "CutOff",
    "Declaration",
    "Declared",
    "End",
    "GaveUp",
    "Ignore",
    "RestartWindow",
    "Round",
    "Stop",
    "Template",
    "Verdict",
    "answer_to_start",
    "bounds_above",
    "describe",
    "directive_for",
    "ends_supervisor",
    "event_of",
    "exceeded_behind",
    "exit_kind",
    "exit_reason",
    "failure_to_start",
    "failures_before",
    "grant_mistakes_below",
    "grant_mistakes_of",
    "grown",
    "judge_end",
    "made_from",
    "merged_order",
    "mistakes_of_change",
    "open_account",
    "pause_before_restart",
    "plan_attempt",
    "remade_from",
    "sharing",
    "shrunk",
    "stem_of",
    "unjudged",
    "why_children_end",
    "without_arguments",
)
