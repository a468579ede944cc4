"""Core functions that fixtures share. A fixture contains the ones its code names.

The linear memory of every guest:

| from | what                                                        |
|------|-------------------------------------------------------------|
|   64 | what the guest returns: 16 bytes                            |
|  128 | what a host function returns: up to 64 bytes                |
|  256 | the record `component-metadata`                             |
|  352 | the end of the digits of a number being written             |
|  384 | lists handed to host functions                              |
|  512 | the texts of `component-metadata`                           |
| 1024 | texts                                                       |
| 4096 | the trace of a guest that keeps one                         |
| 8192 | a heap that only grows, and is emptied after each call      |
"""

import re
from collections.abc import Iterator
from textwrap import dedent
from typing import Final

from wat_guests.world import ERROR_CASES

RETURN_AREA: Final = 64
HOST_RESULT: Final = 128
METADATA: Final = 256
DIGITS_END: Final = 352
LISTS: Final = 384
METADATA_TEXTS: Final = 512
TEXTS: Final = 1024
TRACE: Final = 4096
HEAP: Final = 8192


def allocator(in_realloc: str = "", in_reset: str = "") -> str:
    """Return the fields of the core module that owns the memory.

    It is a module of its own so that host functions, which need memory and `realloc`, can
    be lowered before the module that calls them exists. `keep` saves what the heap holds
    from the `reset` that follows each call. `reserve` says whether that many bytes are
    still free. What is given as code is run at the beginning of `realloc` or `reset`.
    """
    return f"""\
(memory (export "memory") 1)
(global $base (mut i32) (i32.const {HEAP}))
(global $top (mut i32) (i32.const {HEAP}))
(func (export "keep")
  (global.set $base (global.get $top)))
(func (export "reset") (param i32)
  {in_reset}(global.set $top (global.get $base)))
(func $reserve (export "reserve") (param $size i32) (result i32)
  (local $pages i32)
  (local.set $pages (i32.wrap_i64 (i64.shr_u
    (i64.add (i64.const 65543) (i64.add
      (i64.extend_i32_u (global.get $top)) (i64.extend_i32_u (local.get $size))))
    (i64.const 16))))
  (if (i32.le_u (local.get $pages) (memory.size)) (then (return (i32.const 1))))
  (i32.ne (i32.const -1)
    (memory.grow (i32.sub (local.get $pages) (memory.size)))))
(func $realloc (export "realloc")
  (param $old i32) (param $old-size i32) (param $align i32) (param $size i32)
  (result i32)
  (local $new i32)
  {in_realloc}(local.set $new (i32.and
    (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
    (i32.sub (i32.const 0) (local.get $align))))
  (if (i32.eqz (call $reserve (local.get $size))) (then unreachable))
  (global.set $top (i32.add (local.get $new) (local.get $size)))
  (if (local.get $old) (then (memory.copy (local.get $new) (local.get $old)
    (select (local.get $old-size) (local.get $size)
      (i32.lt_u (local.get $old-size) (local.get $size))))))
  (local.get $new))
"""


IMPORTED_FROM_MEMORY: Final = {
    "$realloc": '(import "memory" "realloc"'
    " (func $realloc (param i32 i32 i32 i32) (result i32)))",
    "$keep": '(import "memory" "keep" (func $keep))',
    "$reset": '(import "memory" "reset" (func $reset (param i32)))',
    "$reserve": '(import "memory" "reserve" (func $reserve (param i32) (result i32)))',
    "$fail": '(import "memory" "fail" (func $fail))',
    "$arm": '(import "memory" "arm" (func $arm (param i32)))',
}


def _error_name(variant: str) -> str:
    tests = "\n".join(
        f"  (if (i32.eq (local.get $case) (i32.const {case}))"
        f' (then (return (text "{name}"))))'
        for case, name in enumerate(ERROR_CASES[variant])
    )
    return (
        f"(func ${variant} (param $case i32) (result i32 i32)\n{tests}\n  unreachable)"
    )


