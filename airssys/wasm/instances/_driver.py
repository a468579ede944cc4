"""Drives a call to its end: slice by slice, with the host's work in between.

A slice polls the guest until it finishes, waits for the host, or has used up its time;
host calls that can be answered at once are part of it. Between slices a call waits for
its turn (`_turns`), or for the host. `Limits.execution_time` only counts slices,
wherever they run, and host calls.
"""

from __future__ import annotations

import math
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

import trio

from airssys.contracts import EngineMisused
from airssys.wasm.lane.abi import RuleBroken
from airssys.wasm.values import Budget, TooMuch, weight

from ._poll_placement import GOOD_POLLS, PollPlacement
from ._turns import now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from airssys.contracts import GuestMeter, HostServices, Limits
    from airssys.wasm.engine import GuestCall, HeldThings
    from airssys.wasm.host import BoundFunction
    from airssys.wasm.values import CallValues

    from ._poll_placement import Habits
    from ._runtime import Runtime

T = TypeVar("T")

_LEFTOVER: Final = 0.1
"""A poll that ends within this part of a tick met a deadline that had passed while the
guest waited for the host; it is polled once more in the same slice."""


class Late(Exception):  # not for users: `_instance` makes it a time limit
    """The call took too long."""


class Overdue(Late):  # not for users: `_outcomes` makes it a deadline
    """The caller's deadline has passed; the guest was within its limits."""


class HostFailed(Exception):  # not for users: `_instance` makes it a host error
    """A host function raised; the cause is chained."""


