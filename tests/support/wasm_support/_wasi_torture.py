"""An actor's guest that does to resources of WASI what a message says, step by step."""

from __future__ import annotations

from ._guests import GUESTS

_IMPORTS = """(import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $pollable'))
    (export "pollable" (type $waiting (eq $pollable')))
    (export "subscribe-duration" (func (param "when" u64) (result (own $waiting))))))
  (import "wasi:io/error@0.2.0" (instance $io-error
    (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $error'))
    (export "error" (type $failure (eq $error')))
    (alias outer 1 $pollable (type $pollable'))
    (export "pollable" (type $waiting (eq $pollable')))
    (export "input-stream" (type $input (sub resource)))
    (export "output-stream" (type $output (sub resource)))
    (type $stream-error' (variant
      (case "last-operation-failed" (own $failure)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "[method]input-stream.read" (func
      (param "self" (borrow $input)) (param "len" u64)
      (result (result (list u8) (error $stream-error)))))
    (export "[method]input-stream.subscribe" (func
      (param "self" (borrow $input)) (result (own $waiting))))
    (export "[method]output-stream.check-write" (func
      (param "self" (borrow $output)) (result (result u64 (error $stream-error)))))
    (export "[method]output-stream.write" (func
      (param "self" (borrow $output)) (param "contents" (list u8))
      (result (result (error $stream-error)))))
    (export "[method]output-stream.subscribe" (func
      (param "self" (borrow $output)) (result (own $waiting))))))
  (alias export $streams "output-stream" (type $output-stream))
  (alias export $streams "input-stream" (type $input-stream))
  (import "wasi:cli/stdin@0.2.0" (instance $stdin
    (alias outer 1 $input-stream (type $input-stream'))
    (export "input-stream" (type $input (eq $input-stream')))
    (export "get-stdin" (func (result (own $input))))))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output-stream (type $output-stream'))
    (export "output-stream" (type $output (eq $output-stream')))
    (export "get-stdout" (func (result (own $output))))))
  """
_MEMORY = '(memory (core memory $memory "memory"))'
_REALLOC = '(realloc (core func $memory "realloc"))'
_OUT, _IN = '$streams "[method]output-stream.', '$streams "[method]input-stream.'
_FUNCTIONS = {
    "after": ('$clock "subscribe-duration"', "", "(param i64) (result i32)"),
    "out": ('$stdout "get-stdout"', "", "(result i32)"),
    "in": ('$stdin "get-stdin"', "", "(result i32)"),
    "sub-out": (f'{_OUT}subscribe"', "", "(param i32) (result i32)"),
    "sub-in": (f'{_IN}subscribe"', "", "(param i32) (result i32)"),
    "poll": ('$poll "poll"', _MEMORY + _REALLOC, "(param i32 i32 i32)"),
    "block": ('$poll "[method]pollable.block"', "", "(param i32)"),
    "check": (f'{_OUT}check-write"', _MEMORY, "(param i32 i32)"),
    "write": (f'{_OUT}write"', _MEMORY, "(param i32 i32 i32 i32)"),
    "read": (f'{_IN}read"', _MEMORY + _REALLOC, "(param i32 i64 i32)"),
}
_DROPS = {
    "drop-pollable": "$pollable",
    "drop-out": "$output-stream",
    "drop-in": "$input-stream",
}
_SLOT = "(i32.store offset=4096 (local.get $a) {})"
_AT_A, _AT_B = (f"(i32.load offset=4096 (local.get ${name}))" for name in "ab")
STEPS = {
    "timer": _SLOT.format("(call $after (i64.const 0))"),
    "never": _SLOT.format("(call $after (i64.const -1))"),
    "out": _SLOT.format("(call $out)"),
    "in": _SLOT.format("(call $in)"),
    "sub-out": _SLOT.format(f"(call $sub-out {_AT_B})"),
    "sub-in": _SLOT.format(f"(call $sub-in {_AT_B})"),
    "drop-pollable": f"(call $drop-pollable {_AT_A})",
    "drop-out": f"(call $drop-out {_AT_A})",
    "drop-in": f"(call $drop-in {_AT_A})",
    # As many as b says, from a on.
    "poll": """(call $poll (i32.add (i32.const 4096) (local.get $a))
      (i32.shr_u (local.get $b) (i32.const 2)) (i32.const 128))""",
    "block": f"(call $block {_AT_A})",
    "check": f"(call $check {_AT_A} (i32.const 128))",
    "write": f"""(call $write {_AT_A} (i32.const 0)
      (i32.mul (local.get $b) (i32.const 256)) (i32.const 128))""",
    "read": f"(call $read {_AT_A} (i64.extend_i32_u (local.get $b)) (i32.const 128))",
    # Fills a table of 700 places with one handle, and polls that.
    "flood": f"""(local.set $b (i32.const 2800))
      (loop $fill
        (local.set $b (i32.sub (local.get $b) (i32.const 4)))
        (i32.store offset=5200 (local.get $b) {_AT_A})
        (br_if $fill (local.get $b)))
      (call $poll (i32.const 5200) (i32.const 700) (i32.const 128))""",
    "again": "(local.set $step (i32.const 0))",
}
"""What each step does, with the places a and b of a table of handles."""
_NUMBERS = {name: number for number, name in enumerate(STEPS, 1)}
_ANSWER = "(call $some (call $payload (local.get $message))))"


