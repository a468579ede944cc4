"""The time in which an actor is ready, and has no task because there is nothing to do in one.

To start a task takes longer than everything else about an actor that is a function, and
the task takes as much memory as the rest of the actor. Such an actor has nothing to do before
its first message; and the messages to a plain function never need a task of their own. So the
task is started when it would have been woken for the first time.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, final

from airssys.nursery.behaviours import PythonBehaviour

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from airssys.contracts import ActorSpec, ComponentSpec
    from airssys.nursery.behaviours import Behaviour

    from ._address import Address


@final
class Dormancy:
    """That of one incarnation (implements `Dormant`).

    Its context is a copy of that in which it was made.

    Args:
        code: what the actor does; it is ready now.
        go_on: starts its task, in a context that is a copy of that of the caller.
    """

    __slots__ = ("_code", "_context", "_go_on", "is_ending")

    def __init__(self, code: PythonBehaviour, go_on: Callable[[], None]) -> None:
        self._code, self._go_on = code, go_on
        self._context: Context = copy_context()
        code.begin(self._context.run)
        self.is_ending = False
        """Its task was started, and has not begun yet."""

    def wake(self) -> None:
        """Start the task. It finds all that was changed in the context."""
        self.is_ending = True
        self._context.copy().run(self._go_on)  # the context itself may be entered now

    def end(self) -> None:
        """Let the code be called in the present task from now on."""
        self._code.enter_task()


def ready_code(
    behaviour: Behaviour, spec: ActorSpec | ComponentSpec, address: Address
) -> PythonBehaviour | None:
    """Return the code of an actor that is ready without a task, once it has its name.

    None for other actors: a name or a topic is refused in their own tasks, and the wait of a
    member of a pool is counted.
    """
    if not (isinstance(behaviour, PythonBehaviour) and behaviour.starts_at_once):
        return None
    may_be_refused = bool(spec.topics) and address.authority is not None
    if may_be_refused or address.is_of_member or not address.try_open():
        return None
    return behaviour
