"""Host services that do what a test says and note what they were asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from airssys.contracts import ComponentId, ComponentInfo, Timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable

BOB = ComponentId("test", "bob")

_ANSWERS: dict[str, Any] = {
    "self_id": ComponentId("test", "alice"),
    "ask": b"answer",
    "request": "c-1",
    "current_time": Timestamp(5, 7_000_000),
    "list_components": [ComponentId("test", "alice"), BOB],
    "component_info": ComponentInfo(BOB, "bob", "1.2.3", "healthy"),
    "storage_get": b"red",
    "storage_exists": True,
    "storage_keys": ["colour", "size"],
    "storage_usage": (9, 100, 2),
}
_WAITING = {"send", "ask", "publish"}


class ScriptedServices:
    """Answers every service from a table; an exception in the table is raised.

    Those that may wait do so once. `sleep` sleeps on Trio's clock.
    """

    meter = cut_time = None

    def __init__(self, **answers: Any) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answers = _ANSWERS | answers

    def called(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of all calls of one service."""
        return [arguments for service, *arguments in self.calls if service == name]

    @property
    def self_id(self) -> Any:
        return self._note("self_id")

    @property
    def messages(self) -> Any:
        return self

    topics = clock = directory = messages

    @property
    def storage(self) -> Any:
        return _Storage(self)

    async def broadcast(self, targets: Iterable[Any], payload: bytes) -> Any:
        await trio.lowlevel.checkpoint()
        return self._note("broadcast", list(targets), payload)

    async def sleep(self, seconds: float) -> None:
        self._note("sleep", seconds)
        await trio.sleep(seconds)

    def send_at_once(self, *_: Any) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        def answer(*arguments: Any) -> Any:
            return self._note(name, *arguments)

        async def answer_later(*arguments: Any) -> Any:
            await trio.lowlevel.checkpoint()
            return self._note(name, *arguments)

        return answer_later if name in _WAITING else answer

    def _note(self, name: str, *arguments: Any) -> Any:
        self.calls.append((name, *arguments))
        answer = self.answers.get(name)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class _Storage:
    """Notes what is asked of the keyspace as `storage_get` and the like."""

    def __init__(self, services: ScriptedServices) -> None:
        self._services = services

    def __getattr__(self, name: str) -> Any:
        return getattr(self._services, f"storage_{name}")
