"""The guest: counts the words of a text, and breaks on certain lines if configured to.

Two environment variables configure it: a line with the word TRAPS_ON ends in a trap, a
line with the word LOOPS_ON in an endless loop. `guest_build.py` builds it.
"""

import os
from collections import Counter

from wit_world import exports
from wit_world.exports.component_lifecycle import ComponentMetadata
from wit_world.imports.types import HealthStatus


class ComponentLifecycle(exports.ComponentLifecycle):
    def initialize(self, config):
        env = {name: value.encode() for name, value in config.env_vars}
        self.traps_on = env.get("TRAPS_ON")
        self.loops_on = env.get("LOOPS_ON")

    def handle_message(self, message):
        return self.count(message.payload)

    def handle_callback(self, message):
        pass

    def metadata(self):
        about = "counts words, and breaks if configured to"
        return ComponentMetadata(
            "word-counter", "1.0.0", about, "airssys", "MIT", ["count"], stateful=False
        )

    def health(self):
        return HealthStatus.HEALTHY

    def shutdown(self):
        pass

    def count(self, text):
        """Answer with a line for each word: how often, a blank, the word."""
        counted = Counter()
        for line in text.lower().splitlines():
            if self.traps_on and self.traps_on in line:
                os.abort()  # an exception would only be an answer
            while self.loops_on and self.loops_on in line:
                pass
            counted.update(line.split())
        return b"\n".join(b"%d %s" % (often, word) for word, often in counted.items())
