"""Compares the real supervisors with the model of supervision, script after script."""

from __future__ import annotations

import random


def examine_supervisors(
    *, examples: int = 200, steps: int = 12, seed: int | None = None
) -> None:
    """Run random scripts on supervisors and on the model, and compare the results.

    Trees have all strategies, restart types, significance, dynamic supervisors, pauses,
    slow children, and two levels below the root. Scripts have ends, failing starts,
    requests and changes of specifications. This needs hypothesis, and is fast because
    time is mocked.

    Args:
        examples: The number of scripts.
        steps: The largest number of steps in one script.
        seed: Repeats a run; None: random.

    Raises:
        AssertionError: They do not agree; notes have the seed, and the shortest
            script that shows it.
    """
    from ._state_machine import run_machine  # noqa: PLC0415  # hypothesis is heavy

    if seed is None:
        seed = random.SystemRandom().getrandbits(32)
    try:
        run_machine(examples, steps, seed)
    except BaseException as error:
        again = f"examples={examples}, steps={steps}, seed={seed}"
        error.add_note(f"to repeat: examine_supervisors({again})")
        raise
