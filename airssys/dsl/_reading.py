"""Converts what is convenient to write into specifications.

What no specification can hold is noted in its origin, and the default is used in its
place. What a specification can hold is not checked here; the check of the blueprint
does that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    CheckpointEvery,
    ChildSpec,
    ComponentConfig,
    ComponentId,
    ComponentSpec,
    Directive,
    DynamicSupervisorSpec,
    EngineSettings,
    Grant,
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
    RestartFrom,
    RestartType,
    Routing,
    StartFrom,
    Strategy,
    SupervisorSpec,
    TaskSpec,
    is_a,
    meant,
)
from airssys.security.manifest import (
    describe,
    effective,
    granted_too,
    requested,
    with_manifest,
)

from ._behaviours import (
    ARGUMENTS,
    behaviour_mistakes,
    few_argument_mistakes,
    task_mistakes,
)
from ._codecs import codec_clash, codecs_read_by, pop_codecs
from ._declarations import Declaration, Kind, declaration_of, shown
from ._plain_values import read_limits, read_quotas, read_rules, read_values, read_word
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
    "restart_from": RestartFrom,
    "start_from": StartFrom,
    "routing": Routing,
    "strategy": Strategy,
}
"""Options that may be written as a word; the words are the values."""

_OPTIONS: Final[dict[Kind, type[Any]]] = {
    Kind.ACTOR: ActorOptions,
    Kind.COMPONENT: ComponentOptions,
    Kind.TASK: TaskOptions,
}
"""The options of each kind of declaration that can be reused."""


def read_component(
    name: object, code: object, options: Options, origin: Origin
) -> ComponentSpec:
    """Read a component actor; what is written here wins over its manifest."""
    artifact = read_artifact(code, origin)
    described = describe(artifact)
    written = options
    if described is not None:
        artifact, options = described.artifact, with_manifest(options, described)
    chosen, mistakes = _read_options(options, ComponentOptions)
    if described is not None:
        granted = chosen.get("can", ())
        chosen["requested"] = requested(described, granted, written)
        chosen["can"] = effective(described.requests, granted)
        mistakes += described.mistakes
    config = ComponentConfig(
        env=_read_env(chosen.pop("env", None), mistakes),
        data=_read_data(chosen.pop("data", None), mistakes),
        arguments=_read_arguments(chosen.pop("arguments", None), mistakes),
        stdin=_read_data(chosen.pop("stdin", None), mistakes, ".stdin"),
        listen=chosen.pop("listen", None),
        keep=chosen.pop("keep", 1),
        handles_http=chosen.pop("handles_http", False),
        passes_stdio=chosen.pop("passes_stdio", False),
        limits=read_limits(chosen.pop("limits", None), mistakes),
    )
    every = chosen.get("checkpoint_every")
    if isinstance(every, Mapping):
        chosen["checkpoint_every"] = read_values(
            CheckpointEvery, "checkpoint_every", every, mistakes
        )
    elif isinstance(every, (int, float)):
        chosen["checkpoint_every"] = CheckpointEvery(seconds=every)
    host = chosen.pop("host", None)
    if host is not None and is_a(artifact, Artifact):
        artifact = _read_host(artifact, host)
    return ComponentSpec(
        id=_read_name(name),
        artifact=artifact,
        config=config,
        codecs=pop_codecs(chosen),
        origin=_noted(origin, mistakes),
        **chosen,
    )


def read_actor(
    name: object,
    behaviour: object,
    arguments: tuple[object, ...],
    options: Options,
    origin: Origin,
) -> ActorSpec:
    """Read a Python actor."""
    chosen, mistakes = _read_options(options, ActorOptions)
    mistakes += behaviour_mistakes(behaviour, arguments)
    codecs = pop_codecs(chosen)
    mistakes += codec_clash(behaviour, codecs)
    return ActorSpec(
        id=_read_name(name),
        behaviour=cast("Any", behaviour),
        arguments=arguments,
        codecs=codecs or codecs_read_by(behaviour),
        origin=_noted(origin, mistakes),
        **chosen,
    )


def read_pool(
    name: object,
    member: ActorSpec | ComponentSpec,
    options: Options,
    origin: Origin,
) -> PoolSpec:
    """Read a pool whose member was read already."""
    chosen, mistakes = _read_options(options, PoolOptions)
    if isinstance(size := chosen.get("size"), Mapping):
        chosen["size"] = _read_size(size, mistakes)
    if (can := chosen.pop("can", None)) is not None:
        member = _with_grants(member, can, mistakes)
    return PoolSpec(
        id=_read_name(name),
        member=member,
        intensity=_pop_intensity(chosen),
        origin=_noted(origin, mistakes),
        **chosen,
    )


def _with_grants(
    member: ActorSpec | ComponentSpec, can: object, mistakes: list[Mistake]
) -> ActorSpec | ComponentSpec:
    """Give a member the grants of its pool."""
    if not is_a(member, (ActorSpec, ComponentSpec)):
        return member  # which the blueprint's check reports
    asked = member.requested if isinstance(member, ComponentSpec) else None
    if member.can or (asked is not None and asked.granted):
        hint = "write can= at the pool, or at its member"
        mistakes.append(Mistake(".can", "its member has can= too", hint))
        return member
    if isinstance(member, ActorSpec) or asked is None:
        return attrs.evolve(member, can=cast("Any", can))
    return attrs.evolve(
        member, can=effective(asked.asked, can), requested=granted_too(asked, can)
    )


def read_supervisor(
    name: object, children: tuple[ChildSpec, ...], options: Options, origin: Origin
) -> SupervisorSpec:
    """Read a supervisor whose children were read already."""
    chosen, mistakes = _read_options(options, SupervisorOptions)
    return SupervisorSpec(
        name=cast("Any", name),
        children=children,
        intensity=_pop_intensity(chosen),
        origin=_noted(origin, mistakes),
        **chosen,
    )


def read_dynamic(
    name: object, template: object, options: Options, origin: Origin
) -> DynamicSupervisorSpec:
    """Read a dynamic supervisor; a template that was declared gets its name."""
    chosen, mistakes = _read_options(options, DynamicSupervisorOptions)
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
        intensity=_pop_intensity(chosen),
        origin=_noted(origin, mistakes),
        **chosen,
    )


def _without_argument_mistakes(template: ChildSpec, above: int = 0) -> ChildSpec:
    """Assume that each start adds the arguments that the template leaves out.

    A template that is nested too deeply is left to the check that refuses it.
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
    chosen, mistakes = _read_options(options, TaskOptions)
    takes_context = chosen.get("context") is True
    mistakes += task_mistakes(function, arguments, takes_context=takes_context)
    return TaskSpec(
        name=cast("Any", name),
        function=cast("Any", function),
        arguments=arguments,
        origin=_noted(origin, mistakes),
        **chosen,
    )


