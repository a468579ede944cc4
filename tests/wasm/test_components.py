"""Components taken apart: what the plan says of one is what wasmtime says of it.

wasmtime is the judge: it validates the skeleton as it validates the whole, and reflects
on imports and exports. A damaged binary is refused by one of the two or read the same way.
"""

import functools
import random
from pathlib import Path

import pytest
from wasmtime import Engine, WasmtimeError, wat2wasm
from wasmtime.component import Component, FuncType

from airssys.wasm.artifacts._binary import Unreadable
from airssys.wasm.artifacts._component_check import instances
from airssys.wasm.lane.components import (
    CanonicalFunction,
    CoreExport,
    Encoding,
    ImportedFunction,
    LiftedFunction,
    LoweredFunction,
    ResourceFunction,
    ResourceVerb,
    Unsupported,
    make_plan,
    parse,
    skeleton,
)
from airssys.wasm.values._type_reader import Unspeakable, read_function

GUESTS = Path(__file__).resolve().parents[1] / "guests"
FIXTURES = sorted(
    {path.stem for path in GUESTS.glob("*.wat")}
    - {"core-module", "malformed", "wasi-import"}  # the last one has resources
)
REFUSED = (Unreadable, Unsupported)


@functools.cache
def binary(name):
    return bytes(wat2wasm((GUESTS / f"{name}.wat").read_text()))


def assemble(text):
    return bytes(wat2wasm(f"(component {text})"))


def plan(text):
    return make_plan(parse(assemble(text)))


@pytest.fixture(scope="module")
def engine():
    return Engine()


def functions(items, engine):
    """Name what wasmtime sees imported or exported, with the types of functions."""
    return {
        f"{interface}#{name}": read_function(kind, {})
        for interface, members in instances(items, engine).items()
        for name, kind in members.items()
        if isinstance(kind, FuncType)
    }


@pytest.mark.parametrize("name", FIXTURES)
def test_a_plan_has_the_functions_that_wasmtime_sees(name, engine):
    kind = Component(engine, binary(name)).type
    made = make_plan(parse(binary(name)))
    assert made.imports == functions(kind.imports(engine), engine)
    exported = {name: one.type for name, one in made.exports.items()}
    assert exported == functions(kind.exports(engine), engine)


@pytest.mark.parametrize("name", FIXTURES)
def test_a_skeleton_is_valid_and_looks_the_same(name, engine):
    whole = Component(engine, binary(name)).type
    empty = Component(engine, skeleton(binary(name))).type
    for side in ("imports", "exports"):
        seen = functions(getattr(empty, side)(engine), engine)
        assert seen == functions(getattr(whole, side)(engine), engine)


@pytest.mark.parametrize("name", FIXTURES)
def test_a_skeleton_has_no_code_of_its_own(name):
    assert skeleton(skeleton(binary(name))) == skeleton(binary(name))


def test_what_wasmtime_refuses_it_refuses_in_the_skeleton_too(engine):
    wrong = '(core module $m (func (export "f"))) (core instance $i (instantiate $m))'
    wrong += ' (func (export "f") (param "x" u32) (canon lift (core func $i "f")))'
    with pytest.raises(WasmtimeError):
        Component(engine, assemble(wrong))
    with pytest.raises(WasmtimeError):
        Component(engine, skeleton(assemble(wrong)))


def test_imports_of_core_modules_are_resolved_through_bundles_and_aliases():
    made = plan(
        """(import "host" (func $host))
        (core func $lowered (canon lower (func $host)))
        (core module $a (memory (export "m") 1))
        (core module $b (import "x" "f" (func)) (import "y" "m" (memory 1)))
        (core instance $ai (instantiate $a))
        (alias core export $ai "m" (core memory $m))
        (core instance (instantiate $b
            (with "y" (instance (export "m" (memory $m))))
            (with "x" (instance (export "f" (func $lowered))))))"""
    )
    assert made.instantiations[1].imports == (CanonicalFunction(0), CoreExport(0, "m"))
    assert isinstance(made.canonical[0], LoweredFunction)
    assert made.canonical[0].function == ImportedFunction("host", made.imports["host"])
    assert not made.is_composed


def test_each_instance_of_an_inner_component_has_resources_of_its_own():
    made = plan(
        """(component $inner
             (type $r (resource (rep i32)))
             (core func $new (canon resource.new $r))
             (core func $drop (canon resource.drop $r)))
           (instance (instantiate $inner)) (instance (instantiate $inner))"""
    )
    assert made.parents == (None, 0, 0)
    assert [one.name for one in made.resources.values()] == ["%0", "%1"]
    kinds = [(one.verb, one.resource.instance) for one in made.canonical]
    new, drop = ResourceVerb.NEW, ResourceVerb.DROP
    assert kinds == [(new, 1), (drop, 1), (new, 2), (drop, 2)]


