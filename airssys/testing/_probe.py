"""An actor that a test looks through: it records what it gets and answers as told."""

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
"""What a probe does with a message: answer bytes, or nothing with None; raise an
exception, which is a crash; or await a function, as any Python actor would."""


@final
class Probe:
    """Stands for an actor in a test; `probe.spec` goes into the blueprint.

        probe = Probe("backend", answer=b"ok")
        async with airssys_system(blueprint(probe.spec, front)) as system:
            system.tell("front", b"go")
            assert (await probe.next()).payload == b"forwarded"

    What it has received stays with it when its actor is restarted. It is for one
    system at a time.
    """

    def __init__(
        self,
        name: str = "probe",
        *,
        answer: Answer = None,
        **options: Any,  # noqa: ANN401  # each as ActorSpec has it
    ) -> None:
        """Make a probe; it is started by the system.

        Args:
            name: the actor's name.
            answer: what it does with every message for which nothing else was told.
            options: further fields of `ActorSpec`, e.g. `restart`.
        """
        self.answer = answer
        """May be changed at any time."""
        self.patience = PATIENCE
        """Seconds of the machine's time that `next` waits; may be changed too."""
        self.id = ComponentId.parse(name)
        self.spec = ActorSpec(id=self.id, behaviour=self._handle, **options)
        self._received: list[Envelope] = []
        self._told: deque[Answer] = deque()
        self._cursor = 0
        self._arrived = trio.Event()

    def will_answer(self, *answers: Answer) -> None:
        """Tell it what to do with the next messages, one after the other."""
        self._told.extend(answers)

    def received(self) -> list[Envelope]:
        """Return every message that it was given until now, the first one first."""
        return list(self._received)

    async def next(self) -> Envelope:
        """Wait for the next message that `next` has not returned yet.

        It is returned when the probe begins with it. The wait is limited as that of
        `EventRecord.next` is, by `patience`.

        Raises:
            AssertionError: no message came in time.
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
        answer = self._told.popleft() if self._told else self.answer
        self._received.append(envelope)
        arrived, self._arrived = self._arrived, trio.Event()
        arrived.set()
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            return await answer(context, envelope)
        return answer
