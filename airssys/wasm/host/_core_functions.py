"""What an actor's guest may call: the interfaces of `airssys:core`.

Values change form here and nothing is decided: each function is forwarded to the actor's
`HostServices`, which are its context.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

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
from airssys.wasm.values import Case, Err, Ok

from ._core_world import IMPORTS, TYPE_ONLY, full_name
from ._host_interface import FunctionKind, HostFunction, HostInterface

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._host_interface import Implementation


def _id(value: tuple[str, str, str]) -> ComponentId:
    """Read a `component-id`; a name that is not valid is simply not found."""
    try:
        return _known_id(value)
    except ValueError:
        raise _BadId(value) from None


@lru_cache(maxsize=1024)
def _known_id(value: tuple[str, str, str]) -> ComponentId:
    # Guests use few names, and checking one takes longer than the rest of `send`.
    return ComponentId(*value)


def forget_names() -> None:
    """Let go of names that guests have used; others that run read theirs anew."""
    _known_id.cache_clear()


class _BadId(MessagingError):
    """A guest named a target that no actor can be called."""

    def __init__(self, value: tuple[str, str, str]) -> None:
        self.value = value
        super().__init__(value)


def _messaging_case(error: MessagingError) -> Case:
    match error:
        case _BadId():
            return Case("target-not-found", error.value)
        case TargetNotFound():
            return Case(error.case, _plain(error.target))
        case AskTimedOut():
            return Case(error.case, error.correlation_id)
        case MessagingError(case="queue-full"):
            return Case(error.case)
        case _:
            return Case(error.case, _sayable(str(error)))


def _storage_case(error: StorageRefused) -> Case:
    if error.case == "quota-exceeded":
        return Case(error.case)
    return Case(error.case, _sayable(error.detail or ""))


def _sayable(text: str) -> str:
    """Replace lone surrogates, which a text from somewhere else may contain."""
    return text.encode(errors="replace").decode()


def _plain(target: ComponentId) -> tuple[str, str, str]:
    return target.namespace, target.name, target.instance


def _seconds(milliseconds: int) -> float:
    return milliseconds / 1000


def _milliseconds(time: Timestamp) -> int:
    return time.seconds * 1000 + time.nanoseconds // 1_000_000


def _send_at_once(services: HostServices, target: Any, payload: bytes) -> Ok | None:
    return Ok() if services.messages.send_at_once(_id(target), payload) else None


async def _send(services: HostServices, target: Any, payload: bytes) -> None:
    await services.messages.send(_id(target), payload)


async def _publish(services: HostServices, topic: str, payload: bytes) -> None:
    await services.topics.publish(topic, payload)


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


def _core(
    interface: str,
    given: Mapping[str, Implementation | HostFunction],
    errors: Mapping[type[Exception], Callable[[Any], Any]] | None = None,
) -> HostInterface:
    """Make an interface of our world; its types are those of the table, in its order."""
    functions = {}
    for name, signature in IMPORTS[interface].items():
        function = given[name]
        if not isinstance(function, HostFunction):
            function = HostFunction(function)
        functions[name] = attrs.evolve(function, type=signature)
    return HostInterface(full_name(interface), functions, errors=errors or {})


def _instant(act: Implementation) -> HostFunction:
    return HostFunction(act, kind=FunctionKind.INSTANT)


CORE_INTERFACES: Final = (
    _core(
        "host-messaging",
        {
            "send": HostFunction(_send, at_once=_send_at_once),
            "request": lambda s, to, data, ms: s.messages.request(
                _id(to), data, _seconds(ms)
            ),
            "cancel-request": lambda s, request: s.messages.cancel_request(request),
            "broadcast": _broadcast,
            "self-id": _instant(lambda s: _plain(s.self_id)),
            "ask": HostFunction(
                _ask, longest=lambda _target, _payload, ms: _seconds(ms)
            ),
            "publish": _publish,
            "subscribe": lambda s, pattern: s.topics.subscribe(pattern),
            "unsubscribe": lambda s, pattern: s.topics.unsubscribe(pattern),
        },
        {MessagingError: _messaging_case},
    ),
    _core(
        "host-services",
        {
            "log": _log,
            "current-time": _instant(lambda s: tuple(s.clock.current_time())),
            "current-time-millis": _instant(
                lambda s: _milliseconds(s.clock.current_time())
            ),
            "sleep-millis": HostFunction(_sleep, longest=_seconds),
            "list-components": HostFunction(
                lambda s: s.directory.list_components(),
                finish=lambda ids: list(map(_plain, ids)),
            ),
            "get-component-metadata": _component_info,
        },
    ),
    _core(
        "storage",
        {
            "get": lambda s, key: s.storage.get(key),
            "set": lambda s, key, value: s.storage.set(key, value),
            "delete": lambda s, key: s.storage.delete(key),
            "exists": lambda s, key: s.storage.exists(key),
            "list-keys": lambda s, prefix: s.storage.keys(prefix),
            "usage": lambda s: tuple(s.storage.usage()),
        },
        {StorageRefused: _storage_case},
    ),
    *(HostInterface(full_name(name)) for name in TYPE_ONLY),
)
"""What every actor's component may import; a context is the `HostServices` of the actor."""
