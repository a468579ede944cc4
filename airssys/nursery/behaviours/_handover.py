"""Hands the state of one instance over to the one that takes its place.

Both calls are made by the actor's own task, between two messages, while messages queue.
A state that is not given, is too much, is not taken, or takes too long keeps the old
instance. One thing cannot be kept: an instance that is stopped while it exports its
state (a trap, a limit) is spent, as it would be by a message. Its actor has crashed; what
follows is the supervisor's, by the old code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from ._component_actor import ComponentBehaviour


async def hand_state_over(
    old: ComponentBehaviour, new: ComponentBehaviour, seconds: float
) -> Exception | None:
    """Let a new instance take over the state of an old one; it does not run yet.

    A guest is not cut off while it exports its state: that would spend it. What it
    gives after its time is not used.

    Args:
        old: goes on if this fails.
        new: can be thrown away then.
        seconds: for both calls together.

    Returns:
        None, or why the old instance is to go on.

    Raises:
        Exception: the old instance was stopped.
    """
    began = trio.current_time()
    try:
        state = await old.export_state()
    except Exception as error:
        if old.is_spent:
            raise
        return error
    with trio.move_on_at(began + seconds):
        try:
            await trio.lowlevel.checkpoint()
            await new.import_state(state)
        except Exception as error:  # noqa: BLE001  # whatever the new code raised
            return error
        return None
    return TimeoutError(f"its state was not handed over within {seconds:g} s")
