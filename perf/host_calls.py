"""One call of a host function, on either lane, by its kind.

A guest calls a function of the host a thousand times while it handles one message. From
the time of that the time of a message without calls is taken off. The function adds two
numbers, or measures a text of 16 bytes. All are processor time of this process, in the
fastest of many rounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final, TypeAlias, cast

import trio
from lanes import fastest
from measuring.children import tell_parent
from measuring.guests import guest_file, message
from measuring.ratios import Report, check_count, seconds

from airssys.contracts import (
    Artifact,
    ComponentConfig,
    EngineSettings,
    Guest,
    HostServices,
    Limits,
)
from airssys.wasm import FunctionKind, HostFunction, HostInterface, open_runtime

LANES: Final = ("own", "wasmtime")
KINDS: Final = (FunctionKind.INSTANT, FunctionKind.AT_ONCE)
_CALLS: Final = 1000
_NAME: Final = "perf:calls/host@1.0.0"
_IMPORT: Final = """(import "perf:calls/host@1.0.0" (instance $host
    (export "number" (func (param "x" u32) (result u32)))
    (export "text" (func (param "x" string) (result u32)))))
  (core func $number (canon lower (func $host "number")))
  (core func $text (canon lower (func $host "text") (memory $memory "memory")))
  """
_LOOP: Final = """(local $at i32) (local $left i32)
      (local.set $at (i32.load offset=24 (local.get $message)))
      (local.set $left (i32.mul (i32.const 1000) (i32.ne (i32.load8_u (local.get $at)) (i32.const 48))))
      (block $over (loop $again
        (br_if $over (i32.eqz (local.get $left)))
        (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 49))
          (then (drop (call $number (local.get $left))))
          (else (drop (call $text (local.get $at) (i32.const 16)))))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $again)))
      """
_ANSWER: Final = "(call $some (call $payload (local.get $message))))"
Act: TypeAlias = Callable[[], Awaitable[object]]


def calling_guest() -> str:
    """Write a guest that calls a function of the host as its message says."""
    text = guest_file("echo").read_text()
    main = "(core module $main\n"
    memory = '(import "memory" "memory" (memory 1))\n'
    imports = '(import "host" "number" (func $number (param i32) (result i32)))\n'
    imports += '(import "host" "text" (func $text (param i32 i32) (result i32)))\n'
    given = '(with "host" (instance (export "number" (func $number))'
    given += ' (export "text" (func $text))))'
    needed = '(with "memory" (instance $memory))))'
    imported = _IMPORT.replace("(memory $memory", "(memory (core memory $memory")
    imported = imported.replace('"memory")))', '"memory"))))', 1)
    text = text.replace(needed, f'(with "memory" (instance $memory)) {given}))')
    start = text.index("(core instance $main")
    at = text.rindex("\n", 0, text.index(main)) + 1
    assert at < start
    text = text[:at] + text[at:].replace(memory, memory + imports, 1)
    text = text.replace(_ANSWER, _LOOP + _ANSWER, 1)
    before = text.index("(core instance $main")
    return text[:before] + imported + text[before:]


def calling(guest: Guest, mark: int) -> Act:
    """Make what has the guest call nothing (0), the first function, or the second."""
    sent = message(str(mark).encode() + bytes(15))

    async def act() -> None:
        answer = await guest.handle_message(sent)
        check_count("bytes", len(answer or b""), 16)

    return act


async def measure(rounds: int) -> dict[str, float]:
    """Measure on both lanes; returns seconds for each call."""
    artifact = Artifact.from_text(calling_guest(), "host calls")
    acts: dict[str, Act] = {}
    async with AsyncExitStack() as stack:
        for lane in LANES:
            settings = EngineSettings(lane=lane, tick=0.1)
            loader = await stack.enter_async_context(open_runtime(settings))
            for kind in KINDS:
                given = HostInterface(
                    _NAME,
                    {
                        "number": HostFunction(lambda _, x: x, kind=kind),
                        "text": HostFunction(lambda _, x: len(x), kind=kind),
                    },
                )
                component = await loader.load(artifact.given([given]))
                guest = await component.instantiate(
                    Limits(), cast("HostServices", object())
                )
                stack.callback(guest.close)
                await guest.initialize(ComponentConfig())
                for mark, what in enumerate(("nothing", "number", "text")):
                    acts[f"{what}, {kind.value}, {lane}"] = calling(guest, mark)
        found = await fastest(acts, rounds)
    each = {}
    for name, value in found.items():
        what, _, rest = name.partition(", ")
        if what != "nothing":
            each[name] = (value - found[f"nothing, {rest}"]) / _CALLS
    return each


def report_on(found: dict[str, float]) -> None:
    """Show it, and judge it."""
    report = Report("A call of the host, by its kind and lane")
    for name, value in found.items():
        report.measured(name, value, seconds)
    for what in ("number", "text"):
        mine = f"{what}, instant, own"
        report.ratio(mine, f"{what}, instant, wasmtime", at_most=0.25)
        report.ratio(mine, f"{what}, at once, own", at_most=0.5)
    report.finish()


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tell", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    found = trio.run(measure, chosen.rounds)
    if chosen.tell:
        tell_parent(**found)
    else:
        report_on(found)


if __name__ == "__main__":
    main()