def test_what_a_resource_of_the_host_is_called_is_its_import():
    made = plan(
        """(import "a:b/c" (instance $c
             (export "file" (type (sub resource)))
             (export "open" (func (result (own 0))))))
           (alias export $c "file" (type $file))
           (core func (canon resource.drop $file))"""
    )
    assert list(made.imports) == ["a:b/c#open"]
    assert made.imports["a:b/c#open"].result.resource == "a:b/c#file"
    [drop] = made.canonical
    assert isinstance(drop, ResourceFunction)
    assert drop.resource == made.resources["a:b/c#file"]
    assert drop.resource.instance is None


def test_a_call_between_components_inside_is_seen():
    made = plan(
        """(component $a (core module $m (func (export "f")))
             (core instance $i (instantiate $m))
             (func (export "f") (canon lift (core func $i "f"))))
           (component $b (import "f" (func $f)) (core func (canon lower (func $f))))
           (instance $ai (instantiate $a))
           (instance (instantiate $b (with "f" (func $ai "f"))))"""
    )
    assert made.is_composed
    assert isinstance(made.canonical[0].function, LiftedFunction)


def test_options_of_canonical_functions_are_kept():
    made = plan(
        """(core module $m (memory (export "m") 1)
             (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable)
             (func (export "f") (result i32) unreachable)
             (func (export "p") (param i32)))
           (core instance $i (instantiate $m))
           (func (export "f") (result string) (canon lift (core func $i "f")
             string-encoding=utf16 (memory (core memory $i "m"))
             (realloc (core func $i "r")) (post-return (core func $i "p"))))"""
    )
    abi = made.exports["f"].abi
    assert abi.encoding is Encoding.UTF16
    items = (abi.memory, abi.realloc, abi.post_return)
    assert items == tuple(CoreExport(0, name) for name in "mrp")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('(import "m" (core module $m))', "core module"),
        ('(import "c" (component $c)) (instance (instantiate $c))', "component"),
        ("(core func (canon context.get i32 0))", "asynchronous"),
        ("(type (stream u8))", "a stream"),
        ("(type (future))", "a future"),
        ('(import "f" (func async))', "an asynchronous function"),
        ("(core type (func (param (ref func))))", "garbage collection"),
    ],
)
def test_what_this_lane_does_not_run_is_named(text, what):
    with pytest.raises(Unsupported, match=what):
        plan(text)


def test_a_few_bytes_do_not_make_many_instances():
    levels = "(component $c0)" + "".join(
        f"(component $c{n} (alias outer 1 $c{n - 1} (component $x))"
        f" (instance (instantiate $x)) (instance (instantiate $x)))"
        for n in range(1, 30)
    )
    with pytest.raises(Unsupported, match="instances"):
        plan(levels + "(instance (instantiate $c29))")


def test_a_few_bytes_do_not_make_large_types():
    types = "(type $t0 (tuple u8 u8))"
    for n in range(1, 40):
        types += f"(type $t{n} (tuple $t{n - 1} $t{n - 1}))"
    with pytest.raises(Unsupported, match="parts"):
        plan(types)


def test_a_file_that_was_cut_off_is_refused():
    code = binary("echo")
    whole = make_plan(parse(code))
    for size in range(0, len(code), 7):
        try:
            made = make_plan(parse(code[:size]))
        except REFUSED:
            continue
        assert made != whole, f"{size} of {len(code)} bytes"  # a part may be whole


def damage(code, rng):
    """Change, drop, repeat or insert a few bytes."""
    made = bytearray(code)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randrange(8, len(made))
        match rng.randrange(4):
            case 0:
                made[at] = rng.randrange(256)
            case 1:
                made[at] ^= 1 << rng.randrange(8)
            case 2:
                del made[at : at + rng.choice([1, 1, 2, 8])]
            case _:
                made[at:at] = made[at : at + rng.choice([1, 1, 4])]
    return bytes(made)


def judge(engine, code):
    """Say how a damaged component fares; raises if it is misread."""
    try:
        made = make_plan(parse(code))
        empty = skeleton(code)
    except REFUSED:
        return "refused"
    try:
        kind = Component(engine, empty).type
        imports = functions(kind.imports(engine), engine)
        exports = functions(kind.exports(engine), engine)
    except (WasmtimeError, Unspeakable):
        return "validated away"
    assert {n: t for n, t in made.imports.items() if "#" in n} == imports
    inside = {n: one.type for n, one in made.exports.items() if "#" in n}
    assert inside == exports
    return "read the same way"


@pytest.mark.parametrize(
    ("rounds", "seed"),
    [(300, 13), *(pytest.param(12_500, n, marks=pytest.mark.slow) for n in range(8))],
)
def test_a_damaged_component_is_never_misread(engine, rounds, seed):
    """100,000 in all, in parts that end in time on a machine that is busy, too."""
    rng = random.Random(seed)
    ends = {"refused": 0, "validated away": 0, "read the same way": 0}
    for _ in range(rounds):
        code = binary(rng.choice(["calls", "echo", "handover", "requester"]))
        ends[judge(engine, damage(code, rng))] += 1
    assert min(ends.values()) > 0, ends
