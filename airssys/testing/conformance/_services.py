"""What every actor's services must do, whether a system or a fake provides them.

    async def test_it():
        await examine_services(open_stand)

`open_stand` is a function without arguments that returns an async context manager,
which yields a `Stand`: the services of an actor with the name `examinee`, and the
messages for that actor. It has two neighbours: `echo`, which answers with what it gets,
and `silent`, which never answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs
import trio

from airssys.contracts import (
    ERROR_TYPE,
    AskTimedOut,
    BadTopic,
    BroadcastFailed,
    Callback,
    ComponentId,
    ComponentInfo,
    Envelope,
    HostServices,
    InvalidMessage,
    LogLevel,
    StorageRefused,
    TargetNotFound,
    Timestamp,
)

from ._questions import holds, is_a, name_of, raising, same

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager


_ME, _ECHO, _SILENT, _NOBODY = map(
    ComponentId.parse, ("examinee", "echo", "silent", "nobody")
)
_SHORT, _LONG = 0.05, 10.0
_NANOSECONDS: Final = 1_000_000_000


@final
@attrs.frozen
class Stand:
    """The services that are checked, and the observable results."""

    services: HostServices
    received: Sequence[Envelope]
    """Published messages and callbacks for the actor; the list grows."""

    async def next_received(self, count: int) -> Envelope:
        """Wait until there are that many; return the last one."""
        with trio.fail_after(_LONG):
            while len(self.received) < count:  # noqa: ASYNC110  # a list has no event
                await trio.sleep(_SHORT / 10)
        same(len(self.received), count)
        return self.received[count - 1]


Question: TypeAlias = Callable[[Stand], Awaitable[None]]
"""A requirement for services; raises `AssertionError` if it is not met."""


async def _it_knows_its_name_and_its_neighbours(stand: Stand) -> None:  # noqa: ASYNC124  # a question is awaited
    services = stand.services
    same(services.self_id, _ME)
    listed = list(services.directory.list_components())
    holds({_ME, _ECHO, _SILENT} <= set(listed))
    same(listed, sorted(listed, key=str))
    is_a(services.directory.component_info(_ECHO), ComponentInfo)
    same(services.directory.component_info(_NOBODY), None)


async def _a_question_is_answered(stand: Stand) -> None:
    same(await stand.services.messages.ask(_ECHO, b"hello", _LONG), b"hello")
    same(await stand.services.messages.ask(_ECHO, b"", _LONG), b"")


async def _a_question_to_one_who_is_silent_times_out(stand: Stand) -> None:
    with trio.fail_after(_LONG), raising(AskTimedOut, target=_SILENT):
        await stand.services.messages.ask(_SILENT, b"hello", _SHORT)


async def _what_is_for_nobody_is_refused(stand: Stand) -> None:
    services = stand.services
    with raising(TargetNotFound, target=_NOBODY):
        await services.messages.send(_NOBODY, b"hello")
    with raising(TargetNotFound, target=_NOBODY):
        await services.messages.ask(_NOBODY, b"hello", _LONG)
    with raising(TargetNotFound, target=_NOBODY):
        services.messages.request(_NOBODY, b"hello", _LONG)
    await services.messages.send(_ECHO, b"hello")
    same(len(stand.received), 0)


async def _a_request_is_answered_by_a_callback(stand: Stand) -> None:
    first = stand.services.messages.request(_ECHO, b"one", _LONG)
    callback = await stand.next_received(1)
    is_a(callback, Callback)
    same((callback.sender, callback.payload), (_ECHO, b"one"))
    same((callback.correlation_id, callback.content_type), (first, None))
    second = stand.services.messages.request(_ECHO, b"two", _LONG)
    holds(first != second)
    same((await stand.next_received(2)).correlation_id, second)


async def _a_request_without_an_answer_has_a_callback_too(stand: Stand) -> None:
    late = stand.services.messages.request(_SILENT, b"hello", _SHORT)
    callback = await stand.next_received(1)
    same((callback.correlation_id, callback.content_type), (late, ERROR_TYPE))
    same(callback.payload.split(b"\n")[0].decode(), AskTimedOut.case)


async def _a_request_can_be_cancelled_once(stand: Stand) -> None:
    id = stand.services.messages.request(_SILENT, b"hello", _LONG)  # noqa: A001  # as in the port
    stand.services.messages.cancel_request(id)
    with raising(InvalidMessage):
        stand.services.messages.cancel_request(id)
    callback = await stand.next_received(1)
    same((callback.correlation_id, callback.content_type), (id, ERROR_TYPE))
    same(callback.payload.split(b"\n")[0], b"cancelled")
    with raising(InvalidMessage):
        stand.services.messages.cancel_request("never made")


async def _a_broadcast_says_whom_it_did_not_reach(stand: Stand) -> None:
    await stand.services.messages.broadcast([_ECHO, _ECHO], b"hello")
    await stand.services.messages.broadcast([], b"hello")
    try:
        await stand.services.messages.broadcast([_NOBODY, _ECHO], b"hello")
    except BroadcastFailed as error:
        same(list(error.failures), [_NOBODY])
        is_a(error.failures[_NOBODY], TargetNotFound)
    else:
        raise AssertionError("it should raise BroadcastFailed, but raises nothing")


async def _what_is_published_comes_to_subscribers(stand: Stand) -> None:
    services = stand.services
    await services.topics.publish("weather.rain", b"not yet")
    services.topics.subscribe("weather.*")
    services.topics.subscribe("#")
    await services.topics.publish("weather.rain", b"now")
    message = await stand.next_received(1)
    same((message.topic, message.payload), ("weather.rain", b"now"))
    same(message.sender, _ME)
    services.topics.unsubscribe("#")
    await services.topics.publish("news", b"nobody's")
    services.topics.unsubscribe("weather.*")
    await services.topics.publish("weather.rain", b"no more")
    await trio.sleep(_SHORT)
    same(len(stand.received), 1)


async def _a_bad_topic_is_refused(stand: Stand) -> None:
    services = stand.services
    for bad in ("", "a..b", "a b", "a.*"):
        with raising(BadTopic):
            await services.topics.publish(bad, b"")
    for bad in ("", "#.a", "a*"):
        with raising(BadTopic):
            services.topics.subscribe(bad)
    with raising(BadTopic):
        services.topics.unsubscribe("never.subscribed")


async def _time_and_the_log(stand: Stand) -> None:
    services = stand.services
    is_a(services.clock.current_time(), Timestamp)
    holds(0 <= services.clock.current_time().nanoseconds < _NANOSECONDS)
    began = trio.current_time()
    await services.clock.sleep(_SHORT)
    holds(trio.current_time() - began > _SHORT / 2)
    for level in LogLevel:
        same(services.log(level, "line", [("colour", "red")]), None)  # type: ignore[func-returns-value]  # that it is


async def _a_sleep_can_be_cancelled(stand: Stand) -> None:
    with trio.fail_after(_LONG), trio.move_on_after(_SHORT) as scope:
        await stand.services.clock.sleep(1000.0)
    holds(scope.cancelled_caught)


async def _storage_is_the_actors_own(stand: Stand) -> None:  # noqa: ASYNC124  # as above
    services = stand.services
    services.storage.set("colour", b"red")
    same(services.storage.get("colour"), b"red")
    holds(services.storage.exists("colour"))
    same(list(services.storage.keys("co")), ["colour"])
    used, quota, keys = services.storage.usage()
    same((used, keys), (9, 1))
    holds(quota >= used)
    services.storage.delete("colour")
    same(services.storage.get("colour"), None)
    same(list(services.storage.keys(None)), [])
    with raising(StorageRefused, case="not-found"):
        services.storage.delete("colour")
    with raising(StorageRefused, case="invalid-key"):
        services.storage.set("", b"")


SERVICES_QUESTIONS: Final[tuple[Question, ...]] = (
    _it_knows_its_name_and_its_neighbours,
    _a_question_is_answered,
    _a_question_to_one_who_is_silent_times_out,
    _what_is_for_nobody_is_refused,
    _a_request_is_answered_by_a_callback,
    _a_request_without_an_answer_has_a_callback_too,
    _a_request_can_be_cancelled_once,
    _a_broadcast_says_whom_it_did_not_reach,
    _what_is_published_comes_to_subscribers,
    _a_bad_topic_is_refused,
    _time_and_the_log,
    _a_sleep_can_be_cancelled,
    _storage_is_the_actors_own,
)
"""For parametrizing a test; each takes a fresh `Stand`."""


async def examine_services(
    open_stand: Callable[[], AbstractAsyncContextManager[Stand]],
) -> None:
    """Check every requirement, each with services of its own.

    Args:
        open_stand: Opens services with neighbours, as this module describes.

    Raises:
        AssertionError: A requirement is not met; a note names it.
    """
    for question in SERVICES_QUESTIONS:
        failure: AssertionError | None = None
        async with open_stand() as stand:
            try:
                await question(stand)
            except AssertionError as error:  # raised outside: a nursery would wrap it
                failure = error
        if failure is not None:
            failure.add_note(name_of(question))
            raise failure
