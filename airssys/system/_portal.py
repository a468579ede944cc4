"""Access to a running system for threads in which Trio does not run.

Each call runs in the Trio thread and returns its result or raises its exception, as
`trio.from_thread` does. The calling thread is blocked meanwhile.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from airssys.contracts import AskOptions, ComponentId, SendOptions
    from airssys.nursery import TreeNode

    from ._system import System


@final
class Portal:
    """A system as other threads use it; created in the Trio thread.

    Many threads may use it at once. The Trio thread itself may not, because it would
    wait for itself for ever.

    Raises:
        RuntimeError: It was used in the Trio thread.
        trio.RunFinishedError: The Trio program has ended.
        trio.Cancelled: The program ended while an answer was awaited.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._token = trio.lowlevel.current_trio_token()

    def tell(
        self,
        target: ComponentId | str,
        payload: bytes,
        **options: Unpack[SendOptions],
    ) -> None:
        """Deliver a message now or not at all, like `System.tell`.

        Its options are `content_type`, `priority`, `ttl`, `key` and `trace`; see
        `SendOptions`.
        """
        act = partial(self._system.tell, target, payload, **options)
        trio.from_thread.run_sync(act, trio_token=self._token)

    def send(
        self,
        target: ComponentId | str,
        payload: bytes,
        **options: Unpack[SendOptions],
    ) -> None:
        """Deliver a message as soon as there is room, like `System.send`.

        Its options are `content_type`, `priority`, `ttl`, `key` and `trace`; see
        `SendOptions`.
        """
        act = partial(self._system.send, target, payload, **options)
        trio.from_thread.run(act, trio_token=self._token)

    def ask(
        self,
        target: ComponentId | str,
        payload: bytes,
        **options: Unpack[AskOptions],
    ) -> bytes | None:
        """Deliver a message and wait for the answer, like `System.ask`.

        Its options are `timeout`, `content_type`, `priority`, `key`, `trace` and
        `retries`; see `AskOptions`.
        """
        act = partial(self._system.ask, target, payload, **options)
        return trio.from_thread.run(act, trio_token=self._token)

    def call_soon(self, act: Callable[[], object]) -> None:
        """Let the Trio thread call a function soon, without waiting, e.g. `Event.set`.

        An exception that the function raises ends the Trio program.
        """
        self._token.run_sync_soon(act)

    def tree(self) -> TreeNode:
        """Return a snapshot of all supervisors and actors."""
        return trio.from_thread.run_sync(self._system.tree, trio_token=self._token)
