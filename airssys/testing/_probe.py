"""An actor for tests: it records what it gets and answers as instructed."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias, final

import trio

from airssys.contracts import ActorSpec, ComponentId

from ._patience import PATIENCE, patience

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airssys.contracts import Envelope
    from airssys.nursery import ActorContext

Answer: TypeAlias = (
    "bytes | BaseException | Callable[[ActorContext, Envelope], Awaitable[bytes | None]]"
    " | None"
)
"""What a probe does with a message: answer bytes, or None without a result; raise an
exception, which is a crash; or await a function, like any Python actor."""


@final
class Probe:
    """Replaces an actor in a test; put `probe.spec` into the blueprint.

        probe = Probe("backend", answer=b"ok")
        async with airssys_system(blueprint(probe.spec, front)) as system:
            system.tell("front", b"go")
            assert (await probe.next()).payload == b"forwarded"

    It keeps the messages it received when its actor is restarted. It can only be used
    in one system at a time.
    """

    def __init__(
        self,
        name: str = "probe",
        *,
        answer: Answer = None,
        **options: Any,  # noqa: ANN401  # each as ActorSpec has it
    ) -> None:
        """Make a probe, which the system starts.

        Args:
            name: The actor's name.
            answer: What it does with every message, unless `will_answer` gave another
                instruction.
            options: Other fields of `ActorSpec`, e.g. `restart`.
        """
        self.answer = answer
        """May be changed at any time."""
        self.patience = PATIENCE
        """Seconds of the machine's time that `next` waits; may be changed too."""
        self.id = ComponentId.parse(name)
        self.spec = ActorSpec(id=self.id, behaviour=self._handle, **options)
        self._received: list[Envelope] = []
        self._answers: deque[Answer] = deque()
        self._cursor = 0
        self._arrived = trio.Event()

    def will_answer(self, *answers: Answer) -> None:
        """Set what it does with the next messages, one after the other."""
        self._answers.extend(answers)

    def received(self) -> list[Envelope]:
        """Return all messages that it has received so far, the first one first."""
        return list(self._received)

    async def next(self) -> Envelope:
        """Wait for the next message that `next` has not returned yet.

        It is returned when the probe begins with it. The wait is limited by
        `patience`, like that of `EventRecord.next`.

        Raises:
            AssertionError: No message came in time.
        """
        if not self._has_next():
            with patience(self.patience):
                while not self._has_next():
                    await self._arrived.wait()
        if not self._has_next():
            raise AssertionError(
                f"no message came to {self.id} in {self.patience:g} s, after "
                f"{self._cursor} that were waited for"
            )
        await trio.lowlevel.checkpoint()
        self._cursor += 1
        return self._received[self._cursor - 1]

    def _has_next(self) -> bool:
        return self._cursor < len(self._received)

    async def _handle(self, context: ActorContext, envelope: Envelope) -> bytes | None:
        answer = self._answers.popleft() if self._answers else self.answer
        self._received.append(envelope)
        arrived, self._arrived = self._arrived, trio.Event()
        arrived.set()
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            return await answer(context, envelope)
        return answer
