"""One guest that calls any function of the world, on demand.

The payload is the function's name, `interface.function`, and then the arguments, each on a
line of its own. What is left out is canned:

| function                                       | arguments and their defaults           |
|------------------------------------------------|----------------------------------------|
| host-messaging.send                            | target test/bob/0, payload hi          |
| host-messaging.request, host-messaging.ask     | target, payload, milliseconds 1000     |
| host-messaging.cancel-request                  | request-id request-1                   |
| host-messaging.broadcast                       | target, payload, target test/carol/0   |
| host-messaging.publish                         | topic news.today, payload hi           |
| host-messaging.subscribe, .unsubscribe         | pattern news.*                         |
| host-services.log                              | message hello, number of the level 2;  |
|                                                | the context is always colour=red       |
| host-services.sleep-millis                     | milliseconds 1                         |
| host-services.get-component-metadata           | id test/bob/0                          |
| storage.get, storage.delete, storage.exists    | key colour                             |
| storage.set                                    | key colour, value red                  |
| storage.list-keys                              | prefix, none if left out               |
| the others                                     |                                        |

The answer is `ok`, `ok:value`, `err:case`, or `err:case:text`. A missing option is `ok`;
lists are joined by commas, the numbers of a record by spaces, the other fields of one by
bars, and a component-id is namespace/name/instance.

A callback is a line in the log: correlation-id, sender, content-type and payload, joined
by bars; one whose payload is `boom` traps.
"""

from collections.abc import Iterator, Mapping
from textwrap import dedent
from typing import Final

import attrs

from wat_guests.component import Guest
from wat_guests.library import HOST_RESULT, LISTS
from wat_guests.world import ERROR_CASES, HOST_FUNCTIONS

_RESULT: Final = f"(i32.const {HOST_RESULT})"
_TARGET: Final = (
    '(call $component-id (call $argument (i32.const 1) (text "test/bob/0")))'
)
_TIMEOUT: Final = '(call $number (call $argument (i32.const 3) (text "1000")))'


def _argument(number: int, default: str) -> str:
    return f'(call $argument (i32.const {number}) (text "{default}"))'


@attrs.frozen
class Call:
    """How to call one function and tell its result."""

    arguments: str = ""
    tell: str = ""
    """Appends the value of the result, which is at `HOST_RESULT`, to the answer."""
    error: str = ""
    """The variant that it may fail with."""
    error_offset: int = 4
    """Where in the result that variant is: at 8 if the value holds 64-bit numbers."""


def _value(tell: str, offset: int) -> str:
    return (
        f'(call $append (text ":")) (call ${tell} (i32.const {HOST_RESULT + offset}))'
    )


def _numbers(offset: int, loads: tuple[str, ...]) -> str:
    """Append numbers, eight bytes apart."""
    tells = (
        f"(call $append-number ({load} (i32.const {HOST_RESULT + offset + 8 * index})))"
        for index, load in enumerate(loads)
    )
    return '(call $append (text ":"))\n' + '\n(call $append (text " "))\n'.join(tells)


