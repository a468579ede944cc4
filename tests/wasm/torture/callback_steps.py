"""Lets something happen at a chosen step of a callback, on the guest's stack.

A step is one bytecode instruction of the callback itself; what it calls counts as one.
"""

import sys
from contextlib import contextmanager

CALLBACKS = ("host_was_called", "is_answered")


class Steps:
    """Counts the steps of one callback, and acts at one of them."""

    def __init__(self, callback, at=None, act=None):
        self.callback = callback
        self.at = at
        self.act = act
        self.taken = 0
        self.lines = []
        """The line of each step."""

    @contextmanager
    def traced(self):
        before = sys.gettrace()
        sys.settrace(self._begin)
        try:
            yield self
        finally:
            sys.settrace(before)

    def _begin(self, frame, event, _argument):
        if frame.f_code.co_name != self.callback:
            return None
        frame.f_trace_opcodes = True
        return self._step

    def _step(self, frame, event, _argument):
        if event == "opcode":
            self.lines.append(frame.f_lineno)
            self.taken += 1
            if self.taken - 1 == self.at:
                self.act()
        return self._step
