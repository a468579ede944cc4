"""Components that carry values of any type: host to guest, to the host, and back.

The component imports `echo-N: func(x: T) -> T` from the host and exports `run-N` of the
same type. Between the two lies a core function that passes on what it is given: the
flat parameters of a lowered import and of a lifted export are the same, and the result
goes through memory that it hands over. So only flattening is needed to write one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airssys.wasm.values._types import (
    Borrow,
    Char,
    Enum,
    Flags,
    Float,
    List,
    Number,
    Option,
    Own,
    Record,
    Result,
    String,
    Tuple,
    Variant,
    WitType,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = "test:echo/host"

_LIBC = """
  (core module $libc
    (memory (export "mem") 2)
    (global $top (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32) (local $end i32)
      (local.set $at (i32.and
        (i32.add (global.get $top) (i32.sub (local.get 2) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get 2))))
      (local.set $end (i32.add (local.get $at) (local.get 3)))
      (if (i32.gt_u (local.get $end) (i32.mul (memory.size) (i32.const 65536)))
        (then (if (i32.eq (i32.const -1) (memory.grow
          (i32.div_u (i32.add (local.get 3) (i32.const 65536)) (i32.const 65536))))
          (then unreachable))))
      (global.set $top (local.get $end))
      (memory.copy (local.get $at) (local.get 0) (select (local.get 1)
        (local.get 3) (i32.lt_u (local.get 1) (local.get 3))))
      (local.get $at))
    (func (export "reset") (param i32) (global.set $top (i32.const 65536))))
  (core instance $c (instantiate $libc))
"""


def flatten(wit: WitType | None) -> list[str]:  # noqa: C901  # one match over a closed union
    """The core types that a value is passed as."""
    match wit:
        case None:
            return []
        case Number.U64 | Number.S64:
            return ["i64"]
        case Float():
            return [wit.value[0]]
        case Number() | Char() | Enum() | Flags() | Own() | Borrow():
            return ["i32"]
        case String() | List():
            return ["i32", "i32"]
        case Record(fields):
            return [flat for _, field in fields for flat in flatten(field)]
        case Tuple(elements):
            return [flat for element in elements for flat in flatten(element)]
        case Option(some):
            return _flatten_cases([None, some])
        case Result(ok, err):
            return _flatten_cases([ok, err])
        case Variant(cases):
            return _flatten_cases([payload for _, payload in cases])


def _flatten_cases(payloads: Sequence[WitType | None]) -> list[str]:
    joined: list[str] = []
    for payload in payloads:
        for index, flat in enumerate(flatten(payload)):
            if index == len(joined):
                joined.append(flat)
            elif joined[index] != flat:
                both = {joined[index], flat}
                joined[index] = "i32" if both == {"i32", "f32"} else "i64"
    return ["i32", *joined]


class _Names:
    """Names types in WAT; what must have a name is defined first."""

    def __init__(self) -> None:
        self.definitions: list[str] = []
        self.names: dict[WitType, str] = {}
        self.resources: dict[str, str] = {}

    def text(self, wit: WitType) -> str:
        match wit:
            case Number() | Float():
                return str(wit.value[0])
            case Char() | String():
                return type(wit).__name__.lower()
            case List(element):
                return f"(list {self.text(element)})"
            case Tuple(elements):
                return f"(tuple {' '.join(map(self.text, elements))})"
            case Option(some):
                return f"(option {self.text(some)})"
            case Result(ok, err):
                good = f" {self.text(ok)}" if ok else ""
                bad = f" (error {self.text(err)})" if err else ""
                return f"(result{good}{bad})"
            case Own(name) | Borrow(name):
                return f"({type(wit).__name__.lower()} ${self.resource(name)})"
            case _:
                return self._named(wit)

    def resource(self, name: str) -> str:
        if name not in self.resources:
            self.resources[name] = own = name.rpartition("#")[2]
            self.definitions.append(f'(export "{own}" (type ${own} (sub resource)))')
        return self.resources[name]

    def _named(self, wit: Record | Variant | Enum | Flags) -> str:
        if wit not in self.names:
            definition = self._definition(wit)
            name = self.names[wit] = f"t{len(self.names)}"
            self.definitions += [
                f"(type ${name}-is {definition})",
                f'(export "{name}" (type ${name} (eq ${name}-is)))',
            ]
        return f"${self.names[wit]}"

    def _definition(self, wit: Record | Variant | Enum | Flags) -> str:
        match wit:
            case Record(fields):
                parts = [f'(field "{n}" {self.text(field)})' for n, field in fields]
                return f"(record {' '.join(parts)})"
            case Variant(cases):
                parts = [
                    f'(case "{name}"{f" {self.text(t)}" if t else ""})'
                    for name, t in cases
                ]
                return f"(variant {' '.join(parts)})"
            case Enum(names) | Flags(names):
                quoted = " ".join(f'"{name}"' for name in names)
                return f"({type(wit).__name__.lower()} {quoted})"


def echo_component(*wits: WitType, encoding: str = "utf8") -> str:
    """Write a component with `echo-N` and `run-N` for each type.

    Its strings are in `encoding`: utf8, utf16 or latin1+utf16.
    """
    names = _Names()
    texts = [names.text(wit) for wit in wits]
    aliases = [
        f'(alias export $h "{name}" (type ${name}))'
        for name in [*names.names.values(), *names.resources.values()]
    ]
    imports = [
        f'(export "echo-{n}" (func (param "x" {text}) (result {text})))'
        for n, text in enumerate(texts)
    ]
    lowered = [
        f'(core func $echo{n} (canon lower (func $h "echo-{n}")'
        ' (memory (core memory $c "mem")) (realloc (core func $c "realloc"))'
        " string-encoding=ENCODING))"
        for n in range(len(wits))
    ]
    exports = [
        f'(func (export "run-{n}") (param "x" {text}) (result {text})'
        f' (canon lift (core func $m "run-{n}") (memory (core memory $c "mem"))'
        ' (realloc (core func $c "realloc")) string-encoding=ENCODING (post-return (core func $c "reset"))))'
        if _spills(wit)
        else f'(func (export "run-{n}") (param "x" {text}) (result {text})'
        f' (canon lift (core func $m "run-{n}") (memory (core memory $c "mem"))'
        ' (realloc (core func $c "realloc")) string-encoding=ENCODING))'
        for n, (wit, text) in enumerate(zip(wits, texts, strict=True))
    ]
    functions = "".join(
        f'\n      (export "echo-{n}" (func $echo{n}))' for n in range(len(wits))
    )
    newline = "\n  "
    text = f"""(component
  (import "{HOST}" (instance $h
    {newline.join([*names.definitions, *imports])}))
  {newline.join(aliases)}
{_LIBC}
  {newline.join(lowered)}
  (core module $main
    {newline.join(_core_import(n, wit) for n, wit in enumerate(wits))}
    {newline.join(_core_run(n, wit) for n, wit in enumerate(wits))})
  (core instance $m (instantiate $main (with "h" (instance {functions}))))
  {newline.join(exports)})