_MESSAGING: Final = {
    "send": Call(f"{_TARGET} {_argument(2, 'hi')} {_RESULT}"),
    "request": Call(
        f"{_TARGET} {_argument(2, 'hi')} {_TIMEOUT} {_RESULT}",
        _value("append-text-at", 4),
    ),
    "cancel-request": Call(f"{_argument(1, 'request-1')} {_RESULT}"),
    "broadcast": Call(f"(call $targets) {_argument(2, 'hi')} {_RESULT}"),
    "ask": Call(
        f"{_TARGET} {_argument(2, 'hi')} {_TIMEOUT} {_RESULT}",
        _value("append-text-at", 4),
    ),
    "publish": Call(f"{_argument(1, 'news.today')} {_argument(2, 'hi')} {_RESULT}"),
    "subscribe": Call(f"{_argument(1, 'news.*')} {_RESULT}"),
    "unsubscribe": Call(f"{_argument(1, 'news.*')} {_RESULT}"),
}
_STORAGE: Final = {
    "get": Call(
        f"{_argument(1, 'colour')} {_RESULT}",
        f"(if (i32.load8_u offset=4 {_RESULT}) (then {_value('append-text-at', 8)}))",
    ),
    "set": Call(f"{_argument(1, 'colour')} {_argument(2, 'red')} {_RESULT}"),
    "delete": Call(f"{_argument(1, 'colour')} {_RESULT}"),
    "exists": Call(f"{_argument(1, 'colour')} {_RESULT}", _value("append-bool", 4)),
    "list-keys": Call(f"(call $prefix) {_RESULT}", _value("append-texts", 4)),
    "usage": Call(_RESULT, _numbers(8, ("i64.load",) * 3), error_offset=8),
}
CALLS: Final[Mapping[str, Call]] = (
    {
        f"host-messaging.{name}": attrs.evolve(call, error="messaging-error")
        for name, call in _MESSAGING.items()
    }
    | {
        "host-messaging.self-id": Call(_RESULT, _value("append-component-id", 0)),
        "host-services.log": Call(
            f"(i32.wrap_i64 (call $number {_argument(2, '2')}))\n"
            f"{_argument(1, 'hello')} (call $context)"
        ),
        "host-services.current-time": Call(
            _RESULT, _numbers(0, ("i64.load", "i64.load32_u"))
        ),
        "host-services.current-time-millis": Call(tell=_numbers(0, ("i64.load",))),
        "host-services.sleep-millis": Call(f"(call $number {_argument(1, '1')})"),
        "host-services.list-components": Call(
            _RESULT, _value("append-component-ids", 0)
        ),
        "host-services.get-component-metadata": Call(
            f"{_TARGET} {_RESULT}",
            _value("append-component-info", 4),
            "component-error",
        ),
    }
    | {
        f"storage.{name}": attrs.evolve(call, error="storage-error")
        for name, call in _STORAGE.items()
    }
)


def guests() -> Iterator[Guest]:
    """Yield every guest of this module."""
    yield Guest(
        name="calls",
        does="calls the function that the payload names, tells what came back",
        fields=_FIELDS + "".join(_call(name) for name in HOST_FUNCTIONS),
        exports={
            "handle-message": """\
(call $payload (local.get $message))
(global.set $request-size)
(global.set $request)
"""
            + "".join(
                f'(if (call $is (text "{name}")) (then (return (call $call.{name}))))\n'
                for name in HOST_FUNCTIONS
            )
            + '(call $runtime-error (text "no such function"))',
            "handle-callback": _TELL_CALLBACK,
        },
    )


_TELL_CALLBACK: Final = """\
(local $at i32) (local $size i32)
(call $begin)
(call $append-option (i32.add (local.get $message) (i32.const 32)))
(call $append (text "|"))
(call $append-component-id (local.get $message))
(call $append (text "|"))
(call $append-option (i32.add (local.get $message) (i32.const 88)))
(call $append (text "|"))
(call $payload (local.get $message))
(local.set $size)
(local.set $at)
(call $append (local.get $at) (local.get $size))
(if (i32.eq (local.get $size) (i32.const 4)) (then
  (if (call $equal (local.get $at) (local.get $size) (text "boom")) (then unreachable))))
(call $host-services.log (i32.const 2)
  (global.get $answer-start) (global.get $answer-size) (call $context))
(call $ok)"""


def _call(name: str) -> str:
    call = CALLS[name]
    invoke = f"(call ${name} {call.arguments})"
    if "(result i64)" in HOST_FUNCTIONS[name].core_type:
        invoke = f"(i64.store {_RESULT} {invoke})"
    failed = ""
    if call.error:
        failed = (
            f"(if (i32.load8_u {_RESULT}) (then (return\n"
            f"  (call $failed.{call.error} (i32.const {HOST_RESULT + call.error_offset}))"
            ")))\n"
        )
    steps = f'{invoke}\n{failed}(call $begin)\n(call $append (text "ok"))\n{call.tell}'
    return f"(func $call.{name} (result i32)\n{steps}\n(call $answer))\n"


def _failed(variant: str) -> str:
    """Return a function that answers with an error, and what comes with its case."""
    without_text = {"queue-full", "already-initialized", "not-initialized"}
    without_text |= {"quota-exceeded"}
    cases = enumerate(ERROR_CASES[variant])
    tells = "".join(
        f"  (if (i32.eq (i32.load8_u (local.get $at)) (i32.const {case}))\n"
        f'    (then (call $append (text ":"))'
        f" (call ${_TELL.get(name, 'append-text-at')}"
        " (i32.add (local.get $at) (i32.const 4)))))\n"
        for case, name in cases
        if name not in without_text
    )
    return f"""\
(func $failed.{variant} (param $at i32) (result i32)
  (call $begin)
  (call $append (text "err:"))
  (call $append (call ${variant} (i32.load8_u (local.get $at))))
{tells}  (call $answer))
"""


