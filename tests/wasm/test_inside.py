"""Values that one component inside of a component passes to another, and are none.

wasmtime's own code between the two finds out, not the host's side of a call: its words
are others, and stand for the same reason.
"""

import pytest

from airssys.contracts import Artifact, GuestTrapped, TrapReason
from airssys.wasm.engine._traps import failure_of
from airssys.wasm.host import interfaces_of
from airssys.wasm.loading._any_instance import load_any

BOTH = """(component
  (component $server
    (core module $m
      (memory (export "mem") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const {place}))
      (func (export "take") (param {core})))
    (core instance $i (instantiate $m))
    (func (export "take") (param "it" {type})
      (canon lift (core func $i "take") (memory (core memory $i "mem"))
        (realloc (core func $i "realloc")) string-encoding={encoding})))
  (instance $server (instantiate $server))
  (component $client
    (import "take" (func $take (param "it" {type})))
    (core module $libc (memory (export "mem") 1)
      (data (i32.const 0) "\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff"))
    (core instance $c (instantiate $libc))
    (core func $take (canon lower (func $take) (memory (core memory $c "mem"))))
    (core module $m
      (import "h" "take" (func $take (param {core})))
      (func (export "run") (call $take {values})))
    (core instance $i (instantiate $m
      (with "h" (instance (export "take" (func $take))))))
    (func (export "run") (canon lift (core func $i "run"))))
  (instance $client (instantiate $client
    (with "take" (func $server "take"))))
  (export "run" (func $client "run")))"""

PAIR = "i32 i32"
CASES = {
    "char": ("char", "i32", "(i32.const 0xd800)"),
    "char beyond unicode": ("char", "i32", "(i32.const 0x110000)"),
    "variant": ("(option u8)", PAIR, "(i32.const 7) (i32.const 0)"),
    "text beyond memory": ("string", PAIR, "(i32.const 65535) (i32.const 9)"),
    "list beyond memory": ("(list u8)", PAIR, "(i32.const 65535) (i32.const 9)"),
    "list of more than all": ("(list u64)", PAIR, "(i32.const 0) (i32.const -1)"),
    "unaligned list": ("(list u32)", PAIR, "(i32.const 1) (i32.const 2)"),
    "utf-8": ("string", PAIR, "(i32.const 0) (i32.const 4)"),
    "realloc beyond memory": (
        "string",
        PAIR,
        "(i32.const 100) (i32.const 9)",
        "65535",
    ),
    "unaligned realloc": ("(list u32)", PAIR, "(i32.const 0) (i32.const 2)", "101"),
    "utf-16": ("string", PAIR, "(i32.const 0) (i32.const 4)", "256", "utf16"),
}

ENTERED = """(component
  (component $outer
    (core module $shim (table (export "t") 1 funcref))
    (core instance $shim (instantiate $shim))
    (component $inner
      (import "again" (func $again))
      (core func $again (canon lower (func $again)))
      (core module $m (import "h" "again" (func $again))
        (func (export "run") (call $again)))
      (core instance $i (instantiate $m
        (with "h" (instance (export "again" (func $again))))))
      (func (export "run") (canon lift (core func $i "run"))))
    (core module $m
      (import "s" "t" (table 1 funcref))
      (func (export "again") (call_indirect (i32.const 0))))
    (core instance $i (instantiate $m (with "s" (instance $shim))))
    (func $again (canon lift (core func $i "again")))
    (instance $inner (instantiate $inner (with "again" (func $again))))
    (core func $run (canon lower (func $inner "run")))
    (core module $fill
      (import "s" "t" (table 1 funcref)) (import "h" "run" (func $run))
      (global $before (mut i32) (i32.const 0))
      (elem (i32.const 0) func $again)
      (func $again
        (global.set $before (i32.add (global.get $before) (i32.const 1)))
        (if (i32.lt_u (global.get $before) (i32.const 3)) (then (call $run))))
      (func (export "run") (call $run)))
    (core instance $f (instantiate $fill (with "s" (instance $shim))
      (with "h" (instance (export "run" (func $run))))))
    (func (export "run") (canon lift (core func $f "run"))))
  (instance $outer (instantiate $outer))
  (export "run" (func $outer "run")))"""

LEFT = """(component
  (import "host" (func $host))
  (core func $host (canon lower (func $host)))
  (core module $m
    (import "h" "host" (func $host))
    (memory (export "mem") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (call $host) (i32.const 0))
    (func (export "run") (param i32 i32)))
  (core instance $i (instantiate $m (with "h" (instance (export "host" (func $host))))))
  (func (export "run") (param "it" string)
    (canon lift (core func $i "run") (memory (core memory $i "mem"))
      (realloc (core func $i "realloc")))))"""

DEGENERATE = """(component
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f")))
  (core func $g (canon lower (func $f)))
  (core module $n (import "h" "g" (func $g)) (func (export "run") (call $g)))
  (core instance $j (instantiate $n (with "h" (instance (export "g" (func $g))))))
  (func (export "run") (canon lift (core func $j "run"))))"""


async def call_run(guests, wat, *values):
    host = interfaces_of({"host": lambda: None})
    component = await load_any(guests.loader, Artifact.from_text(wat), host)
    instance = await component.instantiate()
    guests.started.append(instance)
    await instance.call("run", *values)


async def failure(guests, wat, *values):
    with pytest.raises(GuestTrapped) as caught:
        await call_run(guests, wat, *values)
    assert guests.started[-1].spent is caught.value
    return caught.value


def both(type_, core, values, place="256", encoding="utf8"):
    return BOTH.format(
        type=type_, core=core, values=values, place=place, encoding=encoding
    )


@pytest.mark.parametrize("case", CASES)
async def test_a_value_between_two_components_that_is_none(guests, case):
    found = await failure(guests, both(*CASES[case]))
    assert found.reason is TrapReason.BAD_VALUE, found.text


async def test_an_instance_that_may_not_be_left(guests):
    found = await failure(guests, LEFT, "a text")
    assert found.reason is TrapReason.BAD_VALUE, found.text


@pytest.mark.parametrize("wat", [ENTERED, DEGENERATE], ids=["entered", "degenerate"])
async def test_an_instance_that_may_not_be_entered(guests, wat):
    """Some versions of wasmtime allow it; those that do not say so by one reason."""
    reasons = []
    try:
        await call_run(guests, wat)
    except GuestTrapped as error:
        reasons.append(error.reason)
    assert set(reasons) <= {TrapReason.BAD_VALUE}


@pytest.mark.parametrize(
    "words", ["cannot enter component instance", "degenerate component adapter called"]
)
def test_entering_has_that_reason_on_every_version(words):
    failure = failure_of(f"wasm trap: {words}", "run")
    assert isinstance(failure, GuestTrapped)
    assert failure.reason is TrapReason.BAD_VALUE
