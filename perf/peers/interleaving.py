"""All peers in one run: for each case every peer in turn, several times over."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, final

import attrs
import pyperf

from perf.peers.environments import PEERS, ROOT, Missing, Peer, command_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from perf.peers.standing import Found

COUNTS: Final = {
    "tell": 5000,
    "ask": 2500,
    "ring": 5000,
    "fan": 10_000,
    "publish": 10_000,
    "spawn": 500,
    "crash": 100,
    "spawn-component": 100,
}
"""How often a case is done in each round; every peer as often."""
_ROUNDS: Final = 7
_QUICK_ROUNDS: Final = 3


@final
@attrs.define
class _Running:
    """A peer's process, which does a case when it is asked to."""

    peer: Peer
    process: subprocess.Popen[str]
    version: str
    cases: list[str]

    def time(self, case: str, count: int) -> float | None:
        """Do a case; returns the seconds of one operation, or None if it failed."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{case} {count}\n")
        stdin.flush()
        answer = stdout.readline().strip()
        try:
            return float(answer) / count
        except ValueError:
            print(f"{self.peer.name}: {case}: {answer or 'ended'}", file=sys.stderr)
            self.cases.remove(case)
            return None

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _start(peer: Peer) -> _Running:
    process = subprocess.Popen(
        command_of(peer),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    word, *rest = process.stdout.readline().split() or [""]
    if word != "ready":
        process.kill()
        process.wait()
        raise Missing("it did not start; what it printed is above")
    return _Running(peer, process, rest[0], rest[1:])


def run(cases: Sequence[str], *, quick: bool) -> tuple[Found, dict[str, str]]:
    """Time every peer that can be run here.

    Returns:
        By case and peer, the seconds of one operation in each round; a peer has as many
        rounds as all others. And by peer its version, or why it is missing.
    """
    found: Found = {case: {} for case in cases}
    about: dict[str, str] = {}
    with ExitStack() as stack:
        running = list(_start_all(about, stack))
        for case in cases:
            for number in range((_QUICK_ROUNDS if quick else _ROUNDS) + 1):
                for each in running:
                    _round(found[case], each, case, warmup=not number)
    return found, about


def _start_all(about: dict[str, str], stack: ExitStack) -> Iterator[_Running]:
    for peer in PEERS:
        try:
            each = _start(peer)
        except Missing as why:
            about[peer.name] = f"not measured: {why}"
            continue
        stack.callback(each.stop)
        about[peer.name] = each.version
        yield each


def _round(
    found: dict[str, list[float]], each: _Running, case: str, *, warmup: bool
) -> None:
    if case not in each.cases:
        return
    took = each.time(case, COUNTS[case])
    if took is None:
        found.pop(each.peer.name, None)
    elif not warmup:
        found.setdefault(each.peer.name, []).append(took)


def dump(found: Found, about: Mapping[str, str], output: Path) -> None:
    """Write what was found as pyperf's JSON; a benchmark is named `ask@Pykka`."""
    benchmarks = []
    for case, peers in found.items():
        for peer, values in peers.items():
            metadata = {
                "name": f"{case}@{peer}",
                "unit": "second",
                "loops": COUNTS[case],
                "airssys_peer_version": about[peer],
            }
            run = pyperf.Run(values, metadata=metadata, collect_metadata=True)
            benchmarks.append(pyperf.Benchmark([run]))
    output.parent.mkdir(parents=True, exist_ok=True)
    pyperf.BenchmarkSuite(benchmarks).dump(str(output))
