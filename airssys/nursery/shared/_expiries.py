"""Takes grants away when their time is over, also from what is in progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

if TYPE_CHECKING:
    from airssys.security.authority import Authorities


@final
class Expiries:
    """Waits for the next grant that ends by itself."""

    def __init__(self, authorities: Authorities) -> None:
        self._authorities = authorities
        self._changed = trio.Event()

    def note(self) -> None:
        """Look again: a grant with an end was added."""
        self._changed.set()

    async def serve(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Take away what has expired, until cancelled."""
        task_status.started()
        while True:
            self._changed = trio.Event()
            with trio.move_on_at(self._authorities.expire()):
                await self._changed.wait()
