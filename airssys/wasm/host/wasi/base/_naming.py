"""Makes interfaces of WASI, which all get one context for each instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airssys.wasm.host import HostFunction, HostInterface, SameAs

from ._context import WasiContext, release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airssys.wasm.values import Function

VERSION: Final = "0.2.0"
"""Stands for all of 0.2: interfaces are found without the last number."""


def full_name(name: str) -> str:
    """The name of an interface, with package and version."""
    return f"wasi:{name}@{VERSION}"


def same_as(interface: str, *resources: str) -> dict[str, SameAs]:
    """Resources that another interface has defined, under the same names."""
    return {each: SameAs(f"{full_name(interface)}#{each}") for each in resources}


def stated(type_: Function, act: Callable[..., Any], **options: Any) -> HostFunction:
    """A function with its type; only those that move no resources can have one."""
    return HostFunction(act, type=type_, **options)


def interface(
    name: str,
    functions: Mapping[str, HostFunction | Callable[..., Any]],
    *,
    owns: Iterable[str] = (),
    uses: Mapping[str, SameAs] | None = None,
    errors: Mapping[type[Exception], Callable[[Any], Any]] | None = None,
) -> HostInterface:
    """Make an interface.

    Args:
        name: Without `wasi:` and the version.
        functions: By name; they get the `WasiContext` of the instance first.
        owns: The resources that it defines; their objects are of the class `Held`.
        uses: Those of other interfaces.
        errors: As of `HostInterface`.
    """
    return HostInterface(
        full_name(name),
        functions,
        resources={**dict.fromkeys(owns, release), **(uses or {})},
        errors=errors or {},
        make_context=WasiContext,
        close_context=WasiContext.close,
    )
