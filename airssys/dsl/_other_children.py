"""Children that are not actors: `task` and `dynamic_supervisor`.

As with the others, a name as the first argument makes a finished child. Without a name
it is declared, and gets the name of the attribute that holds it.

    task("sweep", sweep, 60.0)                  @task(restart="transient")
    dynamic_supervisor("pool", Worker)          pool = dynamic_supervisor(Worker)
"""

from __future__ import annotations

import inspect
from typing import (
    TYPE_CHECKING,
    Literal,
    Protocol,
    TypeAlias,
    TypeVar,
    TypeVarTuple,
    Unpack,
    overload,
)

from airssys.contracts import (
    ActorSpec,
    ComponentSpec,
    DynamicSupervisorSpec,
    SupervisorSpec,
    TaskSpec,
)

from ._declarations import (
    ComponentDeclaration,
    Declaration,
    DynamicDeclaration,
    Kind,
    declaration_of,
    declare,
    here,
)
from ._reading import read_dynamic, read_task, take_over
from ._vocabulary import (
    DynamicSupervisorOptions,
    Handler,
    PlainTaskOptions,
    TaskOptions,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Template: TypeAlias = (
    ComponentSpec
    | ActorSpec
    | SupervisorSpec
    | ComponentDeclaration
    | Handler
    | type[object]
    | None
)
"""What children are made from: an actor, or its declaration; a supervisor that
`supervisor(name, ...)` made. None: each start supplies a specification."""

_Arguments = TypeVarTuple("_Arguments")
_Function = TypeVar("_Function", bound="Callable[..., Awaitable[object]]")


class TaskDecorator(Protocol):
    """`@task(...)`, waiting for its function."""

    def __call__(self, function: _Function, /) -> _Function:
        """Attach a record to it, and return it."""
        ...


@overload
def task(
    name: str,
    function: Callable[[*_Arguments], Awaitable[object]],
    /,
    *arguments: *_Arguments,
    context: Literal[False] = False,
    **options: Unpack[PlainTaskOptions],
) -> TaskSpec: ...


@overload
def task(
    name: str,
    function: Callable[..., Awaitable[object]],
    /,
    *arguments: object,
    context: Literal[True],
    **options: Unpack[PlainTaskOptions],
) -> TaskSpec: ...


@overload
def task(function: _Function, /) -> _Function: ...


@overload
def task(**options: Unpack[TaskOptions]) -> TaskDecorator: ...


def task(*given: object, **options: object) -> object:
    """Declare an async function as a child: supervised, but without a mailbox.

        sweeper = task("sweeper", sweep, 60.0, restart="transient")

        @task(context=True)
        async def listen(context): ...

    It is ready at once, and is stopped by cancelling it. With `context`, its first
    argument is a `TaskContext`, with which it reports that it is ready and is notified
    that it should stop.

    Args:
        given: With a name first: the function and its arguments.
        options: `context`; `restart`: `permanent`, `transient` or `temporary`;
            `shutdown`: seconds to stop in, `math.inf` or `BRUTAL_KILL`;
            `start_timeout`: seconds to become ready in;
            `significant`, `backoff`, `on_error`.

    Raises:
        TypeError: there is a name without a function, or options without either.
    """
    origin = here()
    match given:
        case ():
            declaration = Declaration(Kind.TASK, options, origin)
            return lambda function: declare(function, declaration)
        case (function,) if _is_code(function) and not options:
            return declare(function, Declaration(Kind.TASK, {}, origin))
        case (name, function, *arguments):
            declared = declaration_of(function)
            if declared is not None and declared.kind is Kind.TASK:
                options, origin = take_over(declared, options, origin)
            return read_task(name, function, tuple(arguments), options, origin)
        case _:
            raise TypeError(
                "write task(name, function, ...), or above an async function "
                "@task or @task(option=...)"
            )


@overload
def dynamic_supervisor(
    name: str, template: Template = None, /, **options: Unpack[DynamicSupervisorOptions]
) -> DynamicSupervisorSpec: ...


@overload
def dynamic_supervisor(
    template: Template = None, /, **options: Unpack[DynamicSupervisorOptions]
) -> DynamicDeclaration: ...


def dynamic_supervisor(*given: object, **options: object) -> object:
    """Declare a supervisor whose children are added and removed while it runs.

        pool = dynamic_supervisor("pool", actor("worker", Worker), max_children=10)

        @topology
        class App:
            pool = dynamic_supervisor(Worker, max_children=10)

    It starts without children. Each is restarted on its own, and all stop at once. A
    template that was declared gets the supervisor's name, unless its declaration has
    `names`; each start supplies the last part of the child's name. If the template is a
    supervisor, each start makes everything below it too, e.g. `room-1` with
    `local/guest/1`:

        rooms = dynamic_supervisor("rooms", supervisor("room", actor("guest", Guest)))

    Args:
        given: Its name, or none if an attribute holds it; then the template, if
            children are made from one.
        options: `max_children`; `restarts` within `period`; `restart`, `shutdown`,
            `start_timeout`, `significant`, `backoff` and `on_error` of its own.

    Raises:
        TypeError: there is more than a name and a template.
    """
    origin = here()
    match given:
        case ():
            return DynamicDeclaration(Declaration(Kind.DYNAMIC, options, origin))
        case (str() as name,):
            return read_dynamic(name, None, options, origin)
        case (template,):
            declaration = Declaration(Kind.DYNAMIC, options, origin, template)
            return DynamicDeclaration(declaration)
        case (name, template):
            return read_dynamic(name, template, options, origin)
        case _:
            raise TypeError(
                "write dynamic_supervisor(name, template, ...), or without a name "
                "dynamic_supervisor(template, ...) to declare one"
            )


def _is_code(value: object) -> bool:
    return inspect.isclass(value) or inspect.isroutine(value)
