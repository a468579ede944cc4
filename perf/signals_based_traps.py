"""What it costs to leave `signals_based_traps` off.

Our engine has it off, so that an embedding program may call `faulthandler.enable()`. Every
load and store is then checked in code instead of by the processor. Compared in one run,
on two engines that differ in nothing else and count fuel and epochs as ours does: a guest
that only computes (`spin`) and one that mostly loads and stores (`churn.wat`). There is no
bound: the cost is known and accepted.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

import pyperf
import wasmtime
from measuring.guests import message
from measuring.ratios import bench, check_count, report_medians
from measuring.stock import StockGuest, stock_function, stock_message

if TYPE_CHECKING:
    from measuring.ratios import TimeFunction

_CHURN: Final = Path(__file__).with_name("churn.wat")
_ROUNDS: Final = 8
_MILLIONS: Final = b"2"


def _config(*, signals: bool) -> wasmtime.Config:
    config = wasmtime.Config()
    config.consume_fuel = True
    config.epoch_interruption = True
    config.signals_based_traps = signals
    return config


def _time_spin(loops: int, *, signals: bool) -> float:
    guest = StockGuest("spin", _config(signals=signals), metered=True)
    sent, answered = stock_message(message(_MILLIONS)), 0
    began = perf_counter()
    for _ in range(loops):
        answered += guest.handle_message(sent) == _MILLIONS
    took = perf_counter() - began
    check_count("answers", answered, loops)
    return took


def _time_churn(loops: int, *, signals: bool) -> float:
    churn = stock_function(_CHURN, "churn", _config(signals=signals))
    sums = set()
    began = perf_counter()
    for _ in range(loops):
        sums.add(churn(_ROUNDS))
    took = perf_counter() - began
    check_count("different sums", len(sums), loops)
    return took


def main() -> None:
    """Measure and compare."""
    kinds: dict[str, TimeFunction] = {
        f"{name}, signals {'on' if signals else 'off'}": partial(work, signals=signals)
        for name, work in (("spin", _time_spin), ("churn", _time_churn))
        for signals in (True, False)
    }
    medians = bench(pyperf.Runner(processes=10), kinds)
    if medians is None:
        return
    report = report_medians("signals_based_traps, on and off", medians)
    for name in ("spin", "churn"):
        report.ratio(f"{name}, signals off", f"{name}, signals on")
    report.finish()


if __name__ == "__main__":
    main()
