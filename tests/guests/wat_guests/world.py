"""The world airssys:core/runtime-host as WebAssembly text: its types and its host functions.

A component states the types of what it imports and exports in full, so every fixture
carries these texts. Names of types are those of `wit/`, with a `$` in front.
"""

from textwrap import dedent
from typing import Final

import attrs

VERSION: Final = "1.0.0"


def interface_id(name: str, version: str = VERSION) -> str:
    """Return the full name of an interface of the package airssys:core."""
    return f"airssys:core/{name}@{version}"


TYPES: Final = dedent("""\
    (import "airssys:core/types@1.0.0" (instance $types
      (type $component-id' (record
        (field "namespace" string) (field "name" string) (field "instance" string)))
      (export "component-id" (type $component-id (eq $component-id')))
      (type $correlation-id' string)
      (export "correlation-id" (type $correlation-id (eq $correlation-id')))
      (type $request-id' string)
      (export "request-id" (type $request-id (eq $request-id')))
      (type $message-payload' (list u8))
      (export "message-payload" (type $message-payload (eq $message-payload')))
      (type $timestamp' (record (field "seconds" u64) (field "nanoseconds" u32)))
      (export "timestamp" (type $timestamp (eq $timestamp')))
      (type $message-metadata' (record
        (field "correlation-id" (option $correlation-id))
        (field "reply-to" (option $component-id))
        (field "timestamp" $timestamp)
        (field "content-type" (option string))))
      (export "message-metadata" (type $message-metadata (eq $message-metadata')))
      (type $component-message' (record
        (field "sender" $component-id)
        (field "payload" $message-payload)
        (field "metadata" $message-metadata)))
      (export "component-message" (type $component-message (eq $component-message')))
      (type $resource-limits' (record
        (field "max-memory-bytes" u64)
        (field "max-execution-time-ms" u64)
        (field "max-fuel" (option u64))))
      (export "resource-limits" (type $resource-limits (eq $resource-limits')))
      (type $component-config' (record
        (field "env-vars" (list (tuple string string)))
        (field "config-data" (option $message-payload))
        (field "resource-limits" $resource-limits)))
      (export "component-config" (type $component-config (eq $component-config')))
      (type $log-level' (enum "trace" "debug" "info" "warn" "error"))
      (export "log-level" (type $log-level (eq $log-level')))
      (type $health-status' (enum "healthy" "degraded" "unhealthy" "unknown"))
      (export "health-status" (type $health-status (eq $health-status')))))
    (alias export $types "component-id" (type $component-id))
    (alias export $types "correlation-id" (type $correlation-id))
    (alias export $types "request-id" (type $request-id))
    (alias export $types "message-payload" (type $message-payload))
    (alias export $types "timestamp" (type $timestamp))
    (alias export $types "component-message" (type $component-message))
    (alias export $types "component-config" (type $component-config))
    (alias export $types "log-level" (type $log-level))
    (alias export $types "health-status" (type $health-status))
    (import "airssys:core/errors@1.0.0" (instance $errors
      (alias outer 1 $component-id (type $component-id'))
      (export "component-id" (type $component-id (eq $component-id')))
      (alias outer 1 $correlation-id (type $correlation-id'))
      (export "correlation-id" (type $correlation-id (eq $correlation-id')))
      (type $wasm-error' (variant
        (case "component-not-found" string) (case "instantiation-failed" string)
        (case "export-not-found" string) (case "timeout")
        (case "resource-limit-exceeded" string) (case "invalid-component" string)
        (case "runtime-error" string)))
      (export "wasm-error" (type $wasm-error (eq $wasm-error')))
      (type $component-error' (variant
        (case "initialization-failed" string) (case "already-initialized")
        (case "not-initialized") (case "shutdown-failed" string)
        (case "invalid-state" string)))
      (export "component-error" (type $component-error (eq $component-error')))
      (type $messaging-error' (variant
        (case "delivery-failed" string) (case "correlation-timeout" $correlation-id)
        (case "invalid-message" string) (case "queue-full")
        (case "target-not-found" $component-id)))
      (export "messaging-error" (type $messaging-error (eq $messaging-error')))
      (type $storage-error' (variant
        (case "not-found" string) (case "already-exists" string)
        (case "quota-exceeded") (case "invalid-key" string)
        (case "io-error" string)))
      (export "storage-error" (type $storage-error (eq $storage-error')))))
    (alias export $errors "wasm-error" (type $wasm-error))
    (alias export $errors "component-error" (type $component-error))
    (alias export $errors "messaging-error" (type $messaging-error))
    (alias export $errors "storage-error" (type $storage-error))
    """)

