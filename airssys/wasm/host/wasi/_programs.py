"""Components that are programs: they export `wasi:cli/run`, and run once from start to end.

An actor that is one handles no messages. It has what it imports of WASI, and may import
`airssys:core` beside it, by the same grants as others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, cast, final

from airssys.contracts import (
    ComponentMetadata,
    EngineMisused,
    GuestTrapped,
    HealthStatus,
    SnapshotRefused,
    TrapReason,
    Unanswered,
)
from airssys.wasm.values import Err

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.contracts import (
        ComponentConfig,
        Envelope,
        Exchange,
        GuestFailed,
        GuestSnapshot,
        HostServices,
        Limits,
    )


class _Instance(Protocol):
    """An instance of a component of any world."""

    @property
    def spent(self) -> GuestFailed | None: ...
    async def call(self, name: str, /) -> Any: ...
    def close(self) -> None: ...


class _Handler(_Instance, Protocol):
    """What is run to handle requests."""

    async def answer(self, exchange: Exchange, /) -> None: ...

    def stop(self) -> None: ...


class _Component(Protocol):
    """A component of any world."""

    async def instantiate(
        self, limits: Limits, services: HostServices, /
    ) -> _Instance: ...


@final
class ProgramComponent:
    """A program, ready to run (implements `LoadedComponent`)."""

    def __init__(
        self,
        component: _Component,
        exports: Sequence[str],
        label: str,
        program: type[Program] | None = None,
    ) -> None:
        self._component, self._label = component, label
        self._program = program or Program
        (self._run,) = (name for name in exports if _is_run(name))

    async def instantiate(self, limits: Limits, services: HostServices) -> Program:
        """Make a fresh instance; see `LoadedComponent`."""
        instance = await self._component.instantiate(limits, services)
        return self._program(instance, self._run, self._label)

    async def restore(
        self, snapshot: GuestSnapshot, limits: Limits, services: HostServices
    ) -> NoReturn:
        """Refuse: a program runs from its start.

        Raises:
            SnapshotRefused: always.
        """
        del snapshot, limits, services
        raise _no_snapshot()

    async def initial_snapshot(self, config: ComponentConfig) -> NoReturn:
        """Refuse; see `restore`.

        Raises:
            SnapshotRefused: always.
        """
        del config
        raise _no_snapshot()


class Program:
    """One run of a program (implements `ProgramGuest`)."""

    hands_over = False

    def __init__(
        self, instance: Any, name: str, label: str
    ) -> None:  # `_Instance`, or `_Handler`
        self._instance: _Instance = instance
        self._name, self._label = name, label

    @property
    def spent(self) -> GuestFailed | None:
        """Why it cannot be run any more."""
        return self._instance.spent

    async def initialize(self, config: ComponentConfig) -> None:
        """Do nothing: it finds its environment and arguments by WASI."""

    async def run(self) -> None:
        """Run it to its end.

        Raises:
            GuestTrapped: it was stopped, or ended with a status that is not 0.
        """
        try:
            answer = await self._instance.call(self._name)
        except GuestTrapped as error:
            if error.status == 0:
                return
            raise
        if type(answer) is Err:
            text = "it ended with an error"
            raise GuestTrapped(TrapReason.EXITED, self._name, text, 1)

    async def handle_message(self, envelope: Envelope) -> NoReturn:
        """Refuse: a program handles no messages.

        Raises:
            EngineMisused: always.
        """
        del envelope
        raise EngineMisused("a program was given a message")

    async def handle_callback(self, envelope: Envelope) -> None:
        """Refuse; see `handle_message`.

        Raises:
            EngineMisused: always.
        """
        await self.handle_message(envelope)

    async def import_state(self, state: bytes) -> None:
        """Refuse; see `export_state`.

        Raises:
            EngineMisused: always.
        """
        del state
        await self.export_state()

    def handle_at_once(self, envelope: Envelope, owner: object) -> Unanswered:
        """Begin nothing: messages wait until it has ended."""
        del envelope, owner
        return Unanswered.NOT_BEGUN

    async def metadata(self) -> ComponentMetadata:
        """Return its label: it says nothing of itself."""
        return ComponentMetadata(self._label, "", "", "", "", (), stateful=False)

    async def health(self) -> HealthStatus:
        """Return that it is healthy: it runs."""
        return HealthStatus.HEALTHY

    async def shutdown(self) -> None:
        """Do nothing: it ended, or was cancelled."""

    async def export_state(self) -> NoReturn:
        """Refuse: it hands no state over.

        Raises:
            EngineMisused: always.
        """
        raise EngineMisused("a program hands no state over")

    async def snapshot(self) -> NoReturn:
        """Refuse; see `ProgramComponent.restore`.

        Raises:
            SnapshotRefused: always.
        """
        raise _no_snapshot()

    def close(self) -> None:
        """Close the instance."""
        self._instance.close()


@final
class HandlerProgram(Program):
    """What handles requests of HTTP (implements `HandlerGuest`)."""

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request; see `HandlerGuest`."""
        await self._handler.answer(exchange)

    def stop(self) -> None:
        """Take no more requests; see `HandlerGuest`."""
        self._handler.stop()

    @property
    def _handler(self) -> _Handler:
        return cast("_Handler", self._instance)  # all that it is made with


RUN: Final = "wasi:cli/run@0.2.0#run"
"""What runs a program."""


def _is_run(exported: str) -> bool:
    """Whether an export is the function that runs a program."""
    return exported.startswith("wasi:cli/run@0.2.") and exported.endswith("#run")


def _no_snapshot() -> SnapshotRefused:
    return SnapshotRefused(
        "it is a program, which runs from its start to its end",
        "Take snapshots of components that export component-lifecycle",
    )
