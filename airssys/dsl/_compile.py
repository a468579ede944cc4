"""Compiles a topology to a blueprint: the declarations, in the order of the bodies.

A class body is a list of children. Each public attribute holds one child, or a list or
tuple of them; names that begin with an underscore may hold anything. The children of a
base class come first, and an attribute that is assigned again replaces the inherited
one.

Compiling always returns a blueprint. A value that cannot be a child is left out and
noted in the origin of its supervisor, so that `find_mistakes` reports all of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias, final, get_args

import attrs

from airssys.contracts import (
    Blueprint,
    ChildSpec,
    ComponentId,
    Mistake,
    Origin,
    annotations_of,
    missing_artifacts,
)

from ._declarations import (
    ComponentDeclaration,
    Declaration,
    DynamicDeclaration,
    Kind,
    declaration_of,
    shown,
    waiting_kind,
)
from ._pool_members import read_declared_pool
from ._reading import (
    read_actor,
    read_blueprint,
    read_component,
    read_dynamic,
    read_supervisor,
    read_task,
)
from ._sources import Sources

MAX_DEPTH: Final = 100
"""The largest number of nested classes, including the topology."""

_SPECS: Final = get_args(ChildSpec)
_Found: TypeAlias = ChildSpec | Mistake


def compile_topology(declared: type[object]) -> Blueprint:
    """Compile a class that is decorated with `topology`."""
    declaration = declaration_of(declared)
    if declaration is None:
        raise TypeError(f"{declared.__qualname__} has lost the record of @topology")
    if declaration.kind is not Kind.TOPOLOGY:  # two decorators, which is noted
        return read_blueprint((), {}, declaration.origin)
    name = declared.__qualname__.rpartition("<locals>.")[2]
    origin = attrs.evolve(declaration.origin, name=name)
    children, mistakes = _Collector().collect(declared, origin)
    blueprint = read_blueprint(children, declaration.options, origin, mistakes)
    missing = [
        attrs.evolve(m, path=m.path.removeprefix("$"))
        for m in missing_artifacts(blueprint)
    ]
    origin = blueprint.origin or origin
    origin = attrs.evolve(origin, mistakes=(*origin.mistakes, *missing))
    return attrs.evolve(blueprint, origin=origin)


@final
class _Collector:
    """Collects the children of one topology, and the mistakes in its bodies."""

    def __init__(self) -> None:
        self._above: list[type[object]] = []
        """The classes whose bodies are being collected, the topology first."""
        self._prefixes: dict[type[object], str] = {}
        """For each supervisor: the attributes that lead to it."""
        self._components: set[type[object]] = set()
        """The classes of components whose bodies were checked."""
        self._sources = Sources()

    def collect(
        self, body: type[object], origin: Origin, prefix: str = ""
    ) -> tuple[tuple[ChildSpec, ...], tuple[Mistake, ...]]:
        """Collect one body.

        Args:
            body: The class.
            origin: Where it was declared.
            prefix: The attributes that lead to it, each with a dot before it.
        """
        self._prefixes[body] = prefix
        self._above.append(body)
        children: list[ChildSpec] = []
        mistakes: list[Mistake] = []
        for attribute, value in _attributes(body).items():
            for found in self._children(attribute, value, f"{prefix}.{attribute}"):
                if isinstance(found, Mistake) and found.file:
                    mistakes.append(found)
                elif isinstance(found, Mistake):
                    file, line = self._sources.find(body, attribute, origin)
                    mistakes.append(attrs.evolve(found, file=file, line=line))
                else:
                    children.append(found)
        self._above.pop()
        return tuple(children), tuple(mistakes)

    def _children(self, attribute: str, value: object, prefix: str) -> Iterator[_Found]:
        if isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                yield from self._child(None, item, f".{attribute}[{index}]", prefix)
        elif value is _ONLY_ANNOTATED:
            text = f"{attribute} has a type but no value"
            yield Mistake(f".{attribute}", text, f"write {attribute} = ...")
        else:
            yield from self._child(attribute, value, f".{attribute}", prefix)

    def _child(
        self, name: str | None, value: object, path: str, prefix: str
    ) -> Iterator[_Found]:
        if isinstance(value, _SPECS):
            yield value
            return
        declaration = declaration_of(value)
        if declaration is None:
            yield _no_child(value, path)
            return
        if problem := _misplaced(declaration, value):
            yield Mistake(path, *problem)
            return
        names = _names(declaration, name)
        if not names:
            hint = "assign it to an attribute of its own, or give it names=..."
            yield Mistake(path, f"{_name_of(value)} has no name here", hint)
        elif declaration.kind is Kind.SUPERVISOR and inspect.isclass(value):
            yield from self._supervisor(names[0], value, declaration, path, prefix)
        else:
            yield from self._others(names, value, declaration, path)

    def _others(
        self,
        names: Sequence[object],
        value: object,
        declaration: Declaration,
        path: str,
    ) -> Iterator[_Found]:
        options, origin = declaration.options, declaration.origin
        match declaration.kind:
            case Kind.TASK:
                yield read_task(names[0], value, (), options, origin)
            case Kind.DYNAMIC:
                yield read_dynamic(names[0], declaration.code, options, origin)
            case Kind.POOL:
                for each in names:
                    yield read_declared_pool(each, value, declaration)
            case _:
                yield from self._actors(names, value, declaration, path)

    def _actors(
        self,
        names: Sequence[object],
        value: object,
        declaration: Declaration,
        path: str,
    ) -> Iterator[_Found]:
        written = declaration.options.items()
        options = {word: value for word, value in written if word != "names"}
        origin = declaration.origin
        if declaration.kind is Kind.ACTOR:
            for name in names:
                yield read_actor(name, value, (), options, origin)
            return
        if inspect.isclass(value) and value not in self._components:
            self._components.add(value)
            for attribute in _attributes(value):
                text = f"{value.__qualname__}.{attribute} is never read"
                hint = "what a component is given belongs in @component(...)"
                place = self._sources.find(value, attribute, origin)
                yield Mistake(f"{path}.{attribute}", text, hint, *place)
        for name in names:
            yield read_component(name, declaration.code, options, origin)

    def _supervisor(
        self,
        name: object,
        body: type[object],
        declaration: Declaration,
        path: str,
        prefix: str,
    ) -> Iterator[_Found]:
        shown = body.__qualname__
        if body in self._above:
            cycle = [*self._above[self._above.index(body) :], body]
            names = " > ".join(each.__qualname__ for each in cycle)
            hint = "a supervisor can only be above its own children"
            yield Mistake(path, f"{shown} contains itself: {names}", hint)
            return
        if body in self._prefixes:
            text = f"{shown} is already a child, as {self._prefixes[body][1:]}"
            yield Mistake(path, text, "declare another one")
            return
        if len(self._above) == MAX_DEPTH:
            text = f"{shown} is inside {MAX_DEPTH} others"
            yield Mistake(path, text, "put some of them side by side")
            return
        origin = declaration.origin
        children, mistakes = self.collect(body, origin, prefix)
        origin = attrs.evolve(origin, mistakes=(*origin.mistakes, *mistakes))
        yield read_supervisor(name, children, declaration.options, origin)


_ONLY_ANNOTATED = object()
"""Marks an attribute without a value."""


def _attributes(body: type[object]) -> dict[str, object]:
    """Return the public attributes of a class, in the order of their first lines."""
    found: dict[str, object] = {}
    for owner in reversed(body.__mro__[:-1]):
        found |= vars(owner)
    for owner in body.__mro__[:-1]:
        for name in annotations_of(owner):
            found.setdefault(name, _ONLY_ANNOTATED)
    return {
        name: value.__func__ if isinstance(value, staticmethod) else value
        for name, value in found.items()
        if not name.startswith("_")
    }


def _names(declaration: Declaration, attribute: str | None) -> Sequence[object]:
    """Return the names of the actors that a declaration makes in this place."""
    match declaration.options.get("names"):
        case None:
            return () if attribute is None else (attribute,)
        case str() | ComponentId() as name:
            return (name,)
        case Sequence() as names:
            return names
        case other:
            return (other,)


def _misplaced(declaration: Declaration, value: object) -> tuple[str, str] | None:
    """Return why a declaration cannot be a child, and what to do."""
    kind = declaration.kind
    if isinstance(value, DynamicDeclaration):
        return None
    if kind is Kind.TASK:
        text = f"@task decorates the class {_name_of(value)}"
        above = "write it above an async function"
        return (text, above) if inspect.isclass(value) else None
    if kind is Kind.TOPOLOGY:
        return f"{_name_of(value)} is a whole system", "decorate it with @supervisor"
    is_class = inspect.isclass(value) or isinstance(value, ComponentDeclaration)
    if kind not in {Kind.ACTOR, Kind.POOL} and not is_class:
        text = f"@{kind.value} decorates the function {_name_of(value)}"
        return text, "write it above a class"
    return None


def _no_child(value: object, path: str) -> Mistake:
    """Return why a value in a body is not a child, and what to do."""
    if waiting := waiting_kind(value):
        word = waiting.value
        text = f"{word}(...) is waiting for its class or function"
        hint = f"write @{word}(...) above one, or {word}(...) with its code"
        if waiting is Kind.SUPERVISOR:
            hint = "write @supervisor(...) above a class"
        return Mistake(path, text, hint)
    if inspect.isclass(value) or inspect.isroutine(value):
        text = f"{_name_of(value)} is not declared"
        return Mistake(path, text, "decorate it with @component, @actor or @supervisor")
    kind = type(value)
    if declaration_of(kind) is not None:
        hint = f"write {kind.__qualname__} without parentheses"
        text = f"an instance of {kind.__qualname__} is not a child specification"
        return Mistake(path, text, hint)
    hint = "an attribute whose name begins with '_' may hold anything"
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        hint = "put several children into a list or a tuple"
    return Mistake(path, f"{shown(value)} is not a child specification", hint)


def _name_of(value: object) -> str:
    if isinstance(value, DynamicDeclaration):
        return "dynamic_supervisor(...)"
    if isinstance(value, ComponentDeclaration):
        return f"component({shown(value.declaration.code)})"
    return getattr(value, "__qualname__", None) or shown(value)
