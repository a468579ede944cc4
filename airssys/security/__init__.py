"""Authority: what a component may do, decided without Trio and without wasmtime.

What is offered here are the words for grants; see `_grants`.
"""

from typing import TYPE_CHECKING

from airssys.contracts import Grant, imported_late

from ._grants import (
    arguments,
    ask,
    bind,
    broadcast,
    clock,
    connect,
    custom,
    delete_files,
    env,
    everything,
    http,
    insecure_random,
    list_files,
    log,
    monotonic_clock,
    publish,
    random,
    read_files,
    read_store,
    request,
    resolve,
    run_command,
    see,
    send,
    stderr,
    stdin,
    stdout,
    store,
    subscribe,
    write_files,
)

if TYPE_CHECKING:
    from .audit import AuditLog, Ed25519Signer

__all__ = (
    "AuditLog",
    "Ed25519Signer",
    "Grant",
    "arguments",
    "ask",
    "bind",
    "broadcast",
    "clock",
    "connect",
    "custom",
    "delete_files",
    "env",
    "everything",
    "http",
    "insecure_random",
    "list_files",
    "log",
    "monotonic_clock",
    "publish",
    "random",
    "read_files",
    "read_store",
    "request",
    "resolve",
    "run_command",
    "see",
    "send",
    "stderr",
    "stdin",
    "stdout",
    "store",
    "subscribe",
    "write_files",
)

_AUDIT = "airssys.security.audit"
__getattr__ = imported_late(__name__, {"AuditLog": _AUDIT, "Ed25519Signer": _AUDIT})
