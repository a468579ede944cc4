"""Trees of supervisors that hypothesis draws, with everything a specification allows.

A tree is either fast, and then its children have pauses before their restarts; or it is
slow: starting and stopping take time, and may even time out, and there are no pauses.
Both together would need a model of what happens at the same time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
from hypothesis import strategies as st

from airssys.contracts import (
    BRUTAL_KILL,
    NO_BACKOFF,
    SUPERVISOR_SPECS,
    ActorSpec,
    AutoShutdown,
    Backoff,
    ChildSpec,
    ComponentId,
    Directive,
    DynamicSupervisorSpec,
    Growth,
    Intensity,
    RestartType,
    Shutdown,
    Strategy,
    SupervisorSpec,
    child_name,
)

from ._clock_and_habits import Habit
from ._lockstep import ALONE

if TYPE_CHECKING:
    from collections.abc import Iterator

PAUSES: Final = st.sampled_from(
    [
        NO_BACKOFF,
        NO_BACKOFF,
        Backoff(growth=Growth.CONSTANT, first=1.0),
        Backoff(growth=Growth.LINEAR, first=0.7, cap=2.0, reset_after=3.0),
        Backoff(first=0.3, factor=2.0, cap=2.0, reset_after=3.0),
        Backoff(first=0.3, factor=2.0, cap=2.0, reset_after=3.0, jitter=True),
    ]
)
WISHES: Final = st.sampled_from(
    [
        (),
        (),
        ((KeyError, Directive.STOP),),
        ((KeyError, Directive.ESCALATE),),
        ((LookupError, Directive.RESTART), (Exception, Directive.STOP)),
    ]
)
SHUTDOWNS: Final[st.SearchStrategy[Shutdown]] = st.sampled_from(
    [5.0, 5.0, 0.0, BRUTAL_KILL]
)
# No sum of these is a period or a shutdown time, so that nothing happens exactly then.
START_SECONDS: Final = st.sampled_from([0.0, 0.0, 0.23, 3.1])
STOP_SECONDS: Final = st.sampled_from([0.0, 0.0, 0.23, 3.1, 7.1])
START_TIMEOUT: Final = 4.1


@st.composite
def trees(draw: st.DrawFn, /, depth: int = 2) -> SupervisorSpec:
    """Draw a tree with that many levels below the root's children."""
    is_slow = draw(st.booleans())
    return draw(groups("root", depth, is_slow=is_slow))


@st.composite
def groups(
    draw: st.DrawFn,
    /,
    name: str,
    depth: int,
    *,
    is_slow: bool,
    **options: Any,  # noqa: ANN401  # each as the specification has it
) -> SupervisorSpec:
    """Draw a supervisor and what is below it."""
    auto_shutdown = draw(st.sampled_from(AutoShutdown))
    prefix = name.removeprefix("root")
    letters = "abcd"[: draw(st.integers(1, 4))]
    return SupervisorSpec(
        name=name,
        children=tuple(
            draw(children(f"{prefix}{letter}", auto_shutdown, depth, is_slow=is_slow))
            for letter in letters
        ),
        strategy=draw(st.sampled_from(Strategy)),
        auto_shutdown=auto_shutdown,
        intensity=draw(intensities()),
        **options,
    )


@st.composite
def intensities(draw: st.DrawFn, /) -> Intensity:
    """Draw how many restarts are allowed."""
    return Intensity(draw(st.integers(0, 3)), draw(st.sampled_from([2.0, 9.7])))


@st.composite
def children(
    draw: st.DrawFn,
    /,
    name: str,
    rule_of_parent: AutoShutdown,
    depth: int,
    *,
    is_slow: bool,
) -> ChildSpec:
    """Draw one child: a worker, a supervisor of either kind."""
    restart = draw(st.sampled_from(RestartType))
    may = rule_of_parent is not AutoShutdown.NEVER
    may = may and restart is not RestartType.PERMANENT
    options = {
        "restart": restart,
        "backoff": NO_BACKOFF if is_slow else draw(PAUSES),
        "significant": may and draw(st.booleans()),
        "on_error": draw(WISHES),
    }
    kind = draw(st.integers(0, 5)) if depth else 5
    if kind <= 1:
        return draw(groups(f"s{name}", depth - 1, is_slow=is_slow, **options))
    if kind <= 3:  # noqa: PLR2004  # of six
        return draw(dynamic_groups(f"{ALONE}-{name}", name, is_slow=is_slow, **options))
    return draw(workers(name, is_slow=is_slow, **options))


