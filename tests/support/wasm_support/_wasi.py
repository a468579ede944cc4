"""An actor's guest that imports WASI, by several of its versions, and does as it is asked."""

from __future__ import annotations

from ._guests import GUESTS

_IMPORTS = """(import "wasi:io/poll@0.2.9" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.12" (instance $clock
    (alias outer 1 $pollable (type $pollable'))
    (export "pollable" (type $waiting (eq $pollable')))
    (export "now" (func (result u64)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $waiting))))))
  (import "wasi:cli/exit@0.2.0" (instance $exit
    (export "exit-with-code" (func (param "status-code" u8)))))
  (import "wasi:random/random@0.2.3" (instance $random
    (export "get-random-u64" (func (result u64)))))
  (import "wasi:io/error@0.2.0" (instance $io-error
    (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $error'))
    (export "error" (type $failure (eq $error')))
    (export "output-stream" (type $output (sub resource)))
    (type $stream-error' (variant
      (case "last-operation-failed" (own $failure)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $output)) (param "contents" (list u8))
      (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:cli/stdout@0.2.6" (instance $stdout
    (alias outer 1 $output-stream (type $output-stream'))
    (export "output-stream" (type $output (eq $output-stream')))
    (export "get-stdout" (func (result (own $output))))))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $now (canon lower (func $clock "now")))
  (core func $after (canon lower (func $clock "subscribe-duration")))
  (core func $drop (canon resource.drop $pollable))
  (core func $leave (canon lower (func $exit "exit-with-code")))
  (core func $chance (canon lower (func $random "get-random-u64")))
  (core func $out (canon lower (func $stdout "get-stdout")))
  (core func $drop-out (canon resource.drop $output-stream))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory (core memory $memory "memory"))))
  """
_CORE_IMPORTS = """
    (import "wasi" "block" (func $block (param i32)))
    (import "wasi" "now" (func $now (result i64)))
    (import "wasi" "after" (func $after (param i64) (result i32)))
    (import "wasi" "drop" (func $drop (param i32)))
    (import "wasi" "leave" (func $leave (param i32)))
    (import "wasi" "chance" (func $chance (result i64)))
    (import "wasi" "out" (func $out (result i32)))
    (import "wasi" "drop-out" (func $drop-out (param i32)))
    (import "wasi" "write" (func $write (param i32 i32 i32 i32)))
"""
_GIVEN = """(with "wasi" (instance
      (export "block" (func $block)) (export "now" (func $now))
      (export "after" (func $after)) (export "drop" (func $drop))
      (export "leave" (func $leave)) (export "chance" (func $chance))
      (export "out" (func $out)) (export "drop-out" (func $drop-out))
      (export "write" (func $write))))"""
_ANSWER = "(call $some (call $payload (local.get $message))))"
_DO = """(local $at i32) (local $do i32) (local $held i32)
      (local.set $at (i32.load offset=24 (local.get $message)))
      (local.set $do (i32.load8_u (local.get $at)))
      (if (i32.eq (local.get $do) (i32.const 115)) (then  ;; s: sleep
        (local.set $held (call $after (i64.load offset=8 (local.get $at))))
        (call $block (local.get $held))
        (call $drop (local.get $held))))
      (if (i32.eq (local.get $do) (i32.const 104)) (then  ;; h: hold
        (loop $more (drop (call $after (i64.const 0))) (br $more))))
      (if (i32.eq (local.get $do) (i32.const 120)) (then  ;; x: exit
        (call $leave (i32.load8_u offset=8 (local.get $at)))))
      (if (i32.eq (local.get $do) (i32.const 114)) (then  ;; r: random
        (i64.store offset=8 (local.get $at) (call $chance))))
      (if (i32.eq (local.get $do) (i32.const 110)) (then  ;; n: now
        (i64.store offset=8 (local.get $at) (call $now))))
      (if (i32.eq (local.get $do) (i32.const 112)) (then  ;; p: print
        (local.set $held (call $out))
        (call $write (local.get $held)
          (i32.add (local.get $at) (i32.const 8))
          (i32.sub (i32.load offset=28 (local.get $message)) (i32.const 8))
          (i32.const 64))
        (call $drop-out (local.get $held))))
      """


def wasi_guest() -> str:
    """Make a guest that does what the first byte of a message says.

    What it takes or gives begins at the ninth byte; it answers with the message.
    """
    text = (GUESTS / "echo.wat").read_text()
    module, memory = "(core module $main\n", '(import "memory" "memory" (memory 1))\n'
    text = text.replace(module, _IMPORTS + module)
    text = text.replace(memory, memory + _CORE_IMPORTS, 1)
    text = text.replace(_ANSWER, _DO + _ANSWER, 1)
    return text.replace(
        '(with "memory" (instance $memory))))',
        f'(with "memory" (instance $memory)) {_GIVEN}))',
    )


def order(word: str, given: int | bytes = 0) -> bytes:
    """Write a message for it: a letter, and what belongs to that."""
    rest = given if isinstance(given, bytes) else given.to_bytes(8, "little")
    return word.encode().ljust(8, b"\0") + rest
