"""Extism, a peer, in an environment of its own: echoes of several sizes, in seconds.

Run by `perf/own_lane.py` with the interpreter of that environment; it needs nothing of
airssys. Arguments: a file with the guest, the rounds, and sizes in bytes. It prints the
time of a call for each size in its fastest round, of processor time, as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import process_time
from typing import Final

import extism

_ROUND: Final = 0.02


def fastest(plugin: extism.Plugin, size: int, rounds: int) -> float:
    """Time a call, in the fastest round."""
    sent, best, times = bytes(size), float("inf"), 1
    for number in range(rounds + 1):
        began = process_time()
        for _ in range(times):
            answer = plugin.call("echo", sent)
        took = (process_time() - began) / times
        if len(answer) != size:
            raise SystemExit(f"{len(answer)} bytes came back, not {size}")
        if number:
            best = min(best, took)
        else:
            times = max(1, int(_ROUND / took))
    return best


def main() -> None:
    """Measure."""
    path, rounds, *sizes = sys.argv[1:]
    plugin = extism.Plugin(Path(path).read_bytes(), wasi=False)
    found = {size: fastest(plugin, int(size), int(rounds)) for size in sizes}
    print(json.dumps({"version": extism.extism_version(), "seconds": found}))


if __name__ == "__main__":
    main()
