"""Snapshots: taking one, restoring it, and what a start saves by it.

For a small guest, and with `--python` for a Python guest, which is built and compiled
first: that takes two minutes, once. All are processor time of this process, in the
fastest of many rounds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import trio
from measuring.guests import guest_file, message
from measuring.ratios import Report, count, seconds

from airssys.contracts import Artifact, ComponentConfig, EngineSettings, Limits
from airssys.wasm import open_runtime

if TYPE_CHECKING:
    from airssys.contracts import HostServices

_NO_SERVICES: Final = cast("HostServices", object())
"""The guests call nothing of the host."""
_CONFIG: Final = ComponentConfig()
_KEEPER: Final = (
    Path(__file__).resolve().parents[1] / "tests" / "building" / "guests" / "keeper.py"
)
Act: TypeAlias = Callable[[], Awaitable[object]]


async def fastest(acts: dict[str, Act], rounds: int) -> dict[str, float]:
    """Seconds for one time of each, in its fastest round; each has a part in all."""
    best = dict.fromkeys(acts, float("inf"))
    for _ in range(rounds):
        for name, act in acts.items():
            began = process_time()
            await act()
            best[name] = min(best[name], process_time() - began)
    return best


async def run(artifact: Artifact, rounds: int, cache: Path) -> None:
    """Measure one guest, and report."""
    settings = EngineSettings(lane="own")
    async with open_runtime(settings, cache_directory=cache) as loader:
        component = await loader.load(artifact)
        guest = await component.instantiate(Limits(), _NO_SERVICES)
        await guest.initialize(_CONFIG)
        for _ in range(5):
            await guest.handle_message(message(b""))
        snapshot = await guest.snapshot()
        start = await component.initial_snapshot(_CONFIG)

        async def instantiate() -> None:
            (await component.instantiate(Limits(), _NO_SERVICES)).close()

        async def restore() -> None:
            (await component.restore(snapshot, Limits(), _NO_SERVICES)).close()

        async def from_code() -> None:
            fresh = await component.instantiate(Limits(), _NO_SERVICES)
            await fresh.initialize(_CONFIG)
            fresh.close()

        async def from_snapshot() -> None:
            (await component.restore(start, Limits(), _NO_SERVICES)).close()

        async def write() -> None:
            snapshot.to_bytes()

        acts: dict[str, Act] = {
            "instance": instantiate,
            "take": guest.snapshot,
            "restore": restore,
            "start from code": from_code,
            "start from snapshot": from_snapshot,
            "to bytes": write,
        }
        found = await fastest(acts, rounds)
        guest.close()
    report = Report(f"Snapshots of {artifact.label}")
    for name, value in found.items():
        report.measured(name, value, seconds)
    report.measured("bytes of pages", snapshot.size, count)
    report.measured("bytes deflated", len(snapshot.to_bytes()), count)
    report.ratio("restore", "instance", at_most=4)
    report.ratio("start from snapshot", "start from code", at_most=2)
    report.finish()


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--python", action="store_true", help="measure a Python guest")
    parser.add_argument("--cache", type=Path, help="keep what is built and compiled")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        cache = chosen.cache or Path(directory)
        cache.chmod(0o700)
        artifact = Artifact.at(guest_file("state"))
        if chosen.python:
            from airssys.building import build  # noqa: PLC0415  # an extra that may be missing

            built = build(_KEEPER, cache_directory=cache / "built")
            artifact = Artifact.at(built.path)
        trio.run(run, artifact, chosen.rounds, cache / "compiled")


if __name__ == "__main__":
    main()
