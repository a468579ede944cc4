"""Finds code that could never handle a message, without calling it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from airssys.contracts import Mistake, signature_of
from airssys.typed import handler_mistakes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


ARGUMENTS: Final = ".arguments"
"""The path at which a class that cannot be instantiated is reported."""


def behaviour_mistakes(
    behaviour: object, arguments: tuple[object, ...]
) -> Iterator[Mistake]:
    """Check an actor's code: a function or a class, and the arguments of the class.

    Values that cannot be called at all are left to the blueprint's own check.
    """
    if not callable(behaviour):
        return
    of_handlers = handler_mistakes(behaviour)
    yield from of_handlers
    name = getattr(behaviour, "__qualname__", type(behaviour).__name__)
    handle: object = behaviour
    given: tuple[None, ...] = (None, None)
    if inspect.isclass(handle):
        if problem := _misfit(handle, arguments):
            hint = "the arguments follow the class: actor(name, class, ...)"
            yield Mistake(ARGUMENTS, f"{name} cannot be instantiated: {problem}", hint)
        yield from _hook_mistakes(handle)
        handle = getattr(behaviour, "handle", None)
        as_written = inspect.getattr_static(behaviour, "handle", None)
        is_bound = isinstance(as_written, (staticmethod, classmethod))
        given = (None,) * (2 if is_bound else 3)
        is_found_later = (
            of_handlers or getattr(behaviour, "__getattr__", None) is not None
        )
        if handle is None and is_found_later:
            return
    yield from _handle_mistakes(name, handle, given)


def _handle_mistakes(
    name: str, handle: object, given: tuple[None, ...]
) -> Iterator[Mistake]:
    if not callable(handle):
        hint = "write `async def handle(self, context, envelope)`"
        yield Mistake(".behaviour", f"{name} has no method `handle`", hint)
    elif problem := _misfit(handle, given):
        hint = "it is called with the context and the envelope"
        yield Mistake(".behaviour", f"{name} cannot handle: {problem}", hint)
    elif inspect.isasyncgenfunction(handle):
        yield Mistake(".behaviour", f"{name} yields", "return the answer instead")


def few_argument_mistakes(
    behaviour: object, arguments: tuple[object, ...]
) -> Iterator[Mistake]:
    """Check the arguments of a template, to which each start adds more."""
    if not inspect.isclass(behaviour):
        return
    try:
        signature_of(behaviour).bind_partial(*arguments)
    except TypeError as error:
        text = f"{behaviour.__qualname__} cannot be instantiated: {error}"
        yield Mistake(ARGUMENTS, text, "a start adds to the arguments of its template")
    except ValueError:  # it has no signature
        return


def task_mistakes(
    function: object, arguments: tuple[object, ...], *, takes_context: bool
) -> Iterator[Mistake]:
    """Check the function of a task, and its arguments."""
    if not callable(function):
        return
    name = getattr(function, "__qualname__", type(function).__name__)
    given = (None, *arguments) if takes_context else arguments
    if _is_class(function):
        hint = "write an async function"
        yield Mistake(".function", f"{name} is a class", hint)
    elif problem := _misfit(function, given):
        hint = "the arguments follow the function: task(name, function, ...)"
        if takes_context:
            hint = f"{hint}; with context=True the context comes before them"
        yield Mistake(".arguments", f"{name} cannot be called: {problem}", hint)
    elif _yields(function):
        yield Mistake(".function", f"{name} yields", "return instead")


HOOKS: Final = {"started": 1, "before_restart": 2, "stopped": 1, "health": 1}
"""Methods a class may have besides `handle`, and how many arguments each gets, with
self: the context, and for `before_restart` the reason."""


def _hook_mistakes(behaviour: type[object]) -> Iterator[Mistake]:
    for hook, count in HOOKS.items():
        as_written = inspect.getattr_static(behaviour, hook, None)
        if not inspect.isfunction(as_written):
            continue
        if problem := _misfit(as_written, (None,) * (1 + count)):
            given = "the context and the reason" if count > 1 else "the context"
            text = f"{behaviour.__qualname__}.{hook} cannot be called: {problem}"
            yield Mistake(".behaviour", text, f"it is called with {given}")
        elif inspect.isasyncgenfunction(as_written):
            text = f"{behaviour.__qualname__}.{hook} yields"
            yield Mistake(".behaviour", text, "return instead")


def _is_class(code: object) -> bool:
    return inspect.isclass(code)


def _yields(code: object) -> bool:
    return inspect.isasyncgenfunction(code)


def _misfit(code: Callable[..., Any], arguments: tuple[object, ...]) -> str | None:
    """Return why something cannot be called with these arguments; None if it may be."""
    try:
        signature = signature_of(code)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*arguments)
    except TypeError as error:
        return str(error)
    return None
