"""Guests that hand the host much to do at once, again and again, for ever.

The payload of a message says how much.
"""

from collections.abc import Iterator
from typing import Final

from wat_guests.component import Guest
from wat_guests.library import HOST_RESULT
from wat_guests.world import LIFECYCLE

_ECHO: Final = LIFECYCLE["handle-message"].body
_N: Final = """\
(local $n i32) (local $at i32) (local $i i32)
(local.set $n (i32.wrap_i64 (call $payload-number (local.get $message))))
"""
_NO_CONTEXT: Final = "(i32.const 0) (i32.const 0) (i32.const 0)"
_RESULT: Final = f"(i32.const {HOST_RESULT})"
_DIGITS: Final = """\
;; A number as eight digits.
(func $digits (param $at i32) (param $value i32)
  (local $left i32)
  (local.set $left (i32.const 8))
  (loop $next
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (i32.store8 (i32.add (local.get $at) (local.get $left)) (i32.add (i32.const 48)
      (i32.rem_u (local.get $value) (i32.const 10))))
    (local.set $value (i32.div_u (local.get $value) (i32.const 10)))
    (br_if $next (local.get $left))))
"""


def guests() -> Iterator[Guest]:
    """Yield every guest of this module."""
    yield from _with_names()
    yield from _with_bytes()
    yield from _with_many()


def _filled(bytes_each: int, byte: int) -> str:
    return f"""\
(local.set $at (call $filled
  (i32.mul (local.get $n) (i32.const {bytes_each})) (i32.const {byte})))
(if (i32.eqz (local.get $at)) (then unreachable))
"""


def _for_ever(step: str) -> str:
    return f"(loop $again\n{step}\n(br $again))\n{_ECHO}"


def _each(step: str) -> str:
    """Do something with every `$i` below `$n`."""
    return f"""\
(local.set $i (i32.const 0))
(loop $each
  {step}
  (local.set $i (i32.add (local.get $i) (i32.const 1)))
  (br_if $each (i32.lt_u (local.get $i) (local.get $n))))
"""


def _with_names() -> Iterator[Guest]:
    text = "(i32.add (i32.mul (local.get $n) (i32.const 24))"
    text += " (i32.add (local.get $at) (i32.mul (local.get $i) (i32.const 8))))"
    entry = "(i32.add (local.get $at) (i32.mul (local.get $i) (i32.const 24)))"
    fields = "".join(
        f"(i32.store offset={8 * field} {entry} {text})\n"
        f"(i32.store offset={8 * field + 4} {entry} (i32.const 8))\n"
        for field in range(3)
    )
    yield Guest(
        name="broadcast-flood",
        does="broadcasts to as many absent names as the payload says, for ever",
        fields=_DIGITS,
        exports={
            "handle-message": _N
            + _filled(32, 0)
            + _each(f"(call $digits {text} (local.get $i))\n{fields}")
            + _for_ever(
                "(call $host-messaging.broadcast (local.get $at) (local.get $n)"
                f' (text "hello") {_RESULT})'
            )
        },
    )
    name = "(call $digits (i32.const 400) (local.get $i))\n"
    pattern = f"(i32.const 400) (i32.const 8) {_RESULT}"
    yield Guest(
        name="subscribe-flood",
        does="subscribes to as many topics as the payload says, and ends that, for ever",
        fields=_DIGITS,
        exports={
            "handle-message": _N
            + _for_ever(
                _each(f"{name}(call $host-messaging.subscribe {pattern})")
                + _each(f"{name}(call $host-messaging.unsubscribe {pattern})")
            )
        },
    )
    yield Guest(
        name="scan-flood",
        does="keeps as many keys as the payload says and lists them, for ever",
        fields=_DIGITS,
        exports={
            "handle-message": _N
            + _each(
                f"{name}(call $storage.set (i32.const 400) (i32.const 8)"
                f' (text "x") {_RESULT})'
            )
            + _for_ever(
                "(call $storage.list-keys (i32.const 0) (i32.const 0) (i32.const 0)"
                f" {_RESULT})\n(call $reset (i32.const 0))"
            )
        },
    )


def _with_bytes() -> Iterator[Guest]:
    yield Guest(
        name="log-large-flood",
        does="logs a message of as many control characters as the payload says, for ever",
        exports={
            "handle-message": _N
            + _filled(1, 1)
            + _for_ever(
                "(call $host-services.log (i32.const 2) (local.get $at)"
                f" (local.get $n) {_NO_CONTEXT})"
            )
        },
    )
    yield Guest(
        name="send-large-flood",
        does="sends as many bytes as the payload says to no actor, for ever",
        exports={
            "handle-message": _N
            + _filled(1, 1)
            + _for_ever(
                '(call $host-messaging.send (call $component-id (text "no/body/0"))'
                f" (local.get $at) (local.get $n) {_RESULT})"
            )
        },
    )
    yield Guest(
        name="get-flood",
        does="keeps as many bytes as the payload says and reads them, for ever",
        exports={
            "handle-message": _N
            + _filled(1, 1)
            + '(call $storage.set (text "key") (local.get $at) (local.get $n)'
            f" {_RESULT})\n"
            + _for_ever(
                f'(call $storage.get (text "key") {_RESULT})\n'
                "(call $reset (i32.const 0))"
            )
        },
    )


def _with_many() -> Iterator[Guest]:
    yield Guest(
        name="list-flood",
        does="lists all components for ever",
        exports={
            "handle-message": _for_ever(
                f"(call $host-services.list-components {_RESULT})\n"
                "(call $reset (i32.const 0))"
            )
        },
    )
