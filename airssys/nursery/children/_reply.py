"""The right to answer one request to a supervisor, once."""

from __future__ import annotations

from typing import final

import attrs
import trio

from airssys.contracts import Answer


@final
@attrs.define(eq=False)
class Reply:
    """One answer, for the task that waits for it."""

    answer: Answer | None = attrs.field(init=False, default=None)
    _given: trio.Event = attrs.field(init=False, factory=trio.Event)

    def give(self, answer: Answer) -> None:
        """Answer; only the first answer counts."""
        if self.answer is None:
            self.answer = answer
            self._given.set()

    async def wait(self) -> Answer:
        """Wait for the answer."""
        while self.answer is None:
            await self._given.wait()
        return self.answer