ERROR_CASES: Final = {
    "messaging-error": (
        "delivery-failed",
        "correlation-timeout",
        "invalid-message",
        "queue-full",
        "target-not-found",
    ),
    "component-error": (
        "initialization-failed",
        "already-initialized",
        "not-initialized",
        "shutdown-failed",
        "invalid-state",
    ),
    "storage-error": (
        "not-found",
        "already-exists",
        "quota-exceeded",
        "invalid-key",
        "io-error",
    ),
}


@attrs.frozen
class Interface:
    """What an imported interface says about types before it lists functions."""

    name: str
    uses: tuple[str, ...]
    """Types of `TYPES` that the interface takes over."""
    records: tuple[tuple[str, str], ...] = ()
    """Name and text of the types that the interface defines itself."""

    def import_text(self, functions: "list[WorldFunction]") -> str:
        """Return the import of this interface with just these functions."""
        lines = [f'(import "{interface_id(self.name)}" (instance ${self.name}']
        for name in self.uses:
            lines.append(f"  (alias outer 1 ${name} (type ${name}'))")
            lines.append(f'  (export "{name}" (type ${name} (eq ${name}\')))')
        for name, text in self.records:
            lines.append(f"  (type ${name}' {text})")
            lines.append(f'  (export "{name}" (type ${name} (eq ${name}\')))')
        lines += [f'  (export "{one.name}" (func {one.type}))' for one in functions]
        return "\n".join(lines) + "))\n"


@attrs.frozen
class WorldFunction:
    """A function that guests may import."""

    interface: str
    name: str
    type: str
    """Its type in the component."""
    core_type: str
    """The same, flattened by the canonical ABI. A last i32 points to room for a result."""

    @property
    def label(self) -> str:
        """Its name in the code of a fixture, without the `$`."""
        return f"{self.interface}.{self.name}"


_COMPONENT_INFO = """\
(record (field "id" $component-id) (field "name" string)
    (field "version" string) (field "health" string))"""
_STORAGE_USAGE = """\
(record (field "used-bytes" u64) (field "quota-bytes" u64)
    (field "key-count" u64))"""

INTERFACES: Final = (
    Interface(
        "host-messaging",
        (
            "component-id",
            "correlation-id",
            "message-payload",
            "request-id",
            "messaging-error",
        ),
    ),
    Interface(
        "host-services",
        ("component-id", "log-level", "timestamp", "component-error"),
        (("component-info", _COMPONENT_INFO),),
    ),
    Interface(
        "storage",
        ("storage-error",),
        (("storage-value", "(list u8)"), ("storage-usage", _STORAGE_USAGE)),
    ),
)


def _messaging(name: str, params: str, core_type: str, ok: str = "") -> WorldFunction:
    result = f"(result (result {ok + ' ' if ok else ''}(error $messaging-error)))"
    return WorldFunction("host-messaging", name, f"{params} {result}", core_type)


def _storage(name: str, params: str, core_type: str, ok: str = "") -> WorldFunction:
    result = f"(result (result {ok + ' ' if ok else ''}(error $storage-error)))"
    return WorldFunction("storage", name, f"{params} {result}".strip(), core_type)


_TO_TARGET = '(param "target" $component-id) (param "payload" $message-payload)'

