"""Finds code that should be async and is not, without calling it.

A function that is not async does its work when it is called, which blocks the Trio
thread, and its result cannot be awaited. Nothing here raises, whatever the code is.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final

from airssys.contracts.errors import Mistake
from airssys.contracts.texts import annotations_of
from airssys.contracts.values import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLED_IN_CLASSES: Final = ("handle", "started", "before_restart", "stopped", "health")
"""Methods of an actor's class that are awaited."""
_MOST_WRAPPERS: Final = 100
_AWAITABLE: Final = ("Awaitable", "Coroutine")


def async_mistakes(code: object, path: str) -> Iterator[Mistake]:
    """Check a function, or the methods of an actor's class.

    What cannot be seen here is checked when the actor starts: what a function written
    in C returns, or a function whose annotation says that it returns an awaitable.
    """
    if inspect.isclass(code):
        for name in CALLED_IN_CLASSES:
            method = inspect.getattr_static(code, name, None)
            if method is not None and _is_sync(method):
                yield _mistake(f"{_name(code)}.{name}", path)
    elif _is_sync(code):
        yield _mistake(_name(code), path)


def _mistake(name: str, path: str) -> Mistake:
    text = f"{name} is not an async function"
    hint = "write `async def`; for blocking work: await trio.to_thread.run_sync(...)"
    return Mistake(path, text, hint)


def _name(code: object) -> str:
    name: object = getattr(_unwrapped(code), "__qualname__", None)
    return name if isinstance(name, str) else shown(code)


def _unwrapped(code: Any) -> Any:  # noqa: ANN401  # whatever was handed in
    """Find the function inside partial functions, methods and callable objects."""
    for _ in range(_MOST_WRAPPERS):
        if isinstance(code, functools.partial):
            code = code.func
        elif inspect.ismethod(code) or isinstance(code, (staticmethod, classmethod)):
            code = code.__func__
        elif hasattr(code, "_is_coroutine") or inspect.isroutine(code):
            return code  # mocks of async functions are recognised by the first
        elif not inspect.isclass(code):
            call = inspect.getattr_static(type(code), "__call__", None)
            if not inspect.isfunction(call):
                return code
            code = call
        else:
            return code
    return code


def _is_sync(code: object) -> bool:
    try:
        function = _unwrapped(code)
        return inspect.isfunction(function) and not _may_be_awaited(function)
    except Exception:  # noqa: BLE001  # an object of the user's, which may do anything
        return False


def _may_be_awaited(function: Any) -> bool:  # noqa: ANN401  # a function
    if inspect.iscoroutinefunction(inspect.unwrap(function)):
        return True
    if inspect.isasyncgenfunction(function):
        return True  # reported elsewhere, with the text that it yields
    if function.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE:
        return True
    declared = annotations_of(function).get("return")
    return any(word in str(declared) for word in _AWAITABLE)
