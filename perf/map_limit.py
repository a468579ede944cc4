"""What happens at the kernel's limit on memory maps: a refusal, and nothing else.

Three scenes, each in its own process, all of which must pass:

* idle: instances until the first is refused, and until none fits any more;
* suspended: the same with guests that are in the middle of a long host sleep;
* supervised: an actor crashes in a full process. Its restart is refused and not counted,
  another actor keeps answering, and the first one is restarted when there is room.
"""

from __future__ import annotations

import argparse
import math
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio
import trio.lowlevel
import trio.testing
from measuring.children import Found, run_child, tell_parent
from measuring.guests import MESSAGE, PAYLOAD, guest_file, lend, message, open_shop
from measuring.ratios import Report, check_count, count

from airssys.contracts import (
    NO_BACKOFF,
    AskTimedOut,
    CalleeFailed,
    CapacityReached,
    ChildStartFailed,
    ExitKind,
    Guest,
    Limits,
)
from airssys.dsl import blueprint, component
from airssys.system import EventStream, System, open_system

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_LIMIT: Final = int(Path("/proc/sys/vm/max_map_count").read_text())
_RECOUNT: Final = 0.2
"""Seconds after which the library counts maps again."""
_SAMPLE: Final = 100
_REFUSALS: Final = 3
_FOR_EVER: Final = b"86400000"
"""Milliseconds for the guest that sleeps."""
_CRASH_AFTER: Final = 20.0
"""Seconds, in which the process must have become full."""
_PATIENCE: Final = 20.0
"""Seconds, in which a crashed actor must have been refused this many times."""
_ADVICE: Final = "raise vm.max_map_count"


def _maps() -> int:
    with Path("/proc/self/maps").open("rb") as file:
        return sum(1 for _ in file)


async def _fill(more: Callable[[], Awaitable[None]], most: int) -> tuple[int, int, str]:
    """Go on until it is refused twice in a row, with a recount in between.

    Returns:
        How many there were at the first refusal and at the end, and the error's text.
    """
    made = first = 0
    text = ""
    refused = False
    while made < most:
        try:
            await more()
        except CapacityReached as error:
            first, text = first or made, str(error)
            if refused:
                break
            refused = True
            await trio.sleep(_RECOUNT)
        else:
            made += 1
            refused = False
    return first, made, text