def read_blueprint(
    children: tuple[ChildSpec, ...],
    options: Options,
    origin: Origin,
    mistakes: tuple[Mistake, ...] = (),
) -> Blueprint:
    """Read a whole system, whose root supervisor has the name `root`.

    Args:
        children: Those of the root, read already.
        options: As they were written.
        origin: Where the system was declared.
        mistakes: The values among the children of the root that are not children.
    """
    chosen, others = _read_options(options, TopologyOptions)
    of_root = ("strategy", "auto_shutdown", "bound", "quotas")
    root = SupervisorSpec(
        name="root",
        children=children,
        intensity=_pop_intensity(chosen),
        **{word: chosen.pop(word) for word in of_root if word in chosen},
        origin=attrs.evolve(origin, mistakes=mistakes),
    )
    engine = chosen.pop("engine", None)
    if isinstance(engine, EngineSettings):
        chosen["engine"] = engine
    elif engine is not None:
        text = f"{shown(engine)} is not an EngineSettings"
        others.append(Mistake(".engine", text, "write EngineSettings(...)"))
    return Blueprint(root=root, origin=_noted(origin, others), **chosen)


def read_artifact(code: object, origin: Origin) -> Artifact:
    """Read where code comes from; a relative path starts where it was written."""
    match code:
        case str() | Path():
            # If it is not a file, e.g. <stdin>, the parent is the current directory.
            return Artifact.at(Path(origin.file).parent / code)
        case bytes():
            return Artifact.from_bytes(code)
        case _:
            return cast("Artifact", code)


def _read_host(artifact: Artifact, host: object) -> Artifact:
    """Read what a component may import; what it is not is left for the blueprint's check."""
    given = tuple(host) if isinstance(host, (list, tuple)) else host
    return attrs.evolve(artifact, host=cast("Any", given))


