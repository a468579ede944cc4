"""Loading: a heartbeat beside 100 compilations; a second start of a Python guest.

Two scenes, each in a process of its own:

* many: 100 different components are loaded at once, none of them from a cache, while a
  Trio task beats every 10 ms; the same heartbeat alone is measured before;
* warm: the guest of `examples/word_count`, 18 MB of WebAssembly, is started again from
  a cache: a runtime is opened, the guest loaded and instantiated. It is compared with
  the least that this can take, which is `deserialize_file` and the instantiation. The
  first start compiles it, which takes up to a minute.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final, cast

import trio
import wasmtime
from measuring.children import run_child, tell_parent
from measuring.engine_room import Engine
from measuring.guests import guest_file
from measuring.ratios import Report, count, percentile, seconds
from wasmtime.component import Component as Compiled

from airssys.contracts import Artifact, EngineSettings, Limits
from airssys.wasm import open_runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import HostServices

_EXAMPLE: Final = Path(__file__).resolve().parents[1] / "examples" / "word_count"
_NO_SERVICES: Final = cast("HostServices", object())
"""The guest calls nothing of the host before it is ready."""
_COMPONENTS: Final = 100
_BEAT: Final = 0.01
_LATE: Final = 0.015
"""Seconds that a beat may be late, as in `turns.py`."""
_ALONE: Final = 3.0
"""Seconds that the heartbeat is measured alone."""
_STARTS: Final = 21


def _different(number: int) -> Artifact:
    """Make an echo with some functions that no other one has."""
    body = f"(i64.add (i64.mul (local.get 0) (i64.const {number})) (i64.const 1))"
    functions = f"(func (param i64) (result i64) {body})" * 200
    text = guest_file("echo").read_text()
    module = f"(component (core module {functions})\n"
    code = bytes(wasmtime.wat2wasm(text.replace("(component\n", module, 1)))
    return Artifact.from_bytes(code, f"component {number}")


async def _beat(late: list[float]) -> None:
    while True:
        before = perf_counter()
        await trio.sleep(_BEAT)
        late.append(perf_counter() - before - _BEAT)


async def _load_many() -> None:
    artifacts = [_different(number) for number in range(_COMPONENTS)]
    alone: list[float] = []
    with trio.move_on_after(_ALONE):
        await _beat(alone)
    late: list[float] = []
    loaded = []
    async with open_runtime(EngineSettings(), cache_directory=None) as loader:

        async def load(artifact: Artifact) -> None:
            loaded.append(await loader.load(artifact))

        async with trio.open_nursery() as heart:
            heart.start_soon(_beat, late)
            began = perf_counter()
            async with trio.open_nursery() as nursery:
                for artifact in artifacts:
                    nursery.start_soon(load, artifact)
            took = perf_counter() - began
            heart.cancel_scope.cancel()
    tell_parent(
        loaded=len(set(map(id, loaded))),
        took=took,
        beats=len(late),
        alone=[percentile(alone, 99), max(alone)],
        late=[percentile(late, 99), max(late)],
    )


def _median_time(act: Callable[[], object]) -> float:
    """Time something; the garbage that it leaves is not part of it."""
    times = []
    for _ in range(_STARTS):
        began = perf_counter()
        left = act()
        times.append(perf_counter() - began)
        del left
    return statistics.median(times)


async def _start(guest: Artifact, cache: Path) -> tuple[float, float]:
    """Start it once; seconds until it stands, and of one more instantiation."""
    began = perf_counter()
    async with open_runtime(EngineSettings(), cache_directory=cache) as loader:
        component = await loader.load(guest)
        first = await component.instantiate(Limits(), _NO_SERVICES)
        took = perf_counter() - began
        began = perf_counter()
        second = await component.instantiate(Limits(), _NO_SERVICES)
        instantiation = perf_counter() - began
        first.close()
        second.close()
    return took, instantiation


async def _start_warm() -> None:
    sys.path.insert(0, str(_EXAMPLE))
    from guest_build import build_guest  # noqa: PLC0415  # it is not a package

    guest = Artifact.at(build_guest())
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        cache = Path(folder) / "cache"
        cold, _ = await _start(guest, cache)
        second, _ = await _start(guest, cache)
        starts = [await _start(guest, cache) for _ in range(_STARTS)]
        (code,) = (str(each) for each in cache.glob("*.cwasm"))
        engine = Engine(EngineSettings())
        deserializing = _median_time(
            lambda: Compiled.deserialize_file(engine.wasmtime, code)
        )
        engine.close()
    tell_parent(
        cold=cold,
        second=second,
        warm=statistics.median(took for took, _ in starts),
        instantiation=statistics.median(took for _, took in starts),
        deserializing=deserializing,
    )


def _report() -> None:
    many, warm = (run_child(__file__, "--scene", scene) for scene in ("many", "warm"))
    report = Report("loading components")
    report.counted("many: components loaded", many["loaded"], _COMPONENTS)
    report.measured("many: all are loaded after", many["took"], seconds)
    report.measured("many: beats meanwhile", many["beats"], count)
    report.measured("many: 99 % of beats alone, late by", many["alone"][0], seconds)
    report.measured("many: a beat alone, late by at most", many["alone"][1], seconds)
    report.measured("many: 99 % of beats, late by", many["late"][0], seconds)
    report.measured(
        "many: a beat, late by at most", many["late"][1], seconds, at_most=_LATE
    )
    report.measured("warm: the first start", warm["cold"], seconds)
    report.measured("warm: the second start", warm["second"], seconds)
    report.measured("warm: deserialize_file", warm["deserializing"], seconds)
    report.measured("warm: instantiation", warm["instantiation"], seconds)
    report.measured("warm: a start (median)", warm["warm"], seconds)
    least = warm["deserializing"] + warm["instantiation"]
    report.measured("warm: the least it can take", least, seconds)
    report.ratio("warm: a start (median)", "warm: the least it can take", at_most=3)
    report.finish()


def main() -> None:
    """Play each scene in a process of its own, judge."""
    scenes = {"many": _load_many, "warm": _start_warm}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", choices=scenes, help="play one, in this process")
    options = parser.parse_args()
    if options.scene:
        trio.run(scenes[options.scene])
    else:
        _report()


if __name__ == "__main__":
    main()
