"""What a guest may call: each import, forwarded to the actor's `HostServices`.

Values change form here and nothing is decided. A function that need not wait is answered
within the guest's slice; one that has to returns an awaitable, and the guest is
suspended until it is done. Refusals that the WIT has a case for become that case;
every other exception is a host error and costs the guest its instance.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias, final

import attrs

from airssys.contracts import (
    AskTimedOut,
    ComponentId,
    HostServices,
    LogLevel,
    MessagingError,
    StorageRefused,
    TargetNotFound,
    Timestamp,
)
from airssys.wasm.values import Case, Err, Marshaller, Ok

from ._core_world import IMPORTS

Implementation: TypeAlias = Callable[..., Any]


def _for_ever(*_arguments: object) -> float:
    return math.inf


@final
@attrs.frozen
class HostFunction:
    """One import: where it stands, how its values move, what it does."""

    interface: str
    name: str
    marshaller: Marshaller = attrs.field(eq=False, repr=False)
    implementation: Implementation = attrs.field(eq=False, repr=False)
    """Takes `HostServices` and the arguments; returns the answer, or an awaitable of
    it if the function may wait."""
    waits: bool
    at_once: Implementation | None = attrs.field(eq=False, repr=False, default=None)
    """Tries first, if the function may wait; returns None if it has to."""
    longest: Callable[..., float] = attrs.field(eq=False, repr=False, default=_for_ever)
    """Takes the arguments; so many seconds after its beginning it ends by itself."""
    finish: Callable[[Any], Any] | None = attrs.field(
        eq=False, repr=False, default=None
    )
    """Makes of the answer what is laid out; takes long where the answer is long."""


def host_functions() -> tuple[HostFunction, ...]:
    """Make the table of all imports; its order is their number in the linker."""
    table = []
    for interface, functions in IMPORTS.items():
        for name, signature in functions.items():
            where = interface, name
            act, values = _TABLE[where], Marshaller(signature)
            waits = inspect.iscoroutinefunction(act)
            at_once, longest = _AT_ONCE.get(where), _LONGEST.get(where, _for_ever)
            finish = _FINISH.get(where)
            table.append(
                HostFunction(*where, values, act, waits, at_once, longest, finish)
            )
    return tuple(table)


def _id(value: tuple[str, str, str]) -> ComponentId:
    """Read a `component-id`; a name that nobody can have is simply not found."""
    try:
        return _known_id(value)
    except ValueError:
        raise _BadId(value) from None


@lru_cache(maxsize=1024)
def _known_id(value: tuple[str, str, str]) -> ComponentId:
    # Guests use few names, and looking at one takes longer than the rest of `send`.
    return ComponentId(*value)


def forget_names() -> None:
    """Let go of names that guests have used; others that run read theirs anew."""
    _known_id.cache_clear()


class _BadId(MessagingError):
    """A guest named a target that no actor can be called."""

    def __init__(self, value: tuple[str, str, str]) -> None:
        self.value = value
        super().__init__(value)


def _messaging_case(error: MessagingError) -> Err:
    match error:
        case _BadId():
            return Err(Case("target-not-found", error.value))
        case TargetNotFound():
            return Err(Case(error.case, _plain(error.target)))
        case AskTimedOut():
            return Err(Case(error.case, error.correlation_id))
        case MessagingError(case="queue-full"):
            return Err(Case(error.case))
        case _:
            return Err(Case(error.case, _sayable(str(error))))


def _sayable(text: str) -> str:
    """Replace lone surrogates, which a text from somewhere else may contain."""
    return text.encode(errors="replace").decode()


def _plain(target: ComponentId) -> tuple[str, str, str]:
    return target.namespace, target.name, target.instance


def _seconds(milliseconds: int) -> float:
    return milliseconds / 1000


def _milliseconds(time: Timestamp) -> int:
    return time.seconds * 1000 + time.nanoseconds // 1_000_000


def _messaging(act: Callable[..., Any]) -> Implementation:
    """Let refusals of a call that does not wait become the WIT's cases."""

    def answer(services: HostServices, *arguments: Any) -> Ok | Err:
        try:
            return Ok(act(services, *arguments))
        except MessagingError as error:
            return _messaging_case(error)

    return answer


