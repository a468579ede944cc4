"""What to do about a refused component fits why it is refused, on every wasmtime."""

import importlib.metadata

import pytest

from airssys.contracts import Artifact, ComponentRefused
from airssys.wasm.artifacts._advice import OTHERWISE, ROWS, advice_for
from airssys.wasm.loading._any_instance import load_any

MAJOR = int(importlib.metadata.version("wasmtime").partition(".")[0])


def module(content):
    return f"(component (core module $m {content}) (core instance (instantiate $m)))"


def canonical(content):
    return f"(component (core func (canon {content})))"


def typed(kind):
    return f'(component (type $t {kind}) (import "f" (func (param "x" $t))))'


NAMES = " ".join(f'"f{number}"' for number in range(33))
MANY_FLAGS = f"(flags {NAMES})"

CASES = {
    "shared": {
        "shared memory": module("(memory 1 2 shared)"),
        "shared long memory": module("(memory i64 1 2 shared)"),
    },
    "garbage-collected": {
        "struct": module("(type $s (struct (field i32)))"),
        "heap type": module("(table 1 anyref)"),
        "group": module("(rec (type (func)) (type (func)))"),
        "instruction": module("(func (drop (ref.i31 (i32.const 1))))"),
        "filled table": module("(table 1 (ref null i31) (ref.i31 (i32.const 1)))"),
        "option": """(component (core module $m (func (export "f")))
            (core instance $i (instantiate $m))
            (func (export "f") (canon lift (core func $i "f") gc)))""",
    },
    "exceptions": {
        "tag": module("(tag (param i32))"),
        "instruction": module("(func (try_table))"),
        "reference": module("(func (param exnref))"),
    },
    "flags": {"33 flags": f'(component (type $f {MANY_FLAGS}) (export "f" (type $f)))'},
    "Export functions of its own": {
        "function": '(component (import "f" (func $f)) (export "g" (func $f)))',
        "instance": """(component
            (import "i" (instance $i (export "f" (func)))) (export "j" (instance $i)))""",
    },
    "async": {
        "function": '(component (import "f" (func async)))',
        "stream": typed("(stream u8)"),
        "future": typed("(future u8)"),
        "error context": '(component (import "f" (func (param "x" error-context))))',
        "set": canonical("waitable-set.new"),
        "yield": canonical("thread.yield"),
        "return": canonical("task.return"),
        "pressure": canonical("backpressure.inc"),
        "index": canonical("thread.index"),
        "spawn": """(component (core type $t (func (param i32)))
            (core func (canon thread.spawn-ref $t)))""",
    },
    "lists": {
        "map": typed("(map string u8)"),
        "fixed length": typed("(list u8 4)"),
    },
    "wasm32": {
        "long memory": """(component
            (core module $m (memory (export "mem") i64 1)
              (func (export "f") (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (func (export "f") (result string)
              (canon lift (core func $i "f") (memory (core memory $i "mem")))))""",
    },
    "that WebAssembly proposal": {
        "page size": module("(memory 1 (pagesize 1))"),
        "continuation": module("(type $f (func)) (type (cont $f))"),
        "wide arithmetic": module(
            "(func (param i64 i64 i64 i64) (result i64 i64) (i64.add128"
            " (local.get 0) (local.get 1) (local.get 2) (local.get 3)))"
        ),
    },
    "Split it": {
        "memories": module("(memory 0)" * 101),
        "locals": module(f"(func (local {'i32 ' * 60_000}))"),
    },
    "Import and export only functions": {
        "component import": '(component (import "c" (component)))',
        "component export": '(component (component $c) (export "c" (component $c)))',
        "value": '(component (import "v" (value string)))',
    },
    "current version of its tools": {
        "type mismatch": module("(func (result i32))"),
        "unknown function": module("(func (call 7))"),
        "forged": module('(func (export "gc support is not enabled") (result i32))'),
    },
}
ALLOWED_SINCE = {("that WebAssembly proposal", "wide arithmetic"): 49}
"""By the major version of wasmtime that has them by default."""


@pytest.mark.parametrize(
    ("part", "name"), [(part, name) for part, named in CASES.items() for name in named]
)
async def test_the_advice_fits(guests, part, name):
    if ALLOWED_SINCE.get((part, name), MAJOR + 1) <= MAJOR:
        return
    artifact = Artifact.from_text(CASES[part][name], label="odd")
    with pytest.raises(ComponentRefused) as caught:
        await load_any(guests.loader, artifact, ())
    assert part in caught.value.advice, caught.value.problem
    others = [each for each in CASES if each != part and each in caught.value.advice]
    assert others == []


def test_each_row_has_a_component():
    parts = [part for part in CASES if part not in OTHERWISE]
    assert [[p for p in parts if p in advice] for _, advice in ROWS] == [
        [part] for part in parts
    ]


@pytest.mark.parametrize(("pattern", "advice"), ROWS)
def test_a_text_that_only_contains_the_words_has_not_that_advice(pattern, advice):
    words = pattern.pattern.partition("|")[0]
    for text in (
        f"a name: {words}",
        f"{words}, it says",
        f"{words}\n\nCaused by:\n  x",
    ):
        assert advice_for(text) == OTHERWISE
