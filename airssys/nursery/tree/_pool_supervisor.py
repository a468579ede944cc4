"""Keeps a pool at its size: a supervisor of members that come and go by a rule.

The members are the children of a dynamic supervisor, which restarts them. Beside it one
task starts members and retires them: as many as the rule says (`_pool_rule`), as were
requested, or as are missing. It checks when the pool is overloaded, when it is asked to,
when a member is gone for good, and as long as it could shrink every `patience` seconds.

A member is retired in one step: it gets no more messages, and those that it has not
begun go to the others. Then it is asked to stop, without waiting for its end.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from airssys.contracts import (
    Done,
    DynamicSupervisorSpec,
    NameTaken,
    PoolMember,
    PoolSize,
    PoolStatus,
    Refusal,
    Refused,
    Started,
    StartFailed,
)
from airssys.nursery.children import KillChild, Reply, StartFromTemplate, TerminateChild
from airssys.nursery.restarts import (
    RETRY_PAUSE,
    Declared,
    Stop,
    failure_to_start,
    grown,
    shrunk,
)
from airssys.nursery.supervisors import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import Answer, ComponentId, PoolSpec
    from airssys.nursery.children import Request, Roster, SupervisorSetup

    from ._pool_address import PoolAddress


@final
class PoolSupervisor:
    """One incarnation of a pool."""

    def __init__(
        self, spec: PoolSpec, setup: SupervisorSetup, address: PoolAddress
    ) -> None:
        self.spec, self.path = spec, setup.path
        self._address, self._pool = address, address.pool
        members = DynamicSupervisorSpec(
            name=spec.name,
            template=spec.template,
            intensity=spec.intensity,
            quotas=spec.quotas,
        )
        # In its place in the tree: what bounds the pool bounds its members.
        declared = Declared(members, setup.declared.above)
        inner = attrs.evolve(setup, declared=declared, make_cell=address.make_cell)
        self._inner = Supervisor(inner, self)
        self._ready: Callable[[], None] = _nothing
        self._is_ready = False
        self._wanted = spec.first_size
        self._retired: set[str] = set()
        """Names of members that were asked to stop."""
        self._replies: list[Reply] = []
        """Answered when the pool has the size that was asked for."""
        self._woken = trio.Event()
        self._look_at = math.inf
        """Trio time of the next look back at how great the load was."""
        self._start_at = -math.inf
        """Trio time before which no member is started, after one was lost."""
        self._has_ended = False
        self._pool.alarm, self._pool.on_gone = self._wake, self._note_gone
        self._pool.alarm_above, self._pool.most = math.inf, 0

    @property
    def roster(self) -> Roster:
        """The members there are, also those that are being retired."""
        return self._inner.roster

    @property
    def is_up(self) -> bool:
        """Whether it was ready, and is not about to end."""
        return self._is_ready and self._inner.is_up

    def stop_soon(self) -> bool:
        """Ask it to stop its members and to end."""
        return self._inner.stop_soon()

    def note_kill_above(self) -> None:
        """Note that a supervisor above was killed; this one is cancelled next."""
        self._inner.note_kill_above()

    async def wait_until_all_cancelled(self) -> None:
        """Wait until all members have been cancelled or have ended; takes no time."""
        await self._inner.wait_until_all_cancelled()

    def ask(self, request: Request) -> Reply:
        """Ask it to stop or kill one member, which is replaced; it refuses all else."""
        if isinstance(request, (TerminateChild, KillChild)):
            return self._inner.ask(request)
        reply = Reply()
        reply.give(Refused(Refusal.POOL))
        return reply

    def resize(self, members: int) -> Reply:
        """Ask for another number of members; the reply comes when they are ready."""
        reply = Reply()
        low, high = self.spec.bounds
        given: object = members
        is_whole = isinstance(given, int) and not isinstance(given, bool)
        if self._has_ended:
            reply.give(Refused(Refusal.NOT_RUNNING))
        elif not (is_whole and low <= members <= high):
            reply.give(Refused(Refusal.POOL_SIZE))
        else:
            self._wanted = members
            self._replies.append(reply)
            self._wake()
        return reply

    def status(self) -> PoolStatus:
        """Describe it as it is now."""
        pool = self._pool
        members = tuple(PoolMember(each, pool.load_of(each)) for each in pool.members)
        return PoolStatus(self.spec.id, self._wanted, members)

    async def run(self, ready: Callable[[], None]) -> None:
        """Look after the members until it is time to stop.

        Raises:
            GaveUp: it ran out of restarts.
            StartFailed: one of its first members did not start.
            NameTaken: another actor has its name.
        """
        self._ready = ready
        await self._inner.run(_nothing)

    def close(self) -> None:
        """Take note that the members stop; what comes for the pool waits."""
        self._has_ended = True
        self._address.suspend()
        self._answer(Refused(Refusal.NOT_RUNNING))

    # ------------------------------------------------------------------ its controller

    @enable_ki_protection
    async def work(self) -> None:
        """Start the first members, be ready, keep the size."""
        refusal = await self._start(self._wanted)
        if self._has_ended:
            return
        try:
            self._open(refusal)
        except (NameTaken, StartFailed, Stop) as error:
            self._inner.end(error)
            return
        self._is_ready = True
        self._ready()
        while True:
            self._woken = trio.Event()
            await self._adjust()
            with trio.move_on_at(self._next_look()):
                await self._woken.wait()

    def _open(self, refusal: Answer | None) -> None:
        match refusal:
            case None:
                self._address.open()
            case Refused(child=child, reason=reason) if reason is not None:
                raise failure_to_start(self.path, child, reason)
            case _:
                raise Stop(f"a member did not start: {refusal}")

    async def _adjust(self) -> None:
        """Judge how many members there should be, and start or retire some."""
        self._judge()
        missing, refusal = self._missing, None
        if missing > 0 and trio.current_time() >= self._start_at:
            refusal = await self._start(missing)
            if refusal is not None:
                self._start_at = trio.current_time() + RETRY_PAUSE
        for _ in range(-missing):
            self._retire_newest()
        if refusal is not None:
            self._answer(refusal)
        elif self._missing == 0:
            self._answer(Done(self.spec.name))

    def _judge(self) -> None:
        size, pool, now = self.spec.size, self._pool, trio.current_time()
        if not isinstance(size, PoolSize):
            return
        self._wanted = grown(size, self._wanted, pool.load)
        is_over = now >= self._look_at
        if is_over:
            self._wanted = shrunk(size, self._wanted, pool.most)
        if self._wanted <= size.minimum:
            self._look_at = math.inf
        elif is_over or self._look_at == math.inf:
            self._look_at, pool.most = now + size.patience, pool.load
        may_grow = self._wanted < size.maximum
        pool.alarm_above = size.grow_above * self._wanted if may_grow else math.inf

    @property
    def _missing(self) -> int:
        """How many members are to be started; below 0: to be retired."""
        present = {slot.name for slot in self.roster}
        self._retired &= present
        return self._wanted - len(present) + len(self._retired)

    def _next_look(self) -> float:
        if self._missing > 0:
            return min(self._look_at, self._start_at)
        return self._look_at

    async def _start(self, members: int) -> Answer | None:
        """Start members, all at the same time; return why one of them did not."""
        replies = [
            self._inner.ask(StartFromTemplate(arguments=())) for _ in range(members)
        ]
        answers = [await reply.wait() for reply in replies]
        return next((a for a in answers if not isinstance(a, Started)), None)

    def _retire_newest(self) -> None:
        newest = self._pool.retire_newest()
        if newest is not None:
            self._retired.add(str(newest))
            self._inner.ask(TerminateChild(str(newest)))

    def _answer(self, answer: Answer) -> None:
        replies, self._replies = self._replies, []
        for reply in replies:
            reply.give(answer)

    def _wake(self) -> None:
        self._pool.alarm_above = math.inf  # until it has been looked into
        self._woken.set()

    def _note_gone(self, member: ComponentId) -> None:
        if str(member) not in self._retired:
            self._start_at = trio.current_time() + RETRY_PAUSE
        self._wake()


def _nothing() -> None:
    """Be ready only when the first members are."""
