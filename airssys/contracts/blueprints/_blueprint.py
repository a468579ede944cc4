"""A whole system as one frozen value, and the check that it can be run."""

from __future__ import annotations

from collections import Counter
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs

from airssys.contracts.errors import DefinitionError, Mistake
from airssys.contracts.specs import (
    CHILD_SPECS,
    NAMED_SPECS,
    SUPERVISOR_SPECS,
    ActorSpec,
    ChildSpec,
    ComponentSpec,
    DynamicSupervisorSpec,
    Origin,
    PoolSpec,
    SupervisorSpec,
    TaskSpec,
    guarded,
    health_mistakes,
    place_mistakes,
)
from airssys.contracts.values import (
    AutoShutdown,
    BrutalKill,
    ComponentId,
    EngineSettings,
    Intensity,
    RestartType,
    Strategy,
    choices,
    is_callable,
    is_count,
    is_kind,
    is_text,
    is_time,
    segment_problem,
    shown,
)

from ._async_checks import async_mistakes, handler_mistakes
from ._component_checks import component_mistakes, lane_mistakes
from ._grant_checks import grants_mistakes, quotas_mistakes
from ._mailbox_checks import mailbox_mistakes
from ._pool_checks import pool_mistakes, subscription_mistakes
from ._restart_checks import (
    backoff_mistakes,
    budget_mistakes,
    crash_mistakes,
    intensity_mistakes,
    on_error_mistakes,
    significance_mistakes,
)
from ._stop_budget import stop_mistakes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

DEFAULT_STOP_TIMEOUT: Final = 30.0
DEFAULT_RESTART_BUDGET: Final = 1000
MAX_DEPTH: Final = 100
"""The largest number of supervisors that may be nested."""


@final
@attrs.frozen(kw_only=True)
class Blueprint:
    """Everything that `open_system` needs to know."""

    root: SupervisorSpec
    engine: EngineSettings = EngineSettings()
    stop_timeout: float = DEFAULT_STOP_TIMEOUT
    """Seconds in which the whole tree must stop; then everything is cancelled."""
    stop_budget: float | None = None
    """Seconds that the whole tree may take to stop if every child uses its whole
    shutdown time; see `stop_mistakes`. After that, what is left is cancelled, as after
    `stop_timeout`. None: not checked."""
    restart_budget: int | None = DEFAULT_RESTART_BUDGET
    """How often a child may be started, at most, before the root gives up; see
    `budget_mistakes`. None: not checked."""
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)


def stop_time(blueprint: Blueprint) -> float:
    """Return the number of seconds that the whole tree has to stop in."""
    timeout, budget = blueprint.stop_timeout, blueprint.stop_budget
    return timeout if budget is None else min(timeout, budget)


def walk(root: ChildSpec, path: str = "$.root") -> Iterator[tuple[str, ChildSpec]]:
    """Visit a tree from the top: each specification with its path.

    Invalid values are visited too, but not what is below them.
    """
    for at, spec, _ in _visit(root, path):
        yield at, spec


Check: TypeAlias = "Callable[[Blueprint], list[Mistake]]"
"""A check of a whole blueprint, besides those that are made here."""


def find_mistakes(blueprint: Blueprint, *more: Check) -> list[Mistake]:
    """Check a whole blueprint. An empty list means that it can be run.

    Raises nothing, whatever is in the blueprint. A mistake names the file and line of
    the declaration, if they are known.
    """

    def look() -> list[Mistake]:
        if not is_kind(blueprint, Blueprint):
            text = f"{shown(blueprint)} is not a Blueprint"
            return [Mistake("$", text, "write airssys.blueprint(...)")]
        places = [("$", blueprint), *walk(blueprint.root)]
        found = _find_mistakes(blueprint, places)
        for further in more:
            found += guarded(partial(further, blueprint), "$")
        return place_mistakes(found, places)

    return guarded(look, "$")


def find_spec_mistakes(
    spec: ChildSpec, path: str = "$", *, above: int = 0
) -> list[Mistake]:
    """Check one specification and everything below it. Raises nothing.

    `above`: the number of supervisors that it will be below.
    """

    def look() -> list[Mistake]:
        found = _find_spec_mistakes(spec, path, above)
        return place_mistakes(found, walk(spec, path))

    return guarded(look, path)


