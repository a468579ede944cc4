"""A whole system as one frozen value, and the one verdict on whether it can be run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias, final

import attrs

from ._artifact import Artifact
from ._checking import is_callable, is_count, is_kind, is_text, is_time, shown
from ._errors import DefinitionError, Mistake
from ._guest import ComponentConfig, LogLevel
from ._identity import ComponentId, segment_problem
from ._limits import EngineSettings, Limits
from ._origin import Origin, place_mistakes
from ._overflow import DEFAULT_MESSAGE_BYTES, Overflow, OverflowPolicy, OverflowRules
from ._restart import (
    DEFAULT_SHUTDOWN,
    DEFAULT_START_TIMEOUT,
    BrutalKill,
    Intensity,
    RestartType,
    Strategy,
)

DEFAULT_MAILBOX: Final = 1000
DEFAULT_STOP_TIMEOUT: Final = 30.0
MAX_DEPTH: Final = 100
"""Supervisors above one another, at most."""

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
    overflow: OverflowPolicy = OverflowRules()
    """What becomes of a message that finds the mailbox full."""
    message_bytes: int = DEFAULT_MESSAGE_BYTES
    """Bytes of payload that one message may have."""
    log_level: LogLevel = LogLevel.TRACE
    """What it logs below this level is dropped, and costs no event."""
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)
    """Where it was declared."""

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
    overflow: OverflowPolicy = OverflowRules()
    message_bytes: int = DEFAULT_MESSAGE_BYTES
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)


@final
@attrs.frozen(kw_only=True)
class SupervisorSpec:
    """A supervisor and its children, started in this order, stopped in reverse."""

    name: str
    children: tuple[ChildSpec, ...] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: Intensity = Intensity()
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = math.inf
    start_timeout: float = math.inf
    """Infinite by default: its children have start times of their own."""
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)


ChildSpec: TypeAlias = ComponentSpec | ActorSpec | SupervisorSpec


@final
@attrs.frozen(kw_only=True)
class Blueprint:
    """Everything that `open_system` needs to know."""

    root: SupervisorSpec
    engine: EngineSettings = EngineSettings()
    stop_timeout: float = DEFAULT_STOP_TIMEOUT
    """Seconds for the whole tree to stop in; then everything is cancelled."""
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)


def child_name(spec: ChildSpec) -> str:
    """Name a child among its siblings."""
    return spec.name if isinstance(spec, SupervisorSpec) else str(spec.id)


def walk(root: ChildSpec, path: str = "$.root") -> Iterator[tuple[str, ChildSpec]]:
    """Visit a tree from the top, each spec with its path.

    What cannot be run is visited too, but not what is below it.
    """
    for at, spec, _ in _visit(root, path):
        yield at, spec


def find_mistakes(blueprint: Blueprint) -> list[Mistake]:
    """Look at a whole blueprint; an empty list means that it can be run.

    Raises nothing, whatever is in the blueprint. A mistake names the file and line of
    what was declared, where that is known.
    """
    if not is_kind(blueprint, Blueprint):
        text = f"{shown(blueprint)} is no Blueprint"
        return [Mistake("$", text, "write airssys.blueprint(...)")]
    places = [("$", blueprint), *walk(blueprint.root)]
    return place_mistakes(_find_mistakes(blueprint), places)


def find_spec_mistakes(spec: ChildSpec, path: str = "$") -> list[Mistake]:
    """Look at one specification and all below it; raises nothing either."""
    return place_mistakes(_find_spec_mistakes(spec, path), walk(spec, path))


def _find_mistakes(blueprint: Blueprint) -> list[Mistake]:
    mistakes: list[Mistake] = []
    if not is_kind(blueprint.engine, EngineSettings):
        text = f"{shown(blueprint.engine)} is no EngineSettings"
        mistakes.append(Mistake("$.engine", text, "write EngineSettings(...)"))
    if not is_time(blueprint.stop_timeout, allow_infinity=True):
        mistakes.append(_bad_time("$", "stop_timeout", blueprint.stop_timeout))
    if not is_kind(blueprint.root, SupervisorSpec):
        text = f"{shown(blueprint.root)} is no supervisor"
        hint = "write SupervisorSpec(name='root', children=(...))"
        return [*mistakes, Mistake("$.root", text, hint)]
    return [*mistakes, *_find_spec_mistakes(blueprint.root, "$.root")]


def _find_spec_mistakes(spec: ChildSpec, path: str) -> list[Mistake]:
    mistakes: list[Mistake] = []
    taken: dict[ComponentId, str] = {}
    for at, each, problem in _visit(spec, path):
        if problem is not None:
            mistakes.append(problem)
        else:
            mistakes.extend(_mistakes_of(each, at))
            mistakes.extend(_name_taken(each, at, taken))
    return mistakes


def check(blueprint: Blueprint) -> None:
    """Refuse a blueprint that cannot be run.

    Raises:
        DefinitionError: with every mistake, each with its path and a hint.
    """
    if mistakes := find_mistakes(blueprint):
        raise DefinitionError(mistakes)


def _children_of(spec: object, path: str) -> list[tuple[str, ChildSpec]]:
    """Name the children of a spec by their paths, as far as they can be told apart."""
    if isinstance(spec, SupervisorSpec) and is_kind(spec.children, (tuple, list)):
        children = enumerate(spec.children)
        return [(f"{path}.children[{index}]", child) for index, child in children]
    return []


def _visit(
    root: ChildSpec, path: str
) -> Iterator[tuple[str, ChildSpec, Mistake | None]]:
    """Visit what may not be a tree; what is not entered comes with the reason.

    A supervisor that stands in two places, or inside itself, is entered once: else
    the visit might take for ever.
    """
    entered: dict[int, str] = {}
    stack: list[tuple[str, ChildSpec, int]] = [(path, root, 0)]
    while stack:
        path, spec, depth = stack.pop()
        problem = None
        if isinstance(spec, SupervisorSpec):
            problem = _misplacement(path, entered.get(id(spec)), depth)
            entered.setdefault(id(spec), path)
        yield path, spec, problem
        if problem is None:
            below = [(p, s, depth + 1) for p, s in _children_of(spec, path)]
            stack.extend(reversed(below))


def _misplacement(path: str, other: str | None, depth: int) -> Mistake | None:
    if other is not None:
        is_inside = path.startswith(f"{other}.children[")
        text = "it is inside itself" if is_inside else f"it stands at {other} already"
        return Mistake(path, text, "make a supervisor of its own for each place")
    if depth >= MAX_DEPTH:
        text = f"there are {depth} supervisors above it"
        return Mistake(path, text, f"nest them at most {MAX_DEPTH} deep")
    return None


def _name_taken(
    spec: ChildSpec, path: str, taken: dict[ComponentId, str]
) -> Iterator[Mistake]:
    """Take the name of an actor, or say who has it."""
    if not isinstance(spec, (ComponentSpec, ActorSpec)):
        return
    if not is_kind(spec.id, ComponentId):
        return
    if spec.id in taken:
        text = f"the name {spec.id} is taken by {taken[spec.id]}"
        hint = "names are unique in a system: choose another one"
        yield Mistake(f"{path}.id", text, hint)
    taken.setdefault(spec.id, path)


def _mistakes_of(spec: ChildSpec, path: str) -> Iterator[Mistake]:
    if not is_kind(spec, (SupervisorSpec, ComponentSpec, ActorSpec)):
        hint = "write component(...), actor(...) or supervisor(...)"
        yield Mistake(path, f"{shown(spec)} is no child", hint)
        return
    match spec:
        case SupervisorSpec():
            yield from _supervisor_mistakes(spec, path)
        case ComponentSpec() | ActorSpec():
            yield from _actor_mistakes(spec, path)
    if not is_kind(spec.restart, RestartType):
        hint = "write 'permanent', 'transient' or 'temporary' as a RestartType"
        yield Mistake(f"{path}.restart", f"{shown(spec.restart)} is no type", hint)
    is_kill = is_kind(spec.shutdown, BrutalKill)
    if not is_kill and not is_time(spec.shutdown, allow_infinity=True, allow_zero=True):
        hint = "seconds, 0 or more, math.inf or BRUTAL_KILL"
        text = f"{shown(spec.shutdown)} is no time"
        yield Mistake(f"{path}.shutdown", text, hint)
    if not is_time(spec.start_timeout, allow_infinity=True):
        yield _bad_time(path, "start_timeout", spec.start_timeout)


def _supervisor_mistakes(spec: SupervisorSpec, path: str) -> Iterator[Mistake]:
    if problem := segment_problem(spec.name):
        hint = "a short printable name without slashes"
        yield Mistake(f"{path}.name", f"{shown(spec.name)} {problem}", hint)
    if not is_kind(spec.strategy, Strategy):
        text = f"{shown(spec.strategy)} is no Strategy"
        yield Mistake(f"{path}.strategy", text, "write Strategy.ONE_FOR_ONE")
    if not is_kind(spec.intensity, Intensity):
        text = f"{shown(spec.intensity)} is no Intensity"
        yield Mistake(f"{path}.intensity", text, "write Intensity(restarts, seconds)")
    else:
        restarts, period = spec.intensity.restarts, spec.intensity.period
        if not is_count(restarts, at_least=0):
            text = f"{shown(restarts)} is no number of restarts"
            hint = "a whole number, 0 or more"
            yield Mistake(f"{path}.intensity.restarts", text, hint)
        if not is_time(period, allow_infinity=False):
            yield _bad_time(f"{path}.intensity", "period", period)
    if not is_kind(spec.children, tuple):
        text = f"{shown(spec.children)} is no tuple"
        yield Mistake(f"{path}.children", text, "write (child, ...)")
    below = [child for _, child in _children_of(spec, path)]
    names = Counter(
        c.name for c in below if isinstance(c, SupervisorSpec) and is_text(c.name)
    )
    for name in sorted(name for name, count in names.items() if count > 1):
        text = f"{names[name]} supervisors are called {shown(name)}"
        yield Mistake(f"{path}.children", text, "call each of them differently")


def _actor_mistakes(spec: ComponentSpec | ActorSpec, path: str) -> Iterator[Mistake]:
    if not is_kind(spec.id, ComponentId):
        hint = "write a name, or 'namespace/name/instance', as ComponentId.parse reads"
        yield Mistake(f"{path}.id", f"{shown(spec.id)} is no ComponentId", hint)
    yield from _mailbox_mistakes(spec, path)
    if isinstance(spec, ActorSpec):
        yield from _behaviour_mistakes(spec, path)
        return
    if not is_kind(spec.artifact, Artifact):
        text = f"{shown(spec.artifact)} is no artifact"
        yield Mistake(f"{path}.artifact", text, "write Artifact.at(path)")
    elif not is_kind(spec.artifact.source, (Path, bytes, str)):
        text = f"{shown(spec.artifact.source)} is no code"
        hint = "a Path, bytes, or WAT text as str"
        yield Mistake(f"{path}.artifact.source", text, hint)
    if not is_kind(spec.log_level, LogLevel):
        text = f"{shown(spec.log_level)} is no level"
        hint = "write 'trace', 'debug', 'info', 'warn' or 'error' as a LogLevel"
        yield Mistake(f"{path}.log_level", text, hint)
    if not is_kind(spec.config, ComponentConfig):
        text = f"{shown(spec.config)} is no ComponentConfig"
        yield Mistake(f"{path}.config", text, "write ComponentConfig(...)")
    else:
        yield from _config_mistakes(spec.config, f"{path}.config")


def _mailbox_mistakes(spec: ComponentSpec | ActorSpec, path: str) -> Iterator[Mistake]:
    if not is_count(spec.mailbox, at_least=1):
        text = f"{shown(spec.mailbox)} is no capacity"
        yield Mistake(f"{path}.mailbox", text, "a whole number, 1 or more")
    yield from _overflow_mistakes(spec.overflow, f"{path}.overflow")
    if not is_count(spec.message_bytes, at_least=0):
        text = f"{shown(spec.message_bytes)} is no number of bytes"
        yield Mistake(f"{path}.message_bytes", text, "a whole number, 0 or more")


def _overflow_mistakes(policy: OverflowPolicy, path: str) -> Iterator[Mistake]:
    hint = f"one of {', '.join(repr(each.value) for each in Overflow)}"
    if is_kind(policy, OverflowRules):
        for name in attrs.fields_dict(OverflowRules):
            each = getattr(policy, name)
            if not is_kind(each, Overflow):
                yield Mistake(f"{path}.{name}", f"{shown(each)} is no policy", hint)
    elif not is_kind(policy, Overflow):
        hint += ", or a dict of one for each priority"
        yield Mistake(path, f"{shown(policy)} is no policy", hint)


def _behaviour_mistakes(spec: ActorSpec, path: str) -> Iterator[Mistake]:
    if not is_callable(spec.behaviour):
        text = f"{shown(spec.behaviour)} cannot be called"
        hint = "an async function or a class"
        yield Mistake(f"{path}.behaviour", text, hint)
    if not is_kind(spec.arguments, tuple):
        text = f"{shown(spec.arguments)} is no tuple"
        yield Mistake(f"{path}.arguments", text, "write (argument, ...)")


def _config_mistakes(config: ComponentConfig, path: str) -> Iterator[Mistake]:
    if not is_kind(config.limits, Limits):
        text = f"{shown(config.limits)} is no Limits"
        yield Mistake(f"{path}.limits", text, "write Limits(...)")
    if config.data is not None and not is_kind(config.data, bytes):
        text = f"{shown(config.data)} is neither bytes nor None"
        yield Mistake(f"{path}.data", text, "encode text, e.g. by str.encode")
    if not is_kind(config.env, tuple):
        text = f"{shown(config.env)} is no tuple"
        yield Mistake(f"{path}.env", text, "write (('NAME', 'value'), ...)")
        return
    for index, pair in enumerate(config.env):
        is_pair = is_kind(pair, tuple) and len(pair) == 2  # noqa: PLR2004 (a pair)
        if not is_pair or not all(map(is_text, pair)):
            text = f"{shown(pair)} is no name with a value"
            hint = "write ('NAME', 'value'), both of them text that UTF-8 can hold"
            yield Mistake(f"{path}.env[{index}]", text, hint)


def _bad_time(path: str, name: str, value: object) -> Mistake:
    return Mistake(f"{path}.{name}", f"{shown(value)} is no time", "seconds, above 0")
