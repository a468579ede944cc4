"""Guests that want too much: time, memory, tables, or of the host's."""

from collections.abc import Iterator
from typing import Final

from wat_guests.behaving import KEEP_CONFIG
from wat_guests.component import Guest, core_module
from wat_guests.library import HOST_RESULT
from wat_guests.world import LIFECYCLE

_SPIN: Final = "(call $spin)\n"
_ECHO: Final = LIFECYCLE["handle-message"].body
_MANY: Final = 20


def guests() -> Iterator[Guest]:
    """Yield every guest of this module."""
    yield from _slow()
    yield from _growing()
    yield from _calling()
    yield from _passing()


def _slow() -> Iterator[Guest]:
    yield Guest(
        name="loop",
        does="handle-message never returns",
        exports={"handle-message": _SPIN + _ECHO},
    )
    yield Guest(
        name="loop-init",
        does="initialize never returns",
        exports={"initialize": _SPIN + LIFECYCLE["initialize"].body},
    )
    yield Guest(
        name="loop-start",
        does="never finishes being instantiated",
        fields="(start $spin)\n",
    )
    yield Guest(
        name="loop-shutdown",
        does="shutdown never returns",
        exports={"shutdown": _SPIN + LIFECYCLE["shutdown"].body},
    )
    yield Guest(
        name="spin",
        does="goes round a loop as many million times as the payload says, then echoes",
        exports={
            "handle-message": f"""\
(local $left i64)
(local.set $left
  (i64.mul (call $payload-number (local.get $message)) (i64.const 1000000)))
(block $end (loop $again
  (br_if $end (i64.eqz (local.get $left)))
  (local.set $left (i64.sub (local.get $left) (i64.const 1)))
  (br $again)))
{_ECHO}"""
        },
    )
    yield Guest(
        name="sleep",
        does="sleeps as many milliseconds as the payload says, then echoes",
        exports={
            "handle-message": f"""\
(call $host-services.sleep-millis (call $payload-number (local.get $message)))
{_ECHO}"""
        },
    )
    yield Guest(
        name="deep-recursion",
        does="recurs as deep as the payload says, then echoes",
        fields="""\
(func $deeper (param $left i64) (result i64)
  (if (i64.eqz (local.get $left)) (then (return (i64.const 0))))
  (i64.add (i64.const 1)
    (call $deeper (i64.sub (local.get $left) (i64.const 1)))))
""",
        exports={
            "handle-message": f"""\
(drop (call $deeper (call $payload-number (local.get $message))))
{_ECHO}"""
        },
    )


_PAYLOAD_I32: Final = "(i32.wrap_i64 (call $payload-number (local.get $message)))"


def _growing() -> Iterator[Guest]:
    yield Guest(
        name="memory-hog",
        does="grows its memory by as many pages as the payload says, answers the result",
        exports={"handle-message": f"(call $grown (memory.grow {_PAYLOAD_I32}))"},
    )
    yield Guest(
        name="memory-hog-init",
        does="wants 512 MiB of memory to be instantiated",
        before=core_module("hog", "(memory 8192)\n"),
    )
    yield Guest(
        name="table-hog",
        does="grows a table by as many elements as the payload says, answers the result",
        fields="(table $table 1 funcref)\n",
        exports={
            "handle-message": "(call $grown"
            f" (table.grow $table (ref.null func) {_PAYLOAD_I32}))"
        },
    )
    yield _many_modules(
        "memory-hog-twenty",
        "grows each of twenty memories by the payload, answers how many could",
        '(memory 1)\n(func (export "grow") (param i32) (result i32)\n'
        "  (memory.grow (local.get 0)))\n",
    )
    yield _many_modules(
        "table-hog-twenty",
        "grows each of twenty tables by the payload, answers how many could",
        '(table $table 1 funcref)\n(func (export "grow") (param i32) (result i32)\n'
        "  (table.grow $table (ref.null func) (local.get 0)))\n",
    )
    yield _multi_memory()


def _count_growing(grow: list[str]) -> str:
    """Return a body that answers how many of these expressions are not -1."""
    counts = "\n".join(
        "(local.set $could (i32.add (local.get $could)"
        f"\n  (i32.ne (i32.const -1) {one})))"
        for one in grow
    )
    return f"""\
(local $by i32) (local $could i32)
(local.set $by {_PAYLOAD_I32})
{counts}
(call $some (call $decimal (i64.extend_i32_u (local.get $could))))"""