def _waiting(act: Callable[..., Awaitable[Any]]) -> Implementation:
    """The same for a call that may wait."""

    async def answer(services: HostServices, *arguments: Any) -> Ok | Err:
        try:
            return Ok(await act(services, *arguments))
        except MessagingError as error:
            return _messaging_case(error)

    return answer


def _storage(act: Callable[..., Any]) -> Implementation:
    def answer(services: HostServices, *arguments: Any) -> Ok | Err:
        try:
            return Ok(act(services, *arguments))
        except StorageRefused as error:
            detail = None
            if error.case != "quota-exceeded":
                detail = _sayable(error.detail or "")
            return Err(Case(error.case, detail))

    return answer


def _send_at_once(services: HostServices, target: Any, payload: bytes) -> Any:
    try:
        return (
            Ok(None) if services.messages.send_at_once(_id(target), payload) else None
        )
    except MessagingError as error:
        return _messaging_case(error)


async def _ask(
    services: HostServices, target: Any, payload: bytes, timeout_ms: int
) -> bytes:
    return await services.messages.ask(_id(target), payload, _seconds(timeout_ms))


async def _sleep(services: HostServices, milliseconds: int) -> None:
    await services.clock.sleep(_seconds(milliseconds))


async def _broadcast(services: HostServices, targets: Any, payload: bytes) -> None:
    # Reading a name takes microseconds, and there may be thousands of them.
    await services.messages.broadcast(map(_id, targets), payload)


def _log(services: HostServices, level: str, message: str, context: Any) -> None:
    services.log(LogLevel(level), message, context or ())


def _component_info(services: HostServices, target: tuple[str, str, str]) -> Ok | Err:
    try:
        info = services.directory.component_info(_id(target))
    except _BadId:
        info = None
    if info is None:
        name = "/".join(target)
        return Err(Case("invalid-state", f"no component is called {name:.200}"))
    return Ok((_plain(info.id), info.name, info.version, info.health))


_AT_ONCE: Final[dict[tuple[str, str], Implementation]] = {
    ("host-messaging", "send"): _send_at_once,
}

_FINISH: Final[dict[tuple[str, str], Callable[[Any], Any]]] = {
    ("host-services", "list-components"): lambda ids: list(map(_plain, ids)),
}

_LONGEST: Final[dict[tuple[str, str], Callable[..., float]]] = {
    ("host-services", "sleep-millis"): _seconds,
    ("host-messaging", "ask"): lambda _target, _payload, ms: _seconds(ms),
}
"""Waits whose end is known when they begin."""

_TABLE: Final[dict[tuple[str, str], Implementation]] = {
    ("host-messaging", "send"): _waiting(
        lambda s, to, data: s.messages.send(_id(to), data)
    ),
    ("host-messaging", "request"): _messaging(
        lambda s, to, data, ms: s.messages.request(_id(to), data, _seconds(ms))
    ),
    ("host-messaging", "cancel-request"): _messaging(
        lambda s, request: s.messages.cancel_request(request)
    ),
    ("host-messaging", "broadcast"): _waiting(_broadcast),
    ("host-messaging", "self-id"): lambda s: _plain(s.self_id),
    ("host-messaging", "ask"): _waiting(_ask),
    ("host-messaging", "publish"): _waiting(
        lambda s, topic, d: s.topics.publish(topic, d)
    ),
    ("host-messaging", "subscribe"): _messaging(
        lambda s, what: s.topics.subscribe(what)
    ),
    ("host-messaging", "unsubscribe"): _messaging(
        lambda s, what: s.topics.unsubscribe(what)
    ),
    ("host-services", "log"): _log,
    ("host-services", "current-time"): lambda s: tuple(s.clock.current_time()),
    ("host-services", "current-time-millis"): lambda s: _milliseconds(
        s.clock.current_time()
    ),
    ("host-services", "sleep-millis"): _sleep,
    ("host-services", "list-components"): lambda s: s.directory.list_components(),
    ("host-services", "get-component-metadata"): _component_info,
    ("storage", "get"): _storage(lambda s, key: s.storage.get(key)),
    ("storage", "set"): _storage(lambda s, key, value: s.storage.set(key, value)),
    ("storage", "delete"): _storage(lambda s, key: s.storage.delete(key)),
    ("storage", "exists"): _storage(lambda s, key: s.storage.exists(key)),
    ("storage", "list-keys"): _storage(lambda s, prefix: s.storage.keys(prefix)),
    ("storage", "usage"): _storage(lambda s: tuple(s.storage.usage())),
}
