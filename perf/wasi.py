"""WASI on Trio, beside stock wasmtime-py with wasmtime's own WASI in a thread, in one run.

* A call of the host that is answered on the guest's stack, against one that suspends it.
* A program in C reads a file of 1 MiB, and writes 256 times 4 KiB.
* A guest in Python is instantiated, and a hundred of them sleep a second together.

All but the sleep is processor time of this process, all threads, in the fastest of many
rounds. The guests are built first, by clang with wasi-libc and jco, and by componentize-py;
what has no toolchain is left out. Both runtimes compile the Python guest once, which takes
minutes, and keep it in `.build/perf/`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final, cast

import trio
import wasmtime
from host_calls import calling, calling_guest
from lanes import fastest
from measuring.ratios import Report, seconds
from wasmtime.component import Component, Linker

from airssys.building import ToolMissing, build
from airssys.contracts import Artifact, ComponentConfig, EngineSettings, Limits
from airssys.dsl import blueprint, component
from airssys.security import (
    clock,
    env,
    monotonic_clock,
    random,
    read_files,
    write_files,
)
from airssys.system import open_system
from airssys.testing import FakeServices
from airssys.wasm import FunctionKind, HostFunction, HostInterface, open_runtime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airssys.contracts import HostServices, LoadedComponent, ProgramGuest

_HERE: Final = Path(__file__).resolve().parent
_KEPT: Final = _HERE.parent / ".build" / "perf"
_TIMES: Final = 16
"""How often a program does its work in one run; what it takes to start is taken off."""
_CALLS: Final = 1000
_SLEEPERS: Final = 100
_MIB: Final = 2**20


def built(name: str, *, wasi: bool = False) -> Path | None:
    """Build a guest; None, and a line of output, if its toolchain is not here."""
    try:
        return build(
            _HERE / "guests" / name, cache_directory=_KEPT / "built", wasi=wasi
        ).path
    except ToolMissing as error:
        print(f"not measured: {name}: {error}")
        return None


# ---------------------------------------------------------------- calls


async def measure_calls(report: Report, rounds: int) -> None:
    """Compare a function that is called on the guest's stack with one that may wait."""

    async def later(_: object, x: object) -> object:
        return x

    acts = {}
    artifact = Artifact.from_text(calling_guest(), "host calls")
    async with AsyncExitStack() as stack:
        settings = EngineSettings(tick=0.1)
        loader = await stack.enter_async_context(open_runtime(settings))
        for kind, act in (
            (FunctionKind.INSTANT, lambda _, x: x),
            (FunctionKind.WAITING, later),
        ):
            functions = {"number": HostFunction(act, kind=kind)}
            functions["text"] = HostFunction(lambda _, x: len(x))
            given = HostInterface("perf:calls/host@1.0.0", functions)
            loaded = await loader.load(artifact.given([given]))
            guest = await loaded.instantiate(Limits(), cast("HostServices", object()))
            stack.callback(guest.close)
            await guest.initialize(ComponentConfig())
            for mark in (0, 1):
                acts[f"{mark} {kind.value}"] = calling(guest, mark)
        found = await fastest(acts, rounds)
    for kind in (FunctionKind.INSTANT, FunctionKind.WAITING):
        took = (found[f"1 {kind.value}"] - found[f"0 {kind.value}"]) / _CALLS
        report.measured(f"a call, {kind.value}", took, seconds)
    report.ratio("a call, instant", "a call, waiting", at_most=1 / 8)


# ---------------------------------------------------------------- files


def run_stock(engine: wasmtime.Engine, code: Component, folder: str, do: str) -> None:
    """Run the program as wasmtime-py does."""
    linker = Linker(engine)
    linker.add_wasip2()
    store = wasmtime.Store(engine)
    config = wasmtime.WasiConfig()
    config.env = [("DO", do)]
    config.preopen_dir(folder, "/data")
    store.set_wasi(config)
    instance = linker.instantiate(store, code)
    at = instance.get_export_index(store, "wasi:cli/run@0.2.0")
    run = instance.get_func(store, instance.get_export_index(store, "run", at))
    run(store)  # raises if it failed
    store.close()


async def run_ours(loaded: LoadedComponent, folder: str, do: str) -> None:
    """Run the program as an actor's."""
    can = [
        env("DO"),
        read_files("/data/**", at=folder),
        write_files("/data/**", at=folder),
    ]
    services = FakeServices(can=can, environment=[("DO", do)])
    guest = cast("ProgramGuest", await loaded.instantiate(Limits(), services))
    try:
        await guest.run()
    finally:
        guest.close()


