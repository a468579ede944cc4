"""Time in tests: whether work grows in proportion, whatever the machine is busy with.

A bound in seconds tests the machine as well as the code. Quadratic work betrays itself
without one: ten times as much of it takes a hundred times as long.
"""

import gc
import time
from collections.abc import Callable

_ROUNDS = 3


def seconds_taken(work: Callable[[], object]) -> float:
    """Processor seconds of this thread for one run, the least of a few."""
    least = float("inf")
    gc.collect()
    gc.disable()
    try:
        for _ in range(_ROUNDS):
            began = time.thread_time()
            work()
            least = min(least, time.thread_time() - began)
    finally:
        gc.enable()
    return least


def growth(
    prepare: Callable[[int], Callable[[], object]], few: int, many: int
) -> float:
    """How much longer each item takes among `many` than among `few`: 1 if linear.

    `prepare` is given a number of items and returns the work on them, which is run
    several times; what it does itself is not timed.
    """
    each_of_few = seconds_taken(prepare(few)) / few
    return seconds_taken(prepare(many)) / many / each_of_few
