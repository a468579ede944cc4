"""What all commands share: targets, files, options, output."""

from ._loading import cache_option, give_up, loader_opener, run_async
from ._manifests import report_manifests
from ._needs import needs_of
from ._one_component import (
    check_kind,
    check_spec,
    name_of,
    read_grant,
    read_limit,
    read_variable,
)
from ._say import escaped, say
from ._target import (
    EXIT_MISTAKES,
    Declared,
    as_checked,
    find_declared,
    target_argument,
    target_option,
)
from ._words import read_grant_words

__all__ = (
    "EXIT_MISTAKES",
    "Declared",
    "as_checked",
    "cache_option",
    "check_kind",
    "check_spec",
    "escaped",
    "find_declared",
    "give_up",
    "loader_opener",
    "name_of",
    "needs_of",
    "read_grant",
    "read_grant_words",
    "read_limit",
    "read_variable",
    "report_manifests",
    "run_async",
    "say",
    "target_argument",
    "target_option",
)
