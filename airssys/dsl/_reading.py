"""Turns what is convenient to write into specs, and judges nothing.

What cannot be read is passed on as it is, and what no spec can hold goes into its
origin, so that looking at the blueprint finds all mistakes at once, each in its place.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import attrs

from airssys.contracts import (
    ActorSpec,
    Artifact,
    Blueprint,
    ChildSpec,
    ComponentConfig,
    ComponentId,
    ComponentSpec,
    EngineSettings,
    Intensity,
    Limits,
    Mistake,
    Origin,
    RestartType,
    SupervisorSpec,
    placed,
)

from ._declarations import Declaration, Kind
from ._vocabulary import (
    ActorOptions,
    ComponentOptions,
    SupervisorOptions,
    TopologyOptions,
)

Options = Mapping[str, object]

_Word = TypeVar("_Word")


def read_component(
    name: object, code: object, options: Options, origin: Origin
) -> ComponentSpec:
    """Read a component actor."""
    said, origin = _known(options, ComponentOptions, origin)
    data, env = said.pop("data", None), said.pop("env", None)
    config = ComponentConfig(
        env=_environment(env),
        data=_read(str.encode, data) if isinstance(data, str) else cast("Any", data),
        limits=_settings(Limits, said.pop("limits", None)),
    )
    return ComponentSpec(
        id=_identity(name),
        artifact=read_artifact(code, origin),
        config=config,
        origin=origin,
        **_lifetime(said),
    )


def read_actor(
    name: object,
    behaviour: object,
    arguments: tuple[object, ...],
    options: Options,
    origin: Origin,
) -> ActorSpec:
    """Read a Python actor."""
    said, origin = _known(options, ActorOptions, origin)
    found = (*origin.mistakes, *_behaviour_mistakes(behaviour, arguments))
    return ActorSpec(
        id=_identity(name),
        behaviour=cast("Any", behaviour),
        arguments=arguments,
        origin=attrs.evolve(origin, mistakes=found),
        **_lifetime(said),
    )


def read_supervisor(
    name: object, children: tuple[ChildSpec, ...], options: Options, origin: Origin
) -> SupervisorSpec:
    """Read a supervisor of children that were read already."""
    said, origin = _known(options, SupervisorOptions, origin)
    return SupervisorSpec(
        name=cast("Any", name),
        children=children,
        intensity=_intensity(said),
        origin=origin,
        **_lifetime(said),
    )


def read_blueprint(
    children: tuple[ChildSpec, ...],
    options: Options,
    origin: Origin,
    mistakes: tuple[Mistake, ...] = (),
) -> Blueprint:
    """Read a whole system, whose root supervisor is called `root`.

    Args:
        children: of the root, read already.
        options: as they were written.
        origin: where the system was declared.
        mistakes: what stands among the children of the root and is none.
    """
    said, origin = _known(options, TopologyOptions, origin)
    root = SupervisorSpec(
        name="root",
        children=children,
        intensity=_intensity(said),
        origin=attrs.evolve(origin, mistakes=mistakes),
    )
    engine = _settings(EngineSettings, said.pop("engine", None))
    return Blueprint(root=root, engine=engine, origin=origin, **cast("Any", said))


def take_over(
    declared: Declaration, options: Options, origin: Origin
) -> tuple[dict[str, object], Origin]:
    """Take over a declaration, but for its names and for the options given again.

    What is wrong with its own options stays a mistake of the place where it stands.
    """
    is_actor = declared.kind is Kind.ACTOR
    said = {word: value for word, value in declared.options.items() if word != "names"}
    said, there = _known(
        said, ActorOptions if is_actor else ComponentOptions, declared.origin
    )
    mistakes = tuple(placed((), there, ""))
    return {**said, **options}, attrs.evolve(origin, mistakes=mistakes)


def _known(
    options: Options, vocabulary: type[Any], origin: Origin
) -> tuple[dict[str, object], Origin]:
    """Keep the options that there are; the others are mistakes."""
    known = vocabulary.__optional_keys__
    unknown = [word for word in options if word not in known]
    if not unknown:
        return dict(options), origin
    mistakes = tuple(_no_option(word, known) for word in unknown)
    return (
        {word: value for word, value in options.items() if word in known},
        attrs.evolve(origin, mistakes=(*origin.mistakes, *mistakes)),
    )


def _no_option(word: str, known: frozenset[str]) -> Mistake:
    close = difflib.get_close_matches(word, known, 1)
    hint = (
        f"did you mean {close[0]}?"
        if close
        else "there are " + ", ".join(sorted(known))
    )
    return Mistake(f".{word}", f"there is no option {word!r}", hint)


def _lifetime(said: dict[str, object]) -> dict[str, Any]:
    """Read what all children have in common; the rest are fields of the spec."""
    if isinstance(said.get("restart"), str):
        said["restart"] = _read(RestartType, said["restart"])
    return said


def _intensity(said: dict[str, object]) -> Intensity:
    words = {w: said.pop(w) for w in ("restarts", "period") if w in said}
    return Intensity(**cast("Any", words))


def _identity(name: object) -> ComponentId:
    if isinstance(name, str):
        return _read(ComponentId.parse, name)
    return cast("ComponentId", name)


def _environment(env: object) -> tuple[tuple[str, str], ...]:
    if isinstance(env, Mapping):
        return tuple(env.items())
    return () if env is None else cast("Any", env)


def _settings(kind: type[_Word], given: object) -> _Word:
    if isinstance(given, Mapping):
        return _read(lambda values: kind(**values), given)
    return kind() if given is None else cast("_Word", given)


def read_artifact(code: object, origin: Origin) -> Artifact:
    """Read where code comes from; a relative path begins where it was written."""
    match code:
        case str() | Path():
            is_file = not origin.file.startswith("<")
            folder = Path(origin.file).parent if is_file else Path()
            return Artifact.at(folder / code)
        case bytes():
            return Artifact.from_bytes(code)
        case _:
            return cast("Artifact", code)


def _read(reader: Callable[[Any], _Word], given: object) -> _Word:
    """Read a word; one that cannot be read is left for the blueprint's own check."""
    try:
        return reader(given)
    except (TypeError, ValueError):
        return cast("_Word", given)


