"""Lets something happen at a chosen step of a callback, on the guest's stack.

A step is one bytecode instruction of the callback itself; what it calls counts as one.
"""

import inspect
import sys
from contextlib import contextmanager

from bench import LANE

from airssys.wasm.fallback import _callbacks
from airssys.wasm.lane.core import _code

CALLBACKS = ("callback",) if LANE == "own" else ("host_was_called", "is_answered")
"""Those of the lane on which guests are run in Trio."""
_MAKERS = (_callbacks._callback_over, _callbacks._continuation_over, _code.guarded)


def code_of(callback):
    for maker in _MAKERS:
        for constant in maker.__code__.co_consts:
            if getattr(constant, "co_name", None) == callback:
                return constant
    raise LookupError(callback)


def line_of(text):
    """The line of the own lane's callback that says this."""
    lines, first = inspect.getsourcelines(_code.guarded)
    (found,) = (n for n, line in enumerate(lines, first) if line.strip() == text)
    return found


class Steps:
    """Counts the steps of one callback, and acts at one of them."""

    def __init__(self, callback, at=None, act=None):
        self.code = code_of(callback)
        self.at = at
        self.act = act
        self.lines = []
        """The line of each step."""

    @property
    def taken(self):
        return len(self.lines)

    def traced(self):
        if sys.version_info < (3, 12):
            return self._by_tracing()
        return self._by_monitoring()  # where opcodes cannot be traced reliably

    def _step(self, line):
        self.lines.append(line)
        if self.taken - 1 == self.at:
            self.act()

    @contextmanager
    def _by_tracing(self):
        def begin(frame, _event, _argument):
            if frame.f_code is not self.code:
                return None
            frame.f_trace_opcodes = True
            return step

        def step(frame, event, _argument):
            if event == "opcode":
                self._step(frame.f_lineno)
            return step

        before = sys.gettrace()
        sys.settrace(begin)
        try:
            yield self
        finally:
            sys.settrace(before)

    @contextmanager
    def _by_monitoring(self):
        monitoring = sys.monitoring
        tool, event = monitoring.DEBUGGER_ID, monitoring.events.INSTRUCTION
        lines = {
            offset: line
            for start, end, line in self.code.co_lines()
            for offset in range(start, end, 2)
        }
        monitoring.use_tool_id(tool, "torture")
        monitoring.register_callback(
            tool, event, lambda _code, offset: self._step(lines[offset])
        )
        monitoring.set_local_events(tool, self.code, event)
        try:
            yield self
        finally:
            monitoring.set_local_events(tool, self.code, monitoring.events.NO_EVENTS)
            monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)
