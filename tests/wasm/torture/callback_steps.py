"""Lets something happen at a chosen step of a callback, on the guest's stack.

A step is one bytecode instruction of the callback itself; what it calls counts as one.
"""

import dis
import inspect
import sys
from contextlib import contextmanager

from bench import LANE

from airssys.wasm.fallback import _callbacks
from airssys.wasm.lane.core import _host

CALLBACKS = ("callback",) if LANE == "own" else ("host_was_called", "is_answered")
"""Those of the lane on which guests are run in Trio."""
AT_EPOCHS = ("give_way",) if LANE == "own" else ()
_MAKERS = (
    _callbacks._callback_over,
    _callbacks._continuation_over,
    _host.guarded,
    _host.giving_way,
)


def code_of(callback):
    for maker in _MAKERS:
        for constant in maker.__code__.co_consts:
            if getattr(constant, "co_name", None) == callback:
                return constant
    raise LookupError(callback)


def body_of(callback):
    """The lines of a callback that are guarded."""
    lines, first = inspect.getsourcelines(code_of(callback))
    texts = [line.strip() for line in lines]
    begin = texts.index("try:") + 1
    end = next(n for n, text in enumerate(texts) if text.startswith("except "))
    return range(first + begin, first + end)


def calls_of(callback):
    """Where a callback calls something, with the line: a handler of a signal may run there."""
    return {
        each.offset: each.positions.lineno
        for each in dis.get_instructions(code_of(callback))
        if each.opname.startswith("CALL")
    }


class Steps:
    """Counts the steps of one callback, and acts at one of them."""

    def __init__(self, callback, at=None, act=None):
        self.code = code_of(callback)
        self.at = at
        self.act = act
        self.lines = []
        """The line of each step."""
        self.offsets = []
        """Where in the code of the callback each step is."""

    @property
    def taken(self):
        return len(self.lines)

    def traced(self):
        if sys.version_info < (3, 12):
            return self._by_tracing()
        return self._by_monitoring()  # where opcodes cannot be traced reliably

    def _step(self, line, offset):
        self.lines.append(line)
        self.offsets.append(offset)
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
                self._step(frame.f_lineno, frame.f_lasti)
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
            tool, event, lambda _code, offset: self._step(lines[offset], offset)
        )
        monitoring.set_local_events(tool, self.code, event)
        try:
            yield self
        finally:
            monitoring.set_local_events(tool, self.code, monitoring.events.NO_EVENTS)
            monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)
