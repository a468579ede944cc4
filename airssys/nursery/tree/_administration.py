"""Asking a supervisor for something while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from trio.lowlevel import enable_ki_protection

from airssys.contracts import (
    Answer,
    ChildCounts,
    ChildInfo,
    ChildSpec,
    ComponentId,
    DynamicSupervisorSpec,
    Refusal,
    Refused,
    SupervisorSpec,
)
from airssys.nursery.children import (
    ChangeSpecs,
    DeleteChild,
    KillChild,
    Request,
    RestartChild,
    Roster,
    StartChild,
    StartFromTemplate,
    TerminateChild,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airssys.contracts import Artifact
    from airssys.nursery.restarts import Template

    from ._replacer import Replacer
    from ._supervisor_cell import AnySupervisor, AnySupervisorSpec

_NOBODY: Final = Roster()
_NOT_RUNNING: Final = Refused(Refusal.NOT_RUNNING)


@final
class Administration:
    """The children of one supervisor, for code that administers them.

    It stands for the supervisor at one path of the tree, whichever incarnation is
    there. Children are named as `which_children` names them: an actor by its whole
    identity, e.g. `local/worker/0`, a supervisor by its name.

    Every request is answered, by a value and not by an error: `Refused` says why
    nothing was done, also when the supervisor does not run. Cancelling the
    wait does not take the request back.
    """

    def __init__(
        self,
        find: Callable[[], AnySupervisor | None],
        replacer: Replacer | None = None,
    ) -> None:
        self._find, self._replacer = find, replacer

    async def start_child(self, spec: ChildSpec) -> Answer:
        """Add a child, which starts last and stops first, and wait until it is ready.

        Components that the blueprint does not name are loaded first, in a worker thread.
        A child that does not become ready leaves nothing behind. Children added like
        this are gone when their supervisor is restarted.

        Returns:
            `Started`, `Ignored`; or `Refused` for a name that is known or taken, a
            wrong specification, a failed start, a component that cannot be loaded.
        """
        return await self._load_and_ask(StartChild(spec), [spec])

    async def start_from_template(self, *arguments: object) -> Answer:
        """Add a child to a dynamic supervisor, made from its template.

        The arguments follow those of the template. If that is a supervisor, they go to
        all Python actors below it. A component takes one at most: its `config-data`.

        Returns:
            `Started` with its name, `Ignored`; or `Refused`: too many children, wrong
            arguments, a failed start.
        """
        return await self._ask(StartFromTemplate(arguments))

    async def terminate_child(self, child: str | ComponentId) -> Answer:
        """Stop a child and wait for its end; it is not restarted on its own.

        Its specification stays, unless it is temporary, and a group restart starts it
        again. A child that does not run is left as it is; a restart that is due is
        cancelled.

        Returns:
            `Done`; or `Refused` if there is no such child, or if it is the child, or one
            below it, that asks: it would wait for its own end.
        """
        slot = self._roster().find(str(child))
        if slot is not None and slot.child is not None and slot.child.runs_caller():
            return Refused(Refusal.ITSELF, slot.name)
        return await self._ask(TerminateChild(str(child)))

    async def kill_child(self, child: str | ComponentId) -> Answer:
        """Cancel a child at once, without its shutdown time, and wait for its end.

        Its end is `killed`, a failure like others: it is restarted as its restart type
        and the strategy say, which counts. All below a supervisor ends with it. A child
        that does not run is left as it is, and so is a restart that is due.

        Returns:
            `Done`; or `Refused` if there is no such child. A child that shields itself
            from being cancelled keeps the caller waiting.
        """
        return await self._ask(KillChild(str(child)))

    async def restart_child(self, child: str | ComponentId) -> Answer:
        """Start a child that does not run, and wait until it is ready.

        One that does not become ready stays stopped.

        Returns:
            `Started`, `Ignored`; or `Refused`.
        """
        return await self._ask(RestartChild(str(child)))

    async def delete_child(self, child: str | ComponentId) -> Answer:
        """Forget a child that does not run.

        Returns:
            `Done`; or `Refused` if it runs, is being restarted, or is not known.
        """
        return await self._ask(DeleteChild(str(child)))

    async def change_specs(
        self, spec: SupervisorSpec | DynamicSupervisorSpec
    ) -> Answer:
        """Take over other flags and specifications; its name stays.

        Running children run on, also those that are no longer named; these now stop
        first. How a child is stopped and restarted changes at once, what it runs with
        its next start. New children are not started.

        Returns:
            `Done`; or `Refused` with all mistakes or because a component cannot be
            loaded, and everything is as it was.
        """
        return await self._load_and_ask(ChangeSpecs(spec), [spec])

    async def replace_child(
        self, child: str | ComponentId, artifact: Artifact
    ) -> Answer:
        """Put new code in the place of a component, and wait until it is there.

        See `System.replace`.

        Returns:
            `Done`; or `Refused`, and the old code goes on.
        """
        slot = self._roster().find(str(child))
        if slot is None:
            return Refused(Refusal.NOT_FOUND, str(child))
        if self._replacer is None:
            return _NOT_RUNNING
        return await self._replacer.replace(slot, artifact).wait()

    def which_children(self) -> tuple[ChildInfo, ...]:
        """Describe all children, the newest first; none if the supervisor never ran."""
        return self._roster().which()

    def which_child(self, child: str | ComponentId) -> ChildInfo | None:
        """Describe one child; None if it is not known."""
        slot = self._roster().find(str(child))
        return None if slot is None else slot.info()

    def count_children(self) -> ChildCounts:
        """Count the children."""
        return self._roster().count()

    def get_spec(self, child: str | ComponentId) -> ChildSpec | None:
        """Return the specification of a child; None if it is not known."""
        slot = self._roster().find(str(child))
        return None if slot is None else slot.spec

    def own_spec(self) -> AnySupervisorSpec | None:
        """Return what this supervisor goes by now, with all changes at run time.

        Of supervisors below it holds what was changed there. None if it never ran.
        """
        supervisor = self._find()
        return None if supervisor is None else supervisor.spec

    def template(self) -> Template | None:
        """Return what a dynamic supervisor or a pool makes its children from now.

        None if there is no template, or no such supervisor ran.
        """
        spec = self.own_spec()
        return None if isinstance(spec, SupervisorSpec | None) else spec.template

    def is_up(self) -> bool:
        """Say whether this supervisor runs: it was ready, and is not about to end.

        False also while it starts, is being restarted or stops.
        """
        supervisor = self._find()
        return supervisor is not None and supervisor.is_up

    def _roster(self) -> Roster:
        supervisor = self._find()
        return _NOBODY if supervisor is None else supervisor.roster

    @enable_ki_protection
    async def _load_and_ask(
        self, request: Request, specs: Iterable[ChildSpec]
    ) -> Answer:
        """Load what the request needs and was not loaded yet, then make it."""
        if self._find() is None:
            return _NOT_RUNNING
        if self._replacer is not None:
            for spec in specs:
                if refused := await self._replacer.load_for(spec):
                    return refused
        return await self._ask(request)

    @enable_ki_protection
    async def _ask(self, request: Request) -> Answer:
        supervisor = self._find()
        if supervisor is None:
            return _NOT_RUNNING
        return await supervisor.ask(request).wait()
