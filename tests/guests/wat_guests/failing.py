"""Guests that break: one pair for each way to trap, one for each broken promise of the ABI.

The first byte of config-data says when a guest breaks:

| byte | when                                                                    |
|------|-------------------------------------------------------------------------|
| i    | in initialize                                                           |
| m    | in handle-message; also without config-data                             |
| n    | nested in a host call that handle-message makes                         |
| a    | in realloc, while the host passes the arguments of the next call        |
| p    | in the post-return of handle-message                                    |
| c    | in handle-callback                                                      |
| d    | in metadata                                                             |
| h    | in health                                                               |
| s    | in shutdown                                                             |

With any other byte it never does and is an echo. The guests that break the ABI know only
the moments in `BROKEN_PROMISES`; a wrong `realloc` is wrong at n and a.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from wat_guests.component import Guest
from wat_guests.library import HOST_RESULT, RETURN_AREA, TRACE, allocator
from wat_guests.world import LIFECYCLE

_INDIRECT = """\
(table $table 2 2 funcref)
(elem (table $table) (i32.const 0) func $other)
(type $none-to-none (func))
(func $other (param f64))
(func $fail
  (call_indirect $table (type $none-to-none) (i32.const {element})))
"""

WAYS_TO_TRAP: Final[Mapping[str, str]] = {
    "unreachable": "(func $fail unreachable)\n",
    "memory-out-of-bounds": "(func $fail (drop (i32.load (i32.const -4))))\n",
    "table-out-of-bounds": _INDIRECT.format(element=9),
    "null-indirect-call": _INDIRECT.format(element=1),
    "mistyped-indirect-call": _INDIRECT.format(element=0),
    "integer-overflow": "(func $fail\n"
    "  (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))\n",
    "division-by-zero": "(func $fail (drop (i32.div_u (i32.const 1) (i32.const 0))))\n",
    "bad-conversion": "(func $fail (drop (i32.trunc_f32_s (f32.const nan))))\n",
    "stack-exhausted": """\
(func $deeper (param $n i64) (result i64)
  (i64.add (i64.const 1) (call $deeper (i64.add (local.get $n) (i64.const 1)))))
(func $fail (drop (call $deeper (i64.const 0))))
""",
    "endless-loop": "(func $fail (loop $again (br $again)))\n",
}
"""The fields of a core module that define `$fail`."""

FORGED_NAMES: Final = (
    "failed to allocate",
    "mmap failed",
    "Cannot allocate memory (os error 12)",
    "out of memory (failed to allocate 1 bytes)",
    "wasm trap: all fuel consumed by WebAssembly",
    "\\n\\nCaused by:\\n    Cannot allocate memory (os error 12)\\n",
    "\\n\\nCaused by:\\n    wasm trap: all fuel consumed by WebAssembly",
    "memory minimum size of 1 pages exceeds memory limits\\00\\1b[2J",
)
"""Names of functions and modules that say what only wasmtime may say of a failure."""

_FORGED: Final = (
    "".join(
        f'(func $forged-{number} (@name "{name}") (call $forged-{number + 1}))\n'
        for number, name in enumerate(FORGED_NAMES)
    )
    + f"(func $forged-{len(FORGED_NAMES)} unreachable)\n"
)

_IN_REALLOC: Final = 1
_IN_POST_RETURN: Final = 2

_MOMENT: Final = f"""\
(global $moment (mut i32) (i32.const {ord("m")}))

(func $choose (param $has-data i32) (param $data i32) (param $data-size i32)
  (if (i32.and (local.get $has-data) (i32.ne (local.get $data-size) (i32.const 0)))
    (then (global.set $moment (i32.load8_u (local.get $data))))))
