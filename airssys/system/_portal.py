"""The way into a running system for threads in which Trio does not run.

Each call goes to the Trio thread and comes back with its result or its exception, as
`trio.from_thread` does it; the calling thread is held meanwhile.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, final

import trio

from airssys.nursery import ASK_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import ComponentId, TraceContext
    from airssys.nursery import PriorityWord, TreeNode

    from ._system import System


@final
class Portal:
    """A system as other threads see it; made in the Trio thread.

    It may be used by many threads at once. In the Trio thread itself it is refused: it
    would wait for itself for ever.

    Raises:
        RuntimeError: used in the Trio thread.
        trio.RunFinishedError: the Trio program has ended.
        trio.Cancelled: the program ended while an answer was awaited.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._token = trio.lowlevel.current_trio_token()

    def tell(  # noqa: PLR0913  # as `System.tell`
        self,
        target: ComponentId | str,
        payload: bytes,
        *,
        content_type: str | None = None,
        priority: PriorityWord | None = None,
        ttl: float | None = None,
        key: str | bytes | None = None,
        trace: TraceContext | str | None = None,
    ) -> None:
        """Deliver a message now or not at all; as `System.tell`."""
        act = partial(
            self._system.tell,
            target,
            payload,
            content_type=content_type,
            priority=priority,
            ttl=ttl,
            key=key,
            trace=trace,
        )
        trio.from_thread.run_sync(act, trio_token=self._token)

    def send(  # noqa: PLR0913  # as `System.send`
        self,
        target: ComponentId | str,
        payload: bytes,
        *,
        content_type: str | None = None,
        priority: PriorityWord | None = None,
        ttl: float | None = None,
        key: str | bytes | None = None,
        trace: TraceContext | str | None = None,
    ) -> None:
        """Deliver a message as soon as there is room; as `System.send`."""
        act = partial(
            self._system.send,
            target,
            payload,
            content_type=content_type,
            priority=priority,
            ttl=ttl,
            key=key,
            trace=trace,
        )
        trio.from_thread.run(act, trio_token=self._token)

    def ask(  # noqa: PLR0913  # as System.ask
        self,
        target: ComponentId | str,
        payload: bytes,
        *,
        timeout: float = ASK_TIMEOUT,
        content_type: str | None = None,
        priority: PriorityWord | None = None,
        key: str | bytes | None = None,
        trace: TraceContext | str | None = None,
        retries: int = 0,
    ) -> bytes | None:
        """Deliver a message and wait for the answer; as `System.ask`."""
        act = partial(
            self._system.ask,
            target,
            payload,
            timeout=timeout,
            content_type=content_type,
            priority=priority,
            key=key,
            trace=trace,
            retries=retries,
        )
        return trio.from_thread.run(act, trio_token=self._token)

    def call_soon(self, act: Callable[[], object]) -> None:
        """Let the Trio thread call something soon, without waiting, e.g. `Event.set`.

        An exception from it ends the Trio program.
        """
        self._token.run_sync_soon(act)

    def tree(self) -> TreeNode:
        """Look at all supervisors and actors as they are now."""
        return trio.from_thread.run_sync(self._system.tree, trio_token=self._token)
