"""A program by `wasi:cli/run`, as text: it writes what it reads, and ends as it is asked."""

from __future__ import annotations

_HEAD = """(component
  (import "wasi:io/error@0.2.0" (instance $io-error
    (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/poll@0.2.9" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.12" (instance $clock
    (alias outer 1 $pollable (type $pollable'))
    (export "pollable" (type $waiting (eq $pollable')))
    (export "subscribe-duration" (func (param "when" u64) (result (own $waiting))))))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $error'))
    (export "error" (type $failure (eq $error')))
    (export "input-stream" (type $input (sub resource)))
    (export "output-stream" (type $output (sub resource)))
    (type $stream-error' (variant
      (case "last-operation-failed" (own $failure)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "[method]input-stream.blocking-read" (func
      (param "self" (borrow $input)) (param "len" u64)
      (result (result (list u8) (error $stream-error)))))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $output)) (param "contents" (list u8))
      (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (alias export $streams "input-stream" (type $input-stream))
  (import "wasi:cli/stdin@0.2.3" (instance $stdin
    (alias outer 1 $input-stream (type $input-stream'))
    (export "input-stream" (type $input (eq $input-stream')))
    (export "get-stdin" (func (result (own $input))))))
  (import "wasi:cli/stdout@0.2.6" (instance $stdout
    (alias outer 1 $output-stream (type $output-stream'))
    (export "output-stream" (type $output (eq $output-stream')))
    (export "get-stdout" (func (result (own $output))))))
  (import "wasi:cli/exit@0.2.0" (instance $exit
    (export "exit-with-code" (func (param "status-code" u8)))))
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-arguments" (func (result (list string))))
    (export "get-environment" (func (result (list (tuple string string)))))))
  (core module $shared
    (memory (export "memory") 4)
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and
        (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $shared (instantiate $shared))
  (alias core export $shared "memory" (core memory $memory))
  (alias core export $shared "realloc" (core func $realloc))
  (core func $in (canon lower (func $stdin "get-stdin")))
  (core func $out (canon lower (func $stdout "get-stdout")))
  (core func $leave (canon lower (func $exit "exit-with-code")))
  (core func $after (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $read (canon lower
    (func $streams "[method]input-stream.blocking-read")
    (memory $memory) (realloc $realloc)))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory $memory)))
  (core func $arguments (canon lower
    (func $environment "get-arguments") (memory $memory) (realloc $realloc)))
  (core func $variables (canon lower
    (func $environment "get-environment") (memory $memory) (realloc $realloc)))
  (core module $main
    (import "shared" "memory" (memory 4))
    (import "host" "in" (func $in (result i32)))
    (import "host" "out" (func $out (result i32)))
    (import "host" "leave" (func $leave (param i32)))
    (import "host" "after" (func $after (param i64) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "arguments" (func $arguments (param i32)))
    (import "host" "variables" (func $variables (param i32)))
    (func $print (param $at i32) (param $size i32)
      (call $write (call $out) (local.get $at) (local.get $size) (i32.const 64)))
    (func $say (param $pair i32)  ;; a text, and the end of a line
      (call $print (i32.load (local.get $pair)) (i32.load offset=4 (local.get $pair)))
      (i32.store8 (i32.const 80) (i32.const 10))
      (call $print (i32.const 80) (i32.const 1)))
    (func $say-all (param $list i32) (param $count i32)
      (block $end (loop $next
        (br_if $end (i32.eqz (local.get $count)))
        (call $say (local.get $list))
        (local.set $list (i32.add (local.get $list) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next))))
    (func (export "run") (result i32)
      """
_TAIL = """))
  (core instance $main (instantiate $main
    (with "shared" (instance $shared))
    (with "host" (instance
      (export "in" (func $in)) (export "out" (func $out))
      (export "leave" (func $leave)) (export "after" (func $after))
      (export "block" (func $block)) (export "read" (func $read))
      (export "write" (func $write)) (export "arguments" (func $arguments))
      (export "variables" (func $variables))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $exported)))
"""
CAT = """(local $in i32)
      (local.set $in (call $in))
      (block $end (loop $next
        (call $read (local.get $in) (i64.const 4096) (i32.const 96))
        (br_if $end (i32.load8_u (i32.const 96)))
        (call $print (i32.load (i32.const 100)) (i32.load (i32.const 104)))
        (br $next)))
      (i32.const 0)"""
"""Writes what it reads."""
ARGUMENTS = """(call $arguments (i32.const 96))
      (call $say-all (i32.load (i32.const 96)) (i32.load (i32.const 100)))
      (call $variables (i32.const 96))
      (call $say-all (i32.load (i32.const 96))
        (i32.mul (i32.load (i32.const 100)) (i32.const 2)))
      (i32.const 0)"""
"""Writes a line for each argument, and for each name and value of its environment."""


def program(body: str) -> str:
    """Make a program of the body of its function, which returns 0, or 1 for an error."""
    return _HEAD + body + _TAIL


def leaving(status: int) -> str:
    """A program that calls `exit-with-code`."""
    return program(f"(call $leave (i32.const {status})) (unreachable)")


def sleeping(seconds: float) -> str:
    """A program that sleeps."""
    nanoseconds = int(seconds * 10**9)
    return program(
        f"(call $block (call $after (i64.const {nanoseconds}))) (i32.const 0)"
    )
