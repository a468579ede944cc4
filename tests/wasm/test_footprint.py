"""What is counted in a component is what wasmtime creates, and limits are about sums.

wasmtime itself is the judge here: with the counted numbers as limits a component is
instantiated, with one less it is not.
"""

import doctest
import functools
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given, strategies as st
from wasmtime import Config, Engine, Store, WasmtimeError, wat2wasm
from wasmtime.component import Component, Linker, Record

from airssys.wasm.artifacts import _footprint
from airssys.wasm.artifacts._binary import Range, Unreadable
from airssys.wasm.artifacts._footprint import Footprint, fair_cap, footprint
from pace import seconds_taken

GUESTS = Path(__file__).resolve().parents[1] / "guests"
WIT = GUESTS.parents[1] / "wit"
FIXTURES = sorted(
    {path.stem for path in GUESTS.glob("*.wat")} - {"core-module", "malformed"}
)
LIFECYCLE = "airssys:core/component-lifecycle@1.0.0"
PAGE = 65536
COMPONENT = b"\0asm\x0d\0\x01\0"
MODULE = b"\0asm\x01\0\0\0"


@functools.cache
def binary(name):
    return bytes(wat2wasm((GUESTS / f"{name}.wat").read_text()))


def count(text):
    return footprint(bytes(wat2wasm(f"(component {text})")))


def leb(number):
    head, rest = number & 0x7F, number >> 7
    return bytes([head | 0x80]) + leb(rest) if rest else bytes([head])


def section(number, content):
    return bytes([number]) + leb(len(content)) + content


@pytest.fixture(scope="module")
def engine():
    config = Config()
    config.consume_fuel = True
    return Engine(config)


def instantiate(component, engine, **limits):
    """Instantiate with imports that trap; return the store and the instance."""
    store = Store(engine)
    store.set_fuel(10_000_000)
    store.set_limits(**limits)
    linker = Linker(engine)
    linker.define_unknown_imports_as_traps(component)
    return store, linker.instantiate(store, component)


def refusal(component, engine, **limits):
    try:
        instantiate(component, engine, **limits)
    except WasmtimeError as refused:
        return str(refused)
    return ""


def assert_exact(engine, code):
    """Check that wasmtime creates what was counted, no more and no less."""
    counted, component = footprint(code), Component(engine, code)
    numbers = {"memories": len(counted.memories), "tables": len(counted.tables)}
    assert refusal(component, engine, **numbers) == ""
    for (name, number), word in zip(
        numbers.items(), ("memory count", "table count"), strict=True
    ):
        if number:
            less = numbers | {name: number - 1}
            assert f"{word} too high" in refusal(component, engine, **less)


def assert_minimums(engine, code):
    """Check that the smallest limits under which it starts are the largest minimums."""
    counted, component = footprint(code), Component(engine, code)
    for limit, ranges in (
        ("memory_size", counted.memories),
        ("table_elements", counted.tables),
    ):
        most = max((one.minimum for one in ranges), default=0)
        assert refusal(component, engine, **{limit: most}) == ""
        if most:
            assert "exceeds" in refusal(component, engine, **{limit: most - 1})


# ------------------------------------------------------------------ what is counted


@pytest.mark.parametrize("name", [one for one in FIXTURES if "start" not in one])
def test_a_fixture_creates_what_was_counted(engine, name):
    assert_exact(engine, binary(name))


@pytest.mark.parametrize("name", ["echo", "memory-hog-init", "table-hog-twenty"])
def test_a_fixture_needs_the_minimums_that_were_counted(engine, name):
    assert_minimums(engine, binary(name))


@pytest.mark.parametrize("name", [one for one in FIXTURES if "start" in one])
def test_a_fixture_that_fails_to_start_is_counted(name):
    assert footprint(binary(name)).memories


@pytest.mark.parametrize(
    ("name", "memories", "tables"),
    [
        ("echo", [PAGE], []),
        ("memory-hog-init", [8192 * PAGE, PAGE], []),
        ("memory-hog-twenty", [PAGE] * 21, []),
        ("multi-memory-hog", [PAGE] * 21, []),
        ("table-hog", [PAGE], [1]),
        ("table-hog-twenty", [PAGE], [1] * 20),
    ],
)
def test_the_hungry_fixtures(name, memories, tables):
    counted = footprint(binary(name))
    assert sorted(counted.memories, key=lambda one: -one.minimum) == [
        Range(minimum, None) for minimum in memories
    ]
    assert counted.tables == tuple(Range(minimum, None) for minimum in tables)


