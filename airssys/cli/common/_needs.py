"""Which grants a component may need, by what it imports, and what for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SHOWN: Final = 6
"""Functions that are named for one grant."""


@final
@attrs.frozen
class Need:
    """A grant, the functions that ask for it, and what it is for."""

    grant: str
    interface: str
    """Without the version."""
    functions: frozenset[str]
    """Without the names of their resources; none stands for all."""
    why: str


def _need(grant: str, interface: str, why: str, functions: str = "") -> Need:
    return Need(grant, interface, frozenset(functions.split()), why)


_FILES: Final = "wasi:filesystem/types"
_MESSAGING: Final = "airssys:core/host-messaging"
_NEEDS: Final = (
    _need("send(...)", _MESSAGING, "to send messages", "send"),
    _need("ask(...)", _MESSAGING, "to ask others", "ask"),
    _need("request(...)", _MESSAGING, "to ask and be called back", "request"),
    _need("broadcast(...)", _MESSAGING, "to send to several", "broadcast"),
    _need("publish(...)", _MESSAGING, "to publish", "publish"),
    _need("subscribe(...)", _MESSAGING, "to subscribe", "subscribe"),
    _need("store(...)", "airssys:core/storage", "to keep data"),
    _need(
        "env(...)",
        "wasi:cli/environment",
        "to see variables of env=",
        "get-environment",
    ),
    _need(
        "arguments()", "wasi:cli/environment", "to see its arguments", "get-arguments"
    ),
    _need("stdin()", "wasi:cli/stdin", "to read what it is given"),
    _need("stdout()", "wasi:cli/stdout", "to print; else what it prints is dropped"),
    _need("stderr()", "wasi:cli/stderr", "to print errors; else they are dropped"),
    _need("clock()", "wasi:clocks/wall-clock", "to know the time; else it is 1970"),
    _need(
        "monotonic_clock()",
        "wasi:clocks/monotonic-clock",
        "to measure time; sleeping needs no grant",
        "now resolution",
    ),
    _need(
        "random()", "wasi:random/random", "for secure random bytes; else it is stopped"
    ),
    _need(
        "insecure_random()",
        "wasi:random/insecure",
        "for random numbers that differ between instances",
    ),
    _need(
        "insecure_random()",
        "wasi:random/insecure-seed",
        "for hash tables that differ between instances",
    ),
    _need(
        "read_files(...)",
        _FILES,
        "to open and read files",
        "open-at read read-via-stream",
    ),
    _need("list_files(...)", _FILES, "to list folders", "read-directory"),
    _need(
        "write_files(...)",
        _FILES,
        "to create and change files",
        "write write-via-stream append-via-stream set-size set-times set-times-at "
        "create-directory-at symlink-at link-at rename-at",
    ),
    _need(
        "delete_files(...)",
        _FILES,
        "to delete and move files",
        "unlink-file-at remove-directory-at rename-at",
    ),
    _need("connect(...)", "wasi:sockets/tcp", "to connect", "start-connect"),
    _need("bind(...)", "wasi:sockets/tcp", "to listen", "start-bind start-listen"),
    _need("bind(...)", "wasi:sockets/udp", "to receive datagrams", "start-bind"),
    _need("connect(...)", "wasi:sockets/udp", "to send datagrams", "stream"),
    _need("resolve(...)", "wasi:sockets/ip-name-lookup", "to look names up"),
    _need("http(...)", "wasi:http/outgoing-handler", "to send HTTP requests"),
)


def needs_of(imports: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Visit grants that a component may need, each with a line that says why.

    Args:
        imports: By interface, the names of the functions that it imports.
    """
    for need in _NEEDS:
        used = sorted(_used(need, imports))
        if not used:
            continue
        more = f" and {len(used) - _SHOWN} more" if len(used) > _SHOWN else ""
        named = ", ".join(used[:_SHOWN]) + more
        plain = need.interface.partition(":")[2]
        yield need.grant, f"{need.why} ({plain}: {named})"


def _used(need: Need, imports: Mapping[str, Sequence[str]]) -> set[str]:
    return {
        name
        for interface, functions in imports.items()
        if interface.partition("@")[0] == need.interface
        for name in (each.rpartition(".")[2] for each in functions)
        if not need.functions or name in need.functions
    }