def take_over(
    declared: Declaration, options: Options, origin: Origin
) -> tuple[dict[str, object], Origin]:
    """Reuse a declaration, except for its names and the options that are given again.

    What is wrong with its own options is reported where it was declared.
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
    """Keep the known options, with their words read; others are mistakes."""
    known: frozenset[str] = vocabulary.__optional_keys__
    chosen = {word: value for word, value in options.items() if word in known}
    for word, kind in _WORDS.items():
        if isinstance(text := chosen.get(word), str):
            chosen[word] = read_word(kind, text)
    for word, read in _LISTS.items():
        if word in chosen:
            chosen[word] = read(chosen[word])
    mistakes = [_no_option(word, known) for word in options if word not in known]
    _read_dicts(chosen, mistakes)
    return chosen, mistakes


def _read_dicts(chosen: dict[str, Any], mistakes: list[Mistake]) -> None:
    """Read the options that may be written as dicts of plain values."""
    if isinstance(rules := chosen.get("overflow"), Mapping):
        chosen["overflow"] = read_rules(rules, mistakes)
    if "quotas" in chosen:
        chosen["quotas"] = read_quotas(chosen["quotas"], mistakes)
    for word, made in (("backoff", Backoff), ("health", Health)):
        if isinstance(values := chosen.get(word), Mapping):
            chosen[word] = read_values(made, word, values, mistakes)


def _read_topics(topics: object) -> object:
    """Read one pattern or several; other values are left for the blueprint's check."""
    if isinstance(topics, str):
        return (topics,)
    return tuple(topics) if isinstance(topics, Sequence) else topics


def _read_grants(grants: object) -> object:
    """Read one grant or several; other values are left for the blueprint's check."""
    if is_a(grants, Grant):
        return (grants,)
    return tuple(grants) if isinstance(grants, (list, tuple)) else grants


def _read_directives(table: object) -> object:
    """Read what to do about errors; other values are left for the blueprint's check."""
    if not isinstance(table, Mapping):
        return table
    return tuple(
        (kind, read_word(Directive, word) if isinstance(word, str) else word)
        for kind, word in table.items()
    )


_LISTS: Final[dict[str, Callable[[object], object]]] = {
    "on_error": _read_directives,
    "topics": _read_topics,
    "can": _read_grants,
    "bound": _read_grants,
}
"""Options that may be written as one value or as several."""


def _no_option(word: str, known: frozenset[str]) -> Mistake:
    hint = meant(word, sorted(known), "the options are")
    return Mistake(f".{word}", f"there is no option {word!r}", hint)


def _pop_intensity(chosen: dict[str, Any]) -> Intensity:
    words = {
        word: chosen.pop(word) for word in ("restarts", "period") if word in chosen
    }
    return Intensity(**words)


def _read_name(name: object) -> ComponentId:
    if isinstance(name, str):
        return read_word(ComponentId.parse, name)
    return cast("ComponentId", name)


def _read_arguments(given: object, mistakes: list[Mistake]) -> tuple[str, ...]:
    if given is None:
        return ()
    if isinstance(given, (list, tuple)) and all(isinstance(a, str) for a in given):
        return tuple(given)
    hint = "write a list of texts, such as ['--verbose', 'a.txt']"
    mistakes.append(
        Mistake(".arguments", f"{shown(given)} is not a list of texts", hint)
    )
    return ()


def _read_data(
    data: object, mistakes: list[Mistake], where: str = ".data"
) -> bytes | None:
    if isinstance(data, str):
        data = read_word(lambda text: text.encode(), data)
    if data is None or isinstance(data, bytes):
        return data
    hint = "write bytes, or text, which is encoded as UTF-8"
    mistakes.append(Mistake(where, f"{shown(data)} is neither bytes nor text", hint))
    return None


def _read_env(env: object, mistakes: list[Mistake]) -> tuple[tuple[str, str], ...]:
    if env is None:
        return ()
    if isinstance(env, Mapping):
        pairs = tuple(env.items())
        if all(isinstance(text, str) for pair in pairs for text in pair):
            return pairs
    hint = "write a dict of names and values, both text"
    mistakes.append(Mistake(".env", f"{shown(env)} is not an environment", hint))
    return ()


def _read_size(
    given: Mapping[object, object], mistakes: list[Mistake]
) -> PoolSize | int:
    fields = attrs.fields_dict(PoolSize)
    for name in given:
        if name not in fields:
            text = f"there is no {shown(name)}"
            hint = meant(name, sorted(fields), "the fields are")
            mistakes.append(Mistake(f".size.{name}", text, hint))
    read: dict[str, Any] = {str(n): v for n, v in given.items() if n in fields}
    if "maximum" not in read:
        hint = "write the largest number of members"
        mistakes.append(Mistake(".size.maximum", "it is missing", hint))
        return 1
    return PoolSize(**read)
