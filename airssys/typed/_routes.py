"""The handlers of a class, read from their annotations, and the mistakes in them."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from airssys.contracts import (
    JSON_TYPE,
    MSGPACK_TYPE,
    Mistake,
    annotations_of,
    is_plain,
    never_waits,
    signature_of,
)

from ._wire import EXTRA, TAG, missing_extra, wire_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MARK: Final = "__airssys_on_message__"
"""Attribute that marks a function as a handler."""

_FORM: Final = "write `async def name(self, context, message: Order) -> Receipt`"
_PARAMETERS: Final = 3
_UNREAD: Final = object()
"""Marks an annotation that could not be read."""


@final
@attrs.frozen(eq=False)
class Route:
    """One handler: its message type and its answer."""

    name: str
    """The name of the method."""
    message: type
    answer: Any
    """The annotation of the answer; `NoneType` if there is none."""

    @property
    def tag(self) -> str:
        """The name of the type, as messages contain it."""
        return self.message.__name__


@final
@attrs.frozen(eq=False)
class Routes:
    """All handlers of one class."""

    owner: str
    by_type: dict[type, Route]
    by_tag: dict[str, Route]
    otherwise: str | None
    """The method for all other messages."""
    async_methods: frozenset[str]
    """The names of those that are awaited; the others are plain functions."""
    never_wait: bool
    """There is nothing in any of them that it waits for."""
    mistakes: tuple[Mistake, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The types that it handles."""
        return tuple(sorted(self.by_tag))


def read_routes(
    owner: type, functions: tuple[object, ...], otherwise: object
) -> Routes:
    """Read the handlers of a class; raises nothing, whatever they are."""
    mistakes: list[Mistake] = []
    routes: list[tuple[Route, Callable[..., Any]]] = []
    for function in functions:
        name = method_name(owner, function)
        if name is None or not inspect.isfunction(function):
            mistakes.append(_no_method(owner, function))
            continue
        found = list(_own_mistakes(function))
        annotations = _read_annotations(function, owner)
        found += _annotation_mistakes(function, *annotations)
        mistakes += found
        message, answer = annotations
        if isinstance(message, type):
            routes.append((Route(name, message, answer), function))
    mistakes += _rivals(routes)
    if otherwise is not None:
        mistakes += _otherwise_mistakes(owner, otherwise)
    mistakes += _conversion_mistakes(routes)
    async_methods = _async_methods(owner, (*functions, otherwise))
    return Routes(
        owner.__qualname__,
        {route.message: route for route, _ in routes},
        {route.tag: route for route, _ in routes},
        None if otherwise is None else method_name(owner, otherwise),
        async_methods,
        all(never_waits(_method(owner, name)) for name in async_methods),
        tuple(mistakes),
    )


def _async_methods(owner: type, functions: Iterable[object]) -> frozenset[str]:
    """Return the names of methods that are async, as the class or a subclass has them."""
    names = {method_name(owner, each) for each in functions if each is not None}
    return frozenset(
        name
        for name in names
        if name is not None and not is_plain(_method(owner, name))
    )


def _method(owner: type, name: str) -> object:
    return inspect.getattr_static(owner, name, None)


def marked_methods(owner: type) -> dict[str, Callable[..., Any]]:
    """Return the methods of a class, and of its bases, that are handlers."""
    members = inspect.getmembers_static(owner, inspect.isfunction)
    return {name: each for name, each in members if getattr(each, MARK, False)}


def method_name(owner: type, function: object) -> str | None:
    """Return the attribute of a class, or of a base, that holds a function."""
    for each in owner.__mro__:
        for name, value in vars(each).items():
            if value is function:
                return name
    return None


def mistake_at(function: object, text: str, hint: str) -> Mistake:
    """Make a mistake of a function, with its place if it has one."""
    code = getattr(function, "__code__", None)
    place = () if code is None else (code.co_filename, code.co_firstlineno)
    return Mistake(".behaviour", text, hint, *place)


def _own_mistakes(function: Callable[..., Any]) -> Iterator[Mistake]:
    name = function.__qualname__
    if not getattr(function, MARK, False):
        text = f"{name} is listed, but is not a handler"
        yield mistake_at(function, text, "write @on_message above it")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        yield mistake_at(function, f"{name} yields", "return the answer instead")
    try:
        signature_of(function).bind(None, None, None)
    except TypeError as error:
        text = f"{name} cannot be called with a context and a message: {error}"
        yield mistake_at(function, text, _FORM)


