"""Runs a test with plain handlers where it has async ones that never wait.

A module with `pytestmark = pytest.mark.usefixtures("handler_kind")` runs each of its
tests twice. A handler that awaits something stays async in both runs.
"""

import dis
import functools
import inspect

from trio.lowlevel import disable_ki_protection

from airssys.nursery.behaviours import _python_actor

_WAITS = {"GET_AWAITABLE", "GET_AITER", "BEFORE_ASYNC_WITH"}


def make_plain(monkeypatch):
    """Take async handlers that never wait for plain functions from now on."""
    is_plain, call = _python_actor.is_plain, _python_actor._call

    @disable_ki_protection
    def call_at_once(function, context, envelope):
        answer = call(function, context, envelope)
        return _finished(answer) if inspect.iscoroutine(answer) else answer

    monkeypatch.setattr(
        _python_actor, "is_plain", lambda code: is_plain(code) or _never_waits(code)
    )
    monkeypatch.setattr(_python_actor, "_call", call_at_once)


def _never_waits(code):
    function = getattr(code, "__func__", code)
    return inspect.iscoroutinefunction(function) and not _waits(function.__code__)


@functools.cache
def _waits(code):
    return any(each.opname in _WAITS for each in dis.get_instructions(code))


@disable_ki_protection
def _finished(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as finished:
        return finished.value
    raise AssertionError("a handler without an await has waited")
