"""The world `airssys:core/runtime-host@1.0.0`, as a table of types.

`wit/` says the same for guest authors; a test compares the two.
"""

from __future__ import annotations

from typing import Final

from airssys.wasm.values import (
    BYTES,
    STRING,
    Enum,
    Function,
    List,
    Number,
    Option,
    Result,
    Tuple,
    function,
    record,
    variant,
)

PACKAGE: Final = "airssys:core"
VERSION: Final = "1.0.0"

U64: Final = Number.U64
COMPONENT_ID: Final = record(namespace=STRING, name=STRING, instance=STRING)
TIMESTAMP: Final = record(seconds=U64, nanoseconds=Number.U32)
METADATA: Final = record(
    correlation_id=Option(STRING),
    reply_to=Option(COMPONENT_ID),
    timestamp=TIMESTAMP,
    content_type=Option(STRING),
)
MESSAGE: Final = record(sender=COMPONENT_ID, payload=BYTES, metadata=METADATA)
RESOURCE_LIMITS: Final = record(
    max_memory_bytes=U64, max_execution_time_ms=U64, max_fuel=Option(U64)
)
PAIRS: Final = List(Tuple((STRING, STRING)))
CONFIG: Final = record(
    env_vars=PAIRS, config_data=Option(BYTES), resource_limits=RESOURCE_LIMITS
)
LOG_LEVEL: Final = Enum(("trace", "debug", "info", "warn", "error"))
HEALTH: Final = Enum(("healthy", "degraded", "unhealthy", "unknown"))
WASM_ERROR: Final = variant(
    component_not_found=STRING,
    instantiation_failed=STRING,
    export_not_found=STRING,
    timeout=None,
    resource_limit_exceeded=STRING,
    invalid_component=STRING,
    runtime_error=STRING,
)
COMPONENT_ERROR: Final = variant(
    initialization_failed=STRING,
    already_initialized=None,
    not_initialized=None,
    shutdown_failed=STRING,
    invalid_state=STRING,
)
MESSAGING_ERROR: Final = variant(
    delivery_failed=STRING,
    correlation_timeout=STRING,
    invalid_message=STRING,
    queue_full=None,
    target_not_found=COMPONENT_ID,
)
STORAGE_ERROR: Final = variant(
    not_found=STRING,
    already_exists=STRING,
    quota_exceeded=None,
    invalid_key=STRING,
    io_error=STRING,
)
COMPONENT_METADATA: Final = record(
    name=STRING,
    version=STRING,
    description=STRING,
    author=STRING,
    license=STRING,
    supported_operations=List(STRING),
    stateful=Number.BOOL,
)
COMPONENT_INFO: Final = record(
    id=COMPONENT_ID, name=STRING, version=STRING, health=STRING
)
STORAGE_USAGE: Final = record(used_bytes=U64, quota_bytes=U64, key_count=U64)

_MESSAGING: Final = Result(None, MESSAGING_ERROR)
_STORED: Final = Result(None, STORAGE_ERROR)

LIFECYCLE: Final = "component-lifecycle"
EXPORTS: Final[dict[str, Function]] = {
    "initialize": function(config=CONFIG, to=Result(None, COMPONENT_ERROR)),
    "handle-message": function(msg=MESSAGE, to=Result(Option(BYTES), WASM_ERROR)),
    "handle-callback": function(msg=MESSAGE, to=Result(None, WASM_ERROR)),
    "metadata": function(to=COMPONENT_METADATA),
    "health": function(to=HEALTH),
    "shutdown": function(to=Result(None, COMPONENT_ERROR)),
}
"""What every component exports, all in the interface `component-lifecycle`."""

STATE_HANDOVER: Final = "state-handover"
EXPORT_STATE: Final = "export-state"
STATE_EXPORTS: Final[dict[str, Function]] = {
    EXPORT_STATE: function(to=Result(BYTES, COMPONENT_ERROR)),
    "import-state": function(state=BYTES, to=Result(None, COMPONENT_ERROR)),
}
"""What a component may export beside that, all in the interface `state-handover`."""

IMPORTS: Final[dict[str, dict[str, Function]]] = {
    "host-messaging": {
        "send": function(target=COMPONENT_ID, payload=BYTES, to=_MESSAGING),
        "request": function(
            target=COMPONENT_ID,
            payload=BYTES,
            timeout_ms=U64,
            to=Result(STRING, MESSAGING_ERROR),
        ),
        "cancel-request": function(request_id=STRING, to=_MESSAGING),
        "broadcast": function(targets=List(COMPONENT_ID), payload=BYTES, to=_MESSAGING),
        "self-id": function(to=COMPONENT_ID),
        "ask": function(
            target=COMPONENT_ID,
            payload=BYTES,
            timeout_ms=U64,
            to=Result(BYTES, MESSAGING_ERROR),
        ),
        "publish": function(topic=STRING, payload=BYTES, to=_MESSAGING),
        "subscribe": function(pattern=STRING, to=_MESSAGING),
        "unsubscribe": function(pattern=STRING, to=_MESSAGING),
    },
    "host-services": {
        "log": function(level=LOG_LEVEL, message=STRING, context=Option(PAIRS)),
        "current-time": function(to=TIMESTAMP),
        "current-time-millis": function(to=U64),
        "sleep-millis": function(duration_ms=U64),
        "list-components": function(to=List(COMPONENT_ID)),
        "get-component-metadata": function(
            id=COMPONENT_ID, to=Result(COMPONENT_INFO, COMPONENT_ERROR)
        ),
    },
    "storage": {
        "get": function(key=STRING, to=Result(Option(BYTES), STORAGE_ERROR)),
        "set": function(key=STRING, value=BYTES, to=_STORED),
        "delete": function(key=STRING, to=_STORED),
        "exists": function(key=STRING, to=Result(Number.BOOL, STORAGE_ERROR)),
        "list-keys": function(
            prefix=Option(STRING), to=Result(List(STRING), STORAGE_ERROR)
        ),
        "usage": function(to=Result(STORAGE_USAGE, STORAGE_ERROR)),
    },
}
"""What a component may import: interface, function, signature."""

TYPE_ONLY: Final = ("types", "errors", "capabilities")
"""Interfaces that carry types and no functions; nothing is defined for them."""


def full_name(interface: str) -> str:
    """The name under which components import and export an interface."""
    return f"{PACKAGE}/{interface}@{VERSION}"