def test_nothing_comes_of_nothing():
    assert count("") == Footprint((), (), 0, 0, 0, instance_bytes=64, steps=1)


def test_a_module_that_is_not_instantiated_has_only_functions():
    counted = count("(core module (memory 1) (func) (func))")
    assert counted == Footprint((), (), 0, 2, 2, instance_bytes=64, steps=1)


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        ("(memory 2)", Range(2 * PAGE, None)),
        ("(memory 2 5)", Range(2 * PAGE, 5 * PAGE)),
        ("(memory 0 65536)", Range(0, 2**32)),
        ("(memory i64 1)", Range(PAGE, None)),
        ("(memory i64 1 0x1_0000_0000)", Range(PAGE, 2**48)),
        ("(memory 5 9 (pagesize 1))", Range(5, 9)),
        ("(memory i64 5 (pagesize 65536))", Range(5 * PAGE, None)),
        ('(memory (data "hello"))', Range(PAGE, PAGE)),
    ],
)
def test_kinds_of_memories(memory, expected):
    counted = count(f"(core module $m {memory}) (core instance (instantiate $m))")
    assert counted.memories == (expected,)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("(table 2 funcref)", Range(2, None)),
        ("(table 2 300 externref)", Range(2, 300)),
        ("(table i64 1 0x1_0000_0000 funcref)", Range(1, 2**32)),
        ("(table 3 (ref null func))", Range(3, None)),
        ("(type $t (func)) (table 3 (ref null $t))", Range(3, None)),
        (
            "(func $f) (elem declare func $f) (table 4 (ref func) (ref.func $f))",
            Range(4, None),
        ),
        ("(table 4 6 funcref (ref.null func))", Range(4, 6)),
        (
            '(import "" "g" (global $g externref)) (table 4 externref (global.get $g))',
            Range(4, None),
        ),
        ("(func $f) (table funcref (elem $f $f))", Range(2, 2)),
    ],
)
def test_kinds_of_tables(table, expected):
    imports = '(core module $i (global (export "g") externref (ref.null extern)))'
    counted = count(
        f"(core module $m {table}) {imports} (core instance $i (instantiate $i))"
        '(core instance (instantiate $m (with "" (instance $i))))'
    )
    assert counted.tables == (expected,)


TREES = {
    "twice": """
        (core module $m (memory 1) (table 1 funcref))
        (core instance (instantiate $m)) (core instance (instantiate $m))""",
    "imported": """
        (core module $a (memory (export "m") 1) (table (export "t") 1 funcref))
        (core module $b (import "a" "m" (memory 1)) (import "a" "t" (table 1 funcref)))
        (core instance $a (instantiate $a))
        (core instance (instantiate $b (with "a" (instance $a))))""",
    "inline exports": """
        (core module $a (memory (export "m") 1))
        (core module $b (import "x" "y" (memory 1)) (memory 1))
        (core instance $a (instantiate $a))
        (core instance $x (export "y" (memory $a "m")))
        (core instance (instantiate $b (with "x" (instance $x))))""",
    "nested": """
        (component $c
          (core module $m (memory 1))
          (component $d (core instance (instantiate $m)))
          (instance (instantiate $d)) (instance (instantiate $d)))
        (instance (instantiate $c)) (instance (instantiate $c))""",
    "outer component": """
        (core module $m (table 1 funcref))
        (component $c (core instance (instantiate $m)))
        (component $d (component $e (instance (instantiate $c)))
          (instance (instantiate $e)))
        (instance (instantiate $d))""",
    "exported": """
        (component $o
          (core module $m (memory 1))
          (export $n "n" (core module $m))
          (component $c (core instance (instantiate $n)))
          (export $d "d" (component $c))
          (instance (instantiate $d)) (core instance (instantiate $n)))
        (instance (instantiate $o))""",
    "never instantiated": """
        (component $c (import "m" (core module $m)) (core instance (instantiate $m)))
        (core module $m (memory 1)) (core instance (instantiate $m))""",
    "imports of every sort": """
        (import "f" (func)) (import "r" (type (sub resource)))
        (import "i" (instance $i (export "g" (func))))
        (type $p (record (field "a" u8))) (import "p" (type (eq $p)))
        (alias export $i "g" (func $g)) (instance $j (export "g" (func $g)))
        (core module $m (memory 1)) (core instance (instantiate $m))""",
    "between components": """
        (component $a
          (core module $m (memory (export "m") 1)
            (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "f") (param i32 i32)))
          (core instance $i (instantiate $m))
          (func (export "f") (param "s" string) (canon lift (core func $i "f")
            (memory (core memory $i "m")) (realloc (core func $i "r")))))
        (instance $a (instantiate $a))
        (component $b
          (import "f" (func $f (param "s" string)))
          (core module $mem (memory (export "m") 1))
          (core instance $mem (instantiate $mem))
          (core func $f (canon lower (func $f) (memory (core memory $mem "m"))))
          (core module $m (import "" "f" (func (param i32 i32)))
            (func (export "g") (call 0 (i32.const 0) (i32.const 0))))
          (core instance $i (instantiate $m
            (with "" (instance (export "f" (func $f)))))))
        (instance (instantiate $b (with "f" (func $a "f"))))""",
}


