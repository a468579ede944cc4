"""Turns what is convenient to write into specs.

What no spec can hold is noted in its origin, with the default in its place. What a spec
can hold is not judged here: looking at the blueprint finds that.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from airssys.contracts import (
    MAX_DEPTH,
    ActorSpec,
    Artifact,
    AutoShutdown,
    Backoff,
    Blueprint,
    ChildSpec,
    ComponentConfig,
    ComponentId,
    ComponentSpec,
    Directive,
    DynamicSupervisorSpec,
    EngineSettings,
    Health,
    Intensity,
    Lag,
    LogLevel,
    Mistake,
    OnAbandoned,
    Origin,
    Overflow,
    Poison,
    PoolSize,
    PoolSpec,
    RestartType,
    Routing,
    Strategy,
    SupervisorSpec,
    TaskSpec,
)

from ._behaviours import (
    ARGUMENTS,
    behaviour_mistakes,
    few_argument_mistakes,
    task_mistakes,
)
from ._codecs import codec_clash, codecs_read_by, pop_codecs
from ._declarations import Declaration, Kind, declaration_of, shown
from ._plain_values import listed, read_limits, read_rules, read_values, read_word
from ._vocabulary import (
    ActorOptions,
    ComponentOptions,
    DynamicSupervisorOptions,
    PoolOptions,
    SupervisorOptions,
    TaskOptions,
    TopologyOptions,
)

if TYPE_CHECKING:
    from enum import Enum

Options = Mapping[str, object]

_WORDS: Final[dict[str, type[Enum]]] = {
    "auto_shutdown": AutoShutdown,
    "lag": Lag,
    "log_level": LogLevel,
    "on_abandoned": OnAbandoned,
    "overflow": Overflow,
    "poison": Poison,
    "restart": RestartType,
    "routing": Routing,
    "strategy": Strategy,
}
"""Options that may be written as a word; the words are the values."""

_OPTIONS: Final[dict[Kind, type[Any]]] = {
    Kind.ACTOR: ActorOptions,
    Kind.COMPONENT: ComponentOptions,
    Kind.TASK: TaskOptions,
}
"""What may be said of what can be taken over."""


def read_component(
    name: object, code: object, options: Options, origin: Origin
) -> ComponentSpec:
    """Read a component actor."""
    said, mistakes = _read_options(options, ComponentOptions)
    config = ComponentConfig(
        env=_read_env(said.pop("env", None), mistakes),
        data=_read_data(said.pop("data", None), mistakes),
        limits=read_limits(said.pop("limits", None), mistakes),
    )
    return ComponentSpec(
        id=_read_name(name),
        artifact=read_artifact(code, origin),
        config=config,
        codecs=pop_codecs(said),
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
    codecs = pop_codecs(said)
    mistakes += codec_clash(behaviour, codecs)
    return ActorSpec(
        id=_read_name(name),
        behaviour=cast("Any", behaviour),
        arguments=arguments,
        codecs=codecs or codecs_read_by(behaviour),
        origin=_noted(origin, mistakes),
        **said,
    )


def read_pool(
    name: object,
    member: ActorSpec | ComponentSpec,
    options: Options,
    origin: Origin,
) -> PoolSpec:
    """Read a pool of a member that was read already."""
    said, mistakes = _read_options(options, PoolOptions)
    if isinstance(size := said.get("size"), Mapping):
        said["size"] = _read_size(size, mistakes)
    return PoolSpec(
        id=_read_name(name),
        member=member,
        intensity=_pop_intensity(said),
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


def read_dynamic(
    name: object, template: object, options: Options, origin: Origin
) -> DynamicSupervisorSpec:
    """Read a dynamic supervisor; a template that was declared is called like it."""
    said, mistakes = _read_options(options, DynamicSupervisorOptions)
    declared = declaration_of(template)
    if declared is not None and declared.kind is Kind.ACTOR:
        taken, there = take_over(declared, {}, declared.origin)
        template = read_actor(
            _template_name(declared, name), template, (), taken, there
        )
    elif declared is not None and declared.kind is Kind.COMPONENT:
        taken, there = take_over(declared, {}, declared.origin)
        code = read_artifact(declared.code, declared.origin)
        template = read_component(_template_name(declared, name), code, taken, there)
    if isinstance(template, (ActorSpec, SupervisorSpec)):
        template = _without_argument_mistakes(template)
    return DynamicSupervisorSpec(
        name=cast("Any", name),
        template=cast("Any", template),
        intensity=_pop_intensity(said),
        origin=_noted(origin, mistakes),
        **said,
    )


def _without_argument_mistakes(template: ChildSpec, above: int = 0) -> ChildSpec:
    """Believe that each start adds the arguments that the template leaves out.

    What is nested too deep is left to whoever refuses it.
    """
    if isinstance(template, SupervisorSpec) and above < MAX_DEPTH:
        below = (_without_argument_mistakes(c, above + 1) for c in template.children)
        return attrs.evolve(template, children=tuple(below))
    if not isinstance(template, ActorSpec):
        return template
    origin = template.origin
    if origin is None:
        return template
    others = tuple(m for m in origin.mistakes if m.path != ARGUMENTS)
    few = few_argument_mistakes(template.behaviour, template.arguments)
    origin = attrs.evolve(origin, mistakes=(*others, *few))
    return attrs.evolve(template, origin=origin)


def _template_name(declared: Declaration, name: object) -> object:
    return declared.options.get("names", name)


def read_task(
    name: object,
    function: object,
    arguments: tuple[object, ...],
    options: Options,
    origin: Origin,
) -> TaskSpec:
    """Read an async function that is a child."""
    said, mistakes = _read_options(options, TaskOptions)
    takes_context = said.get("context") is True
    mistakes += task_mistakes(function, arguments, takes_context=takes_context)
    return TaskSpec(
        name=cast("Any", name),
        function=cast("Any", function),
        arguments=arguments,
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
    known: frozenset[str] = _OPTIONS[declared.kind].__optional_keys__
    taken = {word: value for word, value in declared.options.items() if word in known}
    own = frozenset() if declared.kind is Kind.TASK else frozenset({"names"})
    unknown = declared.options.keys() - known - own
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
            said[word] = read_word(kind, text)
    if isinstance(table := said.get("on_error"), Mapping):
        said["on_error"] = tuple(
            (kind, read_word(Directive, word) if isinstance(word, str) else word)
            for kind, word in table.items()
        )
    if "topics" in said:
        said["topics"] = _read_topics(said["topics"])
    mistakes = [_no_option(word, known) for word in options if word not in known]
    if isinstance(rules := said.get("overflow"), Mapping):
        said["overflow"] = read_rules(rules, mistakes)
    for word, made in (("backoff", Backoff), ("health", Health)):
        if isinstance(values := said.get(word), Mapping):
            said[word] = read_values(made, word, values, mistakes)
    return said, mistakes


def _read_topics(topics: object) -> object:
    """Read one pattern or several; what is neither is left for the blueprint's check."""
    if isinstance(topics, str):
        return (topics,)
    return tuple(topics) if isinstance(topics, Sequence) else topics


