"""What messages tell their receivers to do, written as payloads that never come twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airssys.contracts import ComponentId

if TYPE_CHECKING:
    from ._books import Books

NAMES = ("block", "oldest", "dead-letter", "guest", "other")
"""Three Python actors, by what happens to messages that find them full, and two guests."""
GUESTS = ("guest", "other")


def identity(name: str) -> str:
    """Write a name out."""
    return str(ComponentId.parse(name))


def compose(books: Books, target: str, script: tuple[object, ...]) -> bytes:
    """Write a script as a payload for one actor: a word, and what belongs to it.

    Words with a script of their own: `tell`, `send`, `ask` (target, script), `request`
    (target, script, milliseconds), `publish` (topic), `broadcast` (target, target).
    """
    return _payload(books, target, script).encode()


def _payload(books: Books, target: str, script: tuple[object, ...]) -> str:
    number = books.fresh_number()
    if target in GUESTS:
        return "\n".join([*_call(books, script), str(number)])
    word, *rest = script
    parts = [str(number), str(word)]
    if word in {"tell", "send", "ask", "request"}:
        name, inner = rest[:2]
        assert isinstance(name, str)
        assert isinstance(inner, tuple)
        parts += [name, _payload(books, name, inner).replace("\n", "\v")]
    elif word in {"publish", "broadcast"}:
        parts += [*map(str, rest), str(books.fresh_number())]
    else:
        parts += map(str, rest)
    return "|".join(parts)


def _call(books: Books, script: tuple[object, ...]) -> list[str]:
    """The lines for the guest `calls`: a function and its arguments."""
    word, *rest = script
    match word:
        case "tell" | "send" | "ask" | "request":
            name, inner = rest[:2]
            assert isinstance(name, str)
            assert isinstance(inner, tuple)
            # An argument is one line; what a guest gets from a guest, it rejects.
            is_deep = name in GUESTS
            number = str(books.fresh_number())
            payload = number if is_deep else _payload(books, name, inner)
            way = "send" if word == "tell" else word
            milliseconds = str(rest[2] if len(rest) > 2 else 1500)
            called = f"host-messaging.{way}"
            return [called, identity(name), payload.replace("\n", "\v"), milliseconds]
        case "publish":
            number = str(books.fresh_number())
            return ["host-messaging.publish", str(rest[0]), number]
        case "broadcast":
            one, two = map(str, rest)
            number = str(books.fresh_number())
            return ["host-messaging.broadcast", identity(one), number, identity(two)]
        case "nap":
            return ["host-services.sleep-millis", str(1000 * int(str(rest[0])))]
        case "crash" | "refuse":
            return ["no such function"]
        case "subscribe":
            return ["host-messaging.subscribe", str(rest[0])]
        case _:
            return ["host-messaging.self-id"]
