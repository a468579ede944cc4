"""The real supervisors against the model of supervision, script after script."""

from __future__ import annotations

import random


def examine_supervisors(
    *, examples: int = 200, steps: int = 12, seed: int | None = None
) -> None:
    """Play random scripts to supervisors and to the model; they must tell the same.

    Trees have all strategies, restart types, significance, dynamic supervisors, pauses,
    slow children, two levels below the root; scripts have ends, failing starts, requests
    and changes of specifications. It needs hypothesis, and is quick: time is mocked.

    Args:
        examples: how many scripts.
        steps: how many steps one has at most.
        seed: repeats a run; None: chance decides.

    Raises:
        AssertionError: they do not agree; notes have the seed, and the shortest
            script that shows it.
    """
    from ._state_machine import run_machine  # noqa: PLC0415  # hypothesis is heavy

    if seed is None:
        seed = random.SystemRandom().getrandbits(32)
    try:
        run_machine(examples, steps, seed)
    except BaseException as error:
        again = f"examples={examples}, steps={steps}, seed={seed}"
        error.add_note(f"repeat it by: examine_supervisors({again})")
        raise
