"""A real guest passes the conformance check of every guest, and so does the fake."""

import pytest

from airssys.contracts import Artifact
from airssys.testing import GUEST_QUESTIONS
from wat_guests.behaving import KEEP_CONFIG
from wat_guests.component import Guest

IS = """\
(func $is (param $at i32) (param $size i32) (param $word i32) (param $length i32)
  (result i32)
  (call $equal (local.get $at) (local.get $size) (local.get $word) (local.get $length)))
"""
CONFORMING = Guest(
    name="conforming",
    does="does what the conformance check wants",
    fields="(global $seen (mut i64) (i64.const 0))\n" + IS,
    exports={
        "initialize": """\
(if (local.get $has-data) (then
  (if (call $is (local.get $data) (local.get $data-size) (text "trap"))
    (then unreachable))
  (if (call $is (local.get $data) (local.get $data-size) (text "reject"))
    (then (return (call $initialization-failed (text "on purpose")))))))
"""
        + KEEP_CONFIG,
        "handle-message": """\
(local $at i32) (local $size i32)
(call $payload (local.get $message))
(local.set $size)
(local.set $at)
(if (call $is (local.get $at) (local.get $size) (text "trap")) (then unreachable))
(if (call $is (local.get $at) (local.get $size) (text "reject"))
  (then (return (call $runtime-error (text "on purpose")))))
(if (call $is (local.get $at) (local.get $size) (text "hang"))
  (then (call $host-services.sleep-millis (i64.const 1000000000))))
(if (call $is (local.get $at) (local.get $size) (text "count")) (then
  (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
  (return (call $some (call $decimal (global.get $seen))))))
(call $some (local.get $at) (local.get $size))""",
    },
    state={
        "export-state": "(call $bytes (call $decimal (global.get $seen)))",
        "import-state": """\
(global.set $seen (call $number (local.get $at) (local.get $size)))
(call $ok)""",
    },
    stateful=True,
)


@pytest.mark.parametrize("question", GUEST_QUESTIONS)
async def test_a_real_guest_passes_the_conformance_check(guests, question):
    await question(await guests.loader.load(Artifact.from_text(CONFORMING.wat())))
