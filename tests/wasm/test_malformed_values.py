"""What a guest may not say: each is a trap that names a bad value, never a crash."""

import pytest

from airssys.contracts import Artifact, GuestTrapped, TrapReason
from airssys.wasm.host import interfaces_of
from airssys.wasm.loading._any_instance import load_any

PAGE = 65536
LAST = 2**32 - 1


def returning(wit, result, data="", types="", options=""):
    """Write a component whose `get` returns what the core code leaves behind."""
    return f"""(component
      {types}
      (core module $m
        (memory (export "mem") 1)
        {data}
        (func (export "get") (result i32) {result}))
      (core instance $i (instantiate $m))
      (func (export "get") (result {wit})
        (canon lift (core func $i "get") (memory (core memory $i "mem")) {options})))"""


def passing(wit, params, arguments, data="", types=""):
    """Write a component whose `get` passes to the host what the core code says."""
    return f"""(component
      (import "host" (instance $h {types}
        (export "put" (func (param "it" {wit})))))
      (core module $libc (memory (export "mem") 1) {data})
      (core instance $c (instantiate $libc))
      (core func $put (canon lower (func $h "put")
        (memory (core memory $c "mem"))))
      (core module $m
        (import "h" "put" (func $put (param {params})))
        (func (export "get") (call $put {arguments})))
      (core instance $i (instantiate $m (with "h" (instance
        (export "put" (func $put))))))
      (func (export "get") (canon lift (core func $i "get"))))"""


def const(*numbers):
    return " ".join(f"(i32.const {number})" for number in numbers)


def words(*numbers, at=8):
    """Data of little-endian words at an address."""
    code = "".join(f"\\{byte:02x}" for n in numbers for byte in n.to_bytes(4, "little"))
    return f'(data (i32.const {at}) "{code}")'


ENUM = '(type $is (enum "a" "b")) (export "t" (type $t (eq $is)))'
VARIANT = (
    '(type $is (variant (case "a") (case "b" u32))) (export "t" (type $t (eq $is)))'
)
EXPORTED_ENUM = '(type $is (enum "a" "b")) (export $t "t" (type $is))'

MALFORMED = {
    "char that is a surrogate": returning("char", const(0xD800)),
    "char beyond the last": returning("char", const(0x110000)),
    "char in a list": returning("(list char)", const(8), words(16, 2, 65, 0xDFFF)),
    "enum": returning("$t", const(2), types=EXPORTED_ENUM),
    "option": returning("(option u32)", const(8), words(2, 0)),
    "result": returning("(result u32 (error u32))", const(8), words(7, 0)),
    "option in a list": returning(
        "(list (option u8))", const(8), words(16, 2, 0x020001)
    ),
    "string outside": returning("string", const(8), words(PAGE - 1, 2)),
    "string far outside": returning("string", const(8), words(LAST, LAST)),
    "string that is not UTF-8": returning("string", const(8), words(16, 1, 0xFF)),
    "string cut off": returning("string", const(8), words(16, 2, 0x82E2)),
    "string with an unpaired surrogate": returning(
        "string", const(8), words(16, 1, 0xD800), options="string-encoding=utf16"
    ),
    "string at an odd address": returning(
        "string", const(8), words(17, 1, 0), options="string-encoding=utf16"
    ),
    "string outside, in latin1+utf16": returning(
        "string",
        const(8),
        words(16, 2**31 + PAGE),
        options="string-encoding=latin1+utf16",
    ),
    "list outside": returning("(list u8)", const(8), words(PAGE - 1, 2)),
    "list far outside": returning("(list u64)", const(8), words(0, LAST)),
    "list whose size overflows": returning("(list u64)", const(8), words(8, 2**29 + 1)),
    "list at an odd address": returning("(list u32)", const(8), words(17, 1)),
    "list in a list outside": returning(
        "(list (list u8))", const(8), words(16, 1, PAGE, 1)
    ),
    "result pointer outside": returning("string", const(PAGE - 4)),
    "result pointer at an odd address": returning("string", const(9)),
    "passed char": passing("char", "i32", const(0xDFFF)),
    "passed enum": passing("$t", "i32", const(LAST), types=ENUM),
    "passed variant": passing("$t", "i32 i32", const(2, 0), types=VARIANT),
    "passed option": passing("(option u8)", "i32 i32", const(3, 0)),
    "passed string outside": passing("string", "i32 i32", const(PAGE, 1)),
    "passed string that is not UTF-8": passing(
        "string", "i32 i32", const(8, 1), words(0x80)
    ),
    "passed list outside": passing("(list f64)", "i32 i32", const(PAGE - 8, 2)),
    "passed list at an odd address": passing("(list u16)", "i32 i32", const(9, 1)),
    "passed record outside": passing(f"(tuple{' string' * 9})", "i32", const(PAGE - 8)),
}


@pytest.fixture
def run_text(guests):
    """Runs `get` of a component given as text; notes what it passes to the host."""
    instances = []

    async def run(wat, *passed):
        def put(value):
            passed[0].append(value)

        host = interfaces_of({"host#put": put})
        artifact = Artifact.from_text(wat)
        component = await load_any(guests.loader, artifact, host)
        instances.append(await component.instantiate())
        return await instances[-1].call("get")

    yield run
    for instance in instances:
        instance.close()


@pytest.mark.parametrize("what", MALFORMED)
async def test_a_malformed_value_is_a_trap(run_text, what):
    passed = []
    with pytest.raises(GuestTrapped) as caught:
        await run_text(MALFORMED[what], passed)
    assert caught.value.reason is TrapReason.BAD_VALUE, caught.value.text
    assert caught.value.phase == "get"
    assert not passed


@pytest.mark.parametrize(
    ("wit", "given", "value"),
    [
        *(("bool", given, bool(given)) for given in (0, 1, 2, LAST)),
        *(("u8", given, given % 2**8) for given in (127, 255, 256, LAST)),
        *(("u16", given, given % 2**16) for given in (32767, 65535, 65536, LAST)),
        *(("u32", given, given) for given in (0, 2**31, LAST)),
        ("s8", 127, 127),
        ("s8", 128, -128),
        ("s8", 255, -1),
        ("s8", 256, 0),
        ("s8", LAST, -1),
        ("s16", 32767, 32767),
        ("s16", 32768, -32768),
        ("s16", 65536, 0),
        ("s16", LAST, -1),
        ("s32", 2**31, -(2**31)),
        ("s32", LAST, -1),
        ("char", 0, "\0"),
        ("char", 0xD7FF, "\ud7ff"),
        ("char", 0xE000, "\ue000"),
        ("char", 0x10FFFF, "\U0010ffff"),
    ],
)
async def test_a_word_is_cut_to_the_size_of_its_type(run_text, wit, given, value):
    found = await run_text(returning(wit, const(given)))
    assert (found, type(found)) == (value, type(value))


async def test_an_empty_list_may_lie_anywhere_inside(run_text):
    for wit in ("(list u32)", "(list char)", "(list string)", "(list bool)"):
        assert await run_text(returning(wit, const(8), words(PAGE, 0))) == ()


async def test_strings_of_every_encoding_are_read(run_text):
    for encoding, data, text in [
        ("utf8", words(16, 2, 0xBCC3), "ü"),
        ("utf16", words(16, 2, 0xDE00D83D), "\U0001f600"),
        ("latin1+utf16", words(16, 1, 0xFC), "ü"),
        ("latin1+utf16", words(16, 2**31 + 1, 0x20AC), "€"),
    ]:
        options = f"string-encoding={encoding}"
        wat = returning("string", const(8), data, options=options)
        assert await run_text(wat) == text