def _read_annotations(function: Callable[..., Any], owner: type) -> tuple[Any, Any]:
    """Read the annotations of message and answer, whatever else is annotated."""
    parameters = list(signature_of(function).parameters)
    name = parameters[2] if len(parameters) >= _PARAMETERS else ""
    written = annotations_of(function)

    def read(key: str) -> Any:  # noqa: ANN401 (any annotation)
        if key not in written:
            return _UNREAD
        return _read_annotation(function, owner, written[key])

    return read(name), read("return")


def _read_annotation(function: Callable[..., Any], owner: type, written: Any) -> Any:  # noqa: ANN401 (any annotation)
    alone = types.SimpleNamespace(__annotations__={"it": written})
    known = inspect.unwrap(function).__globals__
    names = {owner.__name__: owner, **vars(owner)}
    try:
        found = typing.get_type_hints(alone, known, names)["it"]
    except Exception as error:  # noqa: BLE001 (an annotation may be any code)
        return error
    return found


def _annotation_mistakes(
    function: Callable[..., Any], message: object, answer: object
) -> Iterator[Mistake]:
    name = function.__qualname__
    for what, found in (("message", message), ("answer", answer)):
        if found is _UNREAD:
            yield mistake_at(function, f"{name} has no type for its {what}", _FORM)
        elif isinstance(found, Exception):
            text = f"the type of the {what} of {name} cannot be read: {found}"
            hint = "define or import it at the top of the module, at run time too"
            yield mistake_at(function, text, hint)
    if message is _UNREAD or isinstance(message, Exception):
        return
    if not (isinstance(message, type) and _is_record(message)):
        text = f"{name} handles {_shown(message)}, which is not a message type"
        hint = "use a class by @attrs.define, @attrs.frozen or @dataclass"
        yield mistake_at(function, text, hint)
    elif TAG in {field.name for field in _fields(message)}:
        text = f"{message.__name__} has a field {TAG}, which is reserved for the type"
        yield mistake_at(function, text, "rename the field")


def _rivals(routes: list[tuple[Route, Callable[..., Any]]]) -> Iterator[Mistake]:
    counts = Counter(route.tag for route, _ in routes)
    first: dict[str, Route] = {}
    for route, function in routes:
        earlier = first.setdefault(route.tag, route)
        if counts[route.tag] == 1 or earlier is route:
            continue
        if earlier.message is route.message:
            text = f"{function.__qualname__} handles {route.tag}, like {earlier.name}"
            yield mistake_at(function, text, "keep one handler for each type")
        else:
            text = f"{function.__qualname__} handles another class named {route.tag}"
            yield mistake_at(function, text, "give message types different names")


def _no_method(owner: type, function: object) -> Mistake:
    text = f"{_shown(function)} is not a method of {owner.__qualname__}"
    return mistake_at(function, text, "list methods of the class, or of its bases")


def _otherwise_mistakes(owner: type, function: object) -> Iterator[Mistake]:
    if method_name(owner, function) is None or not inspect.isfunction(function):
        yield _no_method(owner, function)
    elif inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        hint = "return the answer instead"
        yield mistake_at(function, f"{function.__qualname__} yields", hint)


def _conversion_mistakes(
    routes: list[tuple[Route, Callable[..., Any]]],
) -> Iterator[Mistake]:
    missing = missing_extra()
    if missing is not None:
        yield Mistake(".behaviour", f"{missing}", f"pip install 'airssys[{EXTRA}]'")
        return
    wires = [wire for wire in map(wire_of, (JSON_TYPE, MSGPACK_TYPE)) if wire]
    for route, function in routes:
        for kind in (route.message, route.answer):
            if kind is _UNREAD or isinstance(kind, Exception):
                continue
            problems = [each for wire in wires for each in wire.problems_with(kind)]
            for problem in dict.fromkeys(problems):
                text = f"{_shown(kind)} cannot be sent: {problem}"
                hint = "use classes, lists, dicts, numbers, text, enums, dates"
                yield mistake_at(function, text, hint)


def _is_record(kind: type) -> bool:
    return attrs.has(kind) or dataclasses.is_dataclass(kind)


def _fields(kind: type) -> Iterable[Any]:
    return attrs.fields(kind) if attrs.has(kind) else dataclasses.fields(kind)


def _shown(value: object) -> str:
    name = getattr(value, "__qualname__", None)
    return f"{name or repr(value):.80}"
