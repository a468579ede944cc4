"""Guests that do something useful, and guests that say no in the proper way."""

from collections.abc import Iterator

from wat_guests.component import Guest
from wat_guests.library import HOST_RESULT, TRACE
from wat_guests.world import LIFECYCLE

_COUNT = """\
(global.set $seen (i64.add (global.get $seen) (i64.const 1)))
(call $some (call $decimal (global.get $seen)))"""

_SEEN = "(global $seen (mut i64) (i64.const 0))\n"

KEEP_CONFIG = """\
(call $keep-config
  (local.get $has-data) (local.get $data) (local.get $data-size))
(call $ok)"""


def guests() -> Iterator[Guest]:
    """Yield every guest of this module."""
    yield Guest(name="echo", does="answers each message with its own payload")
    yield Guest(
        name="state",
        does="answers with the number of messages seen so far, this one included",
        fields=_SEEN,
        exports={"handle-message": _COUNT},
        stateful=True,
    )
    yield Guest(
        name="fragile",
        does="like state, but a payload that begins with 'boom' traps",
        fields=_SEEN,
        exports={
            "handle-message": """\
(local $at i32) (local $size i32)
(call $payload (local.get $message))
(local.set $size)
(local.set $at)
(if (i32.ge_u (local.get $size) (i32.const 4)) (then
  (if (call $equal (local.get $at) (i32.const 4) (text "boom")) (then unreachable))))
"""
            + _COUNT
        },
        stateful=True,
    )
    yield _handing_over()
    yield from _refusing()
    yield from _reporting()
    yield from _remembering()
    yield from _sending()


def _handing_over() -> Guest:
    step = """\
(if (call $config-is (text "trap-{0}")) (then unreachable))
(if (call $config-is (text "loop-{0}")) (then (loop $ever (br $ever))))
(if (call $config-is (text "reject-{0}"))
  (then (return (call $invalid-state (text "on purpose")))))
(if (call $config-is (text "sleep-{0}"))
  (then (call $host-services.sleep-millis (i64.const 1000000))))
"""
    return Guest(
        name="handover",
        does="like state, and hands its number over, or does as config-data says, "
        "e.g. trap-export",
        fields=_SEEN,
        exports={
            "initialize": KEEP_CONFIG,
            "handle-message": _COUNT,
        },
        state={
            "export-state": step.format("export")
            + """\
(if (call $config-is (text "large-export")) (then
  (return (call $bytes
    (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 100000))
    (i32.const 100000)))))
(call $bytes (call $decimal (global.get $seen)))""",
            "import-state": step.format("import")
            + """\
(global.set $seen (call $number (local.get $at) (local.get $size)))
(call $ok)""",
        },
        stateful=True,
    )


def _refusing() -> Iterator[Guest]:
    rejected = '(call $runtime-error (text "rejected"))'
    yield Guest(
        name="reject",
        does='handle-message and handle-callback return runtime-error("rejected")',
        exports={"handle-message": rejected, "handle-callback": rejected},
    )
    yield Guest(
        name="failing-initialize",
        does='initialize returns initialization-failed("no")',
        exports={"initialize": '(call $initialization-failed (text "no"))'},
    )
    yield Guest(
        name="unhealthy",
        does="health says unhealthy",
        exports={"health": "(i32.const 2)"},
    )
    yield Guest(
        name="bad-shutdown",
        does='shutdown returns shutdown-failed("no")',
        exports={"shutdown": '(call $shutdown-failed (text "no"))'},
    )


_LETTERS = {
    "initialize": "i",
    "handle-message": "m",
    "handle-callback": "c",
    "metadata": "d",
    "health": "h",
    "shutdown": "s",
}


