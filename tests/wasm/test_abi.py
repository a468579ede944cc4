"""Values cross between Python and linear memory whole, or are refused with their place.

The memory here is a bytearray that grows at each other allocation, so that a view kept
too long is seen at once. Where a rule is broken, no byte outside the memory is read.
"""

import math
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from airssys.wasm.lane.abi import (
    Context,
    ExportSignature,
    ImportSignature,
    Rule,
    RuleBroken,
)
from airssys.wasm.lane.abi._layouts import align, flat, layout, payload_offset
from airssys.wasm.lane.abi._lifting import loader
from airssys.wasm.lane.abi._lowering import storer
from airssys.wasm.lane.components import Encoding
from airssys.wasm.values._types import (
    BYTES,
    CHAR,
    STRING,
    Borrow,
    Case,
    Enum,
    Err,
    Flags,
    Float,
    Function,
    List,
    Number,
    Ok,
    Option,
    Own,
    Record,
    Result,
    Some,
    TooMuch,
    Tuple,
    ValueUnfit,
    Variant,
    function,
    record,
    variant,
)
from wasm_support import TEXTS, TYPED_VALUES, same, types, values_of

ENOUGH = 2**40
FEW = settings(max_examples=max(10, settings.default.max_examples // 4))


class Things:
    """Handles by number."""

    def __init__(self):
        self.things = {}

    def lower_own(self, thing, resource):
        if thing is None:
            raise TypeError
        self.things[len(self.things) + 1] = (resource, thing)
        return len(self.things)

    def lift_own(self, handle, resource):
        found, thing = self.things[handle]
        assert found == resource
        return thing

    lower_borrow, lift_borrow = lower_own, lift_own


class Memory(Context):
    """A memory of its own, whose old views cannot be used after it has grown."""

    __slots__ = ("data", "top")

    def __init__(self, encoding=Encoding.UTF8, left=ENOUGH):
        super().__init__(encoding, Things())
        self.left = left
        self.data, self.top = bytearray(64), 8
        self.view = memoryview(self.data)

    def allocate(self, alignment, size):
        at = align(self.top, alignment)
        self.top = at + size
        while self.top > len(self.data):
            self.view.release()
            self.data = self.data + bytearray(len(self.data) or 8)
            self.view = memoryview(self.data)
        return at


def there_and_back(wit, value, encoding=Encoding.UTF8):
    memory = Memory(encoding)
    size, alignment = layout(wit)
    at = memory.allocate(alignment, size)
    storer(wit)(memory, at, value)
    return loader(wit)(memory, memory.area(at, size, alignment))


@pytest.mark.parametrize("encoding", Encoding)
@FEW
@given(TYPED_VALUES)
def test_any_value_of_any_type_comes_back(encoding, typed):
    wit, value = typed
    assert same(there_and_back(wit, value, encoding), value)


@FEW
@given(st.lists(TYPED_VALUES, max_size=20))
def test_any_parameters_come_back_flat_or_through_memory(typed):
    params = tuple((f"p{number}", wit) for number, (wit, _) in enumerate(typed))
    signature = Function(params, None)
    memory, values = Memory(), [value for _, value in typed]
    cores = ExportSignature(signature).lower_parameters(memory, values)
    check_cores(cores, ExportSignature(signature).core_parameters)
    lifted = ImportSignature(signature).lift_parameters(memory, cores)
    assert same(tuple(lifted), tuple(values))


@given(TYPED_VALUES)
def test_any_result_comes_back_to_a_guest_and_from_one(typed):
    wit, value = typed
    function = Function((), wit)
    imported, exported = ImportSignature(function), ExportSignature(function)
    memory = Memory()
    place = (memory.allocate(layout(wit)[1], layout(wit)[0]),)
    given_place = place if imported.is_given_place else ()
    cores = imported.lower_result(memory, value, given_place)
    check_cores(cores, imported.core_results)
    returned = place if exported.result_in_memory else cores
    assert same(exported.lift_result(memory, returned), value)


def check_cores(cores, kinds):
    """See that core values can be written as what a core function takes."""
    assert len(cores) == len(kinds)
    for core, kind in zip(cores, kinds, strict=True):
        struct.pack({"i32": "I", "i64": "Q", "f32": "f", "f64": "d"}[kind], core)


# -- layouts, from the examples of the specification


@pytest.mark.parametrize(
    ("wit", "size", "alignment"),
    [
        (record(a=Number.U8, b=Number.U32, c=Number.U8), 12, 4),
        (Tuple((Number.U8, Number.U64)), 16, 8),
        (Flags(tuple("abcdefghi")), 2, 2),
        (Flags(tuple(f"f{n}" for n in range(17))), 4, 4),
        (Option(Number.U8), 2, 1),
        (Option(Number.U64), 16, 8),
        (Result(None, None), 1, 1),
        (variant(a=Number.U8, b=STRING), 12, 4),
        (Enum(tuple(f"c{n}" for n in range(257))), 2, 2),
    ],
)
def test_sizes_and_alignments(wit, size, alignment):
    assert layout(wit) == (size, alignment)


@pytest.mark.parametrize(
    ("wit", "cores"),
    [
        (variant(a=Number.U32, b=Float.F32), ("i32", "i32")),
        (variant(a=Number.U64, b=Float.F32), ("i32", "i64")),
        (variant(a=Float.F64, b=Float.F64), ("i32", "f64")),
        (variant(a=STRING, b=Float.F64), ("i32", "i64", "i32")),
        (Option(Result(STRING, None)), ("i32", "i32", "i32", "i32")),
        (Flags(tuple("abc")), ("i32",)),
    ],
)
def test_flat_types(wit, cores):
    assert flat(wit) == cores


@given(types())
def test_a_payload_lies_behind_its_discriminant_and_inside(wit):
    size, alignment = layout(wit)
    assert size % alignment == 0
    wrapped = Option(wit)
    assert payload_offset(wrapped) == alignment
    assert layout(wrapped)[0] >= payload_offset(wrapped) + size


# -- values that do not fit

NUMBERS = [n for n in Number if n is not Number.BOOL]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_out_of_range_are_refused_wherever_they_stand(number):
    name, _, low, high = number.value
    for value in (low - 1, high + 1, True, 1.0, "1", None):
        for wit, wrapped, path in (
            (number, value, "p"),
            (List(number), [low, value], r"p\[1\]"),
            (record(x=number), (value,), "p.x"),
            (Option(record(x=Option(number))), (value,), "p.x"),
        ):
            if value is None and isinstance(wit, Option):
                continue
            if wit == BYTES:  # a list of u8 is taken whole
                continue
            refused(wit, wrapped, f"is not a valid {name} @ {path}")


def refused(wit, value, text):
    """See that a value is refused both flat and in memory."""
    many = tuple((f"q{number}", Number.U8) for number in range(20))
    for more in ((), many):
        signature = ExportSignature(Function((("p", wit), *more), None))
        with pytest.raises(ValueUnfit, match=text):
            signature.lower_parameters(Memory(), [value, *(0 for _ in more)])
    imported = ImportSignature(Function((), wit))
    cores = (8,) if imported.is_given_place else ()
    memory = Memory()
    memory.allocate(8, layout(wit)[0])
    with pytest.raises(ValueUnfit, match=text.replace("@ p", "@ result")):
        imported.lower_result(memory, value, cores)


class Unhashable(str):
    __slots__ = ()
    __hash__ = None


class EqualToAll:
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 7


@pytest.mark.parametrize(
    ("wit", "value", "text"),
    [
        (Number.BOOL, 1, "is not a valid bool @ p"),
        (Float.F64, "1", "is not a valid float @ p"),
        (Float.F32, 10**400, "is not a valid float @ p"),
        (CHAR, "ab", "is not a valid char @ p"),
        (CHAR, "", "is not a valid char @ p"),
        (CHAR, "\ud800", "is not a valid char @ p"),
        (STRING, b"x", "is not a valid str @ p"),
        (STRING, "\udfff", "lone surrogates @ p"),
        (BYTES, [1], "is not a valid bytes @ p"),
        (List(STRING), "abc", "is not a valid list @ p"),
        (List(STRING), {"a"}, "is not a valid list @ p"),
        (List(STRING), ["a", 1], r"is not a valid str @ p\[1\]"),
        (List(record(a=CHAR)), [("a",), ("ab",)], r"is not a valid char @ p\[1\].a"),
        (record(a=CHAR, b=CHAR), ["a", "b"], "is not a valid tuple of 2 @ p"),
        (record(a=CHAR, b=CHAR), ("a",), "is not a valid tuple of 2 @ p"),
        (Enum(("a", "b")), "c", r"is not a valid a \| b @ p"),
        (Enum(("a", "b")), ["a"], r"is not a valid a \| b @ p"),
        (Flags(("a", "b")), ["a"], "is not a valid set @ p"),
        (Flags(("a", "b")), {"a", "c"}, r"is not a valid a \| b @ p"),
        (variant(a=CHAR, b=None), "a", r"is not a valid a \| b @ p"),
        (variant(a=CHAR, b=None), Case("c"), r"is not a valid a \| b @ p"),
        (variant(a=CHAR, b=None), Case([]), r"is not a valid a \| b @ p"),
        (variant(a=CHAR, b=None), Case(Unhashable("b")), r"is not a valid a \| b @ p"),
        (Enum(("a", "b")), Unhashable("a"), r"is not a valid a \| b @ p"),
        (Flags(("a", "b")), {EqualToAll()}, r"is not a valid a \| b @ p"),
        (variant(a=CHAR, b=None), Case("a", "ab"), "is not a valid char @ p.a"),
        (variant(a=CHAR, b=None), Case("b", 1), "is not a valid None @ p.b"),
        (Result(CHAR, None), "a", r"is not a valid Ok \| Err @ p"),
        (Result(CHAR, None), Ok("ab"), "is not a valid char @ p.ok"),
        (Result(CHAR, None), Err("a"), "is not a valid None @ p.err"),
        (Option(Option(CHAR)), "a", r"is not a valid None \| Some @ p"),
        (Option(Option(CHAR)), Some("ab"), "is not a valid char @ p"),
        (Own("file"), None, "is not a valid file @ p"),
        (Borrow("file"), None, "is not a valid file @ p"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_path(wit, value, text):
    refused(wit, value, text)


@FEW
@given(st.data())
def test_what_is_refused_in_memory_is_refused_by_the_check_and_flat(data):
    """Values of another type fit in all three ways, or in none."""
    wit, other = data.draw(types()), data.draw(types())
    value = data.draw(values_of(other))
    ends = []
    for more in ((), tuple((f"q{n}", Number.U8) for n in range(20))):
        signature = ExportSignature(Function((("p", wit), *more), None))
        try:
            signature.lower_parameters(Memory(), [value, *(0 for _ in more)])
        except ValueUnfit as error:
            ends.append(str(error))
        else:
            ends.append("fits")
    assert ends[0] == ends[1]


def test_a_wrong_number_of_values_is_refused():
    signature = ExportSignature(function(a=CHAR))
    for values in ((), ("a", "b")):
        with pytest.raises(ValueUnfit, match="values for 1 parameters"):
            signature.lower_parameters(Memory(), values)


def test_floats_too_large_for_f32_are_infinite():
    assert there_and_back(Float.F32, 1e300) == math.inf
    assert there_and_back(List(Float.F32), [-1e300, 1]) == (-math.inf, 1.0)


# -- what a guest gets wrong


def broken(rule, wit, image, *, encoding=Encoding.UTF8, at=8):
    memory = Memory(encoding)
    memory.view[8 : 8 + len(image)] = image
    with pytest.raises(RuleBroken) as caught:
        loader(wit)(memory, memory.area(at, *layout(wit)))
    assert caught.value.rule is rule


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("count", [57, 64, 2**27, 2**28 - 1])
def test_strings_and_lists_out_of_bounds(encoding, count):
    image = struct.pack("<II", 8, count)
    expected = Rule.POINTER_IN_BOUNDS
    if encoding is Encoding.UTF16 and count >= 2**27:
        expected = Rule.LIST_NOT_TOO_LONG
    broken(expected, STRING, image, encoding=encoding)
    for element in (Number.U8, Number.S8, Number.BOOL, record(a=Number.U8)):
        broken(Rule.POINTER_IN_BOUNDS, List(element), image)


@pytest.mark.parametrize("count", [2**28, 2**31, 2**32 - 1])
def test_lists_that_are_too_long(count):
    image = struct.pack("<II", 0, count)
    broken(Rule.LIST_NOT_TOO_LONG, STRING, image)
    for element in (Number.U8, Number.U64, STRING):
        broken(Rule.LIST_NOT_TOO_LONG, List(element), image)


@pytest.mark.parametrize("pointer", [2**32 - 1, 2**31, 65, 64])
def test_pointers_out_of_bounds(pointer):
    image = struct.pack("<II", pointer, 1)
    for wit in (STRING, BYTES, List(Number.S8), List(Number.BOOL)):
        broken(Rule.POINTER_IN_BOUNDS, wit, image)
    with pytest.raises(RuleBroken):
        Memory().area(pointer & ~7, 8, 8)


@pytest.mark.parametrize(
    "element", [Number.U16, Number.S32, Number.U64, Float.F32, STRING, CHAR]
)
def test_pointers_that_are_not_aligned(element):
    broken(Rule.POINTER_ALIGNED, List(element), struct.pack("<II", 9, 1))
    with pytest.raises(RuleBroken):
        Memory().area(9, *layout(element))


@pytest.mark.parametrize("encoding", [Encoding.UTF16, Encoding.LATIN1_OR_UTF16])
def test_strings_of_two_byte_encodings_are_aligned(encoding):
    image = struct.pack("<II", 9, 1)
    broken(Rule.POINTER_ALIGNED, STRING, image, encoding=encoding)


@pytest.mark.parametrize(
    ("encoding", "text", "units"),
    [
        (Encoding.UTF8, b"\xff", 1),
        (Encoding.UTF8, b"\xc0\x80", 2),
        (Encoding.UTF8, b"\xed\xa0\x80", 3),
        (Encoding.UTF8, b"\xf4\x90\x80\x80", 4),
        (Encoding.UTF8, b"\xe2\x82", 2),
        (Encoding.UTF16, b"\x00\xd8", 1),
        (Encoding.UTF16, b"\x00\xdcx\0", 2),
        (Encoding.LATIN1_OR_UTF16, b"\x00\xd8", 1 | 2**31),
    ],
)
def test_strings_that_are_not_well_formed(encoding, text, units):
    image = struct.pack("<II", 16, units) + text
    broken(Rule.STRING_WELL_FORMED, STRING, image, encoding=encoding)


@pytest.mark.parametrize("code", [0xD800, 0xDFFF, 0x110000, 2**32 - 1])
def test_characters_that_are_none(code):
    broken(Rule.CHAR_VALID, CHAR, struct.pack("<I", code))
    [lowered] = ExportSignature(function(a=CHAR)).lower_parameters(Memory(), "a")
    assert lowered == ord("a")
    with pytest.raises(RuleBroken):
        ImportSignature(function(a=CHAR)).lift_parameters(Memory(), (code,))


MANY_CASES = Variant(tuple((f"c{n}", Number.U8) for n in range(60)))


@pytest.mark.parametrize(
    ("wit", "number"),
    [
        (Enum(("a", "b")), 2),
        (Option(CHAR), 2),
        (Result(None, CHAR), 255),
        (variant(a=CHAR, b=None), 2),
        (MANY_CASES, 60),
    ],
)
def test_discriminants_that_name_no_case(wit, number):
    broken(Rule.CASE_KNOWN, wit, bytes([number]))
    signature = ImportSignature(Function((("a", wit),), None))
    cores = [number, *(0 for _ in signature.core_parameters[1:])]
    with pytest.raises(RuleBroken):
        signature.lift_parameters(Memory(), tuple(cores))


def test_unknown_flags_are_cut_off_and_any_number_but_zero_is_true():
    memory = Memory()
    memory.view[8:10] = b"\xff\x02"
    assert loader(Flags(("a", "b")))(memory, 8) == {"a", "b"}
    assert loader(Number.BOOL)(memory, 9) is True
    flags = ImportSignature(function(a=Flags(("a", "b")), b=Number.BOOL))
    assert flags.lift_parameters(memory, (0xFFFFFFF4, 0x80000000)) == (set(), True)


def test_flat_numbers_are_cut_to_their_size():
    kinds = {"a": Number.U8, "b": Number.S8, "c": Number.S32, "d": Number.S64}
    lift = ImportSignature(function(**kinds)).lift_parameters
    cores = (0x1FF, 0xFFFFFF80, 0xFFFFFFFF, 2**64 - 1)
    assert lift(Memory(), cores) == (255, -128, -1, -1)


def test_what_a_value_costs_is_bounded():
    memory = Memory(left=10)
    at, count = memory.put_bytes(b"x" * 10)
    assert memory.byte_list(at, count) == b"x" * 10
    with pytest.raises(TooMuch):
        memory.byte_list(at, 1)
    with pytest.raises(TooMuch):
        memory.elements(8, 4, 1, 1, 32)


def test_a_list_that_is_too_long_for_a_guest_is_not_the_fault_of_the_guest():
    with pytest.raises(OverflowError):
        Memory().room(2**26, 4, 4)


# -- the shape


@pytest.mark.parametrize("rule", Rule)
def test_each_rule_is_tripped_by_a_test(rule):
    texts = [path.read_text("utf-8") for path in Path(__file__).parent.glob("*.py")]
    elsewhere = {Rule.REALLOC_ALIGNED, Rule.REALLOC_IN_BOUNDS}  # of the runtime
    assert rule in elsewhere or any(f"Rule.{rule.name}" in text for text in texts)


def test_nothing_here_touches_an_address():
    folder = Path(__file__).resolve().parents[2] / "airssys" / "wasm" / "abi"
    for path in folder.glob("*.py"):
        imported = re.findall(
            r"^\s*(?:import|from) (\w+)", path.read_text(), re.MULTILINE
        )
        assert "ctypes" not in imported, path.name


@FEW
@given(TEXTS, st.sampled_from(Encoding))
def test_strings_are_as_long_as_their_code_units(text, encoding):
    memory = Memory(encoding)
    at, units = memory.put_string(text)
    assert memory.string(at, units) == text


def test_deep_types_nest_no_deeper_than_python_can():
    wit, value = Number.U8, 7
    for number in range(60):
        wit = Record((("x", wit),)) if number % 2 else Option(wit)
        value = (value,) if number % 2 else value
    assert there_and_back(wit, value) == value
    signature = Function((("p", wit),), None)
    memory = Memory()
    cores = ExportSignature(signature).lower_parameters(memory, [value])
    assert ImportSignature(signature).lift_parameters(memory, cores) == (value,)


def test_deep_flat_types_come_back_too():
    wit, value = Number.U8, 7
    for number in range(40):
        is_row = number % 4
        wit = Record((("x", wit),)) if is_row else Result(wit, None)
        value = (value,) if is_row else Ok(value)
    signature = Function((("p", wit),), None)
    cores = ExportSignature(signature).lower_parameters(Memory(), [value])
    assert len(cores) == 11
    assert ImportSignature(signature).lift_parameters(Memory(), cores) == (value,)