def _no_option(word: str, known: frozenset[str]) -> Mistake:
    close = difflib.get_close_matches(word, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"there are {listed(known)}"
    return Mistake(f".{word}", f"there is no option {word!r}", hint)


def _pop_intensity(said: dict[str, Any]) -> Intensity:
    words = {word: said.pop(word) for word in ("restarts", "period") if word in said}
    return Intensity(**words)


def _read_name(name: object) -> ComponentId:
    if isinstance(name, str):
        return read_word(ComponentId.parse, name)
    return cast("ComponentId", name)


def _read_data(data: object, mistakes: list[Mistake]) -> bytes | None:
    if isinstance(data, str):
        data = read_word(lambda text: text.encode(), data)
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


def _read_size(
    given: Mapping[object, object], mistakes: list[Mistake]
) -> PoolSize | int:
    fields = attrs.fields_dict(PoolSize)
    for name in given:
        if name not in fields:
            text, hint = f"there is no {shown(name)}", f"there are {listed(fields)}"
            mistakes.append(Mistake(f".size.{name}", text, hint))
    read: dict[str, Any] = {str(n): v for n, v in given.items() if n in fields}
    if "maximum" not in read:
        hint = "say how many members there may be"
        mistakes.append(Mistake(".size.maximum", "it is missing", hint))
        return 1
    return PoolSize(**read)