_TELL: Final = {"target-not-found": "append-component-id"}

_FIELDS: Final = (
    dedent(f"""\
    (global $request (mut i32) (i32.const 0))
    (global $request-size (mut i32) (i32.const 0))

    ;; Line $n of the payload, or the default.
    (func $argument (param $n i32) (param $default i32) (param $default-size i32)
      (result i32 i32)
      (local $at i32) (local $size i32)
      (call $segment (global.get $request) (global.get $request-size)
        (i32.const 10) (local.get $n))
      (local.set $size)
      (local.set $at)
      (if (i32.eq (local.get $size) (i32.const -1))
        (then (return (local.get $default) (local.get $default-size))))
      (local.get $at) (local.get $size))

    (func $is (param $name i32) (param $size i32) (result i32)
      (call $equal (call $argument (i32.const 0) (i32.const 0) (i32.const 0))
        (local.get $name) (local.get $size)))

    ;; some(prefix) or none
    (func $prefix (result i32 i32 i32)
      (local $at i32) (local $size i32)
      (call $argument (i32.const 1) (i32.const 0) (i32.const -1))
      (local.set $size)
      (local.set $at)
      (if (i32.eq (local.get $size) (i32.const -1))
        (then (return (i32.const 0) (i32.const 0) (i32.const 0))))
      (i32.const 1) (local.get $at) (local.get $size))

    ;; some([("colour", "red")])
    (func $context (result i32 i32 i32)
      (call $store-text (text "colour") (i32.const {LISTS}))
      (call $store-text (text "red") (i32.const {LISTS + 8}))
      (i32.const 1) (i32.const {LISTS}) (i32.const 1))

    (func $store-text (param $at i32) (param $size i32) (param $to i32)
      (i32.store (local.get $to) (local.get $at))
      (i32.store offset=4 (local.get $to) (local.get $size)))

    (func $store-component-id (param $at i32) (param $size i32) (param $to i32)
      (call $store-text
        (call $segment (local.get $at) (local.get $size) (i32.const 47) (i32.const 0))
        (local.get $to))
      (call $store-text
        (call $segment (local.get $at) (local.get $size) (i32.const 47) (i32.const 1))
        (i32.add (local.get $to) (i32.const 8)))
      (call $store-text
        (call $segment (local.get $at) (local.get $size) (i32.const 47) (i32.const 2))
        (i32.add (local.get $to) (i32.const 16))))

    ;; A list of two component-ids.
    (func $targets (result i32 i32)
      (call $store-component-id
        (call $argument (i32.const 1) (text "test/bob/0")) (i32.const {LISTS}))
      (call $store-component-id
        (call $argument (i32.const 3) (text "test/carol/0")) (i32.const {LISTS + 24}))
      (i32.const {LISTS}) (i32.const 2))

    (func $append-bool (param $at i32)
      (if (i32.load8_u (local.get $at))
        (then (call $append (text "true")))
        (else (call $append (text "false")))))

    (func $append-component-info (param $at i32)
      (call $append-component-id (local.get $at))
      (call $append (text "|"))
      (call $append-text-at (i32.add (local.get $at) (i32.const 24)))
      (call $append (text "|"))
      (call $append-text-at (i32.add (local.get $at) (i32.const 32)))
      (call $append (text "|"))
      (call $append-text-at (i32.add (local.get $at) (i32.const 40))))
    """)
    + "".join(
        f"""
;; The elements of a list, which lie {size} bytes apart.
(func $append-{element}s (param $list i32)
  (local $at i32) (local $left i32)
  (local.set $at (i32.load (local.get $list)))
  (local.set $left (i32.load offset=4 (local.get $list)))
  (block $end (loop $next
    (br_if $end (i32.eqz (local.get $left)))
    (call $append-{one} (local.get $at))
    (local.set $at (i32.add (local.get $at) (i32.const {size})))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (if (local.get $left) (then (call $append (text ","))))
    (br $next))))
"""
        for element, one, size in (
            ("text", "text-at", 8),
            ("component-id", "component-id", 24),
        )
    )
    + "\n"
    + "".join(map(_failed, ERROR_CASES))
)