def _behaviour_mistakes(
    behaviour: object, arguments: tuple[object, ...]
) -> Iterator[Mistake]:
    """Say why an actor could never handle a message, as far as can be seen."""
    if not callable(behaviour):
        return
    name = getattr(behaviour, "__qualname__", type(behaviour).__name__)
    handle: object = behaviour
    given: tuple[None, ...] = (None, None)
    if inspect.isclass(handle):
        if problem := _misfit(handle, arguments):
            hint = "the arguments follow the class: actor(name, class, ...)"
            yield Mistake(".arguments", f"{name} cannot be made: {problem}", hint)
        handle = getattr(behaviour, "handle", None)
        as_written = inspect.getattr_static(behaviour, "handle", None)
        is_bound = isinstance(as_written, (staticmethod, classmethod))
        given = (None,) * (2 if is_bound else 3)
        if handle is None and getattr(behaviour, "__getattr__", None) is not None:
            return
    if not callable(handle):
        hint = "write `async def handle(self, context, envelope)`"
        yield Mistake(".behaviour", f"{name} has no method `handle`", hint)
    elif problem := _misfit(handle, given):
        hint = "it is called with the context and the envelope"
        yield Mistake(".behaviour", f"{name} cannot handle: {problem}", hint)
    elif inspect.isasyncgenfunction(handle):
        yield Mistake(".behaviour", f"{name} yields", "return the answer instead")


def _misfit(code: Callable[..., Any], arguments: tuple[object, ...]) -> str | None:
    """Say why something cannot be called with these; None if it can, or may."""
    try:
        signature = inspect.signature(code)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*arguments)
    except TypeError as error:
        return str(error)
    return None
