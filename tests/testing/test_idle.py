"""Waiting until nothing is left to do includes what threads do."""

import threading

import trio
import trio.testing

from airssys.testing import wait_until_idle


async def test_what_a_thread_does_and_what_follows_it_is_waited_for():
    done, go = [], threading.Event()

    async def work(name, next_one):
        await trio.to_thread.run_sync(go.wait)
        done.append(name)
        if next_one is not None:
            go.clear()
            threading.Timer(0.01, go.set).start()
            nursery.start_soon(work, next_one, None)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work, "first", "second")
        await trio.testing.wait_all_tasks_blocked()
        assert done == []
        threading.Timer(0.01, go.set).start()
        await wait_until_idle()
        assert done == ["first", "second"]


async def test_without_threads_it_returns_when_all_tasks_are_blocked():
    done = []

    async def work():
        for number in range(5):
            await trio.lowlevel.checkpoint()
            done.append(number)
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        await wait_until_idle()
        assert done == [0, 1, 2, 3, 4]
        nursery.cancel_scope.cancel()