@pytest.mark.parametrize(
    ("name", "memories", "tables", "instances"),
    [
        ("twice", 2, 2, 2),
        ("imported", 1, 1, 2),
        ("inline exports", 2, 0, 2),
        ("nested", 4, 0, 4),
        ("outer component", 0, 1, 1),
        ("exported", 2, 0, 2),
        ("never instantiated", 1, 0, 1),
        ("imports of every sort", 1, 0, 1),
        ("between components", 2, 0, 3),
    ],
)
def test_ways_to_instantiate(engine, name, memories, tables, instances):
    counted = count(TREES[name])
    assert len(counted.memories) == memories
    assert len(counted.tables) == tables
    assert counted.core_instances == instances
    assert_exact(engine, bytes(wat2wasm(f"(component {TREES[name]})")))


def modules():
    shape = st.tuples(st.integers(0, 2), st.integers(0, 2))
    return st.lists(shape, min_size=1, max_size=2)


def components(inner):
    index = st.integers(0, 9)
    return st.tuples(modules(), inner, st.lists(st.tuples(st.booleans(), index)))


TREE = st.recursive(
    st.just([]),
    lambda inner: st.lists(components(inner), max_size=2),
    max_leaves=6,
)


def render(shapes, inner, steps):
    """Return the text of a component and the memories, tables it should create."""
    parts, made = [], []
    for memories, tables in shapes:
        fields = "(memory 1)" * memories + "(table 2 funcref)" * tables
        parts.append(f"(core module {fields})")
    for one in inner:
        text, created = render(*one)
        parts.append(f"(component {text})")
        made.append(created)
    total = [0, 0]
    for is_component, index in steps:
        choices = made if is_component else shapes
        if choices:
            number = index % len(choices)
            core = "" if is_component else "core "
            parts.append(f"({core}instance (instantiate {number}))")
            total = [
                have + more for have, more in zip(total, choices[number], strict=True)
            ]
    return "".join(parts), total


@given(components(TREE))
def test_random_trees(engine, tree):
    text, (memories, tables) = render(*tree)
    assume(memories + tables < 100)
    counted = count(text)
    assert counted.memories == (Range(PAGE, None),) * memories
    assert counted.tables == (Range(2, None),) * tables
    assert_exact(engine, bytes(wat2wasm(f"(component {text})")))


def test_a_large_component_is_read_in_no_time():
    custom = section(0, leb(1) + b"x" + bytes(18 << 20))
    module = section(1, MODULE + section(5, b"\x01\x00\x01") + custom)
    code = COMPONENT + module + section(2, b"\x01\x00\x00\x00")
    assert footprint(code).memories == (Range(PAGE, None),)
    to_hash = seconds_taken(lambda: hashlib.sha256(code).digest())
    assert seconds_taken(lambda: footprint(code)) < to_hash


