"""Finds out whether code is async, without calling it; and code that should be and is not.

A function that is not async does its work when it is called, which blocks the Trio
thread, and its result cannot be awaited. A handler may be such a function: it handles each
message in one step. Nothing here raises, whatever the code is.
"""

from __future__ import annotations

import functools
import inspect
import opcode
import types
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from airssys.contracts.errors import Mistake
from airssys.contracts.texts import annotations_of, kind_name
from airssys.contracts.values import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

HOOKS: Final = ("started", "before_restart", "stopped", "health")
"""Methods of an actor's class that are awaited."""
_SEND: Final = opcode.opmap.get("SEND")
"""The instruction of every `await`, `async for` and `async with`."""
_PLAIN: Final[WeakKeyDictionary[types.FunctionType, bool]] = WeakKeyDictionary()
"""Whether a function is plain: asked at each start of an actor, which are many."""
NEVER_WAITS: Final = "__airssys_never_waits__"
"""Attribute of an async handler that is an object: True if no function that it calls waits."""
_MOST_WRAPPERS: Final = 100
_AWAITABLE: Final = ("Awaitable", "Coroutine")


def is_plain(handler: object) -> bool:
    """Return whether a handler is a plain function: it returns its answer at once.

    Otherwise what it returns is awaited. What cannot be seen, e.g. of a function written
    in C, is taken for async.
    """
    function = getattr(handler, "__func__", handler)
    code = getattr(function, "__code__", None)
    if isinstance(code, types.CodeType) and code.co_flags & inspect.CO_COROUTINE:
        return False  # as most are; what follows takes longer
    if type(function) is types.FunctionType:
        known = _PLAIN.get(function)
        if known is None:
            known = _PLAIN[function] = _is_sync(function)
        return known
    return _is_sync(handler)


def never_waits(handler: object) -> bool:
    """Return whether a handler is async, and there is nothing in it that it waits for.

    Such a function ends in the step in which it begins, like a plain one.
    """
    function = getattr(handler, "__func__", handler)
    if _SEND is None:
        return False
    if type(function) is not types.FunctionType:
        return inspect.getattr_static(handler, NEVER_WAITS, None) is True
    code = function.__code__
    # Every other byte is an instruction.
    return bool(code.co_flags & inspect.CO_COROUTINE) and _SEND not in code.co_code[::2]


def not_awaited(function: object, answer: object) -> TypeError:
    """Make the error of a plain function that returned something to be awaited; closes it."""
    if inspect.iscoroutine(answer):
        answer.close()
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    name = getattr(function, "__qualname__", kind_name(function))
    where = "" if code is None else f" at {code.co_filename}:{code.co_firstlineno}"
    return TypeError(
        f"{name} returned a {kind_name(answer)}, but is a plain function: write "
        f"`async def`{where}"
    )


def handler_mistakes(code: object, path: str) -> Iterator[Mistake]:
    """Check the code of an actor: its handler may be async or not, its hooks may not.

    What cannot be seen here is checked when it is called: that a plain function returns
    something to be awaited, or that it blocks the thread.
    """
    handler = code
    if inspect.isclass(code):
        handler = inspect.getattr_static(code, "handle", None)
        for name in HOOKS:
            method = inspect.getattr_static(code, name, None)
            if method is not None and _is_sync(method):
                yield _mistake(f"{_name(code)}.{name}", path)
    if _is_generator(handler):
        hint = "return the answer, or write `async def` and await what it waits for"
        yield Mistake(path, f"{_name(handler)} yields", hint)


def async_mistakes(code: object, path: str) -> Iterator[Mistake]:
    """Check a function that is awaited.

    What cannot be seen here is checked when the actor starts: what a function written
    in C returns, or a function whose annotation says that it returns an awaitable.
    """
    if not inspect.isclass(code) and _is_sync(code):
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


def _is_generator(code: object) -> bool:
    try:
        function = inspect.unwrap(_unwrapped(code))
        return inspect.isgeneratorfunction(function) and not _may_be_awaited(function)
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
