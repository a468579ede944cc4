"""A component without WebAssembly, which follows the ports' rules and takes commands.

The payload of a message is a command: `trap`, `reject`, `fill` (no more maps), `hang`,
`sleep:<seconds>`, `ask:<name>`, `send:<name>`, `log:<text>`, `count`, `nothing`; any
other payload is echoed. `ask:<name> <payload>` asks with that payload, and
`insist:<name> <payload>` does too, but traps if there is no answer. `initialize`
accepts the same commands from `config.data`, and `shutdown` those that end in
`-shutdown` there, e.g. `hang-shutdown`. The component has the commands for
`export-state` and `import-state`.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Self, final

import attrs
import trio

from airssys.contracts import (
    Artifact,
    CapacityReached,
    ComponentConfig,
    ComponentId,
    ComponentMetadata,
    ComponentRefused,
    Envelope,
    GuestFailed,
    GuestRejected,
    GuestSpent,
    GuestTrapped,
    HealthStatus,
    HostServices,
    Limits,
    LogLevel,
    MessagingError,
    SnapshotRefused,
    TrapReason,
    Unanswered,
)

if TYPE_CHECKING:
    from airssys.contracts import EngineSettings, GuestSnapshot

_METADATA = ComponentMetadata(
    "fake", "1.2.3", "does as instructed", "airssys", "MIT", (), stateful=True
)


@final
@attrs.frozen
class FakeSnapshot:
    """What a `FakeGuest` has."""

    component: FakeComponent = attrs.field(repr=False)
    count: int
    config: ComponentConfig

    @property
    def size(self) -> int:
        """As if its count took a page."""
        return 4096


@final
@attrs.define(eq=False)
class FakeGuest:
    """One instance of a fake component (implements `Guest`)."""

    component: FakeComponent
    services: HostServices
    limits: Limits = attrs.Factory(Limits)
    spent: GuestFailed | None = None
    """Why it cannot be called any more."""
    is_closed: bool = False
    count: int = 0
    """How often it got `count`."""
    config: ComponentConfig = attrs.Factory(ComponentConfig)
    calls: list[str] = attrs.Factory(list)
    """The functions that were called, e.g. `handle-message`."""
    received: list[Envelope] = attrs.Factory(list)
    """The messages and callbacks that it got."""

    async def initialize(self, config: ComponentConfig) -> None:
        """Do what the config data says."""
        self.config = config
        await self._call("initialize", config.data or b"")

    async def handle_message(self, envelope: Envelope) -> bytes | None:
        """Do what the payload says."""
        self.received.append(envelope)
        return await self._call("handle-message", envelope.payload)

    def handle_at_once(self, envelope: Envelope, owner: object) -> Unanswered:
        """Leave every message to `handle_message`."""
        return Unanswered.NOT_BEGUN

    async def handle_callback(self, envelope: Envelope) -> None:
        """Do what the payload says."""
        self.received.append(envelope)
        await self._call("handle-callback", envelope.payload)

    async def metadata(self) -> ComponentMetadata:
        """Return its description."""
        await self._call("metadata", b"")
        return _METADATA

    async def health(self) -> HealthStatus:
        """Return the next of the component's `healths`, or run it as a command."""
        words = self.component.healths
        word = words.pop(0) if len(words) > 1 else words[0]
        is_status = word in [status.value for status in HealthStatus]
        await self._call("health", b"" if is_status else word.encode())
        return HealthStatus(word) if is_status else HealthStatus.HEALTHY

    async def shutdown(self) -> None:
        """Do what the config data says with `-shutdown` after it."""
        wish = (self.config.data or b"").decode()
        word = wish.removesuffix("-shutdown") if wish.endswith("-shutdown") else ""
        await self._call("shutdown", word.encode())

    @property
    def hands_over(self) -> bool:
        """Whether the component has state."""
        return self.component.hands_over

    async def export_state(self) -> bytes:
        """Return the count, after running the component's command `exporting`."""
        await self._call("export-state", self.component.exporting.encode())
        state = str(self.count).encode()
        if len(state) > self.limits.state_bytes:
            raise GuestRejected("export-state", "too-large", f"{len(state)} bytes")
        return state

    async def import_state(self, state: bytes) -> None:
        """Continue counting from there, after running the component's `importing`."""
        await self._call("import-state", self.component.importing.encode())
        self.count = int(state)

    async def snapshot(self) -> FakeSnapshot:
        """Return its count and its configuration.

        Raises:
            SnapshotRefused: The component has a `snapshot_refusal`.
        """
        await self._call("snapshot", b"")
        await trio.sleep(self.component.saving)
        if self.component.snapshot_refusal:
            raise SnapshotRefused(self.component.snapshot_refusal)
        return FakeSnapshot(self.component, self.count, self.config)

    def close(self) -> None:
        """Become spent; calling it again does nothing."""
        if not self.is_closed:
            self.is_closed = True
            self.component.open_guests -= 1
            self.spent = self.spent or GuestSpent("closed")

    async def _call(self, phase: str, word: bytes) -> bytes | None:
        if self.spent is not None:
            raise GuestSpent.after(self.spent)
        self.calls.append(phase)
        try:
            with trio.move_on_after(self.limits.execution_time):
                return await self._do(phase, word.decode())
        except GuestTrapped as trap:
            self.spent = trap
            raise
        except trio.Cancelled:
            self.spent = GuestSpent("cancelled")
            raise
        text = "longer than its execution_time"
        self.spent = GuestTrapped(TrapReason.TIME_LIMIT, phase, text)
        raise self.spent

    async def _do(self, phase: str, word: str) -> bytes | None:
        name, _, argument = word.partition(":")
        _fail_on_purpose(name, phase)
        match name:
            case "hang" | "sleep":
                await self.services.clock.sleep(float(argument or "inf"))
            case "log":
                self.services.log(LogLevel.INFO, argument, [("a", "b")])
            case "ask" | "insist":
                return await self._ask(argument, phase, insists=name == "insist")
            case "send":
                await self.services.messages.send(ComponentId.parse(argument), b"sent")
            case "count":
                self.count += 1
                return str(self.count).encode()
            case "nothing":
                return None
            case _:
                pass
        return word.encode()

    async def _ask(self, order: str, phase: str, *, insists: bool) -> bytes:
        name, _, payload = order.partition(" ")
        target, question = ComponentId.parse(name), payload.encode() or b"asked"
        try:
            return await self.services.messages.ask(target, question, 5.0)
        except MessagingError as error:
            if insists:
                text = f"no answer: {error.case}"
                raise GuestTrapped(TrapReason.UNREACHABLE, phase, text) from error
            return error.case.encode()