@st.composite
def workers(
    draw: st.DrawFn,
    /,
    name: str,
    *,
    is_slow: bool,
    **options: Any,  # noqa: ANN401  # each as the specification has it
) -> ActorSpec:
    """Draw a worker."""
    return ActorSpec(
        id=ComponentId("local", name),
        behaviour=print,
        shutdown=draw(SHUTDOWNS),
        start_timeout=START_TIMEOUT if is_slow else 10.0,
        **options,
    )


@st.composite
def dynamic_groups(
    draw: st.DrawFn,
    /,
    name: str,
    child: str,
    *,
    is_slow: bool,
    **options: Any,  # noqa: ANN401  # each as the specification has it
) -> DynamicSupervisorSpec:
    """Draw a dynamic supervisor, with a template or without."""
    restart, wishes = draw(st.sampled_from(RestartType)), draw(WISHES)
    backoff = NO_BACKOFF if is_slow else draw(PAUSES)
    own = {"restart": restart, "on_error": wishes, "backoff": backoff}
    template = draw(workers(child, is_slow=is_slow, **own))
    return DynamicSupervisorSpec(
        name=name,
        template=template if draw(st.booleans()) else None,
        max_children=draw(st.sampled_from([None, 1, 3])),
        intensity=draw(intensities()),
        **options,
    )


def is_slow(spec: SupervisorSpec) -> bool:
    """Say whether starting and stopping take time in a tree."""
    workers = (s for _, s in all_below(spec) if isinstance(s, ActorSpec))
    return any(worker.start_timeout == START_TIMEOUT for worker in workers)


@st.composite
def habits(draw: st.DrawFn, /, spec: SupervisorSpec) -> dict[str, Habit]:
    """Draw how the workers of a tree behave when they are started and stopped."""
    takes_time = is_slow(spec)
    return {
        name.rpartition("/")[0]: Habit(
            draw(START_SECONDS) if takes_time else 0.0,
            draw(STOP_SECONDS) if takes_time else 0.0,
            draw(st.booleans()),
        )
        for name in names_of_workers(spec)
    }


def names_of_workers(spec: SupervisorSpec) -> list[str]:
    """Return the names of all workers, templates included."""
    return [child_name(s) for _, s in all_below(spec) if isinstance(s, ActorSpec)]


def all_below(spec: ChildSpec, path: str = "root") -> Iterator[tuple[str, ChildSpec]]:
    """Visit a supervisor and everything below it, each with its own supervisor's path.

    A supervisor's own path is the one it is yielded with.
    """
    if isinstance(spec, SUPERVISOR_SPECS):
        yield path, spec
    for child in spec.children if isinstance(spec, SupervisorSpec) else ():
        below = isinstance(child, SUPERVISOR_SPECS)
        own = f"{path}/{child_name(child)}" if below else path
        yield from all_below(child, own) if below else [(path, child)]
    if isinstance(spec, DynamicSupervisorSpec) and spec.template is not None:
        yield path, spec.template


@st.composite
def changes(
    draw: st.DrawFn, /, spec: SupervisorSpec | DynamicSupervisorSpec
) -> SupervisorSpec | DynamicSupervisorSpec:
    """Draw other flags and specifications for a supervisor; they may be invalid."""
    if isinstance(spec, DynamicSupervisorSpec):
        restart, template = draw(st.sampled_from(RestartType)), spec.template
        changed = template and attrs.evolve(template, restart=restart)
        return attrs.evolve(spec, template=changed, intensity=draw(intensities()))
    kept = draw(st.permutations(spec.children))[draw(st.integers(0, 2)) :]
    return attrs.evolve(
        spec,
        children=tuple(_changed(draw, child) for child in kept),
        strategy=draw(st.sampled_from(Strategy)),
        auto_shutdown=draw(st.sampled_from(AutoShutdown)),
        intensity=draw(intensities()),
    )


def _changed(draw: st.DrawFn, child: ChildSpec) -> ChildSpec:
    if draw(st.booleans()):
        return child
    if isinstance(child, SUPERVISOR_SPECS) and draw(st.booleans()):
        return attrs.evolve(child, intensity=draw(intensities()))
    restart = draw(st.sampled_from(RestartType))
    return attrs.evolve(
        child,
        restart=restart,
        significant=restart is not RestartType.PERMANENT and draw(st.booleans()),
        on_error=draw(WISHES),
    )
