"""Why code could never handle a message, as far as can be seen without calling it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from airssys.contracts import Mistake
from airssys.typed import handler_mistakes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def behaviour_mistakes(
    behaviour: object, arguments: tuple[object, ...]
) -> Iterator[Mistake]:
    """Look at an actor's code: a function or a class, and the arguments of the class.

    What cannot be called at all is left to the blueprint's own check.
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
            yield Mistake(".arguments", f"{name} cannot be made: {problem}", hint)
        handle = getattr(behaviour, "handle", None)
        as_written = inspect.getattr_static(behaviour, "handle", None)
        is_bound = isinstance(as_written, (staticmethod, classmethod))
        given = (None,) * (2 if is_bound else 3)
        is_told = of_handlers or getattr(behaviour, "__getattr__", None) is not None
        if handle is None and is_told:
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
