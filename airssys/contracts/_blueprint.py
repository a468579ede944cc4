"""A whole system as one frozen value, and the one verdict on whether it can be run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias, final

import attrs

from ._artifact import Artifact
from ._errors import DefinitionError, Mistake
from ._guest import ComponentConfig
from ._identity import ComponentId, segment_problem
from ._limits import EngineSettings, Limits
from ._restart import (
    DEFAULT_SHUTDOWN,
    DEFAULT_START_TIMEOUT,
    AutoShutdown,
    Backoff,
    BrutalKill,
    Intensity,
    OnError,
    RestartType,
    Strategy,
)
from ._restart_checks import (
    backoff_mistakes,
    budget_mistakes,
    on_error_mistakes,
    significance_mistakes,
)

DEFAULT_MAILBOX: Final = 1000
DEFAULT_STOP_TIMEOUT: Final = 30.0
DEFAULT_RESTART_BUDGET: Final = 1000

Shutdown: TypeAlias = float | BrutalKill
"""Seconds to stop in before being cancelled, `math.inf` or `BRUTAL_KILL`."""


@final
@attrs.frozen(kw_only=True)
class ComponentSpec:
    """One component actor: WebAssembly code behind a name and a mailbox."""

    id: ComponentId
    artifact: Artifact
    config: ComponentConfig = ComponentConfig()
    """`config.limits` is what the host enforces."""
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = DEFAULT_SHUTDOWN
    start_timeout: float = DEFAULT_START_TIMEOUT
    """Seconds for instantiation and `initialize`; loading does not count."""
    mailbox: int = DEFAULT_MAILBOX
    """Messages that may queue."""
    drain: bool = False
    """When asked to stop, handle what is queued first, within the shutdown time."""
    significant: bool = False
    """Its end may end its supervisor, as `auto_shutdown` says."""
    backoff: Backoff = Backoff()
    on_error: OnError = ()
    """What errors ask for, before the restart type is looked at."""

    @property
    def limits(self) -> Limits:
        """What the guest may use."""
        return self.config.limits


@final
@attrs.frozen(kw_only=True)
class ActorSpec:
    """One Python actor: an async function, or a class made afresh for each start."""

    id: ComponentId
    behaviour: Callable[..., Any]
    """`async def handle(context, envelope)`, or a class whose instances have such a
    method; see `airssys.nursery` for what a class may add."""
    arguments: tuple[object, ...] = ()
    """Given to the class each time the actor starts."""
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = DEFAULT_SHUTDOWN
    start_timeout: float = DEFAULT_START_TIMEOUT
    mailbox: int = DEFAULT_MAILBOX
    drain: bool = False
    significant: bool = False
    backoff: Backoff = Backoff()
    on_error: OnError = ()


@final
@attrs.frozen(kw_only=True)
class TaskSpec:
    """One async function as a child: supervised, but with no mailbox."""

    name: str
    function: Callable[..., Any]
    """`async def function(*arguments)`."""
    arguments: tuple[object, ...] = ()
    context: bool = False
    """It takes an `airssys.nursery.TaskContext` first: it says when it is ready, and
    hears that it is to stop. Otherwise it is ready at once, and asked by cancelling."""
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = DEFAULT_SHUTDOWN
    start_timeout: float = DEFAULT_START_TIMEOUT
    significant: bool = False
    backoff: Backoff = Backoff()
    on_error: OnError = ()


@final
@attrs.frozen(kw_only=True)
class SupervisorSpec:
    """A supervisor and its children, started in this order, stopped in reverse."""

    name: str
    children: tuple[ChildSpec, ...] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: Intensity = Intensity()
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = math.inf
    start_timeout: float = math.inf
    """Infinite by default: its children have start times of their own."""
    significant: bool = False
    backoff: Backoff = Backoff()
    on_error: OnError = ()


@final
@attrs.frozen(kw_only=True)
class DynamicSupervisorSpec:
    """A supervisor whose children come and go while it runs; none start with it.

    Each child is restarted on its own, and nothing is kept of one that is gone. When
    the supervisor stops, all stop at once.
    """

    name: str
    template: ComponentSpec | ActorSpec | None = None
    """What children are made from; a start adds arguments and the last part of the
    name. None: each start brings a specification of its own."""
    max_children: int | None = None
    """Those being restarted count. None: no limit."""
    intensity: Intensity = Intensity()
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = math.inf
    start_timeout: float = math.inf
    significant: bool = False
    backoff: Backoff = Backoff()
    on_error: OnError = ()


ChildSpec: TypeAlias = (
    ComponentSpec | ActorSpec | TaskSpec | SupervisorSpec | DynamicSupervisorSpec
)

SUPERVISOR_SPECS: Final = (SupervisorSpec, DynamicSupervisorSpec)
_NAMED: Final = (TaskSpec, *SUPERVISOR_SPECS)
_SPECS: Final = (ComponentSpec, ActorSpec, *_NAMED)


@final
@attrs.frozen(kw_only=True)
class Blueprint:
    """Everything that `open_system` needs to know."""

    root: SupervisorSpec
    engine: EngineSettings = EngineSettings()
    stop_timeout: float = DEFAULT_STOP_TIMEOUT
    """Seconds for the whole tree to stop in; then everything is cancelled."""
    restart_budget: int | None = DEFAULT_RESTART_BUDGET
    """How often a child may be started before the root gives up, at most; see
    `budget_mistakes`. None: not checked."""


def child_name(spec: ChildSpec) -> str:
    """Name a child among its siblings."""
    return str(spec.id) if isinstance(spec, (ComponentSpec, ActorSpec)) else spec.name


def walk(root: ChildSpec, path: str = "$.root") -> Iterator[tuple[str, ChildSpec]]:
    """Visit a tree from the top, each spec with its path."""
    yield path, root
    if isinstance(root, SupervisorSpec):
        for index, child in enumerate(root.children):
            yield from walk(child, f"{path}.children[{index}]")
    elif isinstance(root, DynamicSupervisorSpec) and root.template is not None:
        yield f"{path}.template", root.template


def find_mistakes(blueprint: Blueprint) -> list[Mistake]:
    """Look at a whole blueprint; an empty list means that it can be run."""
    mistakes: list[Mistake] = []
    if not _is_time(blueprint.stop_timeout, allow_infinity=True):
        mistakes.append(_bad_time("$", "stop_timeout", blueprint.stop_timeout))
    if not _is(blueprint.root, SupervisorSpec):
        kind = type(blueprint.root).__name__
        return [*mistakes, Mistake("$.root", f"{kind} is no supervisor", "wrap it")]
    mistakes.extend(find_spec_mistakes(blueprint.root, "$.root"))
    budget = blueprint.restart_budget
    if budget is not None and not _is_count(budget, at_least=1):
        hint = "a whole number, 1 or more, or None"
        mistakes.append(Mistake("$.restart_budget", f"{budget!r:.80}", hint))
    elif budget is not None and not mistakes:
        mistakes.extend(budget_mistakes(_supervisors(blueprint.root), budget))
    return mistakes


def _supervisors(
    spec: ChildSpec, path: str = "", above: tuple[Intensity, ...] = ()
) -> Iterator[tuple[str, tuple[Intensity, ...]]]:
    """Visit all supervisors, each with its path and the intensities down to it."""
    if isinstance(spec, SUPERVISOR_SPECS):
        path = f"{path}/{spec.name}" if path else spec.name
        chain = (*above, spec.intensity)
        yield path, chain
        for child in spec.children if isinstance(spec, SupervisorSpec) else ():
            yield from _supervisors(child, path, chain)


def find_spec_mistakes(spec: ChildSpec, path: str = "$") -> list[Mistake]:
    """Look at one specification and all below it; the same verdict as at a start."""
    mistakes: list[Mistake] = []
    seen: dict[ComponentId, str] = {}
    for path, spec in walk(spec, path):  # noqa: B020, PLR1704  # the root is the first
        mistakes.extend(_mistakes_of(spec, path))
        if isinstance(spec, (ComponentSpec, ActorSpec)):
            if spec.id in seen:
                text = f"the name {spec.id} is taken by {seen[spec.id]}"
                mistakes.append(Mistake(f"{path}.id", text, "names are unique"))
            seen.setdefault(spec.id, path)
    return mistakes


def find_child_mistakes(
    spec: ChildSpec, auto_shutdown: AutoShutdown, path: str = "$"
) -> list[Mistake]:
    """Look at one specification as a child of a supervisor with that rule."""
    mistakes = find_spec_mistakes(spec, path)
    if _is(spec, _SPECS):
        significant, restart = spec.significant, spec.restart
        mistakes.extend(
            significance_mistakes(significant, restart, auto_shutdown, path)
        )
    return mistakes


def check(blueprint: Blueprint) -> None:
    """Refuse a blueprint that cannot be run.

    Raises:
        DefinitionError: with every mistake, each with its path and a hint.
    """
    if mistakes := find_mistakes(blueprint):
        raise DefinitionError(mistakes)


def _mistakes_of(spec: ChildSpec, path: str) -> Iterator[Mistake]:
    if not _is(spec, _SPECS):
        kind = type(spec).__name__
        yield Mistake(path, f"{kind} is no child spec", "see ChildSpec")
        return
    yield from _own_mistakes(spec, path)
    if not _is(spec.restart, RestartType):
        hint = "use a RestartType"
        yield Mistake(f"{path}.restart", f"{spec.restart!r:.80} is no type", hint)
    is_kill = isinstance(spec.shutdown, BrutalKill)
    if not is_kill and not _is_time(
        spec.shutdown, allow_infinity=True, allow_zero=True
    ):
        yield _bad_time(path, "shutdown", spec.shutdown)
    if not _is_time(spec.start_timeout, allow_infinity=True):
        yield _bad_time(path, "start_timeout", spec.start_timeout)
    yield from backoff_mistakes(spec.backoff, path)
    may_resume = isinstance(spec, ActorSpec)
    yield from on_error_mistakes(spec.on_error, path, may_resume=may_resume)


def _own_mistakes(spec: ChildSpec, path: str) -> Iterator[Mistake]:
    """Look at what only specs of that kind have."""
    match spec:
        case SupervisorSpec():
            yield from _supervisor_mistakes(spec, path)
        case TaskSpec():
            yield from _task_mistakes(spec, path)
        case DynamicSupervisorSpec():
            yield from _dynamic_mistakes(spec, path)
        case ComponentSpec() | ActorSpec():
            yield from _actor_mistakes(spec, path)


def _supervisor_mistakes(spec: SupervisorSpec, path: str) -> Iterator[Mistake]:
    yield from _name_and_intensity_mistakes(spec, path)
    if not _is(spec.strategy, Strategy):
        yield Mistake(f"{path}.strategy", f"{spec.strategy!r:.80} is no Strategy")
    yield from _mistakes_among(spec, path)
    names = [c.name for c in spec.children if isinstance(c, _NAMED)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Mistake(f"{path}.children", f"two children are called {name!r}")


def _task_mistakes(spec: TaskSpec, path: str) -> Iterator[Mistake]:
    if problem := segment_problem(spec.name):
        yield Mistake(f"{path}.name", f"{spec.name!r:.80} {problem}")
    if not _is_callable(spec.function):
        yield Mistake(f"{path}.function", f"{spec.function!r:.80}", "an async function")
    if not _is(spec.context, bool):
        yield Mistake(f"{path}.context", f"{spec.context!r:.80}", "True or False")


def _name_and_intensity_mistakes(
    spec: SupervisorSpec | DynamicSupervisorSpec, path: str
) -> Iterator[Mistake]:
    if problem := segment_problem(spec.name):
        yield Mistake(f"{path}.name", f"{spec.name!r:.80} {problem}")
    restarts, period = spec.intensity.restarts, spec.intensity.period
    if not _is_count(restarts, at_least=0):
        hint = "a whole number, 0 or more"
        yield Mistake(f"{path}.intensity.restarts", f"{restarts!r:.80}", hint)
    if not _is_time(period, allow_infinity=False):
        yield _bad_time(f"{path}.intensity", "period", period)


def _dynamic_mistakes(spec: DynamicSupervisorSpec, path: str) -> Iterator[Mistake]:
    yield from _name_and_intensity_mistakes(spec, path)
    limit, template = spec.max_children, spec.template
    if limit is not None and not _is_count(limit, at_least=0):
        hint = "a whole number, 0 or more, or None"
        yield Mistake(f"{path}.max_children", f"{limit!r:.80}", hint)
    if template is None:
        return
    if not _is(template, (ComponentSpec, ActorSpec)):
        kind = type(template).__name__
        yield Mistake(f"{path}.template", f"{kind} is no actor", "see ActorSpec")
        return
    yield from significance_mistakes(
        template.significant, template.restart, AutoShutdown.NEVER, f"{path}.template"
    )


def _mistakes_among(spec: SupervisorSpec, path: str) -> Iterator[Mistake]:
    """Look at what children must be for the supervisor that they have."""
    rule = spec.auto_shutdown
    if not _is(rule, AutoShutdown):
        hint = "use an AutoShutdown"
        yield Mistake(f"{path}.auto_shutdown", f"{rule!r:.80}", hint)
    for index, child in enumerate(spec.children):
        if _is(child, _SPECS):
            where = f"{path}.children[{index}]"
            yield from significance_mistakes(
                child.significant, child.restart, rule, where
            )


def _actor_mistakes(spec: ComponentSpec | ActorSpec, path: str) -> Iterator[Mistake]:
    if not _is(spec.id, ComponentId):
        hint = "write ComponentId.parse('name')"
        yield Mistake(f"{path}.id", f"{spec.id!r:.80} is no ComponentId", hint)
    mailbox = spec.mailbox
    if not _is_count(mailbox, at_least=1):
        hint = "a whole number, 1 or more"
        yield Mistake(f"{path}.mailbox", f"{mailbox!r:.80} is no capacity", hint)
    if not _is(spec.drain, bool):
        yield Mistake(f"{path}.drain", f"{spec.drain!r:.80}", "True or False")
    if isinstance(spec, ActorSpec) and not _is_callable(spec.behaviour):
        hint = "an async function or a class"
        yield Mistake(f"{path}.behaviour", f"{spec.behaviour!r:.80}", hint)
    if isinstance(spec, ComponentSpec) and not _is(spec.artifact, Artifact):
        hint = "write Artifact.at(path)"
        yield Mistake(f"{path}.artifact", f"{spec.artifact!r:.80} is no artifact", hint)


def _is(value: object, kind: type | tuple[type, ...]) -> bool:
    """Look at what was really handed in, whatever its annotation promises."""
    return isinstance(value, kind)


def _is_callable(value: object) -> bool:
    return callable(value)


def _is_count(value: object, *, at_least: int) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return value >= at_least


def _is_time(value: object, *, allow_infinity: bool, allow_zero: bool = False) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    if math.isnan(value) or (math.isinf(value) and not allow_infinity):
        return False
    return value >= 0 if allow_zero else value > 0


def _bad_time(path: str, name: str, value: object) -> Mistake:
    return Mistake(f"{path}.{name}", f"{value!r:.80} is no time", "seconds, above 0")
