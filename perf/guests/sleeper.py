"""An actor in Python with WASI: sleeps as long as its message says, in seconds."""

import time

from wit_world import exports


class ComponentLifecycle(exports.ComponentLifecycle):
    def handle_message(self, message):
        time.sleep(float(message.payload))  # noqa: TID251  # of the guest
        return message.payload