def find_child_mistakes(
    spec: ChildSpec, auto_shutdown: AutoShutdown, path: str = "$", *, above: int = 0
) -> list[Mistake]:
    """Check one specification as a child of a supervisor with that rule."""
    mistakes = find_spec_mistakes(spec, path, above=above)
    if is_kind(spec, CHILD_SPECS):
        significant, restart = spec.significant, spec.restart
        mistakes.extend(
            significance_mistakes(significant, restart, auto_shutdown, path)
        )
    return mistakes


def check_child_specs(
    specs: Iterable[ChildSpec], auto_shutdown: AutoShutdown = AutoShutdown.NEVER
) -> list[Mistake]:
    """Check specifications as the children of one supervisor, without starting them.

    Starting a supervisor with these children finds the same mistakes. Raises nothing,
    provided that `specs` can be iterated over.
    """
    parent = SupervisorSpec(
        name="supervisor", children=tuple(specs), auto_shutdown=auto_shutdown
    )
    return find_spec_mistakes(parent)


def _find_mistakes(
    blueprint: Blueprint, places: Iterable[tuple[str, object]]
) -> list[Mistake]:
    mistakes: list[Mistake] = []
    if not is_kind(blueprint.engine, EngineSettings):
        text = f"{shown(blueprint.engine)} is not an EngineSettings"
        mistakes.append(Mistake("$.engine", text, "write EngineSettings(...)"))
    if not is_time(blueprint.stop_timeout, allow_infinity=True):
        mistakes.append(_bad_time("$", "stop_timeout", blueprint.stop_timeout))
    if not is_kind(blueprint.root, SupervisorSpec):
        text = f"{shown(blueprint.root)} is not a supervisor specification"
        hint = "write SupervisorSpec(name='root', children=(...))"
        return [*mistakes, Mistake("$.root", text, hint)]
    mistakes.extend(_find_spec_mistakes(blueprint.root, "$.root"))
    mistakes.extend(_lane_mistakes(blueprint.engine, places))
    budget = blueprint.restart_budget
    if budget is not None and not is_count(budget, at_least=1):
        text = f"{shown(budget)} is not a valid restart budget"
        hint = "write a whole number of 1 or more, or None"
        mistakes.append(Mistake("$.restart_budget", text, hint))
    elif budget is not None and not mistakes:
        mistakes.extend(budget_mistakes(_supervisors(blueprint.root, "$.root"), budget))
    seconds = blueprint.stop_budget
    if seconds is not None and not is_time(seconds, allow_infinity=False):
        mistakes.append(_bad_time("$", "stop_budget", seconds))
    elif seconds is not None and not mistakes:
        mistakes.extend(stop_mistakes(blueprint.root, seconds))
    return mistakes


def _lane_mistakes(
    engine: EngineSettings, places: Iterable[tuple[str, object]]
) -> Iterator[Mistake]:
    if not is_kind(engine, EngineSettings):
        return
    for path, spec in places:
        if isinstance(spec, ComponentSpec):
            yield from lane_mistakes(spec, path, engine)


def _supervisors(
    spec: ChildSpec, path: str, name: str = "", above: tuple[Intensity, ...] = ()
) -> Iterator[tuple[str, str, tuple[Intensity, ...]]]:
    """Visit all supervisors: the path, name and intensities (root first) of each."""
    if isinstance(spec, SUPERVISOR_SPECS):
        name = f"{name}/{spec.name}" if name else spec.name
        chain = (*above, spec.intensity)
        yield path, name, chain
        for at, child in _children_of(spec, path):
            if isinstance(child, SUPERVISOR_SPECS):
                yield from _supervisors(child, at, name, chain)