async def _answers(guests: list[Guest]) -> int:
    answered = 0
    for guest in guests[:: max(1, len(guests) // _SAMPLE)][:_SAMPLE]:
        try:
            answered += await guest.handle_message(MESSAGE) == PAYLOAD
        except CapacityReached as error:
            print(f"a guest that is there already was refused a message: {error}")
            break
    return answered


async def _fill_with_idle(most: int) -> None:
    async with open_shop("echo") as shop:
        before = _maps()
        guests: list[Guest] = []

        async def more() -> None:
            guests.append(await shop.guest())

        first, made, text = await _fill(more, most)
        maps = _maps()
        answered = await _answers(guests)
        in_thread = await trio.to_thread.run_sync(lambda: True)
        for guest in guests[:_SAMPLE]:
            guest.close()
        await trio.sleep(_RECOUNT)
        another = await _answers([await shop.guest()])
        tell_parent(
            first=first,
            made=made,
            text=text,
            maps=maps,
            each=(maps - before) / made,
            answered=answered,
            in_thread=in_thread,
            another=another,
        )


async def _fill_with_suspended(most: int) -> None:
    asleep = message(_FOR_EVER)
    patient = Limits(execution_time=86_400)
    async with open_shop("sleep") as shop:
        before, witness = _maps(), await (await shop.also("echo")).guest()
        sleepers: list[Guest] = []
        refusals: list[CapacityReached] = []

        async def sleep_in(guest: Guest) -> None:
            try:
                await guest.handle_message(asleep)
            except CapacityReached as error:
                refusals.append(error)

        async with trio.open_nursery() as nursery:

            async def more() -> None:
                sleepers.append(guest := await shop.guest(patient))
                nursery.start_soon(sleep_in, guest)
                await trio.testing.wait_all_tasks_blocked()
                if refusals:
                    sleepers.pop().close()
                    raise refusals.pop()

            first, made, text = await _fill(more, most)
            suspended = len(nursery.child_tasks)
            maps, answered = _maps(), await _answers([witness])
            nursery.cancel_scope.cancel()
        spent = sum(guest.spent is not None for guest in sleepers)
        tell_parent(
            first=first,
            made=made,
            text=text,
            maps=maps,
            each=(maps - before) / made,
            suspended=suspended,
            spent=spent,
            answered=answered,
        )


async def _watch_refusals(events: EventStream) -> tuple[int, int]:
    """Wait until a crashed actor was refused some times.

    Returns:
        How often it was, and how often its start failed otherwise.
    """
    refused = otherwise = 0
    with trio.move_on_after(_CRASH_AFTER + _PATIENCE):
        async for event in events:
            if isinstance(event, ChildStartFailed):
                is_refusal = event.reason.kind is ExitKind.REFUSED
                refused += is_refusal
                otherwise += not is_refusal
                if refused == _REFUSALS:
                    break
    return refused, otherwise


async def _supervise(most: int) -> None:
    frail = component("frail", guest_file("sleep"), backoff=NO_BACKOFF)
    steady = component("steady", guest_file("echo"))
    tree = blueprint(frail, steady, restarts=1)
    async with open_shop("echo") as shop:
        opening = open_system(tree, open_loader=lambda _: lend(shop.loader))
        async with opening as system:
            ballast: list[Guest] = []

            async def more() -> None:
                ballast.append(await shop.guest())

            refused, otherwise = await _crash_while_full(system, more, most)
            state, steady_answered = _state(system), await _ask(system, "steady")
            for guest in ballast:
                guest.close()
            await trio.sleep(_RECOUNT)
            tell_parent(
                refused=refused,
                state=state,
                otherwise=otherwise,
                steady=steady_answered,
                back=await _ask(system, "frail"),
                restarts=system.tree().children[0].restarts,
            )


async def _crash_while_full(
    system: System, more: Callable[[], Awaitable[None]], most: int
) -> tuple[int, int]:
    """Crash an actor whose maps another actor takes at once; see `_watch_refusals`.

    It sleeps through the deadline of a message, so that it crashes at a known time.
    """
    begun = trio.current_time()

    async def crash() -> None:
        with suppress(AskTimedOut, CalleeFailed):
            await system.ask("frail", _FOR_EVER, timeout=_CRASH_AFTER)

    async def hold_every_map() -> None:
        while True:
            with suppress(CapacityReached):
                await more()
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(crash)
        await _fill(more, most)
        late = trio.current_time() - begun >= _CRASH_AFTER
        check_count("crashes before the process was full", late, 0)
        nursery.start_soon(hold_every_map)
        with system.events() as events:
            found = await _watch_refusals(events)
        nursery.cancel_scope.cancel()
    return found


async def _ask(system: System, name: str) -> bool:
    """Return whether an actor answers."""
    try:
        return await system.ask(name, b"0", timeout=math.inf) == b"0"
    except CalleeFailed as error:
        print(error)
        return False


def _state(system: System) -> str:
    return system.tree().children[0].state


def _add_filling(report: Report, name: str, found: Found) -> None:
    report.measured(f"{name}: at the first refusal", found["first"], count)
    report.measured(f"{name}: when none fits any more", found["made"], count)
    report.measured(f"{name}: maps of each", found["each"], "{:.2f}".format)
    used = found["maps"] / _LIMIT
    report.measured(f"{name}: maps, of the kernel's limit", used, "{:.1%}".format)
    report.showed(f"{name}: the error says what to do", held=_ADVICE in found["text"])
    print(f"{name}: {found['text']}")


def _report(most: int) -> None:
    run = partial(run_child, __file__, "--most", most, "--scene")
    idle, suspended, supervised = map(run, ("idle", "suspended", "supervised"))
    report = Report(f"the kernel's limit of {_LIMIT:,} memory maps")
    _add_filling(report, "idle", idle)
    report.counted("idle: of a sample, answered", idle["answered"], _SAMPLE)
    report.showed("idle: a thread can be started", held=idle["in_thread"])
    report.counted("idle: with room again, another", idle["another"], 1)
    _add_filling(report, "suspended", suspended)
    report.counted("suspended: asleep", suspended["suspended"], suspended["made"])
    report.counted("suspended: cut off", suspended["spent"], suspended["made"])
    report.counted("suspended: another guest answered", suspended["answered"], 1)
    print(f"supervised: the crashed actor is {supervised['state']!r}")
    report.counted("supervised: refused restarts", supervised["refused"], _REFUSALS)
    report.counted("supervised: starts that crashed", supervised["otherwise"], 0)
    report.showed("supervised: another actor answered", held=supervised["steady"])
    report.showed("supervised: came back with room", held=supervised["back"])
    report.counted("supervised: restarts counted", supervised["restarts"], 1)
    report.finish()


def main() -> None:
    """Play every scene in a process of its own, judge."""
    scenes = {
        "idle": _fill_with_idle,
        "suspended": _fill_with_suspended,
        "supervised": _supervise,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", choices=scenes, help="play one, in this process")
    parser.add_argument("--most", type=int, default=_LIMIT, help="guests to try")
    options = parser.parse_args()
    if options.scene:
        trio.run(scenes[options.scene], options.most)
    else:
        _report(options.most)


if __name__ == "__main__":
    main()
