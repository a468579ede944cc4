"""Behaviour by a guest: one instance of a component, from instantiation to closing.

When an asker stops waiting, the call goes on; that is the asker's affair. A component that
was declared with `on_abandoned="cancel"` is cut off instead. Its instance is then spent,
and the actor makes another one (`renewed`) without crashing. An instance that was cut off
cannot be asked for its state. So one that hands state over is asked for it before each
message that a caller waits for, and the next one goes on from there, as if the message
had not come.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast, final

import attrs
import trio

from airssys.contracts import (
    Callback,
    CapacityReached,
    ComponentInfo,
    ComponentRefused,
    ComponentSpec,
    Envelope,
    ExitReason,
    Guest,
    GuestFailed,
    GuestRejected,
    GuestSnapshot,
    HealthStatus,
    HookFailed,
    InternalError,
    NotGranted,
    OnAbandoned,
    SnapshotFailed,
    SnapshotRefused,
    StartFrom,
    Unanswered,
    Unwanted,
    limits_within,
)
from airssys.nursery.restarts import RETRY_PAUSE

from ._actor_services import ActorServices
from ._gates import open_gates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from typing import Any

    from airssys.contracts import (
        Artifact,
        ComponentConfig,
        ComponentMetadata,
        HandlerGuest,
        LoadedComponent,
        ProgramGuest,
    )
    from airssys.messaging import Mailbox
    from airssys.nursery.shared import Shared
    from airssys.security.authority import Authority
    from airssys.security.quotas import Account

    from ._behaviour import Keeper


@final
@attrs.frozen
class SavedState:
    """What an instance can be continued from, by another one of the same code."""

    snapshot: GuestSnapshot
    patterns: tuple[str, ...]
    """The topics that it had subscribed itself to."""


@final
class ComponentBehaviour:
    """One instance; a trapped or cancelled one is spent, the next start makes another."""

    is_plain = starts_at_once = False

    def __init__(
        self,
        spec: ComponentSpec,
        shared: Shared,
        mailbox: Mailbox,
        authority: Authority | None = None,
        saved: SavedState | None = None,
        account: Account | None = None,
    ) -> None:
        self._spec, self._shared = spec, shared
        self.wants_to_end = False
        self._running = trio.CancelScope()
        """Around the run of a program."""
        self.saved = saved
        """What it, or the instance that replaces it, continues from; None: nothing."""
        self._mailbox, self._authority, self._account = mailbox, authority, account
        self._limits = limits_within(spec.limits, spec.quotas)
        self._gates = open_gates(spec.id, shared, mailbox, authority, account)
        self.is_cut_off = spec.on_abandoned is OnAbandoned.CANCEL
        self._kept: bytes | None = None
        """Its state before the present message, if that may be cut off."""
        self._services = ActorServices(
            spec.id,
            shared,
            self._limits,
            mailbox,
            spec.log_level,
            codecs=spec.codecs,
            gates=self._gates,
            config=spec.config,
        )
        self._guest: Guest | None = None
        self.hands_over = False
        """Whether its code hands state over, and takes it; known once it was started."""

    async def start(self) -> None:
        """Instantiate, `initialize`, and note the metadata of the guest.

        It is not asked for its `metadata` if another instance of the same code, with
        the same configuration, was.

        Raises:
            ComponentRefused: the blueprint did not name its code.
            GuestFailed: it trapped, or `initialize` answered with an error.
            CapacityReached: the kernel has no more memory maps.
            QuotaExceeded: the supervisors above have no memory left for it.
        """
        spec, shared = self._spec, self._shared
        loaded = shared.components.get(spec.artifact)
        if loaded is None:
            problem = "it was not loaded when the system opened"
            advice = "Name it in the blueprint, e.g. in the template of its supervisor"
            raise ComponentRefused(spec.artifact.label, problem, advice)
        if self._gates.quota is not None:
            self._gates.quota.keep_memory(self._limits.memory_bytes)
        guest = await self._restored(loaded) or await self._initialized(loaded)
        if spec.config.handles_http and _handler(guest) is None:
            problem = "it does not export wasi:http/incoming-handler"
            advice = "Declare it by component(...), or build it for wasi:http/proxy"
            raise ComponentRefused(spec.artifact.label, problem, advice)
        self.hands_over = guest.hands_over
        if spec.id not in shared.infos:
            known = shared.metadata_cache.find(spec)
            info = await self.introduce() if known is None else self._info(known)
            shared.infos[spec.id] = info

    async def _restored(self, loaded: LoadedComponent) -> Guest | None:
        """Continue from a snapshot, if there is one and it can be used."""
        if self.saved is not None:
            try:
                return await self._continue_from(loaded, self.saved)
            except SnapshotRefused as error:
                self.report("restart", error)
        if self._spec.start_from is StartFrom.SNAPSHOT:
            try:
                snapshot = await loaded.initial_snapshot(self._spec.config)
                return await self._continue_from(loaded, SavedState(snapshot, ()))
            except SnapshotRefused as error:
                self.report("start", error)
        return None

    async def _continue_from(self, loaded: LoadedComponent, saved: SavedState) -> Guest:
        """Make an instance that continues from a snapshot.

        Raises:
            SnapshotRefused: it does not fit.
            GuestTrapped: as when an instance is made.
        """
        services = self._services
        guest = await loaded.restore(saved.snapshot, self._limits, services)
        self._guest = guest
        for pattern in saved.patterns:
            with suppress(NotGranted):  # revoked since, which was reported
                services.topics.subscribe(pattern)
        return guest

    async def _initialized(self, loaded: LoadedComponent) -> Guest:
        spec = self._spec
        self._guest = guest = await loaded.instantiate(self._limits, self._services)
        await guest.initialize(spec.config)
        return guest

    def report(self, use: str, error: Exception) -> None:
        """Report that a snapshot is not used, and why."""
        self._shared.events(SnapshotFailed(self._spec.id, use, error))

    @property
    def spec(self) -> ComponentSpec:
        """What it was made by."""
        return self._spec

    @property
    def made_of(self) -> tuple[Artifact, ComponentConfig]:
        """What a saved state of it belongs to."""
        return self._spec.artifact, self._spec.config

    async def save(self) -> SavedState:
        """Save the state of the guest; only between two messages.

        Raises:
            SnapshotRefused: something cannot go along.
            GuestFailed: the guest is spent.
            CapacityReached: there is no room for a fresh instance to compare with.
        """
        services = self._services
        if services.messages.has_open_requests:
            raise SnapshotRefused(
                "it has open requests, whose callbacks another instance would not get",
                "One is taken when they are answered",
            )
        snapshot = await self._present().snapshot()
        return SavedState(snapshot, services.topics.patterns)

    async def become(self, saved: SavedState) -> None:
        """Continue from the state of another one, in the place of the present instance.

        Raises:
            SnapshotRefused: it does not fit; this one goes on.
            GuestTrapped: as when an instance is made.
        """
        before, loaded = self._present(), self._shared.components[self._spec.artifact]
        await self._continue_from(loaded, saved)
        before.close()

    async def introduce(self) -> ComponentInfo:
        """Ask the guest, once started, what it is; its health is not known yet."""
        metadata = await self._present().metadata()
        self._shared.metadata_cache.note(self._spec, metadata)
        return self._info(metadata)

    def _info(self, metadata: ComponentMetadata) -> ComponentInfo:
        health = HealthStatus.UNKNOWN.value
        return ComponentInfo(self._spec.id, metadata.name, metadata.version, health)

    def watched(self, serving: Coroutine[Any, Any, None]) -> Awaitable[None]:
        """Leave serving as it is: a guest gives way by itself. A program serves nothing."""
        program = _program(self._present())
        if program is None:
            return serving
        serving.close()
        return self._run(program)

    async def _run(self, program: ProgramGuest) -> None:
        """Run a program to its end, or until it is asked to stop.

        Raises:
            GuestTrapped: it was stopped, or ended with a status that is not 0.
        """
        handlers, id = self._shared.handlers, self._spec.id  # noqa: A001  # the domain's word
        if (handler := _handler(program)) is not None:
            handlers[id] = handler
        try:
            with self._running:
                await program.run()
        finally:
            if handlers.get(id) is program:
                del handlers[id]
        self.wants_to_end = True

    async def handle(
        self, envelope: Envelope, scope: trio.CancelScope | None
    ) -> bytes | None:
        """Let the guest handle a message, or the callback of one of its requests.

        Raises:
            GuestTrapped: it was stopped.
            GuestRejected: it answered with an error of its own.
            Unwanted: no caller waited for the answer any more, and it was not begun.
        """
        if isinstance(envelope, Callback):
            self._services.note_taken(envelope)
            await self._present().handle_callback(envelope)
            return None
        if scope is not None:
            return await self._handle_or_be_cut_off(envelope, scope)
        return await self._present().handle_message(envelope)

    async def _handle_or_be_cut_off(
        self, envelope: Envelope, scope: trio.CancelScope
    ) -> bytes | None:
        guest, reply = self._present(), envelope.reply
        if self.hands_over:
            # Not cut off: what it has of the last message would be lost with it.
            self._kept = await _state_of(guest)
            if envelope.is_unwanted(trio.current_time()):
                raise Unwanted(envelope.target)
        if envelope.deadline is not None:
            scope.deadline = envelope.deadline
        if reply is not None:
            reply.on_abandoned = scope.cancel
        try:
            return await guest.handle_message(envelope)
        finally:
            if reply is not None:
                reply.on_abandoned = None

    def handle_at_once(
        self, envelope: Envelope, owner: object
    ) -> bytes | Unanswered | None:
        """Let the guest run the first slice of a message in another task's step."""
        if self.is_cut_off and self.hands_over:
            return Unanswered.NOT_BEGUN  # it is asked for its state first
        return self._present().handle_at_once(envelope, owner)

    def handle_queued(
        self, most: int, began: float, until: float, keeper: Keeper
    ) -> int:
        """Raise an error: a guest may wait.

        Raises:
            InternalError: always.
        """
        raise InternalError("the messages of a component are not handled by others")

    async def renewed(self) -> ComponentBehaviour:
        """Close this instance, which was cut off, and start another one in its place.

        If that one does not take over the state, another one starts without it.

        Raises:
            Exception: it did not start in time, or not at all.
        """
        self.close()
        while True:
            try:
                return await self._successor(self._kept)
            except CapacityReached:
                await trio.sleep(RETRY_PAUSE)
            except GuestFailed as error:
                if self._kept is None:
                    raise
                self._kept = None
                failed = HookFailed(self._spec.id, "import-state", error)
                self._shared.events(failed)

    async def _successor(self, state: bytes | None) -> ComponentBehaviour:
        """Start another instance, with a state if there is one.

        Raises:
            TimeoutError: it was not ready in time.
            Exception: it did not start, or did not take the state.
        """
        seconds = self._spec.start_timeout
        saved = self.saved if state is None else None
        fresh = ComponentBehaviour(
            self._spec,
            self._shared,
            self._mailbox,
            self._authority,
            saved,
            self._account,
        )
        try:
            with trio.move_on_after(seconds) as starting:
                await fresh.start()
                if state is not None:
                    await fresh.import_state(state)
        except BaseException:
            fresh.close()
            raise
        if starting.cancelled_caught:
            fresh.close()
            raise TimeoutError(f"was not ready within {seconds:g} s")
        return fresh

    async def health(self) -> HealthStatus:
        """Call the guest's `health`.

        Raises:
            GuestTrapped: it was stopped.
        """
        return await self._present().health()

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

    def note_stop_asked(self) -> None:
        """Stop a program; another guest is notified by its `shutdown`, between two messages.

        One that handles requests may answer those in progress, for as long as its
        supervisor waits for it.
        """
        if (handler := _handler(self._guest)) is not None:
            handler.stop()
        else:
            self._running.cancel()

    prepares_for_restarts = False

    async def before_restart(self, reason: ExitReason) -> None:
        """Do nothing: an instance that failed is spent, or is not to be trusted."""

    async def stop(self) -> None:
        """Call the guest's `shutdown`, if it can be called."""
        if not self.is_spent:
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


# As `isinstance` would, which takes as long for a protocol as a call of a guest.
def _program(guest: Guest) -> ProgramGuest | None:
    return cast("ProgramGuest", guest) if hasattr(guest, "run") else None


def _handler(guest: Guest | None) -> HandlerGuest | None:
    return cast("HandlerGuest", guest) if hasattr(guest, "answer") else None


async def _state_of(guest: Guest) -> bytes | None:
    """Ask an instance for its state; None if it gives none, or too much.

    Raises:
        GuestTrapped: it was stopped.
    """
    try:
        return await guest.export_state()
    except GuestRejected:
        return None