def _reporting() -> Iterator[Guest]:
    yield Guest(
        name="lifecycle",
        does="answers with a letter for each export called so far: i m c d h s",
        fields=f"""\
(global $end (mut i32) (i32.const {TRACE}))
(func $trace (param $letter i32)
  (i32.store8 (global.get $end) (local.get $letter))
  (global.set $end (i32.add (global.get $end) (i32.const 1))))
""",
        exports={
            name: f"(call $trace (i32.const {ord(letter)})) ;; {letter}\n"
            + (
                f"(call $some (i32.const {TRACE})"
                f" (i32.sub (global.get $end) (i32.const {TRACE})))"
                if name == "handle-message"
                else LIFECYCLE[name].body
            )
            for name, letter in _LETTERS.items()
        },
        stateful=True,
    )
    yield Guest(
        name="lifecycle-log",
        does="logs the name of each export when it is called, and else is an echo",
        exports={
            name: f"""\
(call $host-services.log (i32.const 2) (text "{name}")
  (i32.const 0) (i32.const 0) (i32.const 0))
{LIFECYCLE[name].body}"""
            for name in LIFECYCLE
        },
    )
    yield Guest(
        name="whoami",
        does="answers 'namespace/name/instance|correlation-id|content-type'",
        exports={
            "handle-message": """\
(call $begin)
(call $append-component-id (local.get $message))
(call $append (text "|"))
(call $append-option (i32.add (local.get $message) (i32.const 32)))
(call $append (text "|"))
(call $append-option (i32.add (local.get $message) (i32.const 88)))
(call $answer)"""
        },
    )
    yield _config()


def _config() -> Guest:
    return Guest(
        name="config",
        does="tells what it was configured with: 'c' config-data, 'e' environment, "
        "'l' limits",
        fields="""\
(global $kept-env (mut i32) (i32.const 0))
(global $kept-env-count (mut i32) (i32.const 0))
(global $kept-has-data (mut i32) (i32.const 0))
(global $kept-max-memory (mut i64) (i64.const 0))
(global $kept-max-time (mut i64) (i64.const 0))
(global $kept-has-fuel (mut i32) (i32.const 0))
(global $kept-max-fuel (mut i64) (i64.const 0))

(func $config-data (result i32)
  (if (i32.eqz (global.get $kept-has-data)) (then (return (call $none))))
  (call $some (global.get $config-at) (global.get $config-size)))

;; A line "name=value" for each variable.
(func $environment (result i32)
  (local $at i32) (local $left i32)
  (local.set $at (global.get $kept-env))
  (local.set $left (global.get $kept-env-count))
  (call $begin)
  (block $end (loop $next
    (br_if $end (i32.eqz (local.get $left)))
    (call $append-text-at (local.get $at))
    (call $append (text "="))
    (call $append-text-at (i32.add (local.get $at) (i32.const 8)))
    (call $append (text "\n"))
    (local.set $at (i32.add (local.get $at) (i32.const 16)))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br $next)))
  (call $answer))

;; Memory in bytes, time in milliseconds, fuel or "-".
(func $limits (result i32)
  (call $begin)
  (call $append-number (global.get $kept-max-memory))
  (call $append (text " "))
  (call $append-number (global.get $kept-max-time))
  (call $append (text " "))
  (if (global.get $kept-has-fuel)
    (then (call $append-number (global.get $kept-max-fuel)))
    (else (call $append (text "-"))))
  (call $answer))
""",
        exports={
            "initialize": """\
(call $keep)
(global.set $kept-env (local.get $env))
(global.set $kept-env-count (local.get $env-count))
(global.set $kept-has-data (local.get $has-data))
(global.set $kept-max-memory (local.get $max-memory))
(global.set $kept-max-time (local.get $max-time))
(global.set $kept-has-fuel (local.get $has-fuel))
(global.set $kept-max-fuel (local.get $max-fuel))
"""
            + KEEP_CONFIG,
            "handle-message": """\
(local $at i32) (local $size i32) (local $topic i32)
(call $payload (local.get $message))
(local.set $size)
(local.set $at)
(if (local.get $size) (then (local.set $topic (i32.load8_u (local.get $at)))))
(if (i32.eq (local.get $topic) (i32.const 99)) (then (return (call $config-data))))
(if (i32.eq (local.get $topic) (i32.const 101)) (then (return (call $environment))))
(if (i32.eq (local.get $topic) (i32.const 108)) (then (return (call $limits))))
(call $runtime-error (text "c, e or l?"))""",
        },
        stateful=True,
    )


_STORE_PAYLOAD = """\
(call $keep)
(global.set $has-stored (i32.const 1))
(call $payload (local.get $message))
(global.set $stored-size)
(global.set $stored)
(call $ok)"""

