"""Checks that a component fits the world: its imports and its exports.

This happens before it runs, because with other types than ours, marshalling would read
memory at addresses of the guest's choice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from wasmtime.component import Component as Compiled, FuncType

from airssys.contracts import ComponentRefused
from airssys.wasm.host import (
    CORE_INTERFACES,
    EXPORTS,
    LIFECYCLE,
    STATE_EXPORTS,
    STATE_HANDOVER,
    full_name,
    not_provided,
)

from ._signatures import fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import wasmtime

    from airssys.wasm.host import HostInterface
    from airssys.wasm.values import Function

_MOST: Final = 20
_WASI: Final = re.compile(r"wasi:[\w./@+-]+")
_OTHERS: Final = (
    "Import only what the world airssys:core/runtime-host@1.0.0 has, or give it the rest "
    "by host=[HostInterface(...)]"
)
_WASI_ADVICE: Final = (
    "Of WASI 0.2, io, clocks, random, cli, filesystem and sockets are offered: build "
    "without the rest (componentize-py: --stub-wasi; componentize-qjs: --stub-wasi; "
    "componentize-js: jco componentize --disable http; C and Rust: a freestanding wasm32 "
    "target)"
)
_LATER_WASI: Final = re.compile(r"wasi:.+@0\.3\..+")
_LATER_ADVICE: Final = (
    "Build it for WASI 0.2: the values of 0.3, streams and futures, cannot be passed by "
    "wasmtime's C API"
)


def _listed(names: Sequence[str]) -> str:
    """Join names for a message, and leave some out if there are many."""
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def check_world(
    engine: wasmtime.Engine,
    compiled: Compiled,
    label: str,
    host: Sequence[HostInterface] = (),
) -> None:
    """Check that a component imports only what we provide and exports what we call.

    `bind` checks the imports from other interfaces of the host.

    Raises:
        ComponentRefused: With what is wrong and what to do.
    """
    kind = compiled.type
    imports = {
        name: item
        for name, item in kind.imports(engine).items()
        if not any(each.gives(name) for each in host)
    }
    _check_imports(instances(imports, engine), label, host)
    exported = instances(kind.exports(engine), engine)
    wanted = full_name(LIFECYCLE)
    if wanted not in exported:
        others = [name for name in exported if LIFECYCLE in name]
        found = f"it exports {others[0]}" if others else "it does not export it"
        raise ComponentRefused(
            label,
            f"a component must export {wanted}, but {found}",
            "Build it for the world airssys:core/runtime-host@1.0.0, or for "
            "wasi:cli/command if it is a program; load_any calls the exports of any other",
        )
    _check_functions(exported[wanted], EXPORTS, wanted, label)
    optional = full_name(STATE_HANDOVER)
    if optional in exported:
        _check_functions(exported[optional], STATE_EXPORTS, optional, label)


def check_wasi(imported: Iterable[str], label: str) -> None:
    """Check what is left of a component's imports for WASI that is not offered.

    It takes names, so it can run early.

    Raises:
        ComponentRefused: There is some.
    """
    wasi = sorted(name for name in imported if _WASI.fullmatch(name))
    later = [name for name in wasi if _LATER_WASI.fullmatch(name)]
    if later:
        raise ComponentRefused(label, f"it imports {_listed(later)}", _LATER_ADVICE)
    if wasi:
        raise ComponentRefused(label, f"it imports {_listed(wasi)}", _WASI_ADVICE)


def _check_functions(
    found: Mapping[str, FuncType | None],
    wanted: Mapping[str, Function],
    interface: str,
    label: str,
) -> None:
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ComponentRefused(
            label,
            f"{interface} lacks {', '.join(missing)}",
            "Export every function of the interface",
        )
    _check_signatures(found, wanted, interface, label)


def _check_imports(
    imported: Mapping[str, Mapping[str, FuncType | None]],
    label: str,
    host: Sequence[HostInterface],
) -> None:
    check_wasi(imported, label)
    known = {
        name: {n: f.type for n, f in core.functions.items() if f.type is not None}
        for name in imported
        for core in CORE_INTERFACES
        if core.gives(name)
    }
    unknown = sorted(set(imported) - set(known))
    both = sorted(set(imported) & set(known))
    for interface in both:
        unknown += [
            f"{interface}#{name}"
            for name, function in imported[interface].items()
            if function is not None and name not in known[interface]
        ]
    if unknown:
        raise ComponentRefused(
            label,
            not_provided((*CORE_INTERFACES, *host), unknown, _listed(unknown)),
            _OTHERS,
        )
    for interface in both:
        _check_signatures(imported[interface], known[interface], interface, label)


def _check_signatures(
    found: Mapping[str, FuncType | None],
    wanted: Mapping[str, Function],
    interface: str,
    label: str,
) -> None:
    wrong = [
        name
        for name, function in found.items()
        if name in wanted and (function is None or not fits(function, wanted[name]))
    ]
    if wrong:
        raise ComponentRefused(
            label,
            f"its {interface} has other types for {_listed(wrong)}",
            "Build it for the world airssys:core/runtime-host@1.0.0",
        )


def instances(
    items: Mapping[str, Any], engine: wasmtime.Engine
) -> dict[str, dict[str, FuncType | None]]:
    """Return instances by name, each with its members: functions, or None for others.

    Other items (a plain function, a type) count as instances without members.
    """
    found: dict[str, dict[str, FuncType | None]] = {}
    for name, item in items.items():
        kind = getattr(item, "ty", item)  # wasmtime 48 gives the type itself
        members = kind.exports(engine) if hasattr(kind, "exports") else {}
        found[name] = {
            member: inner if isinstance(inner, FuncType) else None
            for member, inner in (
                (member, getattr(item, "ty", item)) for member, item in members.items()
            )
        }
    return found