def _find_spec_mistakes(spec: ChildSpec, path: str, above: int = 0) -> list[Mistake]:
    mistakes: list[Mistake] = []
    taken: dict[ComponentId, str] = {}
    faultless: set[tuple[int, ...]] = set()
    for at, each, problem in _visit(spec, path, above):
        if problem is not None:
            mistakes.append(problem)
            continue
        alike = _settings(each)
        if alike is None or alike not in faultless:
            found = tuple(_mistakes_of(each, at))
            mistakes.extend(found)
            if alike is not None and not found:
                faultless.add(alike)
        mistakes.extend(_name_taken(each, at, taken))
    return mistakes


_read_settings: Final = attrgetter(
    *(
        each.name
        for each in attrs.fields(ActorSpec)
        if each.name not in {"id", "origin"}
    )
)


def _settings(spec: ChildSpec) -> tuple[int, ...] | None:
    """Return what an actor's specification says besides who it is, as identities.

    Many actors often differ in nothing but their names, and are checked once. None: check
    this one. The objects live as long as the specification, so no two have one identity.
    """
    if type(spec) is not ActorSpec or type(spec.id) is not ComponentId:
        return None
    return tuple(map(id, _read_settings(spec)))


def check(blueprint: Blueprint, *more: Check) -> None:
    """Raise if a blueprint cannot be run.

    Raises:
        DefinitionError: with every mistake, each with its path and a hint.
    """
    if mistakes := find_mistakes(blueprint, *more):
        raise DefinitionError(mistakes)


def _children_of(spec: object, path: str) -> list[tuple[str, ChildSpec]]:
    """Map paths to the children of a spec, as far as the paths are unique."""
    if isinstance(spec, SupervisorSpec) and is_kind(spec.children, (tuple, list)):
        children = enumerate(spec.children)
        return [(f"{path}.children[{index}]", child) for index, child in children]
    if isinstance(spec, DynamicSupervisorSpec) and spec.template is not None:
        return [(f"{path}.template", spec.template)]
    if isinstance(spec, PoolSpec) and is_kind(spec.member, (ComponentSpec, ActorSpec)):
        return [(f"{path}.member", spec.member)]
    return []


def _visit(
    root: ChildSpec, path: str, above: int = 0
) -> Iterator[tuple[str, ChildSpec, Mistake | None]]:
    """Visit what may not be a tree. What is not entered is yielded with the reason.

    A supervisor that occurs in two places, or inside itself, is entered once, because
    otherwise the visit might never end. A supervisor that is nested too deeply is not
    entered, and neither is one used as a template, which is not allowed.
    """
    entered: dict[int, str] = {}
    stack: list[tuple[str, ChildSpec, int]] = [(path, root, above)]
    while stack:
        path, spec, depth = stack.pop()
        if type(spec) is ActorSpec or type(spec) is ComponentSpec:
            yield path, spec, None  # as most are; there is nothing below
            continue
        problem = None
        if isinstance(spec, SupervisorSpec):
            problem = _misplacement(path, entered.get(id(spec)), depth)
            entered.setdefault(id(spec), path)
        elif isinstance(spec, SUPERVISOR_SPECS):
            problem = _misplacement(path, None, depth)
        yield path, spec, problem
        if problem is None and not _is_odd_template(spec, path):
            below = [(p, s, depth + 1) for p, s in _children_of(spec, path)]
            stack.extend(reversed(below))


def _is_odd_template(spec: object, path: str) -> bool:
    is_odd = isinstance(spec, (DynamicSupervisorSpec, PoolSpec))
    return is_odd and path.endswith(".template")


def _misplacement(path: str, other: str | None, depth: int) -> Mistake | None:
    if other is not None:
        is_inside = path.startswith(f"{other}.children[")
        text = "it is inside itself" if is_inside else f"it is also used at {other}"
        return Mistake(path, text, "create a separate supervisor for each place")
    if depth >= MAX_DEPTH:
        text = f"there are {depth} supervisors above it"
        return Mistake(path, text, f"nest them at most {MAX_DEPTH} deep")
    return None


def _name_taken(
    spec: ChildSpec, path: str, taken: dict[ComponentId, str]
) -> Iterator[Mistake]:
    """Reserve the name of an actor, or report who has it."""
    if not isinstance(spec, (ComponentSpec, ActorSpec, PoolSpec)):
        return
    if not is_kind(spec.id, ComponentId) or path.endswith(".member"):
        return
    first = taken.setdefault(spec.id, path)
    if first is not path:
        text = f"the name {spec.id} is already used by {first}"
        hint = "names must be unique in a system: choose another one"
        yield Mistake(f"{path}.id", text, hint)


