"""`wasi:cli`: environment, arguments, exit, the standard streams, terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from airssys.contracts import Access, TrapReason
from airssys.wasm.host import StopGuest
from airssys.wasm.values import (
    STRING,
    List,
    Number,
    Ok,
    Option,
    Result,
    Tuple,
    function,
)

from ._stdio import StandardInput, output
from .base import interface, same_as, stated

if TYPE_CHECKING:
    from airssys.wasm.values import Err

    from .base import WasiContext


def _environment(context: WasiContext) -> list[tuple[str, str]]:
    """List the variables that it may read; that it may read none is reported."""
    services, allows = context.services, context.permissions.allows
    declared = () if services is None else services.environment
    found = [
        (name, value)
        for name, value in declared
        if allows(Access("environment", "read", name))
    ]
    if not found:
        context.may("environment", "read", declared[0][0] if declared else "*")
    return found


def _arguments(context: WasiContext) -> list[str]:
    services = context.services
    if services is None or not context.may("arguments", "read"):
        return []
    return [services.self_id.text, *services.config.arguments]


def _exit(_context: WasiContext, status: Ok | Err) -> NoReturn:
    _exit_with_code(_context, 0 if type(status) is Ok else 1)


def _exit_with_code(_context: WasiContext, status: int) -> NoReturn:
    text = f"it called exit with status {status}"
    raise StopGuest(TrapReason.EXITED, text, status)


CLI: Final = (
    interface(
        "cli/environment",
        {
            "get-environment": stated(
                function(to=List(Tuple((STRING, STRING)))), _environment
            ),
            "get-arguments": stated(function(to=List(STRING)), _arguments),
            "initial-cwd": stated(function(to=Option(STRING)), lambda _context: None),
        },
    ),
    interface(
        "cli/exit",
        {
            "exit": stated(function(status=Result(None, None)), _exit),
            "exit-with-code": stated(function(status_code=Number.U8), _exit_with_code),
        },
    ),
    interface(
        "cli/stdin",
        {"get-stdin": StandardInput},
        uses=same_as("io/streams", "input-stream"),
    ),
    interface(
        "cli/stdout",
        {"get-stdout": output("stdout")},
        uses=same_as("io/streams", "output-stream"),
    ),
    interface(
        "cli/stderr",
        {"get-stderr": output("stderr")},
        uses=same_as("io/streams", "output-stream"),
    ),
    interface("cli/terminal-input", {}, owns=["terminal-input"]),
    interface("cli/terminal-output", {}, owns=["terminal-output"]),
    *(
        interface(
            f"cli/terminal-{name}",
            {f"get-terminal-{name}": lambda _context: None},
            uses=same_as(f"cli/{kind}", kind),
        )
        for name, kind in (
            ("stdin", "terminal-input"),
            ("stdout", "terminal-output"),
            ("stderr", "terminal-output"),
        )
    ),
)
