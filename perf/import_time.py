"""Import of airssys, and of the command, above that of Trio and wasmtime alone.

Each import is made in a fresh process, in turn, and timed inside it. Earlier processes
leave compiled bytecode behind. A system that runs components imports wasmtime, so
`airssys, airssys.wasm` is measured too.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
from time import perf_counter
from typing import Final

from measuring.children import run_child, tell_parent
from measuring.ratios import Report, seconds

_BASE: Final = "trio,wasmtime"
_OTHERS: Final = (f"{_BASE},airssys", f"{_BASE},airssys,airssys.wasm", "airssys.cli")
_MOST: Final = 0.25
"""Seconds that `import airssys` may take above the base."""


def _measure(modules: str) -> None:
    began = perf_counter()
    for module in modules.split(","):
        importlib.import_module(module)
    tell_parent(took=perf_counter() - began)


def _median(modules: str, found: dict[str, list[float]]) -> float:
    return statistics.median(found[modules])


def _report(rounds: int) -> None:
    found: dict[str, list[float]] = {modules: [] for modules in (_BASE, *_OTHERS)}
    for number in range(rounds + 1):
        for modules, times in found.items():
            took = run_child(__file__, "--import", modules)["took"]
            if number:
                times.append(took)
    report = Report(f"imports, median of {rounds}")
    base = _median(_BASE, found)
    report.measured(f"import {_BASE}", base, seconds)
    for modules in _OTHERS:
        report.measured(f"import {modules}", _median(modules, found), seconds)
    above = _median(_OTHERS[0], found) - base
    report.measured("airssys above trio and wasmtime", above, seconds, at_most=_MOST)
    report.finish()


def main() -> None:
    """Measure every import in processes of its own, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="processes for each")
    parser.add_argument("--import", dest="modules", help="measure one, in this process")
    options = parser.parse_args()
    if options.modules:
        _measure(options.modules)
    else:
        _report(options.rounds)


if __name__ == "__main__":
    main()