def _mistakes_of(spec: ChildSpec, path: str) -> Iterator[Mistake]:
    if not is_kind(spec, CHILD_SPECS):
        hint = "write component(...), actor(...) or supervisor(...)"
        yield Mistake(path, f"{shown(spec)} is not a child specification", hint)
        return
    yield from _own_mistakes(spec, path)
    if not is_kind(spec.restart, RestartType):
        hint = choices(RestartType, spec.restart)
        text = f"{shown(spec.restart)} is not a valid restart type"
        yield Mistake(f"{path}.restart", text, hint)
    is_kill = is_kind(spec.shutdown, BrutalKill)
    if not is_kill and not is_time(spec.shutdown, allow_infinity=True, allow_zero=True):
        hint = "write a number of seconds of 0 or more, math.inf or BRUTAL_KILL"
        text = f"shutdown must be a number of seconds, not {shown(spec.shutdown)}"
        yield Mistake(f"{path}.shutdown", text, hint)
    if not is_time(spec.start_timeout, allow_infinity=True):
        yield _bad_time(path, "start_timeout", spec.start_timeout)
    yield from backoff_mistakes(spec.backoff, path)
    may_resume = isinstance(spec, ActorSpec)
    yield from on_error_mistakes(spec.on_error, path, may_resume=may_resume)


def _own_mistakes(spec: ChildSpec, path: str) -> Iterator[Mistake]:
    """Check what is specific to each kind of specification."""
    match spec:
        case SupervisorSpec():
            yield from _supervisor_mistakes(spec, path)
        case TaskSpec():
            yield from _task_mistakes(spec, path)
        case DynamicSupervisorSpec():
            yield from _dynamic_mistakes(spec, path)
        case PoolSpec():
            yield from intensity_mistakes(spec.intensity, f"{path}.intensity")
            yield from quotas_mistakes(spec.quotas, path)
            yield from pool_mistakes(spec, path)
        case ComponentSpec() | ActorSpec():
            yield from _actor_mistakes(spec, path)


def _supervisor_mistakes(spec: SupervisorSpec, path: str) -> Iterator[Mistake]:
    yield from _name_mistakes(spec, path)
    if not is_kind(spec.strategy, Strategy):
        text = f"{shown(spec.strategy)} is not a valid strategy"
        hint = choices(Strategy, spec.strategy)
        yield Mistake(f"{path}.strategy", text, hint)
    yield from intensity_mistakes(spec.intensity, f"{path}.intensity")
    yield from grants_mistakes(spec.bound, f"{path}.bound")
    yield from quotas_mistakes(spec.quotas, path)
    rule = spec.auto_shutdown
    if not is_kind(rule, AutoShutdown):
        text = f"{shown(rule)} is not a valid auto_shutdown"
        yield Mistake(
            f"{path}.auto_shutdown", text, choices(AutoShutdown, spec.auto_shutdown)
        )
    if not is_kind(spec.children, tuple):
        text = f"{shown(spec.children)} is not a tuple"
        yield Mistake(f"{path}.children", text, "write (child, ...)")
    below = _children_of(spec, path)
    for at, child in below:
        if is_kind(child, CHILD_SPECS) and child.significant is not False:
            marked, restart = child.significant, child.restart
            yield from significance_mistakes(marked, restart, rule, at)
    names = Counter(
        c.name for _, c in below if isinstance(c, NAMED_SPECS) and is_text(c.name)
    )
    for name in sorted(name for name, count in names.items() if count > 1):
        text = f"{names[name]} children have the name {shown(name)}"
        yield Mistake(f"{path}.children", text, "give each child a unique name")


def _name_mistakes(
    spec: SupervisorSpec | DynamicSupervisorSpec | TaskSpec, path: str
) -> Iterator[Mistake]:
    if problem := segment_problem(spec.name):
        hint = "write a short printable name without slashes"
        yield Mistake(f"{path}.name", f"{shown(spec.name)} {problem}", hint)