@pytest.mark.slow
def test_a_python_guest(tmp_path):
    pytest.importorskip("componentize_py")
    (tmp_path / "small.py").write_text(
        "import wit_world.exports\n"
        "class ComponentLifecycle(wit_world.exports.ComponentLifecycle):\n"
        "    initialize = handle_message = handle_callback = None\n"
        "    metadata = health = shutdown = None\n"
    )
    where = ["--wit-path", WIT, "--world", "runtime-host"]
    how = ["componentize", "--stub-wasi", "-p", ".", "small", "-o", "small.wasm"]
    tool = Path(sys.executable).with_name("componentize-py")
    subprocess.run([tool, *where, *how], cwd=tmp_path, check=True, capture_output=True)
    code = (tmp_path / "small.wasm").read_bytes()
    counted = footprint(code)
    to_hash = seconds_taken(lambda: hashlib.sha256(code).digest())
    assert seconds_taken(lambda: footprint(code)) < 10 * to_hash
    assert len(counted.memories) == 1
    assert 1000 < counted.functions < 100_000
    config = Config()
    config.consume_fuel = True
    config.cranelift_opt_level = "none"
    assert_exact(Engine(config), code)


# ------------------------------------------------------------------ what is not read


@pytest.mark.parametrize(
    "text",
    [
        '(import "m" (core module $m)) (core instance (instantiate $m))',
        '(import "c" (component $c)) (instance (instantiate $c))',
        """(import "i" (instance $i (export "m" (core module))))
           (alias export $i "m" (core module $m)) (core instance (instantiate $m))""",
        """(component $c (core module $m) (export "m" (core module $m)))
           (instance $i (instantiate $c)) (alias export $i "m" (core module $m))
           (core instance (instantiate $m))""",
        """(core module $a)
           (component $c (import "m" (core module $m)) (core instance (instantiate $m)))
           (instance (instantiate $c (with "m" (core module $a))))""",
    ],
)
def test_what_comes_from_outside_cannot_be_counted(text):
    with pytest.raises(Unreadable, match="cannot be counted"):
        count(text)


def test_what_comes_from_outside_may_stay_uninstantiated():
    assert count('(import "m" (core module)) (import "c" (component))')


def test_a_core_module_is_not_a_component():
    with pytest.raises(Unreadable, match="not a component"):
        footprint(bytes(wat2wasm("(module (memory 1))")))


def memory(content):
    return section(1, MODULE + section(5, content))


def table(content):
    return section(1, MODULE + section(4, content))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\x01", "ends too early"),
        (b"\x01\x05\x00", "5 more bytes"),
        (section(1, MODULE[:7]), "8 more bytes"),
        (section(1, COMPONENT), "not a core module"),
        (section(4, MODULE), "not a component"),
        (section(12, b""), "section 12"),
        (b"\x00\xff\xff\xff\xff\xff\x01", "more than 32 bits"),
        (memory(b"\x01\x10\x01"), "a memory is of an unknown kind"),
        (memory(b"\x01\x01\x02\x01"), "maximum is less"),
        (memory(b"\x01\x08\x01\x11"), "more than 64 KiB"),
        (memory(b"\x01\x00\x01\x00"), "1 bytes too many"),
        (memory(b"\x02\x00\x01"), "ends too early"),
        (table(b"\x01\x40\x01\x70\x00\x01"), "a table is of an unknown kind"),
        (table(b"\x01\x70\x08\x01"), "a table is of an unknown kind"),
        (table(b"\x01\x7f\x00\x01"), "elements of an unknown type"),
        (table(b"\x01\x40\x00\x70\x00\x01\x41\x00"), "only garbage collection"),
        (table(b"\x01\x40\x00\x70\x00\x01\xd2\x00\x00"), "does not end"),
        (section(2, b"\x01\x02"), "0 or 1"),
        (section(2, b"\x01\x00\x00\x00"), "no module 0"),
        (section(5, b"\x01\x00\x00\x00"), "no component 0"),
        (section(6, b"\x01\x06"), "not a known sort"),
        (section(6, b"\x01\x03\x03"), "an alias"),
        (section(6, b"\x01\x04\x02\x01\x00"), "refers to 1 components around it"),
        (section(10, b"\x01\x03"), "a name"),
        (section(10, b"\x01\x00\x01f\x02\x00"), "no component can yet"),
    ],
)
def test_what_is_wrong_is_named(content, problem):
    with pytest.raises(Unreadable, match=problem):
        footprint(COMPONENT + content)


def test_names_with_options_are_passed_over():
    name = b"\x02\x01f" + b"\x01\x02\x03two"
    assert footprint(COMPONENT + section(10, b"\x01" + name + b"\x01\x00"))