def _fail_on_purpose(word: str, phase: str) -> None:
    match word:
        case "trap":
            raise GuestTrapped(TrapReason.UNREACHABLE, phase, "as instructed")
        case "reject":
            raise GuestRejected(phase, "invalid-message", "as instructed")
        case "fill":
            raise CapacityReached("no more memory maps")
        case _:
            return


@final
@attrs.define(eq=False)
class FakeComponent:
    """Makes fake guests (implements `LoadedComponent`)."""

    refusals: int = 0
    """The next instances that are refused because there are no more memory maps."""
    traps: int = 0
    """The next instances that trap in their start function."""
    open_guests: int = 0
    """Instances that are not closed."""
    guests: list[FakeGuest] = attrs.Factory(list)
    """All instances, the first one first."""
    healths: list[str] = attrs.Factory(lambda: ["healthy"])
    """The answers to probes, one after the other; the last one stays."""
    hands_over: bool = False
    """Whether its state, the count, can be handed over."""
    exporting: str = ""
    """The command that `export-state` runs first."""
    importing: str = ""
    """The command that `import-state` runs first."""
    saving: float = 0
    """Seconds that taking a snapshot takes."""
    snapshot_refusal: str = ""
    """Why there are no snapshots; empty: there are."""

    async def instantiate(self, limits: Limits, services: HostServices) -> FakeGuest:
        """Make a guest, unless this one is to be refused.

        Raises:
            CapacityReached: There are `refusals` left.
            GuestTrapped: There are `traps` left.
        """
        await trio.lowlevel.checkpoint()
        if self.refusals > 0:
            self.refusals -= 1
            raise CapacityReached("no more memory maps")
        if self.traps > 0:
            self.traps -= 1
            raise GuestTrapped(TrapReason.UNREACHABLE, "instantiate", "as instructed")
        self.open_guests += 1
        guest = FakeGuest(self, services, limits)
        self.guests.append(guest)
        return guest

    async def restore(
        self, snapshot: GuestSnapshot, limits: Limits, services: HostServices
    ) -> FakeGuest:
        """Make a guest that goes on counting.

        Raises:
            SnapshotRefused: It is of another component, or refused as instructed.
        """
        if not isinstance(snapshot, FakeSnapshot) or snapshot.component is not self:
            raise SnapshotRefused("it belongs to another component")
        if self.snapshot_refusal:
            raise SnapshotRefused(self.snapshot_refusal)
        guest = await self.instantiate(limits, services)
        guest.count, guest.config = snapshot.count, snapshot.config
        return guest

    async def initial_snapshot(self, config: ComponentConfig) -> FakeSnapshot:
        """Return the snapshot of a guest that has counted nothing.

        Raises:
            SnapshotRefused: As instructed.
        """
        await trio.lowlevel.checkpoint()
        if self.snapshot_refusal:
            raise SnapshotRefused(self.snapshot_refusal)
        return FakeSnapshot(self, 0, config)


@final
@attrs.define(eq=False)
class FakeLoader(AbstractAsyncContextManager["FakeLoader"]):
    """Loads any artifact as a `FakeComponent`; equal artifacts give the same one.

    Use it in place of the engine: `open_system(tree, open_loader=loader)`.
    """

    seconds: float = 0
    """Seconds that loading takes."""
    error: Exception | None = None
    """What loading raises."""
    refused: set[Artifact] = attrs.Factory(set)
    """Artifacts that cannot be run."""
    components: dict[Artifact, FakeComponent] = attrs.Factory(dict)
    loads: int = 0
    """How often an artifact was loaded."""
    is_open: bool = False
    """Whether a system uses it."""

    async def load(self, artifact: Artifact) -> FakeComponent:
        """Wait `seconds`; then raise `error` if there is one, or return a component.

        Raises:
            ComponentRefused: The artifact is one of `refused`.
        """
        self.loads += 1
        await trio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        if artifact in self.refused:
            raise ComponentRefused(
                artifact.label, "refused as instructed", "load another"
            )
        return self.components.setdefault(artifact, FakeComponent())

    def __call__(self, settings: EngineSettings) -> FakeLoader:
        """Return itself, whatever the settings (a `LoaderOpener`)."""
        return self

    async def __aenter__(self) -> Self:
        self.is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_open = False
        left = sum(component.open_guests for component in self.components.values())
        if left:
            raise AssertionError(f"the system has ended, and left {left} guests open")
