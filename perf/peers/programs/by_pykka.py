"""Pykka: an actor on a thread of its own. It has no supervisors, so nothing crashes here."""

from __future__ import annotations

import threading
from time import perf_counter

import pykka
from serving import serve

SIZE = 100


class Echo(pykka.ThreadingActor):
    """It answers with what it is asked."""

    def on_receive(self, message: object) -> object:
        """Answer."""
        return message


class Node(pykka.ThreadingActor):
    """It hands a number on to the next."""

    def __init__(self, done: threading.Event) -> None:
        super().__init__()
        self.following: pykka.ActorRef | None = None
        self.done = done

    def on_receive(self, message: object) -> None:
        """Hand it on, less one."""
        if not isinstance(message, int):
            self.following = message
        elif message:
            self.following.tell(message - 1)
        else:
            self.done.set()


class Leaf(pykka.ThreadingActor):
    """It counts down what all of them share."""

    left = 0
    lock = threading.Lock()
    done = threading.Event()

    def on_receive(self, _: object) -> None:
        """Count."""
        with Leaf.lock:
            Leaf.left -= 1
            if not Leaf.left:
                Leaf.done.set()


def tell(count: int) -> float:
    """Tell one actor, until all is handled."""
    one = Echo.start()
    payload = bytes(64)
    began = perf_counter()
    for _ in range(count):
        one.tell(payload)
    one.ask(payload)
    took = perf_counter() - began
    one.stop()
    return took


def ask(count: int) -> float:
    """Ask one actor, one question after the other."""
    one = Echo.start()
    payload = bytes(64)
    began = perf_counter()
    for _ in range(count):
        one.ask(payload)
    took = perf_counter() - began
    one.stop()
    return took


def ring(count: int) -> float:
    """Hand a number on."""
    done = threading.Event()
    nodes = [Node.start(done) for _ in range(SIZE)]
    for number, node in enumerate(nodes):
        node.ask(nodes[(number + 1) % SIZE])
    began = perf_counter()
    nodes[0].tell(count)
    done.wait()
    took = perf_counter() - began
    pykka.ActorRegistry.stop_all()
    return took


def fan(count: int) -> float:
    """Tell a hundred, until all have handled it."""
    leaves = [Leaf.start() for _ in range(SIZE)]
    rounds = max(1, count // SIZE)
    began = perf_counter()
    for _ in range(rounds):
        Leaf.left = SIZE
        Leaf.done.clear()
        for leaf in leaves:
            leaf.tell(1)
        Leaf.done.wait()
    took = perf_counter() - began
    pykka.ActorRegistry.stop_all()
    return took * count / (rounds * SIZE)


def spawn(count: int) -> float:
    """Start actors, which are threads."""
    began = perf_counter()
    for _ in range(count):
        Echo.start()
    took = perf_counter() - began
    pykka.ActorRegistry.stop_all()
    return took


if __name__ == "__main__":
    serve("pykka", {"tell": tell, "ask": ask, "ring": ring, "fan": fan, "spawn": spawn})
