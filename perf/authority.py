"""What grants, quotas and an audit log cost, against the bounds that are promised for them.

Compared in one run, in turns:

* `tell` of a Python actor that nothing restricts, alone and in a system that audits others;
  of a restricted one with quotas; of that with an audit log that counts; and of one whose
  accesses are records of their own;
* asks of a component that has neither bounds nor quotas, and of one with grants, the default
  quotas, its part of a supervisor's, and an audit log that counts;
* decisions: a remembered one, as the gate of an actor, and a fresh one among 100 and 1,000
  grants of each kind that has patterns;
* checking 10,000 components with 20 grants each, and without grants.

All times are those of the processor, for all threads of the process: no side waits for
anything else. By the clock on the wall a side that takes longer than the kernel's slice is
interrupted in each round on a loaded machine, and a shorter one is not: a fresh decision
about a URL, 6 us and three tells, came out as 18 that way, and an audited ask as 1.7 asks.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import trio
from measuring.ratios import Report, check_count, seconds, times
from measuring.sides import Side, least_times
from trio.lowlevel import checkpoint

from airssys import actor, blueprint, component, supervisor
from airssys.contracts import Access, Artifact, ComponentId, Quotas, find_mistakes
from airssys.nursery.behaviours import GatedBroker, Gates, Guard
from airssys.security import (
    AuditLog,
    connect,
    everything,
    http,
    publish,
    read_files,
    send,
    store,
)
from airssys.security.authority import Authority
from airssys.security.capabilities import read_grants
from airssys.security.policies import grant_mistakes
from airssys.system import open_system

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import Blueprint, Grant
    from airssys.system import System

_ECHO = Artifact.at(Path(__file__).parent.parent / "tests/guests/echo.wat")
_PAYLOAD = bytes(64)
_handled = 0
_took = 0.0
_burst = 500
_HIGH = 2**40
_QUOTAS = {"messages_per_second": _HIGH, "fan_out": _HIGH}
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
    began = process_time()
    for _number in range(_burst):
        tell(target, _PAYLOAD)
    while _handled < wanted:
        await checkpoint()
    _took = process_time() - began
    return b""


def _telling(can: list[Grant] | None) -> Blueprint:
    counter = actor("counter", _count, mailbox=10_000)
    if can is None:
        return blueprint(actor("teller", _tell), counter)
    return blueprint(actor("teller", _tell, can=can, quotas=_QUOTAS), counter)


def _tells(system: System) -> Side:
    async def time() -> float:
        await system.ask("teller", b"")
        return _took

    return time


def _asks(system: System) -> Side:
    async def time() -> float:
        began = process_time()
        for _ in range(_burst):
            await system.ask("echo", _PAYLOAD)
        return process_time() - began

    return time


_FRESH: dict[str, tuple[Callable[[int], Grant], str]] = {
    "name": (lambda n: send(f"n{n}"), "messaging send local/n{}/0"),
    "topic": (lambda n: publish(f"t{n}.#"), "messaging publish t{}.a"),
    "key": (lambda n: store(f"k{n}/**"), "storage read k{}/a"),
    "path": (lambda n: read_files(f"/d{n}/**"), "files read /d{}/a"),
    "host": (lambda n: connect(f"*.h{n}.org", 443), "network connect a.h{}.org:443"),
    "url": (lambda n: http(f"https://h{n}.org"), "http request https://h{}.org:443/a"),
}
"""For each kind: a grant by its number, and an access that only that one allows."""


def _decides(kind: str, grants: int) -> Side:
    """Decide the access that the last of many grants allows, without remembering it."""
    me, (make, text) = ComponentId("local", "me"), _FRESH[kind]
    access = Access(*text.format(grants - 1).split(" ", 2))
    rules = read_grants([make(number) for number in range(grants)])[0]
    authority = Authority(me, rules, (), lambda _: None, lambda: 0.0)

    async def time() -> float:
        began = process_time()
        for _ in range(_burst):
            authority.check_access(access)
        took = process_time() - began
        await checkpoint()
        return took

    return time


class _Nowhere:
    """Stands for the broker behind a gate, and for the mailbox of who sends."""

    keeps_up = sign = registry = in_hand = None

    def post(self, *_: object) -> None:
        """Take a message, and do nothing with it."""


def _open_gate(broker: _Nowhere) -> Callable[..., None]:
    """Return what passes everything on: what a gate costs besides its decision."""
    nowhere = broker.post

    def post(target: object, sender: object, payload: bytes, trace: None) -> None:
        nowhere(target, sender, payload, trace)

    return post


def _posts(*, is_guarded: bool) -> Side:
    """Post through the gate of an actor that may, or through one that decides nothing."""
    target, nowhere = ComponentId("local", "counter"), _Nowhere()
    rules = read_grants([send("counter")])[0]
    authority = Authority(target, rules, (), lambda _: None, lambda: 0.0)
    post = _open_gate(nowhere)
    if is_guarded:
        ours: Any = nowhere
        post = GatedBroker(ours, Gates(Guard(authority, ours))).post

    async def time() -> float:
        began = process_time()
        for _ in range(_burst):
            post(target, target, _PAYLOAD, None)
        took = process_time() - began
        await checkpoint()
        return took

    return time


def _checks(can: list[Grant]) -> Side:
    tree = blueprint(*(component(f"c{n}", _ECHO, can=can) for n in range(_COMPONENTS)))

    async def time() -> float:
        began = process_time()
        mistakes = find_mistakes(tree, grant_mistakes)
        took = process_time() - began
        check_count("mistakes", len(mistakes), 0)
        await checkpoint()
        return took

    return time


async def _measure(rounds: int) -> None:
    report = Report(f"grants, quotas and audit, in bursts of {_burst}")
    least: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:

            async def opened(tree: Blueprint, window: float | None = None) -> System:
                path = Path(folder, f"{id(tree)}")
                log = None if window is None else AuditLog(path, window=window)
                return await stack.enter_async_context(
                    open_system(tree, audit=log, cache_directory=None)
                )

            # What is compared with 2 % and 10 % is measured beside nothing else.
            free = {
                "free tell": _tells(await opened(_telling(None))),
                "free tell beside audit": _tells(await opened(_telling(None), 1)),
            }
            least |= await least_times(free, 4 * rounds)
            granted = [send("counter")]
            tells = {
                "free tell, again": _tells(await opened(_telling(None))),
                "restricted tell": _tells(await opened(_telling(granted))),
                "audited tell": _tells(await opened(_telling(granted), 1)),
                "recorded tell": _tells(await opened(_telling(granted), 0)),
                "open gate": _posts(is_guarded=False),
                "gate": _posts(is_guarded=True),
            }
            least |= await least_times(tells, rounds)
            asks = {
                "free ask": _asks(await opened(_echoing(everything()))),
                "audited ask": _asks(await opened(_echoing(), 1)),
            }
            least |= await least_times(asks, 2 * rounds)
    fresh = {
        f"fresh {kind} of {grants:,}": _decides(kind, grants)
        for kind in _FRESH
        for grants in (100, 1000)
    }
    least |= await least_times(fresh, rounds)
    many = [store(f"k{n}/*") for n in range(_GRANTS)]
    checks = {"check": _checks([]), "check with grants": _checks(many)}
    for name, took in (least | await least_times(checks, 3)).items():
        each = 1 if name.startswith("check") else _burst
        report.measured(name, took / each, seconds)
    _judge(report, least)
    report.finish()


def _echoing(*free: Grant) -> Blueprint:
    if free:
        unlimited = Quotas.unlimited()
        return blueprint(component("echo", _ECHO, can=free, quotas=unlimited))
    sums = {"cpu_ms_per_second": 10_000, "messages_per_second": _HIGH}
    echo = component("echo", _ECHO, can=[send("nobody")])
    return blueprint(supervisor("s", echo, bound=[send("*")], quotas=sums))


def _judge(report: Report, least: dict[str, float]) -> None:
    tell = least["free tell, again"]
    report.ratio("free tell beside audit", "free tell", at_most=1.02)
    remembered = (least["gate"] - least["open gate"]) / tell
    report.measured("remembered decision / free tell", remembered, times, at_most=0.05)
    for name in [name for name in least if name.startswith("fresh")]:
        report.ratio(name, "free tell, again", at_most=6)
    report.ratio("restricted tell", "free tell, again", at_most=1.25)
    report.ratio("audited tell", "free tell, again", at_most=1.25)
    report.ratio("audited ask", "free ask", at_most=1.10)
    record = (least["recorded tell"] - tell) / tell
    report.measured("full record / free tell", record, times, at_most=8)
    report.ratio("check with grants", "check", at_most=3)


def main() -> None:
    """Measure, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    trio.run(_measure, parser.parse_args().rounds)


if __name__ == "__main__":
    main()
