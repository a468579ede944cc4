"""A guest that counts, and hands its number over to the code that replaces it."""

from componentize_py_types import Err
from wit_world.imports.errors import ComponentError_InvalidState


class ComponentLifecycle:
    """Counts messages; the text `forget` makes it refuse to tell its number."""

    def __init__(self):
        self.number, self.forgets = 0, False

    def handle_message(self, message):
        self.forgets = message.payload == b"forget"
        self.number += 1
        return str(self.number).encode()

    def export_state(self):
        if self.forgets:
            raise Err(ComponentError_InvalidState("forgotten"))
        return str(self.number).encode()

    def import_state(self, state):
        self.number = int(state)
