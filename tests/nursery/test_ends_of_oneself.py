"""A child that asks for its own end would wait for itself: it is refused at once."""

import trio

from airssys import Done, Refused, actor, blueprint, open_system, supervisor
from airssys.contracts import Refusal


async def test_terminating_oneself_or_what_is_above_is_refused(autojump_clock):
    systems = []

    async def handle(context, envelope):
        path, child = envelope.payload.decode().split(" ")
        answer = await systems[0].supervisor(path).terminate_child(child)
        assert isinstance(answer, Done | Refused)
        return str(getattr(answer, "why", "done")).encode()

    async def in_a_task_of_its_own(context, envelope):
        answers = []

        async def ask():
            own = systems[0].supervisor("root/workers")
            answers.append(await own.terminate_child("local/tasks/0"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
        return str(answers[0].why).encode()

    tree = blueprint(
        supervisor(
            "workers",
            actor("me", handle, shutdown=1000),
            actor("tasks", in_a_task_of_its_own, shutdown=1000),
            actor("other", handle),
        )
    )
    async with open_system(tree) as system:
        systems.append(system)
        began = trio.current_time()
        itself = str(Refusal.ITSELF).encode()
        assert await system.ask("me", b"root/workers local/me/0") == itself
        assert await system.ask("me", b"root workers") == itself
        assert await system.ask("tasks", b"") == itself
        assert await system.ask("me", b"root/workers local/other/0") == b"done"
        assert trio.current_time() - began < 1
        outside = await system.supervisor("root/workers").terminate_child("local/me/0")
        assert isinstance(outside, Done)
