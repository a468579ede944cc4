"""Turns what is convenient to write into specs.

What no spec can hold is noted in its origin, with the default in its place. What a spec
can hold is not judged here: looking at the blueprint finds that.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import attrs

from airssys.contracts import (
    ActorSpec,
    Artifact,
    AutoShutdown,
    Blueprint,
    ChildSpec,
    ComponentConfig,
    ComponentId,
    ComponentSpec,
    Directive,
    EngineSettings,
    Intensity,
    Limits,
    LogLevel,
    Mistake,
    Origin,
    Overflow,
    OverflowRules,
    RestartType,
    Strategy,
    SupervisorSpec,
)

from ._behaviours import behaviour_mistakes
from ._declarations import Declaration, Kind, shown
from ._vocabulary import (
    ActorOptions,
    ComponentOptions,
    SupervisorOptions,
    TopologyOptions,
)

if TYPE_CHECKING:
    from enum import Enum

Options = Mapping[str, object]

_WORDS: Final[dict[str, type[Enum]]] = {
    "auto_shutdown": AutoShutdown,
    "log_level": LogLevel,
    "overflow": Overflow,
    "restart": RestartType,
    "strategy": Strategy,
}
"""Options that may be written as a word; the words are the values."""

_T = TypeVar("_T")


def read_component(
    name: object, code: object, options: Options, origin: Origin
) -> ComponentSpec:
    """Read a component actor."""
    said, mistakes = _read_options(options, ComponentOptions)
    config = ComponentConfig(
        env=_read_env(said.pop("env", None), mistakes),
        data=_read_data(said.pop("data", None), mistakes),
        limits=_read_limits(said.pop("limits", None), mistakes),
    )
    return ComponentSpec(
        id=_read_name(name),
        artifact=read_artifact(code, origin),
        config=config,
        origin=_noted(origin, mistakes),
        **said,
    )


def read_actor(
    name: object,
    behaviour: object,
    arguments: tuple[object, ...],
    options: Options,
    origin: Origin,
) -> ActorSpec:
    """Read a Python actor."""
    said, mistakes = _read_options(options, ActorOptions)
    mistakes += behaviour_mistakes(behaviour, arguments)
    return ActorSpec(
        id=_read_name(name),
        behaviour=cast("Any", behaviour),
        arguments=arguments,
        origin=_noted(origin, mistakes),
        **said,
    )


def read_supervisor(
    name: object, children: tuple[ChildSpec, ...], options: Options, origin: Origin
) -> SupervisorSpec:
    """Read a supervisor of children that were read already."""
    said, mistakes = _read_options(options, SupervisorOptions)
    return SupervisorSpec(
        name=cast("Any", name),
        children=children,
        intensity=_pop_intensity(said),
        origin=_noted(origin, mistakes),
        **said,
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
    said, others = _read_options(options, TopologyOptions)
    of_root = ("strategy", "auto_shutdown")
    root = SupervisorSpec(
        name="root",
        children=children,
        intensity=_pop_intensity(said),
        **{word: said.pop(word) for word in of_root if word in said},
        origin=attrs.evolve(origin, mistakes=mistakes),
    )
    engine = said.pop("engine", None)
    if isinstance(engine, EngineSettings):
        said["engine"] = engine
    elif engine is not None:
        text = f"{shown(engine)} is no EngineSettings"
        others.append(Mistake(".engine", text, "write EngineSettings(...)"))
    return Blueprint(root=root, origin=_noted(origin, others), **said)


def read_artifact(code: object, origin: Origin) -> Artifact:
    """Read where code comes from; a relative path begins where it was written."""
    match code:
        case str() | Path():
            # Of what is no file, e.g. <stdin>, the parent is the current directory.
            return Artifact.at(Path(origin.file).parent / code)
        case bytes():
            return Artifact.from_bytes(code)
        case _:
            return cast("Artifact", code)


def take_over(
    declared: Declaration, options: Options, origin: Origin
) -> tuple[dict[str, object], Origin]:
    """Take over a declaration, but for its names and for the options given again.

    What is wrong with its own options stays a mistake of the place where it stands.
    """
    is_actor = declared.kind is Kind.ACTOR
    known = (ActorOptions if is_actor else ComponentOptions).__optional_keys__
    taken = {word: value for word, value in declared.options.items() if word in known}
    unknown = declared.options.keys() - known - {"names"}
    there = declared.origin
    mistakes = [_no_option(word, known) for word in sorted(unknown)]
    noted = tuple(
        attrs.evolve(m, file=m.file or there.file, line=m.line or there.line)
        for m in (*there.mistakes, *mistakes)
    )
    return {**taken, **options}, attrs.evolve(origin, mistakes=noted)


def _noted(origin: Origin, mistakes: list[Mistake]) -> Origin:
    if not mistakes:
        return origin
    return attrs.evolve(origin, mistakes=(*origin.mistakes, *mistakes))


def _read_options(
    options: Options, vocabulary: type[Any]
) -> tuple[dict[str, Any], list[Mistake]]:
    """Keep the options that there are, with their words read; others are mistakes."""
    known: frozenset[str] = vocabulary.__optional_keys__
    said = {word: value for word, value in options.items() if word in known}
    for word, kind in _WORDS.items():
        if isinstance(text := said.get(word), str):
            said[word] = _read(kind, text)
    if isinstance(table := said.get("on_error"), Mapping):
        said["on_error"] = tuple(
            (kind, _read(Directive, word) if isinstance(word, str) else word)
            for kind, word in table.items()
        )
    mistakes = [_no_option(word, known) for word in options if word not in known]
    if isinstance(rules := said.get("overflow"), Mapping):
        said["overflow"] = _read_rules(rules, mistakes)
    return said, mistakes


def _no_option(word: str, known: frozenset[str]) -> Mistake:
    close = difflib.get_close_matches(word, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"there are {_list(known)}"
    return Mistake(f".{word}", f"there is no option {word!r}", hint)


def _pop_intensity(said: dict[str, Any]) -> Intensity:
    words = {word: said.pop(word) for word in ("restarts", "period") if word in said}
    return Intensity(**words)


def _read_name(name: object) -> ComponentId:
    if isinstance(name, str):
        return _read(ComponentId.parse, name)
    return cast("ComponentId", name)


def _read_data(data: object, mistakes: list[Mistake]) -> bytes | None:
    if isinstance(data, str):
        data = _read(lambda text: text.encode(), data)
    if data is None or isinstance(data, bytes):
        return data
    hint = "bytes, or text, which goes as UTF-8"
    mistakes.append(Mistake(".data", f"{shown(data)} is no data", hint))
    return None


def _read_env(env: object, mistakes: list[Mistake]) -> tuple[tuple[str, str], ...]:
    if env is None:
        return ()
    if isinstance(env, Mapping):
        pairs = tuple(env.items())
        if all(isinstance(text, str) for pair in pairs for text in pair):
            return pairs
    hint = "a dict of names and values, both text"
    mistakes.append(Mistake(".env", f"{shown(env)} is no environment", hint))
    return ()


def _read_rules(
    given: Mapping[object, object], mistakes: list[Mistake]
) -> OverflowRules:
    fields = attrs.fields_dict(OverflowRules)
    read: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(name, str) and name in fields:
            read[name] = _read(Overflow, value) if isinstance(value, str) else value
        else:
            text = f"there is no priority {shown(name)}"
            hint = f"there are {_list(fields)}"
            mistakes.append(Mistake(f".overflow.{name}", text, hint))
    return OverflowRules(**read)


def _read_limits(given: object, mistakes: list[Mistake]) -> Limits:
    """Read plain values; where `Limits` would stop at the first mistake, find all."""
    if given is None:
        return Limits()
    if isinstance(given, Limits):
        return given
    if not isinstance(given, Mapping):
        text = f"{shown(given)} are no limits"
        hint = "write Limits(...), or a dict of plain values"
        mistakes.append(Mistake(".limits", text, hint))
        return Limits()
    fields = attrs.fields_dict(Limits)
    read: dict[str, Any] = {}
    for name, value in given.items():
        if name not in fields:
            hint = f"there are {_list(fields)}"
            text = f"there is no limit {shown(name)}"
            mistakes.append(Mistake(f".limits.{name}", text, hint))
            continue
        try:
            Limits(**{name: value})
        except ValueError as error:
            hint = "leave it out for its default"
            mistakes.append(Mistake(f".limits.{name}", str(error), hint))
        else:
            read[name] = value
    return Limits(**read)


def _list(names: Mapping[str, object] | frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _read(reader: Callable[[str], _T], text: str) -> _T:
    """Read a word; one that cannot be read is left for the blueprint's own check."""
    try:
        return reader(text)
    except ValueError:
        return cast("_T", text)