def _many_modules(name: str, does: str, fields: str) -> Guest:
    names = [f"hog-{number}" for number in range(_MANY)]
    module = core_module("hog", fields).splitlines(keepends=True)
    instances = [f"(core instance ${one} (instantiate $hog))\n" for one in names]
    return Guest(
        name=name,
        does=does,
        before="".join(module[:-1] + instances),
        instances=tuple(names),
        fields="".join(
            f'(import "{one}" "grow" (func ${one}.grow (param i32) (result i32)))\n'
            for one in names
        ),
        exports={
            "handle-message": _count_growing(
                [f"(call ${one}.grow (local.get $by))" for one in names]
            )
        },
    )


def _multi_memory() -> Guest:
    names = [f"$hog-{number}" for number in range(_MANY)]
    return Guest(
        name="multi-memory-hog",
        does="like memory-hog-twenty, with all twenty memories in one core module",
        fields="".join(f"(memory {one} 1)\n" for one in names),
        exports={
            "handle-message": _count_growing(
                [f"(memory.grow {one} (local.get $by))" for one in names]
            )
        },
    )


_CALL_TIME: Final = "(drop (call $host-services.current-time-millis))"


def _calling() -> Iterator[Guest]:
    yield Guest(
        name="flood",
        does="handle-message calls current-time-millis for ever",
        exports={"handle-message": f"(loop $again {_CALL_TIME} (br $again))\n{_ECHO}"},
    )
    yield Guest(
        name="publish-flood",
        does="handle-message publishes for ever",
        exports={
            "handle-message": f"""\
(loop $again
  (call $host-messaging.publish (text "flood") (text "x") (i32.const {HOST_RESULT}))
  (br $again))
{_ECHO}"""
        },
    )
    yield Guest(
        name="log-flood",
        does="handle-message calls log for ever",
        exports={
            "handle-message": f"""\
(loop $again
  (call $host-services.log (i32.const 2) (text "flood")
    (i32.const 0) (i32.const 0) (i32.const 0))
  (br $again))
{_ECHO}"""
        },
    )
    yield Guest(
        name="host-call-count",
        does="calls current-time-millis as often as the payload says, then echoes",
        exports={
            "handle-message": f"""\
(local $left i64)
(local.set $left (call $payload-number (local.get $message)))
(block $end (loop $again
  (br_if $end (i64.eqz (local.get $left)))
  {_CALL_TIME}
  (local.set $left (i64.sub (local.get $left) (i64.const 1)))
  (br $again)))
{_ECHO}"""
        },
    )


_SENT: Final = f"""\
(if (i32.load8_u (i32.const {HOST_RESULT})) (then (return (call $messaging-failure))))
(call $some (text "ok"))"""


def _allocated(bytes_each: int, byte: int) -> str:
    return f"""\
(local $n i32) (local $at i32)
(local.set $n {_PAYLOAD_I32})
(local.set $at (call $filled
  (i32.mul (local.get $n) (i32.const {bytes_each})) (i32.const {byte})))
(if (i32.eqz (local.get $at))
  (then (return (call $runtime-error (text "no memory")))))
"""


def _passing() -> Iterator[Guest]:
    yield Guest(
        name="huge-to-host",
        does="sends as many bytes as the payload says, answers ok",
        exports={
            "initialize": KEEP_CONFIG,
            "handle-message": _allocated(1, ord("0"))
            + "(call $host-messaging.send (call $target)"
            f" (local.get $at) (local.get $n) (i32.const {HOST_RESULT}))\n" + _SENT,
        },
    )
    yield Guest(
        name="huge-log",
        does="logs a message of as many bytes as the payload says, answers ok",
        exports={
            "handle-message": _allocated(1, ord("0"))
            + "(call $host-services.log (i32.const 2) (local.get $at) (local.get $n)\n"
            "  (i32.const 0) (i32.const 0) (i32.const 0))\n"
            '(call $some (text "ok"))'
        },
    )
    yield Guest(
        name="huge-list-to-host",
        does="broadcasts to as many empty component-ids as the payload says, answers ok",
        exports={
            "handle-message": _allocated(24, 0)
            + "(call $host-messaging.broadcast (local.get $at) (local.get $n)"
            f' (text "hello") (i32.const {HOST_RESULT}))\n' + _SENT
        },
    )
    yield Guest(
        name="huge-return",
        does="answers with as many bytes as the payload says",
        exports={
            "handle-message": _allocated(1, ord("0"))
            + "(call $some (local.get $at) (local.get $n))"
        },
    )
