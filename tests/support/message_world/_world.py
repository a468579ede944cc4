"""One system with its cast, and what may be done to it from outside."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, final

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from airssys import (
    Lag,
    Subscription,
    actor,
    blueprint,
    component,
    open_system,
)
from airssys.contracts import (
    NO_BACKOFF,
    Artifact,
    Directive,
    NotGranted,
    Overflow,
)

from ._books import Books
from ._cast import Player, Refusing, watching
from ._scripts import NAMES, compose, identity
from ._stepwise import StepwiseRun

if TYPE_CHECKING:
    from pathlib import Path

    from airssys import Blueprint
    from airssys.contracts import Envelope

_UNLIMITED: Final = 1_000_000
_LONG: Final = 100.0
"""Seconds after which everything that ends by itself has ended."""


def plan(books: Books, guests: Path) -> Blueprint:
    """Declare the cast: small mailboxes, so that they are full again and again."""
    calls = Artifact.at(guests / "calls.wat")
    on_error = ((Refusing, Directive.RESUME),)
    common: dict[str, Any] = {"mailbox": 2, "on_error": on_error}
    return blueprint(
        actor("block", Player, books, ("x.*",), Lag.BLOCK, drain=True, **common),
        actor(
            "oldest",
            Player,
            books,
            ("x.#",),
            None,
            overflow=Overflow.DROP_OLDEST,
            backoff=NO_BACKOFF,
            **common,
        ),
        actor(
            "dead-letter",
            Player,
            books,
            ("y",),
            Lag.DISCONNECT,
            overflow=Overflow.DEAD_LETTER,
            shutdown=1,
            **common,
        ),
        component("guest", calls, mailbox=2, backoff=NO_BACKOFF),
        component("other", calls, mailbox=1, overflow=Overflow.DROP_NEWEST),
        restarts=_UNLIMITED,
        restart_budget=None,
    )


@final
@attrs.define(eq=False)
class Listener:
    """A subscription of the program, and what it has had."""

    subscription: Subscription
    pattern: str
    lag: Lag
    since: int
    """How much had been published before it began."""
    until: int | None = None
    had: list[bytes] = attrs.field(factory=list)

    def read(self, most: float) -> None:
        """Take what there is."""
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while most > 0:
                self.had.append(self.subscription.next_nowait().payload)
                most -= 1

    def check(self, published: list[Envelope]) -> None:
        """Compare what it had with what was published while it listened."""
        meant = [
            envelope.payload
            for envelope in published[self.since : self.until]
            if _matches(self.pattern, envelope.topic or "")
        ]
        dropped = self.subscription.dropped
        if self.lag is Lag.DROP_OLDEST or self.lag is Lag.DROP_NEWEST:
            assert len(self.had) + dropped == len(meant)
            assert _is_in_order(self.had, meant)
        elif self.lag is Lag.DISCONNECT:
            assert self.had == meant[: len(self.had)]
            assert dropped == self.subscription.disconnected
            assert dropped or len(self.had) == len(meant)
        else:
            assert set(self.had) <= set(meant)
            assert dropped == 0


def _matches(pattern: str, topic: str) -> bool:
    """Match by the plain rules, for these short patterns."""
    if pattern.endswith(".#"):
        head = pattern.removesuffix(".#")
        return topic == head or topic.startswith(head + ".")
    wanted, found = pattern.split("."), topic.split(".")
    pairs = zip(wanted, found, strict=False)
    return len(wanted) == len(found) and all(w in {"*", f} for w, f in pairs)


def _is_in_order(some: list[bytes], all_: list[bytes]) -> bool:
    rest = iter(all_)
    return all(one in rest for one in some)


@final
class World:
    """A system that goes on by single steps; see `StepwiseRun`."""

    def __init__(self, guests: Path, cache: Path) -> None:
        self.books = Books()
        self._guests, self._cache = guests, cache
        self._scopes: list[trio.CancelScope] = []
        self._listeners: list[Listener] = []
        self._published: list[Envelope] = []
        self._revoked: set[str] = set()
        self._run = StepwiseRun(self._live)

    async def _live(self, run: StepwiseRun) -> None:
        books = self.books
        opening = open_system(
            plan(books, self._guests), open_loader=watching(books, self._cache)
        )
        async with opening as system:
            self._system, self._broker = system, system._broker
            books.registry = system._registry
            books.letters = system.dead_letters(_UNLIMITED, _UNLIMITED)
            books.events = system.events(_UNLIMITED)
            self._all = system.subscribe("#", capacity=_UNLIMITED)
            system._broker.admission.gates = (books.gate, self._let_pass)
            async with trio.open_nursery() as self._nursery:
                await run.wishes()
                self._nursery.cancel_scope.cancel()
            run.clock.autojump_threshold = 0
        self._check_nothing_waits()

    def _let_pass(self, envelope: Envelope) -> None:
        if envelope.sender.name in self._revoked:
            raise NotGranted("revoked")

    def do(self, way: str, *arguments: Any) -> None:
        """Do one thing, by the name of the method below; others run only if it waits."""

        async def wish() -> None:
            getattr(self, f"_{way}")(*arguments)

        self._run.do(wish)

    def settle(self, seconds: float = 0) -> None:
        """Let time pass, and every task do what can be done."""

        async def wish() -> None:
            await wait_all_tasks_blocked()
            edges = {(w.waiter, w.target) for w in self._system.waits()}
            assert edges >= self._broker.waits.edges()
            self._revoked.clear()
            if seconds:
                self._run.clock.jump(seconds)
                await wait_all_tasks_blocked()

        self._run.do(wish)

    def _post(self, way: str, target: str, script: Any, more: dict[str, Any]) -> None:
        payload = compose(self.books, target, script)
        key = payload, target
        if way == "tell":
            with self.books.refusals(key):
                self._system.tell(target, payload, **more)
        else:
            if more.get("retries"):
                self.books.unreported.add(payload)
            self._start(self._send_or_ask, way, key, more)

    async def _send_or_ask(
        self, way: str, key: tuple[bytes, str], more: dict[str, Any]
    ) -> None:
        payload, target = key
        with self.books.refusals(key):
            await getattr(self._system, way)(target, payload, **more)
            if way == "ask":
                self.books.answered[key] += 1

    def _publish(self, topic: str) -> None:
        payload = self._unordered()
        self._start(self._system.publish, topic, payload)

    def _broadcast(self, targets: list[str]) -> None:
        self._start(self._send_to_all, targets, self._unordered())

    async def _send_to_all(self, targets: list[str], payload: bytes) -> None:
        self.books.unreported.add(payload)
        results = await self._system.broadcast(targets, payload)
        self.books.note_broadcast(payload, results)

    def _unordered(self) -> bytes:
        payload = b"%d" % self.books.fresh_number()
        self.books.unordered.add(payload)
        return payload

    def _start(self, act: Any, *arguments: Any) -> None:
        scope = trio.CancelScope()
        self._scopes.append(scope)

        async def run() -> None:
            with scope:
                await act(*arguments)

        self._nursery.start_soon(run)

    def _cancel(self, number: int) -> None:
        if self._scopes:
            self._scopes[number % len(self._scopes)].cancel()

    def _administer(self, what: str, target: str) -> None:
        root = self._system.supervisor("root")
        self._nursery.start_soon(getattr(root, what), identity(target))

    def _replace(self, target: str) -> None:
        artifact = Artifact.at(self._guests / "calls.wat")
        self._nursery.start_soon(self._system.replace, target, artifact)

    def _revoke(self, name: str) -> None:
        self._revoked = {name} - self._revoked

    def _listen(self, pattern: str, capacity: int, lag: Lag) -> None:
        self._read_all()
        made = self._system.subscribe(pattern, capacity=capacity, lag=lag)
        self._listeners.append(Listener(made, pattern, lag, len(self._published)))

    def _read(self, number: int, most: float) -> None:
        if self._listeners:
            self._listeners[number % len(self._listeners)].read(most)

    def _leave(self, number: int) -> None:
        if self._listeners:
            self._end(self._listeners[number % len(self._listeners)])

    def _end(self, listener: Listener) -> None:
        self._read_all()
        if listener.until is None:
            listener.until = len(self._published)
            listener.subscription.end()
        listener.read(math.inf)

    def _read_all(self) -> None:
        with suppress(trio.WouldBlock):
            while True:
                self._published.append(self._all.next_nowait())

    def check(self) -> None:
        """Check what holds at every moment."""
        self.books.balance(is_over=False)
        self.books.check_order()
        self.books.check_requests(at_rest=False)

    def finish(self) -> None:
        """Come to rest, see that every actor still works, end the system, check all."""
        self._run.do(self._rest)
        self._run.stop()
        self.books.balance(is_over=True)
        self.books.check_order()
        self.books.check_requests(at_rest=True)

    def abandon(self) -> None:
        """End the run silently."""
        with suppress(BaseException):
            self._run.stop()

    async def _rest(self) -> None:
        self._revoked.clear()
        for listener in self._listeners:
            self._end(listener)
        self._run.clock.autojump_threshold = 0
        await trio.sleep(_LONG)
        for listener in self._listeners:
            listener.read(math.inf)
            listener.check(self._published)
        self._check_nothing_waits()
        self.check()
        for name in NAMES:
            await self._see_that_it_works(name)
        self.books.check_requests(at_rest=True)

    async def _see_that_it_works(self, name: str) -> None:
        root = self._system.supervisor("root")
        await root.restart_child(identity(name))
        for word in ("unstash", "ok"):
            # What comes back fills the mailbox, until it is handled.
            await trio.sleep(_LONG)
            await self._system.ask(name, compose(self.books, name, (word,)), timeout=50)

    def _check_nothing_waits(self) -> None:
        assert self._broker.pending_count == 0
        assert not self._broker.waits.edges()
        assert self._system.waits() == ()
