"""The guest: counts the words of a text, and breaks on certain lines if told to.

Two environment variables configure it: a line with the word TRAPS_ON ends in a trap, a
line with the word LOOPS_ON in an endless loop. `guest_build.py` builds it.
"""

from collections import Counter

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.component_lifecycle import ComponentMetadata
from wit_world.imports.errors import WasmError_RuntimeError
from wit_world.imports.types import HealthStatus

# State lives in the module: each call is made on a fresh ComponentLifecycle object.
ENV: dict[str, bytes] = {}


class Trap(BaseException):
    """Passes `except Exception`. What leaves the guest uncaught ends it by a trap."""


class ComponentLifecycle(exports.ComponentLifecycle):
    def initialize(self, config):
        ENV.update((name, value.encode()) for name, value in config.env_vars)

    def handle_message(self, message):
        try:
            return count(message.payload)
        except Exception as error:  # an answer, not a trap: the guest lives on
            raise Err(WasmError_RuntimeError(repr(error))) from error

    def handle_callback(self, message):
        pass

    def metadata(self):
        about = "counts words, and breaks if told to"
        return ComponentMetadata(
            "word-counter", "1.0.0", about, "airssys", "MIT", ["count"], stateful=False
        )

    def health(self):
        return HealthStatus.HEALTHY

    def shutdown(self):
        pass


def is_in(line, name):
    return name in ENV and ENV[name] in line


def count(text):
    """Answer with a line for each word: how often, a blank, the word."""
    counted = Counter()
    for line in text.lower().splitlines():
        if is_in(line, "TRAPS_ON"):
            raise Trap
        while is_in(line, "LOOPS_ON"):
            pass
        counted.update(line.split())
    return b"\n".join(b"%d %s" % (often, word) for word, often in counted.items())
