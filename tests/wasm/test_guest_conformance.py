"""A real guest passes the exam that any guest must pass, the fake one too."""

import importlib.util
import sys
from pathlib import Path

import pytest

from airssys.contracts import Artifact
from wat_guests.behaving import KEEP_CONFIG
from wat_guests.component import Guest

EXAM = Path(__file__).resolve().parents[1] / "nursery" / "guest_exam.py"


def load_exam():
    """The exam lies beside the tests of supervision, which is no package."""
    spec = importlib.util.spec_from_file_location("guest_exam", EXAM)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


guest_exam = load_exam()

IS = """\
(func $is (param $at i32) (param $size i32) (param $word i32) (param $length i32)
  (result i32)
  (call $equal (local.get $at) (local.get $size) (local.get $word) (local.get $length)))
"""
EXAMINEE = Guest(
    name="examinee",
    does="does what the exam wants of any guest",
    fields="(global $seen (mut i64) (i64.const 0))\n" + IS,
    exports={
        "initialize": """\
(if (local.get $has-data) (then
  (if (call $is (local.get $data) (local.get $data-size) (text "trap"))
    (then unreachable))
  (if (call $is (local.get $data) (local.get $data-size) (text "reject"))
    (then (return (call $initialization-failed (text "told to")))))))
"""
        + KEEP_CONFIG,
        "handle-message": """\
(local $at i32) (local $size i32)
(call $payload (local.get $message))
(local.set $size)
(local.set $at)
(if (call $is (local.get $at) (local.get $size) (text "trap")) (then unreachable))
(if (call $is (local.get $at) (local.get $size) (text "reject"))
  (then (return (call $runtime-error (text "told to")))))
(if (call $is (local.get $at) (local.get $size) (text "hang"))
  (then (call $host-services.sleep-millis (i64.const 1000000000))))
(if (call $is (local.get $at) (local.get $size) (text "count")) (then
  (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
  (return (call $some (call $decimal (global.get $seen))))))
(call $some (local.get $at) (local.get $size))""",
    },
    stateful=True,
)


@pytest.mark.parametrize(
    "question", guest_exam.QUESTIONS, ids=lambda each: each.__name__
)
async def test_a_real_guest_passes_the_exam(guests, question):
    await question(await guests.loader.load(Artifact.from_text(EXAMINEE.wat())))