def _dynamic_mistakes(spec: DynamicSupervisorSpec, path: str) -> Iterator[Mistake]:
    yield from _name_mistakes(spec, path)
    yield from intensity_mistakes(spec.intensity, f"{path}.intensity")
    yield from grants_mistakes(spec.bound, f"{path}.bound")
    yield from quotas_mistakes(spec.quotas, path)
    limit, template = spec.max_children, spec.template
    if limit is not None and not is_count(limit, at_least=0):
        text = f"{shown(limit)} is not a valid number of children"
        hint = "write a whole number of 0 or more, or None"
        yield Mistake(f"{path}.max_children", text, hint)
    if template is None or not is_kind(template, CHILD_SPECS):
        return  # reported where the template is visited
    if not is_kind(template, (ComponentSpec, ActorSpec, SupervisorSpec)):
        text = f"{shown(template)} is neither an actor nor an ordered supervisor"
        hint = "write component(...), actor(...) or supervisor(...)"
        yield Mistake(f"{path}.template", text, hint)
        return
    marked, restart = template.significant, template.restart
    yield from significance_mistakes(
        marked, restart, AutoShutdown.NEVER, f"{path}.template"
    )


def _task_mistakes(spec: TaskSpec, path: str) -> Iterator[Mistake]:
    yield from _name_mistakes(spec, path)
    if not is_callable(spec.function):
        text = f"{shown(spec.function)} cannot be called"
        yield Mistake(f"{path}.function", text, "write an async function")
    yield from async_mistakes(spec.function, f"{path}.function")
    if not is_kind(spec.context, bool):
        text = f"{shown(spec.context)} is not a bool"
        yield Mistake(f"{path}.context", text, "write True or False")
    if not is_kind(spec.arguments, tuple):
        text = f"{shown(spec.arguments)} is not a tuple"
        yield Mistake(f"{path}.arguments", text, "write (argument, ...)")


def _actor_mistakes(spec: ComponentSpec | ActorSpec, path: str) -> Iterator[Mistake]:
    if not is_kind(spec.id, ComponentId):
        hint = "write a name, or 'namespace/name/instance', as ComponentId.parse reads"
        yield Mistake(f"{path}.id", f"{shown(spec.id)} is not a ComponentId", hint)
    yield from mailbox_mistakes(spec, path)
    yield from subscription_mistakes(spec, path)
    code = spec.behaviour if isinstance(spec, ActorSpec) else None
    yield from health_mistakes(spec.health, code, path)
    if not is_kind(spec.drain, bool):
        text = f"{shown(spec.drain)} is not a bool"
        yield Mistake(f"{path}.drain", text, "write True or False")
    yield from crash_mistakes(spec.poison, path)
    yield from grants_mistakes(spec.can, f"{path}.can")
    is_optional = isinstance(spec, ActorSpec)
    yield from quotas_mistakes(spec.quotas, path, optional=is_optional)
    if isinstance(spec, ActorSpec):
        if not is_time(spec.hook_timeout, allow_infinity=True):
            yield _bad_time(path, "hook_timeout", spec.hook_timeout)
        yield from _behaviour_mistakes(spec, path)
    else:
        yield from component_mistakes(spec, path)


def _behaviour_mistakes(spec: ActorSpec, path: str) -> Iterator[Mistake]:
    if not is_callable(spec.behaviour):
        text = f"{shown(spec.behaviour)} cannot be called"
        hint = "write a function or a class"
        yield Mistake(f"{path}.behaviour", text, hint)
    yield from handler_mistakes(spec.behaviour, f"{path}.behaviour")
    if not is_kind(spec.arguments, tuple):
        text = f"{shown(spec.arguments)} is not a tuple"
        yield Mistake(f"{path}.arguments", text, "write (argument, ...)")


def _bad_time(path: str, name: str, value: object) -> Mistake:
    text = f"{name} must be a number of seconds, not {shown(value)}"
    return Mistake(f"{path}.{name}", text, "write a number of seconds above 0")