async def measure_files(report: Report, path: Path, rounds: int) -> None:
    """Compare reading and writing."""
    engine = wasmtime.Engine()
    code = Component.from_file(engine, str(path))
    acts: dict[str, Callable[[], Awaitable[object]]] = {}
    with tempfile.TemporaryDirectory(prefix="airssys-perf-") as folder:
        await trio.Path(folder, "in").write_bytes(bytes(_MIB))
        async with open_runtime(EngineSettings()) as loader:
            loaded = await loader.load(Artifact.at(path))
            for do in ("n1", f"r{_TIMES}", f"w{_TIMES}"):
                acts[f"{do} ours"] = partial(run_ours, loaded, folder, do)
                stock = partial(run_stock, engine, code, folder, do)
                acts[f"{do} stock"] = partial(trio.to_thread.run_sync, stock)
            found = await fastest(acts, rounds)
    for what, do in (("read of 1 MiB", "r"), ("256 writes of 4 KiB", "w")):
        for side in ("ours", "stock"):
            took = (found[f"{do}{_TIMES} {side}"] - found[f"n1 {side}"]) / _TIMES
            report.measured(f"{what}, {side}", took, seconds)
        report.ratio(f"{what}, ours", f"{what}, stock", at_most=1.5)
    for side in ("ours", "stock"):
        report.measured(
            f"start to end of a program, {side}", found[f"n1 {side}"], seconds
        )


# ---------------------------------------------------------------- Python guests

_AWAKE: Final = (random(), clock(), monotonic_clock())


def stock_component(engine: wasmtime.Engine, path: Path) -> Component:
    """Compile it with stock settings, or take what was compiled before."""
    kept = _KEPT / f"{path.stem}.stock"
    if not kept.exists():
        kept.write_bytes(Component.from_file(engine, str(path)).serialize())
    return Component.deserialize_file(engine, str(kept))


async def measure_instances(report: Report, path: Path, rounds: int) -> None:
    """Compare how long an instance takes to be made and closed."""
    engine = wasmtime.Engine()
    code = stock_component(engine, path)
    linker = Linker(engine)
    linker.add_wasip2()
    linker.define_unknown_imports_as_traps(code)

    def stock() -> None:
        store = wasmtime.Store(engine)
        store.set_wasi(wasmtime.WasiConfig())
        linker.instantiate(store, code)
        store.close()

    async with open_runtime(
        EngineSettings(), cache_directory=_KEPT / "compiled"
    ) as loader:
        loaded = await loader.load(Artifact.at(path))

        async def ours() -> None:
            guest = await loaded.instantiate(Limits(), FakeServices(can=_AWAKE))
            guest.close()

        acts = {
            "ours": ours,
            "stock": partial(trio.to_thread.run_sync, stock),
        }
        found = await fastest(acts, rounds)
    for side, took in found.items():
        report.measured(f"instance of a Python guest, {side}", took, seconds)
    report.ratio(
        "instance of a Python guest, ours",
        "instance of a Python guest, stock",
        at_most=2.0,
    )


async def measure_sleepers(report: Report, path: Path) -> None:
    """See how long a hundred Python guests take to sleep a second, and who is late."""
    names = [f"sleeper-{number}" for number in range(_SLEEPERS)]
    tree = blueprint(*(component(name, path, can=_AWAKE) for name in names))
    late: list[float] = []

    async def beat() -> None:
        while True:
            due = trio.current_time() + 0.01
            await trio.sleep_until(due)
            late.append(trio.current_time() - due)

    async with open_system(tree, cache_directory=_KEPT / "compiled") as system:
        for name in names:
            await system.ask(name, b"0", timeout=60)
        async with trio.open_nursery() as beating:
            beating.start_soon(beat)
            began = perf_counter()
            async with trio.open_nursery() as nursery:
                for name in names:
                    nursery.start_soon(system.ask, name, b"1")
            took = perf_counter() - began
            beating.cancel_scope.cancel()
    report.measured("a second of sleep", 1.0, seconds)
    report.measured("100 Python guests sleep it", took, seconds)
    report.ratio("100 Python guests sleep it", "a second of sleep", at_most=1.15)
    report.measured("a tick", 0.005, seconds)
    report.measured(
        "late heartbeat, p99", statistics.quantiles(late, n=100)[-1], seconds
    )
    report.ratio("late heartbeat, p99", "a tick", at_most=1.0)


async def measure(rounds: int, *, python: bool) -> Report:
    """Measure all that can be."""
    report = Report("WASI on Trio and in wasmtime")
    _KEPT.mkdir(parents=True, exist_ok=True)
    await measure_calls(report, rounds)
    if (files := built("files.c")) is not None:
        await measure_files(report, files, rounds)
    if python and (sleeper := built("sleeper.py", wasi=True)) is not None:
        await measure_instances(report, sleeper, rounds)
        await measure_sleepers(report, sleeper)
    return report


def main() -> None:
    """Read the options, measure, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--no-python", action="store_true", help="only calls and files")
    chosen = parser.parse_args()
    trio.run(partial(measure, chosen.rounds, python=not chosen.no_python)).finish()


if __name__ == "__main__":
    main()
