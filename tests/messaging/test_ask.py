"""Asking: the answer, every other way an ask can end, and nothing left behind."""

import math

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from airssys.contracts import (
    AskTimedOut,
    CalleeFailed,
    DeadLetter,
    DeliveryFailed,
    NotGranted,
    RequestWouldDeadlock,
    TargetNotFound,
)


async def test_an_ask_is_answered(served, names, nursery, serve_echo):
    a, b, *_ = names
    nursery.start_soon(serve_echo, served.open(b))
    assert await served.ask(b, a, b"hello") == b"hello"
    assert served.events == []