def _do() -> str:
    cases = "\n".join(
        f"(if (i32.eq (local.get $do) (i32.const {_NUMBERS[name]})) (then {does}))"
        for name, does in STEPS.items()
    )
    return f"""(local $at i32) (local $end i32) (local $step i32)
      (local $do i32) (local $a i32) (local $b i32)
      (local.set $at (i32.load offset=24 (local.get $message)))
      (local.set $end (i32.load offset=28 (local.get $message)))
      (loop $more
        (local.set $do (i32.load8_u
          (i32.add (local.get $at) (local.get $step))))
        (local.set $a (i32.shl (i32.load8_u offset=1
          (i32.add (local.get $at) (local.get $step))) (i32.const 2)))
        (local.set $b (i32.shl (i32.load8_u offset=2
          (i32.add (local.get $at) (local.get $step))) (i32.const 2)))
        (local.set $step (i32.add (local.get $step) (i32.const 3)))
        {cases}
        (br_if $more (i32.lt_u (local.get $step) (local.get $end))))
      """


def torture_guest() -> str:
    """Make a guest that does the steps of a message, and answers with the message."""
    lowered = "".join(
        f"(core func ${name} (canon lower (func {of}) {options}))\n"
        for name, (of, options, _) in _FUNCTIONS.items()
    ) + "".join(
        f"(core func ${name} (canon resource.drop {of}))\n"
        for name, of in _DROPS.items()
    )
    types = {name: text for name, (*_, text) in _FUNCTIONS.items()}
    types |= dict.fromkeys(_DROPS, "(param i32)")
    imported = "".join(
        f'(import "wasi" "{name}" (func ${name} {text}))\n'
        for name, text in types.items()
    )
    given = "".join(f'(export "{name}" (func ${name}))' for name in types)
    text = (GUESTS / "echo.wat").read_text()
    module, memory = "(core module $main\n", '(import "memory" "memory" (memory 1))\n'
    text = text.replace(module, _IMPORTS + lowered + module)
    text = text.replace(memory, memory + imported, 1)
    text = text.replace(_ANSWER, _do() + _ANSWER, 1)
    return text.replace(
        '(with "memory" (instance $memory))))',
        f'(with "memory" (instance $memory)) (with "wasi" (instance {given}))))',
    )


def steps(*given: tuple[str, int] | tuple[str, int, int] | tuple[str]) -> bytes:
    """Write a message for it: what to do, and with which places."""
    return b"".join(
        bytes([_NUMBERS[name], *places, *[0] * (2 - len(places))])
        for name, *places in given
    )