_STORED = """\
(global $has-stored (mut i32) (i32.const 0))
(global $stored (mut i32) (i32.const 0))
(global $stored-size (mut i32) (i32.const 0))
(func $last-stored (result i32)
  (if (i32.eqz (global.get $has-stored)) (then (return (call $none))))
  (call $some (global.get $stored) (global.get $stored-size)))
"""


def _remembering() -> Iterator[Guest]:
    yield Guest(
        name="callback",
        does="handle-callback stores a payload, handle-message answers the last stored",
        fields=_STORED,
        exports={
            "handle-callback": _STORE_PAYLOAD,
            "handle-message": "(call $last-stored)",
        },
        stateful=True,
    )
    yield Guest(
        name="requester",
        does="requests from the target in config-data and answers the correlation-id; "
        "to an empty message answers what the last callback brought",
        fields=_STORED,
        exports={
            "initialize": KEEP_CONFIG,
            "handle-callback": _STORE_PAYLOAD,
            "handle-message": f"""\
(if (i32.eqz (i32.load offset=28 (local.get $message)))
  (then (return (call $last-stored))))
(call $host-messaging.request (call $target) (call $payload (local.get $message))
  (call $timeout) (i32.const {HOST_RESULT}))
(if (i32.load8_u (i32.const {HOST_RESULT})) (then (return (call $messaging-failure))))
(call $some (i32.load offset=4 (i32.const {HOST_RESULT}))
  (i32.load offset=8 (i32.const {HOST_RESULT})))""",
        },
        stateful=True,
    )


def _sending() -> Iterator[Guest]:
    yield Guest(
        name="sender",
        does="sends each payload on to the target in config-data",
        exports={
            "initialize": KEEP_CONFIG,
            "handle-message": f"""\
(call $host-messaging.send (call $target) (call $payload (local.get $message))
  (i32.const {HOST_RESULT}))
(if (i32.load8_u (i32.const {HOST_RESULT})) (then (return (call $messaging-failure))))
(call $none)""",
        },
    )
    yield Guest(
        name="stage",
        does="sends each payload on, but traps on a number: 'namespace/name/instance/n'",
        exports={
            "initialize": KEEP_CONFIG,
            "handle-message": f"""\
(if (i64.eq (call $payload-number (local.get $message)) (call $timeout))
  (then unreachable))
(call $host-messaging.send (call $target) (call $payload (local.get $message))
  (i32.const {HOST_RESULT}))
(if (i32.load8_u (i32.const {HOST_RESULT})) (then (return (call $messaging-failure))))
(call $none)""",
        },
    )
    for verb, timeout in (("send", ""), ("ask", "(i64.const 5000)")):
        yield Guest(
            name=f"repeat-{verb}er",
            does=f"{verb}s each payload that often: 'namespace/name/instance/times'",
            exports={
                "initialize": KEEP_CONFIG,
                "handle-message": f"""\
(local $left i64) (local $at i32) (local $size i32)
(call $payload (local.get $message))
(local.set $size)
(local.set $at)
(local.set $left (call $timeout))
(loop $again
  (call $host-messaging.{verb} (call $target) (local.get $at) (local.get $size)
    {timeout} (i32.const {HOST_RESULT}))
  (if (i32.load8_u (i32.const {HOST_RESULT})) (then (return (call $messaging-failure))))
  (local.set $left (i64.sub (local.get $left) (i64.const 1)))
  (br_if $again (i64.ne (local.get $left) (i64.const 0))))
(call $none)""",
            },
        )
    yield Guest(
        name="asker",
        does="asks the target in config-data, 'namespace/name/instance[/timeout-ms]'",
        exports={
            "initialize": KEEP_CONFIG,
            "handle-message": f"""\
(call $host-messaging.ask (call $target) (call $payload (local.get $message))
  (call $timeout) (i32.const {HOST_RESULT}))
(if (i32.load8_u (i32.const {HOST_RESULT})) (then (return (call $messaging-failure))))
(call $some (i32.load offset=4 (i32.const {HOST_RESULT}))
  (i32.load offset=8 (i32.const {HOST_RESULT})))""",
        },
    )
