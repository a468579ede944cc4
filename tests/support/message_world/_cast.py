"""The actors of a world: Python actors that do what they read, and guests that are watched."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, final

import attrs
import trio

from airssys.contracts import (
    BroadcastFailed,
    Callback,
    ComponentId,
    ComponentLoader,
    EngineSettings,
    Envelope,
    Guest,
    GuestRejected,
    HostServices,
    Limits,
    LoadedComponent,
    StashFull,
    Unanswered,
)
from airssys.wasm import open_runtime

from ._books import Books, Key, key_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from airssys import ActorContext
    from airssys.contracts import Artifact


class Refusing(Exception):
    """An actor answers with an error and keeps running."""


class Crashing(Exception):
    """An actor crashes."""


@final
class Player:
    """Does what a message says; what it answers tells nothing."""

    def __init__(self, books: Books, topics: tuple[str, ...], lag: Any) -> None:
        self._books, self._topics, self._lag = books, topics, lag

    async def started(self, context: ActorContext) -> None:
        for topic in self._topics:
            context.subscribe(topic, lag=self._lag)

    async def handle(self, context: ActorContext, envelope: Envelope) -> bytes:
        books, key = self._books, key_of(envelope)
        books.begin(envelope)
        try:
            answer = await self._act(context, envelope, key)
        except trio.Cancelled:
            books.cut[key] += 1
            raise
        except Refusing:
            books.failed[key] += 1
            raise
        except Crashing:
            raise
        if not context.wants_to_stash:
            books.handled[key] += 1
        return answer

    async def _act(  # noqa: C901  # one case for each word
        self, context: ActorContext, envelope: Envelope, key: Key
    ) -> bytes:
        _, word, *rest = [*envelope.payload.decode().split("|", 3), "ok"][:4]
        match word:
            case "crash":
                raise Crashing
            case "refuse":
                raise Refusing
            case "nap":
                await trio.sleep(float(rest[0]))
            case "stop":
                context.stop()
            case "boom":
                return b"boom"
            case "early" if envelope.reply is not None:
                envelope.reply.answer(b"early")
            case "stash" if key not in self._books.stashed:
                self._stash(context, key)
            case "unstash":
                context.unstash_all()
            case "tell" | "send" | "ask" | "request":
                await self._pass_on(context, word, *rest)
            case "publish":
                await context.publish(rest[0], rest[1].encode())
            case "broadcast":
                other, number = rest[1].split("|")
                self._books.unreported.add(number.encode())
                results = await context.broadcast([rest[0], other], number.encode())
                self._books.note_broadcast(number.encode(), results)
        return b"done"

    def _stash(self, context: ActorContext, key: Key) -> None:
        try:
            context.stash()
        except StashFull:
            return
        self._books.stashed.add(key)

    async def _pass_on(
        self, context: ActorContext, way: str, target: str, inner: str
    ) -> None:
        payload = inner.replace("\v", "\n").encode()
        key = payload, target
        with self._books.refusals(key):
            if way == "tell":
                context.tell(target, payload)
            elif way == "send":
                await context.send(target, payload)
            else:
                await context.ask(target, payload, timeout=1.5)
                self._books.answered[key] += 1


@final
class WatchedServices:
    """What a guest asks of the host, written into the books; else as it is."""

    def __init__(self, services: HostServices, books: Books, maker: object) -> None:
        self._services, self._books, self._maker = services, books, maker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._services, name)

    @property
    def messages(self) -> Any:
        return WatchedMessages(self._services, self._books, self._maker)


@final
class WatchedMessages:
    """What a guest sends and asks, written into the books; else as it is."""

    def __init__(self, services: HostServices, books: Books, maker: object) -> None:
        self._services, self._books, self._maker = services, books, maker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._services.messages, name)

    async def send(self, target: ComponentId, payload: bytes) -> None:
        with self._books.refusals((payload, target.name), swallow=False):
            await self._services.messages.send(target, payload)

    def send_at_once(self, target: ComponentId, payload: bytes) -> bool:
        with self._books.refusals((payload, target.name), swallow=False):
            return self._services.messages.send_at_once(target, payload)

    async def ask(self, target: ComponentId, payload: bytes, timeout: float) -> bytes:
        key = payload, target.name
        with self._books.refusals(key, swallow=False):
            answer = await self._services.messages.ask(target, payload, timeout)
            self._books.answered[key] += 1
            return answer

    def request(self, target: ComponentId, payload: bytes, timeout: float) -> str:
        with self._books.refusals((payload, target.name), swallow=False):
            name = self._services.messages.request(target, payload, timeout)
        self._books.requests[name] = self._maker
        return name

    async def broadcast(self, targets: Sequence[ComponentId], payload: bytes) -> None:
        self._books.unreported.add(payload)
        try:
            await self._services.messages.broadcast(targets, payload)
            self._books.unreported.discard(payload)
        except BroadcastFailed as error:
            self._books.note_broadcast(payload, error.failures)
            raise


@final
class WatchedGuest:
    """A real guest, its messages written into the books; else as it is."""

    def __init__(self, guest: Guest, books: Books, maker: object) -> None:
        self._guest, self._books, self._maker = guest, books, maker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guest, name)

    async def handle_message(self, envelope: Envelope) -> bytes | None:
        self._books.begin(envelope)
        try:
            answer = await self._guest.handle_message(envelope)
        except GuestRejected:
            self._books.failed[key_of(envelope)] += 1
            raise
        self._books.handled[key_of(envelope)] += 1
        return answer

    def handle_at_once(
        self, envelope: Envelope, owner: trio.lowlevel.Task
    ) -> bytes | Unanswered | None:
        try:
            answer = self._guest.handle_at_once(envelope, owner)
        except GuestRejected:
            self._books.begin(envelope)
            self._books.failed[key_of(envelope)] += 1
            raise
        if not isinstance(answer, Unanswered):  # else `handle_message` notes it
            self._books.begin(envelope)
            self._books.handled[key_of(envelope)] += 1
        return answer

    async def handle_callback(self, envelope: Envelope) -> None:
        assert isinstance(envelope, Callback)
        assert envelope.correlation_id is not None
        self._books.callbacks_begun[envelope.correlation_id] += 1
        await self._guest.handle_callback(envelope)
        self._books.callbacks_handled += 1

    def close(self) -> None:
        self._books.incarnations_over.add(self._maker)
        self._guest.close()


@attrs.frozen
class WatchedComponent:
    """A component whose instances are watched."""

    component: LoadedComponent
    books: Books

    async def instantiate(self, limits: Limits, services: HostServices) -> Any:
        maker = object()
        watched: Any = WatchedServices(services, self.books, maker)
        guest = await self.component.instantiate(limits, watched)
        return WatchedGuest(guest, self.books, maker)


@attrs.frozen
class WatchingLoader:
    """Loads components whose instances are watched."""

    loader: ComponentLoader
    books: Books

    async def load(self, artifact: Artifact) -> Any:
        return WatchedComponent(await self.loader.load(artifact), self.books)


def watching(books: Books, cache: Path) -> Callable[[EngineSettings], Any]:
    """Return an opener of loaders (see `open_system`) for guests that are watched."""

    @asynccontextmanager
    async def open_loader(settings: EngineSettings) -> AsyncIterator[Any]:
        async with open_runtime(settings, cache_directory=cache) as loader:
            yield WatchingLoader(loader, books)

    return open_loader
