"""Waits until a system has nothing to do, work in threads included.

Theory. `trio.testing.wait_all_tasks_blocked` returns when every task is blocked, and a
task that waits for a thread is blocked. On a busy machine a guest's slice may overrun its
tick, and then a worker thread runs the next one; large payloads are moved by threads
always. A test that checked its result then would be too early.
"""

from __future__ import annotations

from trio.testing import (
    active_thread_count,
    wait_all_tasks_blocked,
    wait_all_threads_completed,
)


async def wait_until_idle(cushion: float = 0.0) -> None:
    """Wait until all other tasks of this Trio run are blocked, none of them by a thread.

    Use it in place of `trio.testing.wait_all_tasks_blocked` where components are run. It
    is not of use while a thread runs until the test ends it, and it does not notice
    threads that Trio did not start.

    Args:
        cushion: Seconds for which the tasks must have been blocked.
    """
    await wait_all_tasks_blocked(cushion)
    while active_thread_count() > 0:
        await wait_all_threads_completed()
        await wait_all_tasks_blocked(cushion)