_FUNCTIONS = dedent(f"""\
    ;; result::ok(_)
    (func $ok (result i32)
      (i32.store8 (i32.const {RETURN_AREA}) (i32.const 0))
      (i32.const {RETURN_AREA}))

    ;; result::ok(option::none)
    (func $none (result i32)
      (i32.store8 (i32.const {RETURN_AREA}) (i32.const 0))
      (i32.store8 offset=4 (i32.const {RETURN_AREA}) (i32.const 0))
      (i32.const {RETURN_AREA}))

    ;; result::ok(option::some(bytes))
    (func $some (param $at i32) (param $size i32) (result i32)
      (i32.store8 (i32.const {RETURN_AREA}) (i32.const 0))
      (i32.store8 offset=4 (i32.const {RETURN_AREA}) (i32.const 1))
      (i32.store offset=8 (i32.const {RETURN_AREA}) (local.get $at))
      (i32.store offset=12 (i32.const {RETURN_AREA}) (local.get $size))
      (i32.const {RETURN_AREA}))

    ;; result::ok(bytes)
    (func $bytes (param $at i32) (param $size i32) (result i32)
      (i32.store8 (i32.const {RETURN_AREA}) (i32.const 0))
      (i32.store offset=4 (i32.const {RETURN_AREA}) (local.get $at))
      (i32.store offset=8 (i32.const {RETURN_AREA}) (local.get $size))
      (i32.const {RETURN_AREA}))

    ;; result::err(the case of this number, with a text)
    (func $err (param $case i32) (param $at i32) (param $size i32) (result i32)
      (i32.store8 (i32.const {RETURN_AREA}) (i32.const 1))
      (i32.store8 offset=4 (i32.const {RETURN_AREA}) (local.get $case))
      (i32.store offset=8 (i32.const {RETURN_AREA}) (local.get $at))
      (i32.store offset=12 (i32.const {RETURN_AREA}) (local.get $size))
      (i32.const {RETURN_AREA}))

    (func $initialization-failed (param $at i32) (param $size i32) (result i32)
      (call $err (i32.const 0) (local.get $at) (local.get $size)))

    (func $shutdown-failed (param $at i32) (param $size i32) (result i32)
      (call $err (i32.const 3) (local.get $at) (local.get $size)))

    (func $invalid-state (param $at i32) (param $size i32) (result i32)
      (call $err (i32.const 4) (local.get $at) (local.get $size)))

    (func $runtime-error (param $at i32) (param $size i32) (result i32)
      (call $err (i32.const 6) (local.get $at) (local.get $size)))

    ;; The payload of a message.
    (func $payload (param $message i32) (result i32 i32)
      (i32.load offset=24 (local.get $message))
      (i32.load offset=28 (local.get $message)))

    ;; The decimal number that a text begins with, else 0.
    (func $number (param $at i32) (param $size i32) (result i64)
      (local $value i64) (local $digit i32)
      (block $end (loop $next
        (br_if $end (i32.eqz (local.get $size)))
        (local.set $digit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
        (br_if $end (i32.gt_u (local.get $digit) (i32.const 9)))
        (local.set $value (i64.add (i64.mul (local.get $value) (i64.const 10))
          (i64.extend_i32_u (local.get $digit))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $size (i32.sub (local.get $size) (i32.const 1)))
        (br $next)))
      (local.get $value))

    ;; The number in the payload of a message.
    (func $payload-number (param $message i32) (result i64)
      (call $number (call $payload (local.get $message))))

    ;; A number as decimal text, good until the next one.
    (func $decimal (param $value i64) (result i32 i32)
      (local $at i32)
      (local.set $at (i32.const {DIGITS_END}))
      (loop $next
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (i32.store8 (local.get $at) (i32.add (i32.const 48)
          (i32.wrap_i64 (i64.rem_u (local.get $value) (i64.const 10)))))
        (local.set $value (i64.div_u (local.get $value) (i64.const 10)))
        (br_if $next (i64.ne (local.get $value) (i64.const 0))))
      (local.get $at)
      (i32.sub (i32.const {DIGITS_END}) (local.get $at)))

    ;; What memory.grow or table.grow returned, as an answer.
    (func $grown (param $before i32) (result i32)
      (if (i32.eq (local.get $before) (i32.const -1))
        (then (return (call $some (text "-1")))))
      (call $some (call $decimal (i64.extend_i32_u (local.get $before)))))

    ;; An answer written piece by piece at the top of the heap. Nothing else may
    ;; allocate between $begin and $answer.
    (global $answer-start (mut i32) (i32.const 0))

    (global $answer-size (mut i32) (i32.const 0))

    (func $begin
      (global.set $answer-size (i32.const 0))
      (global.set $answer-start
        (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0))))

    (func $append (param $at i32) (param $size i32)
      (memory.copy
        (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $size))
        (local.get $at) (local.get $size))
      (global.set $answer-size
        (i32.add (global.get $answer-size) (local.get $size))))

    (func $append-text-at (param $at i32)
      (call $append (i32.load (local.get $at)) (i32.load offset=4 (local.get $at))))

    (func $append-number (param $value i64)
      (call $append (call $decimal (local.get $value))))

    ;; The text of an option<string>, or "-".
    (func $append-option (param $at i32)
      (if (i32.load8_u (local.get $at))
        (then (call $append-text-at (i32.add (local.get $at) (i32.const 4))))
        (else (call $append (text "-")))))

    (func $append-component-id (param $at i32)
      (call $append-text-at (local.get $at))
      (call $append (text "/"))
      (call $append-text-at (i32.add (local.get $at) (i32.const 8)))
      (call $append (text "/"))
      (call $append-text-at (i32.add (local.get $at) (i32.const 16))))

    (func $answer (result i32)
      (call $some (global.get $answer-start) (global.get $answer-size)))

    ;; Segment number $n of a text that a separator divides; size -1 if there is none.
    (func $segment (param $at i32) (param $size i32) (param $separator i32) (param $n i32)
      (result i32 i32)
      (local $start i32) (local $end i32)
      (local.set $end (i32.add (local.get $at) (local.get $size)))
      (local.set $start (local.get $at))
      (loop $next
        (if (i32.eq (local.get $at) (local.get $end)) (then
          (if (local.get $n) (then (return (i32.const 0) (i32.const -1))))
          (return (local.get $start) (i32.sub (local.get $at) (local.get $start)))))
        (if (i32.eq (i32.load8_u (local.get $at)) (local.get $separator)) (then
          (if (i32.eqz (local.get $n)) (then
            (return (local.get $start) (i32.sub (local.get $at) (local.get $start)))))
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (local.set $start (i32.add (local.get $at) (i32.const 1)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next))
      unreachable)

    ;; The parts of a component-id, from namespace/name/instance.
    (func $component-id (param $at i32) (param $size i32)
      (result i32 i32 i32 i32 i32 i32)
      (call $segment (local.get $at) (local.get $size) (i32.const 47) (i32.const 0))
      (call $segment (local.get $at) (local.get $size) (i32.const 47) (i32.const 1))
      (call $segment (local.get $at) (local.get $size) (i32.const 47) (i32.const 2)))

    ;; What initialize was given as config-data.
    (global $config-at (mut i32) (i32.const 0))

    (global $config-size (mut i32) (i32.const 0))

    (func $keep-config (param $has-data i32) (param $at i32) (param $size i32)
      (if (local.get $has-data) (then
        (call $keep)
        (global.set $config-at (local.get $at))
        (global.set $config-size (local.get $size)))))

    ;; Whether the config-data is this.
    (func $config-is (param $word i32) (param $length i32) (result i32)
      (call $equal (global.get $config-at) (global.get $config-size)
        (local.get $word) (local.get $length)))

    ;; The target that the config-data names, or test/bob/0.
    (func $target (result i32 i32 i32 i32 i32 i32)
      (if (i32.eqz (global.get $config-size))
        (then (return (call $component-id (text "test/bob/0")))))
      (call $component-id (global.get $config-at) (global.get $config-size)))

    ;; The fourth segment of the config-data as a number, or 5000.
    (func $timeout (result i64)
      (local $at i32) (local $size i32)
      (call $segment (global.get $config-at) (global.get $config-size)
        (i32.const 47) (i32.const 3))
      (local.set $size)
      (local.set $at)
      (if (i32.lt_s (local.get $size) (i32.const 1)) (then (return (i64.const 5000))))
      (call $number (local.get $at) (local.get $size)))

    ;; err(runtime-error(name of the messaging-error that a host function returned))
    (func $messaging-failure (result i32)
      (call $runtime-error
        (call $messaging-error (i32.load8_u offset=4 (i32.const {HOST_RESULT})))))

    ;; Room for $size bytes, all of one value; 0 if the memory cannot grow that far.
    (func $filled (param $size i32) (param $byte i32) (result i32)
      (local $at i32)
      (if (i32.eqz (call $reserve (local.get $size))) (then (return (i32.const 0))))
      (local.set $at
        (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (local.get $size)))
      (memory.fill (local.get $at) (local.get $byte) (local.get $size))
      (local.get $at))

    (func $spin
      (loop $again (br $again)))

    (func $equal (param $at i32) (param $size i32) (param $to i32) (param $to-size i32)
      (result i32)
      (if (i32.ne (local.get $size) (local.get $to-size)) (then (return (i32.const 0))))
      (block $same (loop $next
        (br_if $same (i32.eqz (local.get $size)))
        (local.set $size (i32.sub (local.get $size) (i32.const 1)))
        (br_if $next (i32.eq
          (i32.load8_u (i32.add (local.get $at) (local.get $size)))
          (i32.load8_u (i32.add (local.get $to) (local.get $size)))))
        (return (i32.const 0))))
      (i32.const 1))
    """)


def _by_name(text: str) -> dict[str, str]:
    """Split a text of fields, with empty lines between them, by the names they define."""
    fields = {}
    for field in text.strip().split("\n\n"):
        found = re.search(r"^\((?:func|global) (\$\S+)", field, re.MULTILINE)
        if found is None:
            msg = f"no name in {field!r}"
            raise ValueError(msg)
        fields[found[1]] = field
    return fields


_LIBRARY = _by_name(_FUNCTIONS) | {
    f"${variant}": _error_name(variant) for variant in ERROR_CASES
}


def names_in(code: str) -> set[str]:
    """Return every `$name` that the code mentions."""
    code = re.sub(";;.*", "", code)
    return set(re.findall(r"\$[a-z][a-z0-9'-]*(?:\.[a-z0-9-]+)*", code))


def needed(code: str) -> Iterator[str]:
    """Yield the shared fields that the code needs, directly or through one another."""
    wanted: set[str] = set()
    open_names = names_in(code)
    while open_names:
        wanted |= open_names
        texts = [_LIBRARY[name] for name in open_names if name in _LIBRARY]
        open_names = set().union(*map(names_in, texts)) - wanted
    yield from (text for name, text in _LIBRARY.items() if name in wanted)
