"""Behaviour by a guest: one instance of a component, from instantiation to closing."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from airssys.contracts import (
    Callback,
    ComponentInfo,
    ComponentRefused,
    ComponentSpec,
    Envelope,
    ExitReason,
    Guest,
    HealthStatus,
    InternalError,
    Unanswered,
)

from ._actor_services import ActorServices

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from typing import Any

    import trio

    from airssys.contracts import ComponentMetadata
    from airssys.messaging import Mailbox

    from ._surroundings import Surroundings


@final
class ComponentBehaviour:
    """One instance; a trapped or cancelled one is spent, the next start makes another.

    The guest keeps deadlines itself, so that a message costs no cancel scope: at the
    envelope's deadline its call is dropped and the actor crashes.
    """

    wants_to_end = False
    keeps_deadlines = True

    def __init__(
        self, spec: ComponentSpec, surroundings: Surroundings, mailbox: Mailbox
    ) -> None:
        self._spec, self._surroundings = spec, surroundings
        self._services = ActorServices(
            spec.id,
            surroundings,
            spec.limits,
            mailbox,
            spec.log_level,
            codecs=spec.codecs,
        )
        self._guest: Guest | None = None

    async def start(self) -> None:
        """Instantiate, `initialize`, and note what the guest tells of itself.

        It is not asked for its `metadata` if another instance of the same code, with
        the same configuration, was.

        Raises:
            ComponentRefused: the blueprint did not name its code.
            GuestFailed: it trapped, or `initialize` answered with an error.
            CapacityReached: the kernel has no more memory maps.
        """
        spec, around = self._spec, self._surroundings
        loaded = around.components.get(spec.artifact)
        if loaded is None:
            problem = "it was not loaded when the system opened"
            advice = "Name it in the blueprint, e.g. in the template of its supervisor"
            raise ComponentRefused(spec.artifact.label, problem, advice)
        self._guest = guest = await loaded.instantiate(spec.limits, self._services)
        await guest.initialize(spec.config)
        if spec.id not in around.infos:
            known = around.introductions.find(spec)
            info = await self.introduce() if known is None else self._info(known)
            around.infos[spec.id] = info

    async def introduce(self) -> ComponentInfo:
        """Ask the guest, once started, what it is; its health is not known yet."""
        told = await self._present().metadata()
        self._surroundings.introductions.note(self._spec, told)
        return self._info(told)

    def _info(self, told: ComponentMetadata) -> ComponentInfo:
        health = HealthStatus.UNKNOWN.value
        return ComponentInfo(self._spec.id, told.name, told.version, health)

    def watched(self, serving: Coroutine[Any, Any, None]) -> Awaitable[None]:
        """Leave serving as it is: a guest gives way by itself."""
        return serving

    async def handle(
        self, envelope: Envelope, _: trio.CancelScope | None
    ) -> bytes | None:
        """Let the guest handle a message, or the callback of one of its requests.

        Raises:
            GuestTrapped: it was stopped; also at the envelope's deadline.
            GuestRejected: it answered with an error of its own.
        """
        if isinstance(envelope, Callback):
            self._services.note_taken(envelope)
            await self._present().handle_callback(envelope)
            return None
        return await self._present().handle_message(envelope)

    def handle_at_once(
        self, envelope: Envelope, owner: trio.lowlevel.Task
    ) -> bytes | Unanswered | None:
        """Let the guest run the first slice of a message in another task's step."""
        return self._present().handle_at_once(envelope, owner)

    async def health(self) -> HealthStatus:
        """Call the guest's `health`.

        Raises:
            GuestTrapped: it was stopped.
        """
        return await self._present().health()

    @property
    def hands_over(self) -> bool:
        """Whether its code hands state over, and takes it."""
        return self._present().hands_over

    @property
    def is_spent(self) -> bool:
        """Whether it cannot be called any more."""
        return self._guest is None or self._guest.spent is not None

    async def export_state(self) -> bytes:
        """Ask the guest for its state.

        Raises:
            GuestTrapped: it was stopped.
            GuestRejected: it gave none, or too much.
        """
        return await self._present().export_state()

    async def import_state(self, state: bytes) -> None:
        """Give the guest the state of another one.

        Raises:
            GuestTrapped: it was stopped.
            GuestRejected: it does not take it.
        """
        await self._present().import_state(state)

    def hear_stop(self) -> None:
        """Do nothing: a guest hears it by its `shutdown`, between two messages."""

    hears_of_restarts = False

    async def before_restart(self, reason: ExitReason) -> None:
        """Do nothing: an instance that failed is spent, or is not to be trusted."""

    async def stop(self) -> None:
        """Call the guest's `shutdown`."""
        await self._present().shutdown()

    def close(self) -> None:
        """Give the instance back; forget its requests and subscriptions."""
        self._services.close()
        guest, self._guest = self._guest, None
        if guest is not None:
            guest.close()

    def _present(self) -> Guest:
        if self._guest is None:
            raise InternalError("this behaviour was not started, or is closed")
        return self._guest