"""
_CHOOSE: Final = """\
(call $choose (local.get $has-data) (local.get $data) (local.get $data-size))
"""
_ECHO: Final = LIFECYCLE["handle-message"].body
_FUNCTION_AT: Final = {
    "i": "initialize",
    "m": "handle-message",
    "c": "handle-callback",
    "d": "metadata",
    "h": "health",
    "s": "shutdown",
}


def guests() -> Iterator[Guest]:
    """Yield every guest of this module."""
    for reason, fail in WAYS_TO_TRAP.items():
        yield _trap(reason, fail)
        yield Guest(
            name=f"trap-{reason}-start",
            does=f"fails by {reason} while it is instantiated",
            memory=f"{allocator()}{fail}(start $fail)\n",
        )
    for reason, ends in BROKEN_PROMISES.items():
        yield _broken_promise(reason, ends)
    module_name = f'(@name "{FORGED_NAMES[-2]}")\n'
    yield Guest(
        name="forged-names",
        does="traps in functions whose names say that something else failed",
        fields=_FORGED,
        exports={"handle-message": "(call $forged-0)\nunreachable"},
        memory=module_name + allocator(),
    )
    yield Guest(
        name="forged-names-start",
        does="is like forged-names, while it is instantiated",
        memory=f"{module_name}{allocator()}{_FORGED}(start $forged-0)\n",
    )
    yield _bad_realloc("bad-realloc", "(i32.const -65536)")
    yield _bad_realloc("misaligned-realloc", "(i32.or (global.get $top) (i32.const 1))")


def _at(letter: str, code: str) -> str:
    return (
        f"(if (i32.eq (global.get $moment) (i32.const {ord(letter)})) ;; {letter}\n"
        f"  (then {code.strip()}))\n"
    )


def _trap(reason: str, fail: str) -> Guest:
    exports = {
        function: _at(letter, "(call $fail)")
        for letter, function in _FUNCTION_AT.items()
    }
    exports["initialize"] = (
        _CHOOSE + exports["initialize"] + _at("a", _arm(_IN_REALLOC))
    )
    exports["handle-message"] += _at("n", f"{_arm(_IN_REALLOC)} {_SELF_ID}")
    exports["handle-message"] += _at("p", _arm(_IN_POST_RETURN))
    return Guest(
        name=f"trap-{reason}",
        does=f"fails by {reason}, when the first byte of config-data says",
        fields=_MOMENT,
        exports={name: code + LIFECYCLE[name].body for name, code in exports.items()},
        memory=_armed_memory("(call $fail)", "(call $fail)")
        + f'{fail}(export "fail" (func $fail))\n',
    )


_SELF_ID: Final = f"(call $host-messaging.self-id (i32.const {HOST_RESULT}))"
# A list of records: unlike texts, these must be aligned.
_LIST: Final = f"(call $host-services.list-components (i32.const {HOST_RESULT}))"


def _arm(where: int) -> str:
    return f"(call $arm (i32.const {where}))"


def _armed_memory(in_realloc: str, in_reset: str = "unreachable") -> str:
    """Return an allocator that does this in the place that was last given to `arm`."""
    if_armed = "(if (i32.eq (global.get $armed) (i32.const {})) (then {}))\n  "
    fields = allocator(
        if_armed.format(_IN_REALLOC, in_realloc),
        if_armed.format(_IN_POST_RETURN, in_reset),
    )
    return f"""\
{fields}(global $armed (mut i32) (i32.const 0))
(func (export "arm") (param $where i32) (global.set $armed (local.get $where)))
"""


_LOG = "(call $host-services.log {})\n"
_SEND = (
    '(call $host-messaging.send (call $component-id (text "test/bob/0")) {}\n'
    "  (i32.const {}))\n"
)
_NO_CONTEXT = "(i32.const 0) (i32.const 0) (i32.const 0)"
_FAR_AWAY = "(i32.const 0x7fff0000)"
_OUTSIDE = f"{_FAR_AWAY} (i32.const 16)"
_MISALIGNED = f"(i32.const {RETURN_AREA + 1})"
_NOT_UTF8 = f"(i32.const {TRACE}) (i32.const 2)"
_BAD_RESULT = f"""\
(i32.store8 (i32.const {RETURN_AREA}) (i32.const 7))
(i32.const {RETURN_AREA})
"""

BROKEN_PROMISES: Final[Mapping[str, Mapping[str, str]]] = {
    "bad-pointer": {
        "i": f"(call $initialization-failed {_OUTSIDE})",
        "m": f"(call $some {_OUTSIDE})",
        "n": _SEND.format(_OUTSIDE, HOST_RESULT),
        "c": _FAR_AWAY,
        "d": _FAR_AWAY,
        "s": f"(call $shutdown-failed {_OUTSIDE})",
    },
    "misaligned-pointer": {
        "i": _MISALIGNED,
        "m": _MISALIGNED,
        "n": _SEND.format("(i32.const 0) (i32.const 0)", HOST_RESULT + 1),
        "c": _MISALIGNED,
        "d": _MISALIGNED,
        "s": _MISALIGNED,
    },
    "bad-utf8": {
        "i": f"(call $initialization-failed {_NOT_UTF8})",
        "m": f"(call $runtime-error {_NOT_UTF8})",
        "n": _LOG.format(f"(i32.const 2) {_NOT_UTF8} {_NO_CONTEXT}"),
        "c": f"(call $runtime-error {_NOT_UTF8})",
        "s": f"(call $shutdown-failed {_NOT_UTF8})",
    },
    "bad-discriminant": {
        "i": _BAD_RESULT,
        "m": _BAD_RESULT,
        "n": _LOG.format(f'(i32.const 99) (text "hello") {_NO_CONTEXT}'),
        "c": _BAD_RESULT,
        "h": "(i32.const 99)",
        "s": _BAD_RESULT,
    },
}
"""For each broken promise and moment, the end of the function called at that moment."""


def _broken_promise(reason: str, ends: Mapping[str, str]) -> Guest:
    exports = {
        function: _at(letter, f"(return {ends[letter].strip()})")
        for letter, function in _FUNCTION_AT.items()
        if letter in ends
    }
    exports["initialize"] = _CHOOSE + exports["initialize"]
    exports["handle-message"] += _at("n", ends["n"])
    return Guest(
        name=f"trap-{reason}",
        does=f"passes a {reason} to the host, when the first byte of config-data says",
        fields=_MOMENT + f'(data (i32.const {TRACE}) "\\ff\\fe")\n',
        exports={name: code + LIFECYCLE[name].body for name, code in exports.items()},
    )


def _bad_realloc(reason: str, address: str) -> Guest:
    return Guest(
        name=f"trap-{reason}",
        does=f"its {reason} breaks the ABI, at the moments a and n of config-data",
        fields=_MOMENT,
        exports={
            "initialize": _CHOOSE
            + _at("a", _arm(_IN_REALLOC))
            + LIFECYCLE["initialize"].body,
            "handle-message": _at("n", f"{_arm(_IN_REALLOC)} {_LIST}") + _ECHO,
        },
        memory=_armed_memory(f"(return {address})"),
    )
