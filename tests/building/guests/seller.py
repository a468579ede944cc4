"""A guest that speaks JSON: it is asked with an order, and asks an actor itself."""

import json

from wit_world import exports
from wit_world.exports.component_lifecycle import ComponentMetadata
from wit_world.imports import host_messaging
from wit_world.imports.types import ComponentId, HealthStatus

STORE = ComponentId("local", "store", "0")


class ComponentLifecycle(exports.ComponentLifecycle):
    def initialize(self, config):
        pass

    def handle_message(self, message):
        order = json.loads(message.payload)
        question = {"_type": "Take", "item": order["item"], "count": order["count"]}
        answer = host_messaging.ask(STORE, json.dumps(question).encode(), 1000)
        receipt = {
            "kind": order["_type"],
            "codec": message.metadata.content_type,
            "left": json.loads(answer),
        }
        return json.dumps(receipt).encode()

    def handle_callback(self, message):
        pass

    def metadata(self):
        return ComponentMetadata("seller", "1", "sells", "a", "MIT", [], False)

    def health(self):
        return HealthStatus.HEALTHY

    def shutdown(self):
        pass
