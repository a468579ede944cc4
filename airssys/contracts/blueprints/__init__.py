"""A complete definition of a system, and the checks that find all its mistakes."""

from ._async_checks import NEVER_WAITS, is_plain, never_waits, not_awaited
from ._blueprint import (
    DEFAULT_RESTART_BUDGET,
    DEFAULT_STOP_TIMEOUT,
    MAX_DEPTH,
    Blueprint,
    check,
    check_child_specs,
    find_child_mistakes,
    find_mistakes,
    find_spec_mistakes,
    stop_time,
    walk,
)
from ._missing_files import check_all, find_all_mistakes, missing_artifacts
from ._topology import BLUEPRINT_METHOD, as_blueprint

__all__ = (
    "BLUEPRINT_METHOD",
    "DEFAULT_RESTART_BUDGET",
    "DEFAULT_STOP_TIMEOUT",
    "MAX_DEPTH",
    "NEVER_WAITS",
    "Blueprint",
    "as_blueprint",
    "check",
    "check_all",
    "check_child_specs",
    "find_all_mistakes",
    "find_child_mistakes",
    "find_mistakes",
    "find_spec_mistakes",
    "is_plain",
    "missing_artifacts",
    "never_waits",
    "not_awaited",
    "stop_time",
    "walk",
)