def test_exports_that_state_their_type_are_read():
    module = section(1, MODULE)
    export = b"\x00\x01m" + b"\x00\x11\x00" + b"\x01\x00\x11\x00"
    instance = section(2, b"\x01\x00\x01\x00")  # of the index that the export made
    code = COMPONENT + module + section(11, b"\x01" + export) + instance
    assert footprint(code).core_instances == 1


@pytest.mark.parametrize(("deep", "refused"), [(100, False), (101, True), (5000, True)])
def test_depth_has_a_limit(deep, refused):
    code = COMPONENT
    for _ in range(deep):
        code = COMPONENT + section(4, code)
    if refused:
        with pytest.raises(Unreadable, match="are nested"):
            footprint(code)
    else:
        assert footprint(code)


def doubled(levels, inside):
    text = f"(component $c0 {inside})"
    for level in range(1, levels):
        last = f"(instance (instantiate $c{level - 1}))"
        text += f"(component $c{level} {last * 2})"
    return f"{text} (instance (instantiate $c{levels - 1}))"


@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        ("", "10000 instances"),
        ("(core module $m) (core instance (instantiate $m))", "10000 instances"),
        (
            f"(core module $m {'(memory 1)' * 50}) (core instance (instantiate $m))",
            "10000 memories or tables",
        ),
    ],
)
def test_exponentially_many_instances_are_refused_at_once(inside, problem):
    with pytest.raises(Unreadable, match=problem):
        count(doubled(60, inside))


@given(st.binary())
def test_arbitrary_sections(content):
    for code in (content, COMPONENT + content, COMPONENT + section(1, content)):
        footprint_or_none(code)


def footprint_or_none(code):
    try:
        return footprint(code)
    except Unreadable:
        return None


SECTION = st.builds(section, st.integers(0, 12), st.binary(max_size=12))


@given(st.lists(SECTION), st.lists(SECTION))
def test_arbitrary_content_of_sections(outside, inside):
    module = section(1, MODULE + b"".join(inside))
    footprint_or_none(COMPONENT + module + b"".join(outside))
    nested = section(4, COMPONENT + b"".join(inside))
    footprint_or_none(COMPONENT + nested + b"".join(outside))


@given(st.sampled_from([*FIXTURES, *TREES]), st.data())
def test_damaged_components(name, data):
    whole = binary(name) if name in FIXTURES else wat2wasm(f"(component {TREES[name]})")
    code = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(code) - 1))
        size = data.draw(st.integers(0, 3))
        code[at : at + size] = data.draw(st.binary(min_size=1, max_size=3))
    footprint_or_none(bytes(code))
    footprint_or_none(bytes(code[: data.draw(st.integers(0, len(code)))]))


# ------------------------------------------------------------------ sharing a limit


@st.composite
def some_range(draw):
    minimum = draw(st.integers(0, 12))
    maximum = draw(st.none() | st.integers(minimum, 25))
    return Range(minimum, maximum)


RANGES = st.lists(some_range(), max_size=6)


def most(ranges, cap):
    """Return the largest sum that can be had when each is limited to `cap`."""
    return sum(cap if one.maximum is None else min(one.maximum, cap) for one in ranges)


@given(st.integers(0, 60), RANGES)
def test_the_cap_is_the_largest_there_is(total, ranges):
    possible = (
        cap
        for cap in range(total, -1, -1)
        if most(ranges, cap) <= total and all(one.minimum <= cap for one in ranges)
    )
    assert fair_cap(total, ranges) == next(possible, None)


@given(st.integers(0, 60), st.lists(some_range(), min_size=1, max_size=6), st.data())
def test_no_way_of_growing_exceeds_the_total(spare, ranges, data):
    total = most(ranges, max(one.minimum for one in ranges)) + spare
    cap = fair_cap(total, ranges)
    sizes = [one.minimum for one in ranges]
    growth = st.tuples(st.integers(0, len(ranges) - 1), st.integers(0, total))
    for which, by in data.draw(st.lists(growth)):
        wanted, maximum = sizes[which] + by, ranges[which].maximum
        if wanted <= cap and (maximum is None or wanted <= maximum):
            sizes[which] = wanted
        assert sum(sizes) <= total


@pytest.mark.parametrize("ranges", [[], [Range(3, None)], [Range(0, 5), Range(5, 9)]])
def test_everything_may_be_had_where_nothing_competes(ranges):
    assert fair_cap(100, ranges) == 100


