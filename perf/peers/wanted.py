"""What airssys should be as fast as: the same bounds as those of the suite."""

from __future__ import annotations

from typing import Final

from perf.peers.environments import OURS
from perf.suite.cases import CASES

_KINDS: Final = {"plain": (OURS[0],), "async": (OURS[1],), "component": OURS}


def _wanted() -> dict[tuple[str, str], float | None]:
    found = {}
    for name, case in CASES.items():
        short, kind = name.split("/")
        short += "-component" * (kind == "component")
        found.update(((short, ours), case.wanted) for ours in _KINDS[kind])
    return found


WANTED: Final = _wanted()
