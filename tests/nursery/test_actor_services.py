"""What is granted and what is not, held against the port itself."""

import inspect

import pytest

from airssys.contracts import (
    ComponentId,
    HostServices,
    NotGranted,
    StorageRefused,
)
from airssys.nursery import NOT_GRANTED, ActorServices

ARGUMENTS = {
    "target": ComponentId.parse("x"),
    "targets": [],
    "payload": b"",
    "timeout": 1.0,
    "request_id": "r",
    "topic": "t",
    "pattern": "p",
    "key": "k",
    "value": b"",
    "prefix": None,
}


class Surroundings:
    broker = None


def calls_of(port):
    return {name for name in vars(port) if not name.startswith("_")}


def test_every_host_call_is_there_and_no_more():
    assert calls_of(ActorServices) == calls_of(HostServices)
    assert set(NOT_GRANTED) < calls_of(HostServices)


@pytest.mark.parametrize("call", NOT_GRANTED)
async def test_what_is_not_granted_says_so(call):
    method = getattr(ActorServices(ComponentId.parse("me"), Surroundings()), call)
    arguments = [ARGUMENTS[name] for name in inspect.signature(method).parameters]
    expected = StorageRefused if call.startswith("storage") else NotGranted

    async def call_it():
        result = method(*arguments)
        if inspect.isawaitable(result):
            await result

    with pytest.raises(expected, match="not granted") as caught:
        await call_it()
    assert call in str(caught.value)
    if expected is StorageRefused:
        assert caught.value.case == "io-error"
