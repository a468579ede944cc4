"""What grants and an audit log cost: decisions, tells, asks, and checking a topology.

Compared in one run, in turns:

* `tell` of a Python actor that nothing restricts, of a restricted one, of one with an audit
  log that counts, and of one whose accesses are records of their own;
* asks of a component that may do everything, and of a restricted one with an audit log;
* decisions: a remembered one, as the gate of an actor, and a fresh one among 100 grants;
* checking 10,000 components with 20 grants each, and without grants.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import trio
from measuring.ratios import Report, check_count, seconds, times
from measuring.sides import Side, least_times
from trio.lowlevel import checkpoint

from airssys import actor, blueprint, component
from airssys.contracts import Access, Artifact, ComponentId, find_mistakes
from airssys.nursery.behaviours import Guard, GuardedBroker
from airssys.security import AuditLog, everything, send, store
from airssys.security.authority import Authority
from airssys.security.capabilities import read_grants
from airssys.security.policies import grant_mistakes
from airssys.system import open_system

if TYPE_CHECKING:
    from airssys.contracts import Blueprint, Grant
    from airssys.system import System

_ECHO = Artifact.at(Path(__file__).parent.parent / "tests/guests/echo.wat")
_PAYLOAD = bytes(64)
_handled = 0
_took = 0.0
_burst = 500
_LAST = "local/n99/0"
_COMPONENTS = 10_000
_GRANTS = 20


async def _count(_: object, __: object) -> None:
    global _handled  # noqa: PLW0603  # the least that a handler can do
    _handled += 1


async def _tell(context: Any, _: object) -> bytes:  # noqa: ANN401  # an ActorContext
    global _took  # noqa: PLW0603  # for the side that asked
    wanted, tell, target = (
        _handled + _burst,
        context.tell,
        ComponentId("local", "counter"),
    )
    began = perf_counter()
    for _number in range(_burst):
        tell(target, _PAYLOAD)
    while _handled < wanted:
        await checkpoint()
    _took = perf_counter() - began
    return b""


def _telling(can: list[Grant] | None) -> Blueprint:
    return blueprint(
        actor("teller", _tell, can=can), actor("counter", _count, mailbox=10_000)
    )


def _tells(system: System) -> Side:
    async def time() -> float:
        await system.ask("teller", b"")
        return _took

    return time


def _asks(system: System) -> Side:
    async def time() -> float:
        began = perf_counter()
        for _ in range(_burst):
            await system.ask("echo", _PAYLOAD)
        return perf_counter() - began

    return time


def _decides(grants: list[Grant], name: str) -> Side:
    me, access = ComponentId("local", "me"), Access("messaging", "send", name)
    rules = read_grants(grants)[0]
    authority = Authority(me, rules, (), lambda _: None, lambda: 0.0)

    async def time() -> float:
        began = perf_counter()
        for _ in range(_burst):
            authority.check_access(access)
        took = perf_counter() - began
        await checkpoint()
        return took

    return time


class _Nowhere:
    """Stands for the broker behind a gate, and for the mailbox of who sends."""

    keeps_up = sign = registry = in_hand = None

    def post(self, *_: object) -> None:
        """Take a message, and do nothing with it."""


class _OpenGate:
    """Passes everything on: what a gate costs besides its decision."""

    def __init__(self, broker: _Nowhere) -> None:
        self._post = broker.post

    def post(self, target: object, sender: object, payload: bytes, trace: None) -> None:
        """Pass a message on."""
        self._post(target, sender, payload, trace)


def _posts(*, is_guarded: bool) -> Side:
    """Post through the gate of an actor that may, or through one that decides nothing."""
    target, nowhere = ComponentId("local", "counter"), _Nowhere()
    rules = read_grants([send("counter")])[0]
    authority = Authority(target, rules, (), lambda _: None, lambda: 0.0)
    broker: Any = _OpenGate(nowhere)
    if is_guarded:
        ours: Any = nowhere
        broker = GuardedBroker(ours, Guard(authority, ours))

    async def time() -> float:
        post = broker.post
        began = perf_counter()
        for _ in range(_burst):
            post(target, target, _PAYLOAD, None)
        took = perf_counter() - began
        await checkpoint()
        return took

    return time


def _checks(can: list[Grant]) -> Side:
    tree = blueprint(*(component(f"c{n}", _ECHO, can=can) for n in range(_COMPONENTS)))

    async def time() -> float:
        began = perf_counter()
        mistakes = find_mistakes(tree, grant_mistakes)
        took = perf_counter() - began
        check_count("mistakes", len(mistakes), 0)
        await checkpoint()
        return took

    return time


async def _measure(rounds: int) -> None:
    report = Report(f"grants and audit, in bursts of {_burst}")
    granted = [send("counter")]
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:

            async def opened(
                tree: Blueprint, name: str, window: float | None
            ) -> System:
                log = window is not None and AuditLog(Path(folder, name), window=window)
                return await stack.enter_async_context(
                    open_system(tree, audit=log or None, cache_directory=None)
                )

            echo, free = component("echo", _ECHO, can=[]), [everything()]
            sides = {
                "free tell": _tells(await opened(_telling(None), "a", None)),
                "restricted tell": _tells(await opened(_telling(granted), "b", None)),
                "counted tell": _tells(await opened(_telling(granted), "c", 1)),
                "recorded tell": _tells(await opened(_telling(granted), "d", 0)),
                "free ask": _asks(
                    await opened(
                        blueprint(component("echo", _ECHO, can=free)), "e", None
                    )
                ),
                "counted ask": _asks(await opened(blueprint(echo), "f", 1)),
                "open gate": _posts(is_guarded=False),
                "gate": _posts(is_guarded=True),
                "fresh of 100": _decides([send(f"n{n}") for n in range(100)], _LAST),
            }
            least = await least_times(sides, rounds)
    many = [store(f"k{n}/*") for n in range(_GRANTS)]
    checks = {"check": _checks([]), "check with grants": _checks(many)}
    for name, took in (least | await least_times(checks, 3)).items():
        each = 1 if name.startswith("check") else _burst
        report.measured(name, took / each, seconds)
    tell = least["free tell"]
    remembered = (least["gate"] - least["open gate"]) / tell
    report.measured("remembered decision / free tell", remembered, times, at_most=0.05)
    report.ratio("fresh of 100", "free tell", at_most=6)
    report.ratio("counted tell", "free tell", at_most=1.25)
    report.ratio("counted ask", "free ask", at_most=1.10)
    record = (least["recorded tell"] - tell) / tell
    report.measured("full record / free tell", record, times, at_most=8)
    report.ratio("check with grants", "check", at_most=3)
    report.finish()


def main() -> None:
    """Measure, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    trio.run(_measure, parser.parse_args().rounds)


if __name__ == "__main__":
    main()