def test_large_numbers_are_exact():
    total = 2**63 - 1
    assert fair_cap(total, [Range(0, None)] * 3) == total // 3


def test_the_examples_are_true():
    tests = doctest.DocTestFinder().find(fair_cap, globs=vars(_footprint))
    assert sum(doctest.DocTestRunner().run(one).attempted for one in tests) == 3


# ------------------------------------------------------------------ the sum is kept


def record(**fields):
    made = Record()
    for name, value in fields.items():
        setattr(made, name.replace("_", "-"), value)
    return made


class Hog:
    """An instance of a fixture that grows, under limits on sums."""

    def __init__(self, engine, name, *, memory, elements):
        counted = footprint(binary(name))
        self.store, self.instance = instantiate(
            Component(engine, binary(name)),
            engine,
            memory_size=fair_cap(memory, counted.memories),
            table_elements=fair_cap(elements, counted.tables),
            memories=len(counted.memories),
            tables=len(counted.tables),
        )

    def grow(self, by):
        index = self.instance.get_export_index(self.store, LIFECYCLE)
        index = self.instance.get_export_index(self.store, "handle-message", index)
        handle_message = self.instance.get_func(self.store, index)
        message = record(
            sender=record(namespace="", name="", instance=""),
            payload=b"%d" % by,
            metadata=record(
                correlation_id=None,
                reply_to=None,
                timestamp=record(seconds=0, nanoseconds=0),
                content_type=None,
            ),
        )
        return int(handle_message(self.store, message))

    def grow_until_refused(self):
        """Grow by one as often as it can be done; return how often it could."""
        grown = 0
        while (could := self.grow(1)) > 0:
            grown += could
        return grown


@pytest.mark.parametrize("name", ["memory-hog-twenty", "multi-memory-hog"])
@pytest.mark.parametrize("pages", [21, 41, 42, 100, 200])
def test_many_memories_stay_within_the_limit_in_sum(engine, name, pages):
    hog = Hog(engine, name, memory=pages * PAGE, elements=1000)
    each = pages // 21
    # One of the 21 is the memory that the call itself needs, which stays as it is.
    assert hog.grow_until_refused() == 20 * (each - 1)
    assert 21 * each <= pages


@pytest.mark.parametrize("elements", [20, 39, 40, 1000])
def test_many_tables_stay_within_the_limit_in_sum(engine, elements):
    hog = Hog(engine, "table-hog-twenty", memory=PAGE, elements=elements)
    grown = hog.grow_until_refused()
    assert elements - 20 < 20 + grown <= elements


@pytest.mark.parametrize(("name", "page"), [("memory-hog", PAGE), ("table-hog", 1)])
def test_a_single_one_may_have_all(engine, name, page):
    hog = Hog(engine, name, memory=10 * PAGE, elements=10)
    answers = [hog.grow(by) for by in (4, 6, 5, 1)]
    assert answers == [1, -1, 5, -1]


@pytest.mark.parametrize(
    ("megabytes", "fits"), [(513, False), (1023, False), (1024, True)]
)
def test_a_large_minimum_needs_room_for_the_others_too(engine, megabytes, fits):
    counted = footprint(binary("memory-hog-init"))
    cap = fair_cap(megabytes << 20, counted.memories)
    assert (cap is not None) is fits


# ------------------------------------------------------------------ what else is memory

OBJECTS = """
    (core module $m (type $bytes (array (mut i8)))
      (func (export "f") (drop (array.new_default $bytes (i32.const 1000)))))
    (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f")))"""

EXCEPTIONS = """
    (core module $m (tag $e (param i64))
      (func (export "f") (block $caught (result exnref)
        (try_table (catch_all_ref $caught) (throw $e (i64.const 1))) unreachable)
        (drop)))
    (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f")))"""


@pytest.mark.parametrize("text", [OBJECTS, EXCEPTIONS])
def test_an_engine_can_do_without_a_heap_of_objects(engine, text):
    code = wat2wasm(f"(component {text})")
    store, instance = instantiate(Component(engine, code), engine, memories=0)
    instance.get_func(store, "f")(store)  # a memory, and the engine did not count it
    config = Config()
    config.wasm_gc = False
    config.wasm_exceptions = False
    with pytest.raises(WasmtimeError, match=r"gc feature|exception"):
        Component(Engine(config), code)
