"""Injects faults at every point of a scenario, one after the other.

Theory. Nothing can happen between two checkpoints, so a scenario of n steps has n
places where it can be cancelled. Each run of the scenario is cancelled at one place,
the next run at the next place, until a run ends before its fault is due: then every
place was tried. Trio orders tasks randomly, so the places of two runs may differ
slightly. For a scenario that starts all its tasks itself, this changes the order of the
places, but not which there are.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Final, NoReturn, TypeAlias, final

import trio
from trio.lowlevel import Abort

Scenario: TypeAlias = Callable[[], Coroutine[Any, Any, object]]
"""Sets up, acts and cleans up, because it is run many times."""

_MOST_PLACES: Final = 100_000


@final
class _Striker(trio.abc.Instrument):
    """Cancels a scope after the n-th step of any task."""

    def __init__(self, scope: trio.CancelScope, place: int) -> None:
        self._scope, self._left = scope, place

    @property
    def has_struck(self) -> bool:
        return self._left <= 0

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self._scope.cancel()


async def cancel_at_every_step(
    scenario: Scenario, check: Callable[[], object] | None = None
) -> int:
    """Run a scenario repeatedly, cancelled after the 1st, 2nd, ... step.

    A step is what any task of the run does between two checkpoints. So the cancellation
    comes at every possible moment, whichever task is running.

    Args:
        scenario: What to run; it should clean up however it ends.
        check: Called after each run; raises if something was left behind.

    Returns:
        The number of runs that were cancelled.

    Raises:
        Exception: The scenario's or the check's own, with a note that says where the
            run was cancelled.
    """

    async def strike(place: int) -> bool:
        with trio.CancelScope() as scope:
            striker = _Striker(scope, place)
            trio.lowlevel.add_instrument(striker)
            try:
                await scenario()
            finally:
                trio.lowlevel.remove_instrument(striker)
        return striker.has_struck

    return await _at_every_place(strike, check, "cancelled after step")


async def raise_at_every_checkpoint(
    scenario: Scenario,
    fault: Callable[[], BaseException] = KeyboardInterrupt,
    check: Callable[[], object] | None = None,
) -> int:
    """Run a scenario repeatedly; its 1st, 2nd, ... wait raises.

    Only waits of the task that runs the scenario raise, in the way Ctrl-C does in the
    main task: the wait is cancelled first. A checkpoint that does not wait
    (`trio.lowlevel.checkpoint`) and a wait that cannot be cancelled do not raise.

    Args:
        scenario: What to run; it should clean up however it ends.
        fault: Makes the exception to raise.
        check: Called after each run; raises if something was left behind.

    Returns:
        The number of runs that had their fault.

    Raises:
        Exception: Any exception of the scenario other than the fault, or the check's
            own, with a note that says where the fault was raised.
    """

    async def strike(place: int) -> bool:
        error = fault()
        breaker = _WaitBreaker(place, error)
        try:
            await _run_with(breaker, scenario())
        except BaseException as raised:  # noqa: ASYNC103  # the fault itself may come out
            if not _is_only(raised, error):
                raise
        return breaker.has_struck

    return await _at_every_place(strike, check, "raised at wait")


async def _at_every_place(
    strike: Callable[[int], Awaitable[bool]],
    check: Callable[[], object] | None,
    how: str,
) -> int:
    for place in range(1, _MOST_PLACES):
        try:
            was_struck = await strike(place)
            if check is not None:
                check()
        except BaseException as error:
            error.add_note(f"{how} {place}")
            raise
        if not was_struck:
            return place - 1
    raise RuntimeError(f"the scenario has more than {_MOST_PLACES} places for a fault")


def _is_only(raised: BaseException, error: BaseException) -> bool:
    """Say whether something is this error, by itself or in groups."""
    if isinstance(raised, BaseExceptionGroup):
        return all(_is_only(one, error) for one in raised.exceptions)
    return raised is error


@final
class _WaitBreaker:
    """Makes the n-th wait of a coroutine raise, once."""

    def __init__(self, place: int, error: BaseException) -> None:
        self._left, self._error = place, error
        self.has_struck = False

    def breaks(self, trap: object) -> BaseException | None:
        """Return what this wait raises at once; None: it waits as usual."""
        abort = getattr(trap, "abort_func", None)
        if abort is None or self.has_struck:
            return None
        self._left -= 1
        if self._left > 0:
            return None
        self.has_struck = True
        try:
            is_given_up = abort(self._raise) is Abort.SUCCEEDED
        except BaseException as raised:  # noqa: BLE001, ASYNC103  # thrown into the coroutine
            return raised  # noqa: ASYNC104  # as above
        return self._error if is_given_up else None

    def _raise(self) -> NoReturn:
        raise self._error


@types.coroutine
def _run_with(
    breaker: _WaitBreaker, call: Coroutine[Any, Any, object]
) -> Generator[Any, Any, object]:
    step: Callable[[Any], Any] = call.send
    sent: Any = None
    while True:
        try:
            trap = step(sent)
        except StopIteration as finished:
            result: object = finished.value
            return result
        if error := breaker.breaks(trap):
            sent, step = error, call.throw
            continue
        try:
            sent, step = (yield trap), call.send
        except BaseException as raised:  # noqa: BLE001, ASYNC103  # thrown into the call instead
            sent, step = raised, call.throw
