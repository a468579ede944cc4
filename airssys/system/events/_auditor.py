"""Writes the audit log of a system: a queue, and one thread while something is written.

What is decided is noted at once, without waiting. A task hands it to a thread, which
writes; while that fails, or the queue is full, what `AuditLog.when_full` says is done.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple, Unpack, final

import trio

from airssys.contracts import AuditFailed
from airssys.security.audit import (
    AuditFile,
    AuditQueue,
    Change,
    Mark,
    Noted,
)

from ._event_log import log_notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import ComponentId, Decision, WallClock
    from airssys.security.audit import AuditLog
    from airssys.security.authority import Authorities, HasAccount

_T = TypeVar("_T")
_Arguments = TypeVarTuple("_Arguments")
_BATCH: Final = 500
"""Records that are handed to a thread at once."""
_ACCOUNTS: Final = 50
"""Accounts of actors that are taken without letting others run."""


@final
class Auditor:
    """Records the decisions of one system (implements `Recorder`).

    Args:
        log: What to write.
        wall_clock: The time for the records.
        end_by: Ends the system, if that is what is done when the log cannot be written.
    """

    def __init__(
        self,
        log: AuditLog,
        wall_clock: WallClock,
        end_by: Callable[[BaseException], None],
    ) -> None:
        self._log, self._wall_clock, self._end_by = log, wall_clock, end_by
        self.records_each = log.window == 0
        self._queue = AuditQueue(log.queue_records, log.queue_bytes)
        self._used: dict[HasAccount, None] = {}
        """Those whose accounts are to be taken."""
        self._account_at = math.inf
        self._woken = trio.Event()
        self._limiter = trio.CapacityLimiter(1)
        self._file: AuditFile | None = None
        self._authorities: Authorities | None = None
        self._problem: str | None = None
        """Why it cannot be written now."""
        self._is_ending = False
        self._ended = trio.Event()
        self._scope = trio.CancelScope()

    # ------------------------------------------------------------ noting

    def note_decision(self, decision: Decision) -> None:
        """Record a denial, or an access that was allowed a number of times."""
        self._note(Noted(self._wall_clock(), decision))

    def note_change(self, actor: ComponentId, change: str, cancelled: int) -> None:
        """Record that grants were changed."""
        self._note(Noted(self._wall_clock(), Change(actor, change, cancelled)))

    def note_used(self, authority: HasAccount) -> None:
        """Take the account of this authority when the window is over."""
        if not self._used:
            self._account_at = trio.current_time() + self._log.window
            self._woken.set()
        self._used[authority] = None

    def _note(self, noted: Noted) -> None:
        self._queue.add(noted)
        self._woken.set()
        if self._queue.is_full and self._problem is None:
            self._fail("its queue is full")

    # ------------------------------------------------------------ failing

    def _fail(self, why: str) -> None:
        first, self._problem = self._problem is None, why
        if not first:
            return
        problem = f"the audit log {self._log.path} cannot be written: {why}"
        if self._log.when_full == "refuse":
            log_notice(
                f"{problem}; until it can, restricted actors are denied everything"
            )
            if self._authorities is not None:
                self._authorities.close(f"the audit log cannot be written, {why}")
        elif self._log.when_full == "end":
            self._end_by(AuditFailed(problem, "Make room, then start the system again"))
        else:
            log_notice(f"{problem}; until it can, decisions are only counted")

    def _recover(self) -> None:
        if self._problem is None or not self._queue.has_room:
            return
        self._problem = None
        log_notice(f"the audit log {self._log.path} is written again")
        if self._authorities is not None:
            self._authorities.close(None)

    # ------------------------------------------------------------ writing

    async def open(self) -> None:
        """Open the file, before anything is decided.

        Raises:
            AuditFailed: it is damaged, or cannot be written.
        """
        self._file = await self._in_thread(AuditFile, self._log)
        self._note(Noted(self._wall_clock(), Mark("began")))

    def attach(self, authorities: Authorities) -> None:
        """Close and open the gates of these while it cannot be written."""
        self._authorities = authorities

    async def serve(self) -> None:
        """Write what is noted, until `finish`."""
        try:
            with self._scope:
                while not self._is_ending:
                    if self._problem is None:
                        with trio.move_on_at(self._account_at):
                            await self._woken.wait()
                        self._woken = trio.Event()
                    if trio.current_time() >= self._account_at:
                        await self._take_accounts()
                    if not await self._write() and not self._is_ending:
                        with trio.move_on_after(self._log.retry):
                            await self._ending()
                await self._take_accounts()
                self._note(Noted(self._wall_clock(), Mark("ended")))
                while await self._write() and self._queue:
                    pass  # what was noted meanwhile
        finally:
            self._ended.set()

    async def _ending(self) -> None:
        """Wait until it has to end; what is noted meanwhile waits."""
        while not self._is_ending:
            await self._woken.wait()
            if not self._is_ending:
                self._woken = trio.Event()
        self._woken.set()

    async def _take_accounts(self) -> None:
        self._account_at = math.inf
        used, self._used = self._used, {}
        for number, authority in enumerate(used, 1):
            authority.take_account()
            if number % _ACCOUNTS == 0:
                await trio.lowlevel.checkpoint()

    async def _write(self) -> bool:
        """Write what waits now, not what is noted meanwhile; returns whether that worked.

        Actors may note denials as fast as they are written, and waiting for the last one
        would keep them denied.
        """
        if self._file is None:
            return False
        left = len(self._queue)
        while left > 0:
            batch = self._queue.take(min(left, _BATCH))
            written, problem = await self._in_thread(self._file.append, batch)
            self._queue.confirm(written)
            if problem is not None:
                self._fail(problem)
                return False
            left -= written
            self._recover()
        self._recover()
        return True

    async def finish(self, seconds: float) -> None:
        """Write the rest, and close the file, within some seconds; then `check_end`."""
        self._is_ending = True
        self._woken.set()
        # Real time, because the clock of a test may jump while a thread writes.
        until = time.monotonic() + seconds
        while not self._ended.is_set() and (left := until - time.monotonic()) > 0:
            with trio.move_on_after(left):
                await self._ended.wait()
        self._scope.cancel()
        await self._ended.wait()
        if self._file is not None and not self._scope.cancelled_caught:
            self._problem = await self._in_thread(self._file.close) or self._problem
        if len(self._queue) and self._problem is None:
            self._problem = f"it took more than {seconds:g} s"

    def check_end(self) -> None:
        """Check that all was written.

        Raises:
            AuditFailed: it was not.
        """
        if self._problem is not None:
            problem = (
                f"the end of the audit log {self._log.path} could not be written, "
                f"{len(self._queue)} records are lost: {self._problem}"
            )
            raise AuditFailed(problem, "Make room, and check what the log ends with")

    async def _in_thread(
        self, function: Callable[[Unpack[_Arguments]], _T], *arguments: *_Arguments
    ) -> _T:
        """Call something that may block; if cancelled, its thread is left to itself."""
        return await trio.to_thread.run_sync(
            function, *arguments, limiter=self._limiter, abandon_on_cancel=True
        )