HOST_FUNCTIONS: Final = {
    function.label: function
    for function in (
        _messaging("send", _TO_TARGET, "(param i32 i32 i32 i32 i32 i32 i32 i32 i32)"),
        _messaging(
            "request",
            f'{_TO_TARGET} (param "timeout-ms" u64)',
            "(param i32 i32 i32 i32 i32 i32 i32 i32 i64 i32)",
            ok="$correlation-id",
        ),
        _messaging(
            "cancel-request", '(param "request-id" $request-id)', "(param i32 i32 i32)"
        ),
        _messaging(
            "broadcast",
            '(param "targets" (list $component-id)) (param "payload" $message-payload)',
            "(param i32 i32 i32 i32 i32)",
        ),
        WorldFunction(
            "host-messaging", "self-id", "(result $component-id)", "(param i32)"
        ),
        _messaging(
            "ask",
            f'{_TO_TARGET} (param "timeout-ms" u64)',
            "(param i32 i32 i32 i32 i32 i32 i32 i32 i64 i32)",
            ok="$message-payload",
        ),
        _messaging(
            "publish",
            '(param "topic" string) (param "payload" $message-payload)',
            "(param i32 i32 i32 i32 i32)",
        ),
        _messaging("subscribe", '(param "pattern" string)', "(param i32 i32 i32)"),
        _messaging("unsubscribe", '(param "pattern" string)', "(param i32 i32 i32)"),
        WorldFunction(
            "host-services",
            "log",
            '(param "level" $log-level) (param "message" string)'
            ' (param "context" (option (list (tuple string string))))',
            "(param i32 i32 i32 i32 i32 i32)",
        ),
        WorldFunction(
            "host-services", "current-time", "(result $timestamp)", "(param i32)"
        ),
        WorldFunction(
            "host-services", "current-time-millis", "(result u64)", "(result i64)"
        ),
        WorldFunction(
            "host-services", "sleep-millis", '(param "duration-ms" u64)', "(param i64)"
        ),
        WorldFunction(
            "host-services",
            "list-components",
            "(result (list $component-id))",
            "(param i32)",
        ),
        WorldFunction(
            "host-services",
            "get-component-metadata",
            '(param "id" $component-id)'
            " (result (result $component-info (error $component-error)))",
            "(param i32 i32 i32 i32 i32 i32 i32)",
        ),
        _storage(
            "get",
            '(param "key" string)',
            "(param i32 i32 i32)",
            ok="(option $storage-value)",
        ),
        _storage(
            "set",
            '(param "key" string) (param "value" $storage-value)',
            "(param i32 i32 i32 i32 i32)",
        ),
        _storage("delete", '(param "key" string)', "(param i32 i32 i32)"),
        _storage("exists", '(param "key" string)', "(param i32 i32 i32)", ok="bool"),
        _storage(
            "list-keys",
            '(param "prefix" (option string))',
            "(param i32 i32 i32 i32)",
            ok="(list string)",
        ),
        _storage("usage", "", "(param i32)", ok="$storage-usage"),
    )
}


@attrs.frozen
class LifecycleFunction:
    """A function that every guest exports."""

    type: str
    """Its type in the component."""
    core_type: str
    """The same, flattened, with names for the parameters."""
    body: str
    """What a fixture does that has no wish of its own."""
    uses_memory: bool = True


_MESSAGE = "(param $message i32) (result i32)"

LIFECYCLE: Final = {
    "initialize": LifecycleFunction(
        '(param "config" $component-config) (result (result (error $component-error)))',
        "(param $env i32) (param $env-count i32)"
        " (param $has-data i32) (param $data i32) (param $data-size i32)\n"
        "  (param $max-memory i64) (param $max-time i64)"
        " (param $has-fuel i32) (param $max-fuel i64) (result i32)",
        "(call $ok)",
    ),
    "handle-message": LifecycleFunction(
        '(param "msg" $component-message)'
        " (result (result (option $message-payload) (error $wasm-error)))",
        _MESSAGE,
        "(call $some (call $payload (local.get $message)))",
    ),
    "handle-callback": LifecycleFunction(
        '(param "msg" $component-message) (result (result (error $wasm-error)))',
        _MESSAGE,
        "(call $ok)",
    ),
    "metadata": LifecycleFunction(
        "(result $component-metadata)", "(result i32)", "(i32.const 256)"
    ),
    "health": LifecycleFunction(
        "(result $health-status)", "(result i32)", "(i32.const 0)", uses_memory=False
    ),
    "shutdown": LifecycleFunction(
        "(result (result (error $component-error)))", "(result i32)", "(call $ok)"
    ),
}

STATE_HANDOVER: Final = {
    "export-state": LifecycleFunction(
        "(result (result (list u8) (error $component-error)))",
        "(result i32)",
        "(call $bytes (i32.const 0) (i32.const 0))",
    ),
    "import-state": LifecycleFunction(
        '(param "state" (list u8)) (result (result (error $component-error)))',
        "(param $at i32) (param $size i32) (result i32)",
        "(call $ok)",
    ),
}
"""What a guest may export besides, as `state-handover`."""

METADATA_TYPE: Final = dedent("""\
    (type $component-metadata' (record
      (field "name" string) (field "version" string) (field "description" string)
      (field "author" string) (field "license" string)
      (field "supported-operations" (list string)) (field "stateful" bool)))
    (export $component-metadata "component-metadata" (type $component-metadata'))
    """)
