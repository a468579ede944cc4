"""Where airssys stands among its peers: a table, with a verdict on each line."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    Found: TypeAlias = dict[str, dict[str, list[float]]]
    """By case and peer, the seconds of one operation in each round."""

MOST_SPREAD: Final = 0.10
"""Plain Trio differs by more than this between rounds only on a busy machine."""


@attrs.frozen
class Line:
    """How one kind of handler stands in one case.

    Attributes:
        ratio: its time against plain Trio's, round by round: the median.
        wanted: the most that the ratio should be; None if nothing is wanted.
        ahead: peers that are faster, with how many times: the fastest first.
        noise: why nothing is judged, or None.
    """

    case: str
    ours: str
    ratio: float
    wanted: float | None
    ahead: tuple[tuple[str, float], ...]
    noise: str | None = None

    @property
    def verdict(self) -> str:
        """What is shown of it."""
        if self.noise is not None:
            return f"not judged: {self.noise}"
        said = "nothing wanted"
        if self.wanted is not None:
            word = "holds" if self.ratio <= self.wanted else "falls short"
            said = f"{word}: {self.ratio:.2f} x, wanted at most {self.wanted:.2f} x"
        faster = ", ".join(f"{name} {by:.1f} x" for name, by in self.ahead)
        return f"{said}; faster: {faster}" if faster else said

    @property
    def holds(self) -> bool | None:
        """Whether it is as fast as wanted; None if that was not judged."""
        if self.noise is not None or self.wanted is None:
            return None
        return self.ratio <= self.wanted


def by_round(above: Sequence[float], below: Sequence[float]) -> float:
    """Return the median of the ratios of rounds."""
    return median(one / other for one, other in zip(above, below, strict=True))


def noise_of(rounds: Sequence[float]) -> str | None:
    """Say whether a machine that gave these times to plain Trio was too busy."""
    middle = median(rounds)
    off = 1.4826 * median(abs(each - middle) for each in rounds) / middle
    if off > MOST_SPREAD:
        return f"plain Trio differs by {off:.0%} between rounds, the machine is noisy"
    return None


def standing(
    found: Found,
    ours: Collection[str],
    floor: str,
    wanted: Mapping[tuple[str, str], float | None],
) -> list[Line]:
    """Compare ours with all others.

    Args:
        found: what was measured.
        ours: the peers that are airssys.
        floor: the peer whose time is the unit of the ratios.
        wanted: by case and peer, the most that a ratio should be.

    Nothing is judged if more than a quarter of the cases were disturbed.
    """
    lines: list[Line] = []
    rounds = {case: each[floor] for case, each in found.items() if floor in each}
    noises = {case: noise for case in rounds if (noise := noise_of(rounds[case]))}
    whole = next(iter(noises.values())) if len(noises) * 4 > len(rounds) else None
    for case in rounds:
        peers = found[case]
        for name in (name for name in ours if name in peers):
            mine, base = peers[name], peers[floor]
            others = {k: v for k, v in peers.items() if k not in ours and k != floor}
            ahead = sorted(
                ((k, 1 / by_round(v, mine)) for k, v in others.items()),
                key=lambda each: -each[1],
            )
            lines.append(
                Line(
                    case,
                    name,
                    by_round(mine, base),
                    wanted.get((case, name)),
                    tuple(each for each in ahead if each[1] > 1),
                    whole or noises.get(case),
                )
            )
    return lines


def status(lines: Sequence[Line]) -> int:
    """How the program exits: 0 all hold, 1 one falls short, 3 nothing was judged."""
    judged = [line.holds for line in lines if line.holds is not None]
    if not judged:
        return 3
    return 0 if all(judged) else 1


def microseconds(seconds: float) -> str:
    """Show a time with three digits."""
    if not seconds:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(seconds * 1e6)))
    return f"{seconds * 1e6:,.{digits}f}"


def markdown(found: Found, peers: Sequence[str]) -> str:
    """Show the median of each case and peer, in microseconds, as a table."""
    shown = [peer for peer in peers if any(peer in each for each in found.values())]
    lines = [["us", *shown], ["---"] * (len(shown) + 1)]
    for case, times in found.items():
        cells = (microseconds(median(times[p])) if p in times else "" for p in shown)
        lines.append([case, *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def verdicts(lines: Sequence[Line]) -> str:
    """Show how ours stand, as a table."""
    shown = [["case", "", "to plain Trio", "verdict, and who is faster"], ["---"] * 4]
    shown += [[e.case, e.ours, f"{e.ratio:.2f} x", e.verdict] for e in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in shown)


def parse(document: Mapping[str, Any]) -> Found:
    """Read what `interleaving.dump` has written."""
    found: Found = {}
    for benchmark in document["benchmarks"]:
        shared = {**document.get("metadata", {}), **benchmark.get("metadata", {})}
        run = benchmark["runs"][0]
        name = {**shared, **run.get("metadata", {})}["name"]
        case, peer = name.split("@")
        found.setdefault(case, {})[peer] = list(run["values"])
    return found
