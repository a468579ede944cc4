"""What airssys should be as fast as: the same bounds as those of the suite."""

from __future__ import annotations

from typing import Final

from perf.peers.environments import OURS
from perf.suite.bounds import WANTED as SUITE

_KINDS: Final = {"plain": (OURS[0],), "async": (OURS[1],), "component": OURS}


def _wanted() -> dict[tuple[str, str], float]:
    found = {}
    for name, most in SUITE.items():
        short, kind = name.split("/")
        short += "-component" * (kind == "component")
        found.update(((short, ours), most) for ours in _KINDS[kind])
    return found


WANTED: Final = _wanted()