"""
    return text.replace("ENCODING", encoding)


def stray_component(wit: WitType, words: Sequence[int]) -> str:
    """Write a component that says nonsense: words of memory, read as a value.

    `get` returns it, `put` passes it to the host's function of the same name.
    """
    names = _Names()
    text = names.text(wit)
    aliases = " ".join(
        f'(alias export $h "{name}" (type ${name}))' for name in names.names.values()
    )
    data = "".join(
        f"\\{byte:02x}"
        for word in words
        for byte in (word % 2**32).to_bytes(4, "little")
    )
    flat = flatten(wit)
    params = _params(wit)
    result = "i32" if _spills(wit) else flat[0]
    loads = " ".join(
        f"({core}.load (i32.const {1024 + 8 * n}))" for n, core in enumerate(params)
    )
    passed = loads if len(flat) <= 16 else "(i32.const 1024)"
    returned = "(i32.const 1024)" if _spills(wit) else loads
    return f"""(component
  (import "{HOST}" (instance $h {" ".join(names.definitions)}
    (export "put" (func (param "x" {text})))))
  {aliases}
  (core module $libc (memory (export "mem") 1) (data (i32.const 1024) "{data}"))
  (core instance $c (instantiate $libc))
  (core func $put (canon lower (func $h "put") (memory (core memory $c "mem"))))
  (core module $main
    (import "c" "mem" (memory 1))
    (import "h" "put" (func $put (param {" ".join(params)})))
    (func (export "put") (call $put {passed}))
    (func (export "get") (result {result}) {returned}))
  (core instance $m (instantiate $main (with "c" (instance $c))
    (with "h" (instance (export "put" (func $put))))))
  (func (export "put") (canon lift (core func $m "put")))
  (func (export "get") (result {text})
    (canon lift (core func $m "get") (memory (core memory $c "mem")))))
"""


def _spills(wit: WitType) -> bool:
    """Whether a result is more than one core value and goes through memory."""
    return len(flatten(wit)) > 1


def _params(wit: WitType) -> list[str]:
    flat = flatten(wit)
    return flat if len(flat) <= 16 else ["i32"]


def _core_import(number: int, wit: WitType) -> str:
    params = [*_params(wit), *(["i32"] if _spills(wit) else [])]
    result = "" if _spills(wit) else f"(result {flatten(wit)[0]})"
    return (
        f'(import "h" "echo-{number}" (func $e{number}'
        f" (param {' '.join(params)}) {result}))"
    )


def _core_run(number: int, wit: WitType) -> str:
    params = _params(wit)
    passed = " ".join(f"(local.get {index})" for index in range(len(params)))
    head = f'(func (export "run-{number}") (param {" ".join(params)})'
    if _spills(wit):
        call = f"(call $e{number} {passed} (i32.const 1024)) (i32.const 1024)"
        return f"{head} (result i32) {call})"
    return f"{head} (result {flatten(wit)[0]}) (call $e{number} {passed}))"
