"""What is wanted of each case: the most that its ratio to the calibration should be."""

from __future__ import annotations

from typing import Final

WANTED: Final[dict[str, float]] = {
    "tell/plain": 1 / 7,
    "tell/async": 1 / 6,
    "ask/plain": 1 / 1.5,
    "ask/async": 1 / 0.6,
    "ring/plain": 1 / 2.2,
    "ring/async": 1.0,
    "fan/plain": 1 / 2,
    "fan/async": 1 / 1.2,
    "publish/plain": 1 / 2,
    "publish/async": 1 / 1.2,
    "spawn/plain": 2.2,
    "spawn/async": 2.2,
    "idle-bytes/plain": 1.4,
    "idle-bytes/async": 1.4,
    "crash/plain": 1.35,
    "crash/async": 1.35,
    "spawn/component": 3.0,
}
