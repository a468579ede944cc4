"""`component`, `actor`, `supervisor`, `topology` and `blueprint`.

With a name as its first argument, each of these makes a finished child at once. Without
a name it declares one: it attaches a record to a class or a function, which gets its
name from the attribute of the supervisor or topology that holds it.

    component("shout", "shout.wasm")            shout = component("shout.wasm")
    actor("greeter", greet, mailbox=10)         @actor(mailbox=10)
    supervisor("workers", one, two)             @supervisor
    blueprint(one, two, restarts=5)             @topology(restarts=5)

Nothing is checked here. `open_system`, `run` and `airssys check` report all mistakes of
a definition at once, each with its file, its line and its path in the tree.
"""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    Protocol,
    TypeVar,
    TypeVarTuple,
    Unpack,
    cast,
    overload,
)

import attrs

from airssys.contracts import (
    BLUEPRINT_METHOD,
    ActorSpec,
    Artifact,
    Blueprint,
    ChildSpec,
    ComponentSpec,
    Mistake,
    Origin,
    SupervisorSpec,
)

from ._compile import compile_topology
from ._declarations import (
    ComponentDeclaration,
    Declaration,
    Kind,
    calling_module,
    declaration_of,
    declare,
    here,
    is_code,
    waiting,
)
from ._reading import (
    Options,
    read_actor,
    read_artifact,
    read_blueprint,
    read_component,
    read_supervisor,
    take_over,
)
from ._vocabulary import (
    ActorOptions,
    Code,
    ComponentOptions,
    DeclaredActorOptions,
    DeclaredComponentOptions,
    Handler,
    HandlerObject,
    Name,
    SupervisorOptions,
    TopologyOptions,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_Class = TypeVar("_Class", bound=type[object])
_Actor = TypeVar("_Actor", bound=Handler | type[HandlerObject])
_Arguments = TypeVarTuple("_Arguments")


class ActorDecorator(Protocol):
    """`@actor(...)`, waiting for its function or class."""

    def __call__(self, behaviour: _Actor, /) -> _Actor:
        """Attach a record to it, and return it."""
        ...


class ClassDecorator(Protocol):
    """`@supervisor(...)` or `@topology(...)`, waiting for its class."""

    def __call__(self, body: _Class, /) -> _Class:
        """Attach a record to it, and return it."""
        ...


@overload
def component(
    name: Name,
    code: Code | type[object] | ComponentDeclaration,
    /,
    **options: Unpack[ComponentOptions],
) -> ComponentSpec: ...


@overload
def component(
    code: Code, /, **options: Unpack[DeclaredComponentOptions]
) -> ComponentDeclaration: ...


def component(
    *given: object, **options: object
) -> ComponentSpec | ComponentDeclaration:
    """Declare a component actor.

        counter = component("counter", "counter.wasm", mailbox=64)

        @component("counter.wasm", mailbox=64)
        class Counter:
            "Counts words."

    Args:
        given: The name, `name` alone or `namespace/name/instance`, or no name; then
            a path to a component, or its bytes, or WAT text by `Artifact.from_text`.
            A relative path starts at the folder of the file that it is written in.
            After a name, a declared class makes another actor like it.
        options: Those of `actor`; also `data` and `env`, the configuration passed to
            `initialize`; `limits`, what the guest may use: `Limits`, or a dict of plain
            values; `host`, functions that it may import; `sends`, the codec of what it
            sends, e.g. `json`. `start_timeout` does not include loading.
            `ComponentOptions` lists all of them.

    Raises:
        TypeError: the code is missing, or there is more than a name and code.
    """
    origin = here()
    match given:
        case (code,) if is_code(code) and _is_from_here(code):
            text = "@component needs the code of the component"
            hint = 'write @component("path/to/file.wasm")'
            mistake = Mistake("", text, hint)
            origin = attrs.evolve(origin, mistakes=(mistake,))
            nothing = Artifact.from_bytes(b"", "no component")
            declare(code, Declaration(Kind.COMPONENT, options, origin, nothing))
            return cast("ComponentDeclaration", code)
        case (code,):
            return ComponentDeclaration(
                Declaration(Kind.COMPONENT, options, origin, code)
            )
        case (name, code):
            declared = declaration_of(code)
            if declared is not None and declared.kind is Kind.COMPONENT:
                code = read_artifact(declared.code, declared.origin)
                options, origin = take_over(declared, options, origin)
            return read_component(name, code, options, origin)
        case _:
            raise TypeError(
                "write component(name, code, ...), or without a name "
                "component(code, ...) to declare one"
            )


@overload
def http_handler(
    name: Name,
    code: Code | type[object] | ComponentDeclaration,
    /,
    **options: Unpack[ComponentOptions],
) -> ComponentSpec: ...


@overload
def http_handler(
    code: Code, /, **options: Unpack[DeclaredComponentOptions]
) -> ComponentDeclaration: ...


def http_handler(
    *given: object, **options: object
) -> ComponentSpec | ComponentDeclaration:
    """Declare a component that handles requests of HTTP: `wasi:http/incoming-handler`.

        shop = http_handler("shop", "shop.wasm", listen="127.0.0.1:8080")

    It is a `component` with the same options; one that exports something else does not
    start. Without `listen` it serves nothing by itself: mount `System.asgi`.

    Args:
        given: As of `component`.
        options: As of `component`. `listen` is where it listens, `keep` how many
            requests each instance handles, by default 1.

    Raises:
        TypeError: The code is missing, or there is more than a name and code.
    """
    return component(*given, **(options | {"handles_http": True}))  # type: ignore[call-overload, no-any-return]  # as given


@overload
def actor(
    name: Name, handler: Handler, /, **options: Unpack[ActorOptions]
) -> ActorSpec: ...


@overload
def actor(
    name: Name,
    behaviour: Callable[[*_Arguments], HandlerObject],
    /,
    *arguments: *_Arguments,
    **options: Unpack[ActorOptions],
) -> ActorSpec: ...


@overload
def actor(behaviour: _Actor, /) -> _Actor: ...


@overload
def actor(**options: Unpack[DeclaredActorOptions]) -> ActorDecorator: ...


def actor(*given: object, **options: object) -> object:
    """Declare a Python actor: a function, or a class made at each start.

        clerk = actor("clerk", Clerk, "an argument of Clerk", restart="transient")

        @actor(mailbox=10)
        async def printer(context, envelope): ...

    Args:
        given: With a name first: the function, or the class and its arguments.
        options: `restart`: `permanent`, `transient` or `temporary`;
            `shutdown`: seconds to stop in, `math.inf` or `BRUTAL_KILL`;
            `start_timeout`: seconds to become ready in;
            `mailbox`: the number of messages that may queue;
            `overflow`: what happens to a message that finds the mailbox full: `block`,
            `fail`, `drop-newest`, `drop-oldest` or `dead-letter`, or a dict with one
            for each of `unmarked`, `low`, `normal`, `high` and `critical`;
            `message_bytes`: bytes of payload that one message may have;
            `mailbox_bytes`: bytes of payload that may queue;
            `topics`: patterns of topics to subscribe to; `lag`: what happens to a
            published message without room: `drop-newest`, `block`, `disconnect`;
            `codecs`, `prefixed`: the format of payloads, e.g. `json`;
            `names`, without a name first: one actor for each.
            `ActorOptions` lists all of them.

    Raises:
        TypeError: there is a name without a behaviour, or options without either.
    """
    origin = here()
    match given:
        case ():
            return _decorator(Kind.ACTOR, options, origin)
        case (behaviour,) if is_code(behaviour) and not options:
            return declare(behaviour, Declaration(Kind.ACTOR, {}, origin))
        case (name, behaviour, *arguments):
            declared = declaration_of(behaviour)
            if declared is not None and declared.kind is Kind.ACTOR:
                options, origin = take_over(declared, options, origin)
            return read_actor(name, behaviour, tuple(arguments), options, origin)
        case _:
            raise TypeError(
                "write actor(name, behaviour, ...), or above a function or class "
                "@actor or @actor(option=...)"
            )


@overload
def supervisor(
    name: str, /, *children: ChildSpec, **options: Unpack[SupervisorOptions]
) -> SupervisorSpec: ...


@overload
def supervisor(body: _Class, /) -> _Class: ...


@overload
def supervisor(**options: Unpack[SupervisorOptions]) -> ClassDecorator: ...


def supervisor(*given: object, **options: object) -> object:
    """Declare a supervisor; its children start in this order and stop in reverse.

        supervisor("workers", counter, clerk, restarts=5, period=10)

        @supervisor(restarts=5, period=10)
        class Workers:
            counter = Counter
            clerk = actor("clerk", Clerk, "an argument of Clerk")

    Args:
        given: Its name, unique among its siblings, and its children.
        options: `restarts`: it allows this many within `period`, and gives up at the
            next one;
            `period`: seconds;
            `restart`: what its own supervisor does when it ends;
            `shutdown`: seconds to stop in; by default its children decide.
    """
    origin = here()
    match given:
        case ():
            return _decorator(Kind.SUPERVISOR, options, origin)
        case (body,) if is_code(body) and not options:
            return declare(body, Declaration(Kind.SUPERVISOR, {}, origin))
        case _:
            name, *children = given
            found = cast("tuple[ChildSpec, ...]", tuple(children))
            return read_supervisor(name, found, options, origin)


@overload
def topology(body: _Class, /) -> _Class: ...


@overload
def topology(**options: Unpack[TopologyOptions]) -> ClassDecorator: ...


def topology(body: object = None, /, **options: object) -> object:
    """Declare a whole system: its class body is what the root supervises, in order.

        @topology(stop_timeout=10)
        class App:
            shout = component("shout.wasm")
            workers = Workers

    `open_system` and `run` accept the class in place of a `Blueprint`.

    Args:
        body: The class.
        options: `restarts` and `period` of the root; `engine`: how guests are run,
            `EngineSettings`; `stop_timeout`: seconds for the whole tree to stop in.
    """
    decorator = _decorator(Kind.TOPOLOGY, options, here())
    return decorator if body is None else decorator(body)


def blueprint(*children: ChildSpec, **options: Unpack[TopologyOptions]) -> Blueprint:
    """Assemble a whole system, under a root supervisor with the name `root`.

    Args:
        children: What the root supervises.
        options: Those of `topology`.
    """
    return read_blueprint(children, cast("Options", options), here())


def _is_from_here(code: object) -> bool:
    """Say whether code is of the module that calls into this package."""
    return getattr(code, "__module__", "") == calling_module()


def _decorator(kind: Kind, options: Options, origin: Origin) -> Callable[[Any], Any]:
    declaration = Declaration(kind, options, origin)

    def decorate(target: Any) -> Any:  # noqa: ANN401  # returned as it came
        declare(target, declaration)
        if kind is Kind.TOPOLOGY:
            setattr(target, BLUEPRINT_METHOD, classmethod(compile_topology))
        return target

    return waiting(decorate, kind)
