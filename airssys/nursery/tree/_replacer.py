"""Puts new code in the place of a component that runs.

The new instance is loaded, started and asked how it is beside the old one, which goes on
meanwhile. Only when all that went well does it take over, between two messages: the
mailbox, the name and the keys in the store are those of the place and stay. If both can,
the state of the old one is handed over in that step; or, if the code is the same and the
component restarts from checkpoints, the new one continues from a snapshot. Whatever fails before leaves
everything as it was. The old instance is asked to shut down after the
new one took over, so both may be there at the same time for a while.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from airssys.contracts import (
    ActorSpec,
    Answer,
    Artifact,
    BrutalKill,
    CapacityReached,
    ChildSpec,
    ComponentRefused,
    ComponentSpec,
    Done,
    Grant,
    GuestFailed,
    Health,
    HealthStatus,
    InternalError,
    Mistake,
    Refusal,
    Refused,
    RestartFrom,
    SnapshotRefused,
    TaskSpec,
    Unhealthy,
    child_name,
    find_fatal,
    find_spec_mistakes,
    is_a,
    walk,
)
from airssys.nursery.actors import ActorCell
from airssys.nursery.behaviours import ComponentBehaviour, Successor, hand_state_over
from airssys.nursery.children import Reply, Slot, SlotState
from airssys.nursery.restarts import (
    bounds_above,
    exit_reason,
    grant_mistakes_of,
    open_account,
)
from airssys.security.manifest import (
    describe,
    effective,
    is_manifest,
    requested,
    widened,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import ComponentInfo
    from airssys.nursery.actors import Actor, Address
    from airssys.nursery.behaviours import Behaviour, Inheritance
    from airssys.nursery.shared import Shared
    from airssys.security.authority import Cut


@final
class Replacer:
    """Serves all replacements of one system, each in a task of its own."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._nursery: trio.Nursery | None = None

    @enable_ki_protection
    async def serve(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Replace what is to be replaced, until cancelled; the tree must end before."""
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None

    def replace(
        self, slot: Slot, artifact: Artifact, can: tuple[Grant, ...] | None = None
    ) -> Reply:
        """Replace the code of one actor; the reply always comes.

        `can`: what the new code may do; None: what the present one may do. If the
        artifact is a manifest, the new code may do that of it which the manifest asks for.
        What is cut from its grants after this call is cut from the new ones, too.
        """
        reply = Reply()
        if self._nursery is None:
            reply.give(Refused(Refusal.NOT_RUNNING, slot.name))
        else:
            cuts = self._cuts_of(slot.spec)
            self._nursery.start_soon(self._replace, slot, artifact, can, cuts, reply)
        return reply

    def _cuts_of(self, spec: ChildSpec) -> tuple[Cut, ...]:
        if not isinstance(spec, ComponentSpec):
            return ()
        return self._shared.authorities.cuts_of(spec.id)

    @enable_ki_protection
    async def _replace(
        self,
        slot: Slot,
        artifact: Artifact,
        can: tuple[Grant, ...] | None,
        cuts: tuple[Cut, ...],
        reply: Reply,
    ) -> None:
        answer: Answer = Refused(Refusal.NOT_RUNNING, slot.name)
        try:
            answer = await self._answer(slot, artifact, can, cuts)
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: ASYNC103  # raised again, or reported
            fatal = find_fatal(error)
            if fatal is not None and is_a(fatal, trio.Cancelled):
                raise
            if fatal is not None:  # a service that all share must not end by it
                self._shared.end_by(fatal)
            reason = exit_reason(error, asked=False, killed=False, ready=False)
            answer = Refused(Refusal.START_FAILED, slot.name, reason)
        finally:
            reply.give(answer)

    async def _answer(
        self,
        slot: Slot,
        artifact: Artifact,
        can: tuple[Grant, ...] | None,
        cuts: tuple[Cut, ...],
    ) -> Answer:
        """Do it, or say why not.

        Raises:
            Exception: the new code was refused, did not start or is unhealthy.
        """
        if not isinstance(slot.spec, ComponentSpec):
            return Refused(Refusal.NO_COMPONENT, slot.name)
        present = slot.spec
        spec, mistakes = await _with_code(present, artifact, can)
        mistakes += find_spec_mistakes(spec) + grant_mistakes_of(spec, slot.declared)
        if mistakes:
            return Refused(Refusal.INVALID_SPEC, slot.name, mistakes=tuple(mistakes))
        if not spec.artifact.host:
            given = spec.artifact.given(present.artifact.host)
            spec = attrs.evolve(spec, artifact=given)
        if _present(slot) is None or not isinstance(slot.cell, ActorCell):
            return Refused(Refusal.DOWN, slot.name)
        return await self._replace_by(spec, slot, slot.cell.address, present, can, cuts)

    async def _replace_by(
        self,
        spec: ComponentSpec,
        slot: Slot,
        address: Address,
        present: ComponentSpec,
        can: tuple[Grant, ...] | None,
        cuts: tuple[Cut, ...],
    ) -> Answer:
        """Load new code, start it and let it take over.

        If new grants are passed, what `cuts` took from the old ones holds again. What is
        cut while the code loads and starts is cut from the new ones.
        """
        artifact, is_anew = spec.artifact, can is not None and present.can != spec.can
        anew = cuts if is_anew else None
        await self._load(artifact)
        authority, declare = self._shared.authorities.prepare(
            spec, bounds_above(slot.declared), anew=anew
        )
        accounts = self._shared.accounts
        account = open_account(accounts, spec, slot.declared)
        behaviour = ComponentBehaviour(
            spec, self._shared, address.mailbox, authority, account=account
        )
        old: Behaviour | None = None
        try:
            info = await _prepare(behaviour, spec)
            actor = _present(slot)
            if actor is None:
                return Refused(Refusal.DOWN, slot.name)
            if actor.has_successor or (can is None and _is_regranted(slot, present)):
                return Refused(Refusal.REPLACING, slot.name)
            commit = partial(_change_code, slot, spec, declare)
            inherit = _inheritance(actor, behaviour, spec)
            successor = Successor(behaviour, info, commit, inherit)
            old = await actor.hand_over(successor)
        finally:
            if old is None:
                behaviour.close()
        if old is None and successor.failure is not None:
            failure = successor.failure
            reason = exit_reason(failure, asked=False, killed=False, ready=True)
            return Refused(Refusal.STATE_NOT_TAKEN, slot.name, reason)
        if old is None:
            return Refused(Refusal.DOWN, slot.name)
        await _dismiss(old, spec)
        return Done(slot.name)

    async def load_for(self, spec: ChildSpec) -> Refused | None:
        """Load the components of a child to be started; says why one cannot be.

        Nothing is loaded for a wrong specification: the start itself refuses it.
        """
        if isinstance(spec, ComponentSpec) and spec.artifact in self._shared.components:
            return None
        if isinstance(spec, (ActorSpec, TaskSpec)) or find_spec_mistakes(spec):
            return None
        for _, each in walk(spec):
            if isinstance(each, ComponentSpec):
                try:
                    await self._load(each.artifact)
                except Exception as error:  # noqa: BLE001  # whatever a loader raises
                    name = child_name(spec)
                    reason = exit_reason(error, asked=False, killed=False, ready=False)
                    return Refused(Refusal.START_FAILED, name, reason)
        return None

    async def _load(self, artifact: Artifact) -> None:
        shared = self._shared
        if artifact in shared.components:
            return
        if shared.loader is None:
            problem = "no engine was opened for this system"
            raise ComponentRefused(artifact.label, problem, "Name it in the blueprint")
        shared.components[artifact] = await shared.loader.load(artifact)


def _is_regranted(slot: Slot, present: ComponentSpec) -> bool:
    """Whether what the old code may do has changed since it was read."""
    now = slot.spec
    return not isinstance(now, ComponentSpec) or now.can != present.can


async def _with_code(
    present: ComponentSpec, artifact: Artifact, can: tuple[Grant, ...] | None
) -> tuple[ComponentSpec, list[Mistake]]:
    """Return the specification with other code, and why it may not be that.

    New code may not do more than the present code, unless `can` lists that. The
    topology may have granted what the present manifest did not ask for: a new one that
    asks for it would widen what holds.
    """
    if not is_manifest(artifact):
        grants = present.can if can is None else can
        spec = attrs.evolve(present, artifact=artifact, can=grants, requested=None)
        return spec, []
    described = await trio.to_thread.run_sync(describe, artifact)
    if described is None:
        raise InternalError("a manifest is none any more")
    granted = present.can if can is None else can
    if can is None and present.requested is not None:
        granted = present.requested.granted
    holds = effective(described.requests, granted)
    spec = attrs.evolve(
        present,
        artifact=described.artifact,
        can=holds,
        requested=requested(described, granted),
    )
    mistakes = list(described.mistakes)
    wider = widened(spec.can, present.can) if can is None else ()
    if wider:
        text = f"the new code could do more than the present code: {', '.join(wider)}"
        hint = "pass can=, with all that the new code may do"
        mistakes.append(Mistake("$.can", text, hint))
    return spec, mistakes


def _present(slot: Slot) -> Actor | None:
    """Return what runs in a place, None if nothing does."""
    cell, child = slot.cell, slot.child
    is_up = child is not None and child.is_ready and child.reason is None
    is_kept = slot.state is not SlotState.STOPPING
    return cell.present if is_up and is_kept and isinstance(cell, ActorCell) else None


def _inheritance(
    actor: Actor, new: ComponentBehaviour, spec: ComponentSpec
) -> Inheritance | None:
    """Return what hands the state over; None if either code is not made for that."""
    old = actor.behaviour
    if isinstance(old, ComponentBehaviour) and old.hands_over and new.hands_over:
        return partial(_hand_over, actor, new, spec.start_timeout)
    if spec.restart_from is RestartFrom.CHECKPOINT:
        return partial(_carry_over, actor, new, spec.start_timeout)
    return None


async def _carry_over(actor: Actor, new: ComponentBehaviour, seconds: float) -> None:
    """Let new code continue from what the old instance has, if both are the same.

    If that is not possible, the new code begins from scratch, and an event says why.

    Raises:
        Exception: the old instance was stopped.
    """
    old = actor.behaviour
    if not isinstance(old, ComponentBehaviour):
        raise InternalError("a component was followed by something else")
    try:
        saved = await old.save()
        with trio.fail_after(seconds):
            await new.become(saved)
    except (SnapshotRefused, GuestFailed, CapacityReached, trio.TooSlowError) as error:
        if old.is_spent:
            raise
        new.report("replace", error)


async def _hand_over(
    actor: Actor, new: ComponentBehaviour, seconds: float
) -> Exception | None:
    """Hand over the state of the instance that runs by now: it may have been renewed.

    Raises:
        Exception: that one was stopped.
    """
    old = actor.behaviour
    if not isinstance(old, ComponentBehaviour):
        raise InternalError("a component was followed by something else")
    return await hand_state_over(old, new, seconds)


def _change_code(
    slot: Slot, spec: ComponentSpec, declare: Callable[[], object]
) -> None:
    if isinstance(slot.spec, ComponentSpec):
        changed = attrs.evolve(
            slot.spec,
            artifact=spec.artifact,
            can=spec.can,
            requested=spec.requested,
        )
        slot.declared.declare_again(changed)
        declare()


async def _prepare(behaviour: ComponentBehaviour, spec: ComponentSpec) -> ComponentInfo:
    """Start an instance and ask it how it is.

    Raises:
        Exception: it did not start.
        TimeoutError: it was not ready in time.
        Unhealthy: it says so, or does not say in time.
    """
    with trio.move_on_after(spec.start_timeout) as starting:
        await behaviour.start()
        info = await behaviour.introduce()
    if starting.cancelled_caught:
        raise TimeoutError(f"was not ready within {spec.start_timeout:g} s")
    status = None
    with trio.move_on_after((spec.health or Health()).timeout):
        status = await behaviour.health()
    if status is None or status is HealthStatus.UNHEALTHY:
        raise Unhealthy(spec.id, 1, status or HealthStatus.UNKNOWN)
    known = status if spec.health else HealthStatus.UNKNOWN
    return attrs.evolve(info, health=known.value)


async def _dismiss(old: Behaviour, spec: ComponentSpec) -> None:
    """Let the old instance say goodbye; what it raises is ignored."""
    try:
        if not isinstance(spec.shutdown, BrutalKill):
            with trio.move_on_after(spec.shutdown):
                await old.stop()
    except Exception:  # noqa: BLE001, S110  # see above
        pass
    finally:
        old.close()
