"""Thespian, in one process and without threads: `simpleSystemBase`, its fastest way.

Sending a message runs everything that follows from it before the call returns.
"""

from __future__ import annotations

import logging
from time import perf_counter

from serving import serve
from thespian.actors import Actor, ActorAddress, ActorSystem

SIZE = 100
logging.disable(logging.CRITICAL)


class Echo(Actor):
    """It answers what it is asked, and fails when it is asked for that."""

    def receiveMessage(self, message: object, sender: ActorAddress) -> None:  # noqa: N802  # Thespian's name
        """Answer."""
        if message == b"x":
            raise ValueError("on request")
        if message != b"quiet":
            self.send(sender, message)


class Node(Actor):
    """It hands a number on to the next."""

    following = None

    def receiveMessage(self, message: object, _: ActorAddress) -> None:  # noqa: N802  # as above
        """Hand it on, less one."""
        if isinstance(message, ActorAddress):
            self.following = message
        elif isinstance(message, int) and message:
            self.send(self.following, message - 1)
        elif message == 0:
            Seen.done = True


class Leaf(Actor):
    """It counts down what all of them share."""

    def receiveMessage(self, message: object, _: ActorAddress) -> None:  # noqa: N802  # as above
        """Count."""
        if message == 1:
            Seen.left -= 1


class Seen:
    """What the actors have done, which are in this process."""

    left = 0
    done = False


def _system() -> ActorSystem:
    return ActorSystem("simpleSystemBase")


def tell(count: int) -> float:
    """Tell one actor, until all is handled."""
    system = _system()
    one = system.createActor(Echo)
    began = perf_counter()
    for _ in range(count):
        system.tell(one, b"quiet")
    assert system.ask(one, b"y", 10) == b"y"
    took = perf_counter() - began
    system.shutdown()
    return took


def ask(count: int) -> float:
    """Ask one actor, one question after the other."""
    system = _system()
    one, payload = system.createActor(Echo), bytes(64)
    began = perf_counter()
    for _ in range(count):
        system.ask(one, payload, 10)
    took = perf_counter() - began
    assert system.ask(one, payload, 10) == payload
    system.shutdown()
    return took


def ring(count: int) -> float:
    """Hand a number on."""
    system = _system()
    nodes = [system.createActor(Node) for _ in range(SIZE)]
    for number, node in enumerate(nodes):
        system.tell(node, nodes[(number + 1) % SIZE])
    Seen.done = False
    began = perf_counter()
    system.tell(nodes[0], count)
    while not Seen.done:
        system.listen(0.001)
    took = perf_counter() - began
    system.shutdown()
    return took


def fan(count: int) -> float:
    """Tell a hundred, until all have handled it."""
    system = _system()
    leaves = [system.createActor(Leaf) for _ in range(SIZE)]
    rounds = max(1, count // SIZE)
    began = perf_counter()
    for _ in range(rounds):
        Seen.left = SIZE
        for leaf in leaves:
            system.tell(leaf, 1)
        while Seen.left:
            system.listen(0.001)
    took = perf_counter() - began
    system.shutdown()
    return took * count / (rounds * SIZE)


def spawn(count: int) -> float:
    """Make actors."""
    system = _system()
    began = perf_counter()
    for _ in range(count):
        system.createActor(Echo)
    took = perf_counter() - began
    system.shutdown()
    return took


def crash(count: int) -> float:
    """Let a message fail, which Thespian tries again and gives back; then ask."""
    system = _system()
    one = system.createActor(Echo)
    began = perf_counter()
    for _ in range(count):
        system.tell(one, b"x")
        while system.ask(one, b"y", 10) != b"y":
            pass
    took = perf_counter() - began
    system.shutdown()
    return took


if __name__ == "__main__":
    serve(
        "thespian",
        {
            "tell": tell,
            "ask": ask,
            "ring": ring,
            "fan": fan,
            "spawn": spawn,
            "crash": crash,
        },
    )