@final
class Driver:
    """Drives the calls of one guest, one at a time, and learns how it behaves."""

    def __init__(
        self,
        runtime: Runtime,
        limits: Limits,
        contexts: Sequence[object],
        habits: Habits | None = None,
        handles: HeldThings | None = None,
        meter: GuestMeter | None = None,
    ) -> None:
        self._functions = runtime.table.functions
        self._turns = runtime.turns
        self._limits = limits
        self._contexts, self._handles, self._meter = contexts, handles, meter
        self.placement = PollPlacement(runtime.turns.tick, habits)
        self._proven = False
        """Whether its last message was handled within its first slice (`_turns`)."""
        self._was_busy = False
        self._used = 0.0
        """Seconds of `execution_time` that the current call has used."""
        self._inline_bytes = runtime.settings.thread_payload_bytes
        """A worker reads and lays out anything larger."""
        self.cheaper = 1
        """How many bytes of `list<u8>` are answered in the time that others need for one."""
        self._few_bytes = min(limits.host_call_bytes, self._inline_bytes)
        self._asked: list[Any] | None = None
        """The arguments of a host call that could not be answered at once."""
        self._long_answer: tuple[Any] | None = None
        """The answer to a host call that a worker has to lay out."""

    def expect_large(self) -> None:
        """Note that the next call moves a large value, so that a worker polls it."""
        self.placement.send_to_worker()

    def note_message_handled(self) -> None:
        """Note that the last call was a message and was completed."""
        self._proven = not self._was_busy

    def may_begin(self) -> bool:
        """Whether another call may run its first slice now."""
        self._used = 0.0
        self._was_busy = False
        if self._meter is not None and self._meter.is_over:
            return False
        return self._turns.may_begin(proven=self._proven) or self.placement.in_worker

    async def wait_to_begin(self, deadline: float = math.inf) -> None:
        """Wait for the turn of a first slice.

        Nothing has begun yet, because a guest's deadline would pass while it waits.

        Raises:
            Overdue: The caller's deadline has passed.
        """
        await self._pause(deadline)
        await self._in_time(self._turns.begin(proven=self._proven), deadline)

    async def _pause(self, deadline: float) -> None:
        """Wait while a quota is used up; this does not count as its time.

        Raises:
            Overdue: The caller's deadline has passed.
            StoppedByQuota: Nothing of it is left, and it is declared to end.
        """
        if self._meter is not None and self._meter.is_over:
            await self._in_time(self._meter.pause(), deadline)

    def note_slice(self, began: float) -> float:
        """Note a slice that was run in this thread; returns its end."""
        ended = now()
        took = ended - began
        if took > self.placement.patience:
            self.placement.suspect = GOOD_POLLS
        self._used += took
        self._turns.spent += took
        if self._meter is not None:
            self._meter.note_time(self._turns.processor.used(took))
        return ended

    async def drive(self, call: GuestCall, deadline: float = math.inf) -> None:
        """Drive a call that may begin now, and was not polled yet, to its end.

        Raises:
            Late: It used up its time; `Overdue`: the deadline has passed.
            HostFailed: A host function that the guest called failed.
        """
        if not await self._slice(call):
            await self._slices(call, deadline)

    async def go_on(
        self, call: GuestCall, began: float, deadline: float = math.inf
    ) -> None:
        """Drive a call whose first slice began then and was polled once.

        It may have finished, if only a worker may take its result.

        Raises:
            Late, HostFailed: As for `drive`.
        """
        if not self._slice_here(call, began, began, finished=call.finished):
            await self._slices(call, deadline)

    async def resume(self, call: GuestCall) -> None:
        """Drive a call whose first slice was run, and noted, in another task.

        Raises:
            Late, HostFailed: As for `drive`, which needs no deadline here.
        """
        if call.host_call is not None:
            if not self._turns.may_begin(proven=self._proven):
                await self.wait_to_begin()
            began = now()
            if self._slice_here(call, began, began, finished=False):
                return
        if not call.finished:
            await self._slices(call, math.inf)

    def at_once(self, marshaller: CallValues, most: int) -> int:
        """Return how many bytes of values may be read in the Trio thread."""
        return most if marshaller.moves_resources else min(most, self._inline_bytes)

    async def take_result(
        self, call: GuestCall, marshaller: CallValues, budget: Budget
    ) -> Any:
        """Read what the guest answered; a worker does this if it is long."""
        try:
            few = Budget(self.at_once(marshaller, budget.left))
            return call.take_result(marshaller, few)
        except TooMuch:
            if marshaller.moves_resources:
                raise
        self.placement.note_long()
        take = partial(call.take_result, marshaller, budget)
        return await self._turns.in_worker(take)

    async def _slices(self, call: GuestCall, deadline: float) -> None:
        """Run the slices after the first, and the waits between them."""
        while True:
            self._check_time(deadline)
            await self._pause(deadline)
            if call.host_call is None:
                await self._next_slice(deadline)
            else:
                await self._wait_for_host(call, deadline)
            if await self._slice(call):
                return

    async def _slice(self, call: GuestCall) -> bool:
        """Run one slice; True if the call finished, else it waits or is busy."""
        if not self.placement.in_worker:
            call.renew_deadline()
            began = now()
            return self._slice_here(call, began, began, finished=self._poll(call))
        poll = partial(self._poll_timed, call)
        finished, took, worked = await self._turns.in_worker(poll)
        self._used += took
        if self._meter is not None:
            self._meter.note_time(worked)
        if not finished:
            self._goes_on(call, took, again=False)
        return finished

    def _slice_here(
        self, call: GuestCall, began: float, polled: float, *, finished: bool
    ) -> bool:
        """Continue a slice of this thread after its first poll."""
        again = True
        while True:
            ended = now()
            if ended - polled > self.placement.patience:
                self.placement.suspect = GOOD_POLLS
            if finished or not self._goes_on(call, ended - began, again=again):
                break
            again = call.answered
            polled = now()
            finished = self._poll(call)
        took = ended - began
        self._used += took
        self._turns.spent += took
        if self._meter is not None:
            self._meter.note_time(self._turns.processor.used(took))
        return finished

    def _poll(self, call: GuestCall) -> bool:
        placement = self.placement
        return placement.poll(call) if placement.suspect else call.poll(call.owner)

    def _poll_timed(self, call: GuestCall) -> tuple[bool, float, float]:
        """Poll in a worker; returns also the seconds, and those of the processor."""
        began, ran = now(), time.thread_time()
        finished = self.placement.poll(call)
        return finished, now() - began, time.thread_time() - ran

    def _goes_on(self, call: GuestCall, elapsed: float, *, again: bool) -> bool:
        """Whether the slice has more to do after a poll."""
        tick = self._turns.tick
        if call.host_call is None:
            return again and elapsed < tick * _LEFTOVER
        function = self._functions[call.host_call.function]
        act = function.at_once if function.waits else function.implementation
        if act is None:
            return False
        arguments = self._arguments(call, function)
        if arguments is None:
            return False
        try:
            if self._handles is not None:
                self._handles.drop_noted()
            answer = act(self._contexts[function.context], *arguments)
        except Exception as error:
            raise HostFailed from error
        if answer is None and function.waits:
            self._asked = arguments
            return False
        if function.marshaller.may_answer_long and self._is_long(answer):
            self._long_answer = (answer,)
            return False
        self._answer(call, function, answer)
        return elapsed < tick and (self._meter is None or not self._meter.is_over)

    async def _wait_for_host(self, call: GuestCall, deadline: float) -> None:
        """Do what the guest waits for, within what is left of its time.

        A wait that ends by itself in time, such as a short sleep, gets no cancel scope,
        which would cost as much as the sleep.
        """
        assert call.host_call is not None  # noqa: S101  # the caller has looked
        function = self._functions[call.host_call.function]
        if self._long_answer is None:
            answer = await self._answer_of_host(call, function, deadline)
        else:
            (answer,), self._long_answer = self._long_answer, None
        if function.marshaller.may_answer_long and self._is_long(answer):
            await self._in_worker(partial(self._answer, call, function, answer))
            self.placement.send_to_worker()
        else:
            self._answer(call, function, answer)
        in_worker, proven = self.placement.in_worker, self._proven
        if not in_worker and not self._turns.may_begin(proven=proven):
            await self._in_time(self._turns.begin(proven=proven), deadline)

    async def _answer_of_host(
        self, call: GuestCall, function: BoundFunction, deadline: float
    ) -> Any:
        arguments, self._asked = self._asked, None
        if arguments is None:
            arguments = self._arguments(call, function)
        if arguments is None:
            was_here, most = self.placement.note_long(), self._limits.host_call_bytes
            budget = Budget(most)
            take = partial(call.take_arguments, function.marshaller, budget)
            arguments = await self._in_worker(take)
            self.placement.note_size(most - budget.left, was_here=was_here)
            if self._meter is not None:
                self._meter.note_call(most - budget.left)
        began = trio.current_time()
        end = min(deadline, began + self._limits.execution_time - self._used)
        if not function.counts:
            with trio.CancelScope(deadline=deadline) as scope:
                answer = await self._ask_host(function, arguments)
            if scope.cancelled_caught:
                self._check_time(deadline, over=True)
            return answer
        longest = function.longest
        if longest is not None and began + longest(*arguments) < end:
            answer = await self._ask_host(function, arguments)
        else:
            with trio.CancelScope(deadline=end) as scope:
                answer = await self._ask_host(function, arguments)
            if scope.cancelled_caught:
                self._check_time(deadline, over=True)
        self._used += trio.current_time() - began
        return answer

    def drop_noted(self) -> None:
        """Call the destructors of the resources that the guest has let go.

        Raises:
            HostFailed: one of them raised.
        """
        if self._handles is not None:
            try:
                self._handles.drop_noted()
            except Exception as error:
                raise HostFailed from error

    async def _in_worker(self, work: Callable[[], T]) -> T:
        """Have a worker do a host call's work; only the work counts, not the wait."""

        def timed() -> tuple[T, float, float]:
            began, ran = now(), time.thread_time()
            done = work()
            return done, now() - began, time.thread_time() - ran

        done, took, worked = await self._turns.in_worker(timed)
        self._used += took
        if self._meter is not None:
            self._meter.note_time(worked)
        return done

    async def _next_slice(self, deadline: float) -> None:
        """Wait for the turn of a call that used up its slice.

        A proven guest may have met a tick by accident, or on a loaded machine; it gets
        one more slice before it counts as busy.
        """
        if self.placement.in_worker:
            await trio.lowlevel.checkpoint()
        elif self._proven:
            self._proven = False
            await self._in_time(self._turns.begin(proven=True), deadline)
        else:
            self._was_busy = True
            await self._in_time(self._turns.next_slice(), deadline)

    async def _in_time(self, turn: Awaitable[None], deadline: float) -> None:
        """Wait for a turn, but not beyond the deadline of the call."""
        if deadline == math.inf:
            await turn
            return
        with trio.CancelScope(deadline=deadline):
            await turn
        self._check_time(deadline)

    def _arguments(self, call: GuestCall, function: BoundFunction) -> list[Any] | None:
        """Read the arguments of a host call; None if they are long, for a worker."""
        marshaller = function.marshaller
        few = self._few_bytes
        if marshaller.moves_resources:
            few = self._limits.host_call_bytes
        budget = Budget(few)
        try:
            arguments = call.take_arguments(marshaller, budget)
        except TooMuch:
            if marshaller.moves_resources:
                raise
            return None
        if self._meter is not None:
            self._meter.note_call(few - budget.left)
        return arguments

    async def _ask_host(self, function: BoundFunction, arguments: list[Any]) -> Any:
        try:
            if self._handles is not None:
                self._handles.drop_noted()
            context = self._contexts[function.context]
            answer = function.implementation(context, *arguments)
            return await answer if function.waits else answer
        except Exception as error:
            raise HostFailed from error

    def _is_long(self, answer: Any) -> bool:
        try:
            return weight(answer, self.cheaper) > self._inline_bytes
        except Exception:  # noqa: BLE001  # what is wrong with it is found by laying it out
            return False

    def _answer(self, call: GuestCall, function: BoundFunction, value: Any) -> None:
        try:
            if function.finish is not None:
                value = function.finish(value)
            call.answer(call.owner, function.marshaller, value)
        except (EngineMisused, RuleBroken):
            raise
        except Exception as error:  # ValueUnfit, and what a value's own code raises
            raise HostFailed from error

    def _check_time(self, deadline: float, *, over: bool = False) -> None:
        limit = self._limits.execution_time
        if deadline <= trio.current_time():
            raise Overdue("the deadline that its caller set has passed")
        if self._used >= limit or over:
            raise Late(f"longer than {limit:g} s (execution_time)")


def meter_of(services: HostServices | None) -> GuestMeter | None:
    """Return what counts what a guest uses; a program's own services may have none."""
    return getattr(services, "meter", None)
