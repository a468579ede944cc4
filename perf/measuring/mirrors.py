"""Guests that give back what they are given, values of many types.

In each of these types every flat parameter is an i32 that lies in memory as four bytes
in the same order. So the guest stores its parameters and returns where they are, which
is as little as a guest can do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

import attrs

from airssys.contracts import Artifact
from airssys.wasm import Case, load_any

if TYPE_CHECKING:
    from airssys.wasm import AnyInstance, Loader

_TYPES: Final = """
  (type $id-is (record (field "space" string) (field "name" string)
    (field "instance" string)))
  (export $id "id" (type $id-is))
  (type $point-is (record (field "x" u32) (field "y" u32)))
  (export $point "point" (type $point-is))
  (type $box-is (record (field "from" $point) (field "to" $point)
    (field "label" string) (field "owner" $id)))
  (export $box "box" (type $box-is))
  (type $shape-is (variant (case "dot" $point) (case "text" string) (case "none")))
  (export $shape "shape" (type $shape-is))
"""
_REALLOC: Final = """
    (memory (export "mem") 2)
    (global $top (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7))
        (i32.const -8)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (loop $again
        (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
          (then (drop (memory.grow (i32.const 16))) (br $again))))
      (local.get $at))
    (func (export "reset") (param i32) (global.set $top (i32.const 65536)))
"""


@final
@attrs.frozen
class Mirrored:
    """A type, and a value of it as it comes back."""

    name: str
    text: str
    """In WAT."""
    words: int
    """How many parameters it is passed as."""
    value: Any = attrs.field(repr=False)


def _box(number: int) -> tuple[Any, ...]:
    owner = ("acme", f"owner-{number}", "7")
    return ((number, 2), (3, 4), f"box number {number}", owner)


_SHAPES: Final = (Case("dot", (1, 2)), Case("text", "some words"), Case("none"))

MIRRORED: Final = (
    Mirrored("u32", "u32", 1, 7),
    Mirrored("string of 64 bytes", "string", 2, "x" * 64),
    Mirrored("record of strings", "$id", 6, ("acme", "teller", "3")),
    Mirrored("nested records", "$box", 12, _box(1)),
    Mirrored("variant", "$shape", 3, Case("dot", (1, 2))),
    Mirrored("option<string>", "(option string)", 3, "some words"),
    Mirrored("list<u8>, 64 B", "(list u8)", 2, bytes(64)),
    Mirrored("list<u8>, 64 KiB", "(list u8)", 2, bytes(65536)),
    Mirrored("list<u32>, 1,000", "(list u32)", 2, tuple(range(1000))),
    Mirrored("list<f64>, 1,000", "(list f64)", 2, tuple(map(float, range(1000)))),
    Mirrored("list<string>, 1,000", "(list string)", 2, ("a few words",) * 1000),
    Mirrored("list<record>, 1,000", "(list $id)", 2, (("a", "teller", "3"),) * 1000),
    Mirrored("list<nested>, 1,000", "(list $box)", 2, tuple(map(_box, range(1000)))),
    Mirrored("list<variant>, 999", "(list $shape)", 2, _SHAPES * 333),
    Mirrored("list<option>, 1,000", "(list (option u32))", 2, (1, None) * 500),
    Mirrored("list<list>, 1,000", "(list (list u32))", 2, ((1, 2, 3, 4),) * 1000),
    Mirrored("list<tuple>, 1,000", "(list (tuple u32 f64))", 2, ((1, 0.5),) * 1000),
)


def mirror_text() -> str:
    """Write a component with `mirror-N` for each of `MIRRORED`."""
    functions, lifted = [], []
    for number, each in enumerate(MIRRORED):
        params = " ".join(["i32"] * each.words)
        stores = " ".join(
            f"(i32.store offset={4 * n} (i32.const 1024) (local.get {n}))"
            for n in range(each.words)
        )
        found = "(local.get 0)" if each.words == 1 else f"{stores} (i32.const 1024)"
        head = f'(func (export "m{number}") (param {params}) (result i32)'
        functions.append(f"{head} {found})")
        lifted.append(
            f'(func (export "mirror-{number}") (param "x" {each.text})'
            f' (result {each.text}) (canon lift (core func $i "m{number}")'
            ' (memory (core memory $i "mem")) (realloc (core func $i "realloc"))'
            ' (post-return (core func $i "reset"))))'
        )
    core = "\n".join(functions)
    return (
        f"(component {_TYPES} (core module $m {_REALLOC} {core})"
        f" (core instance $i (instantiate $m)) {' '.join(lifted)})"
    )


async def open_mirror(loader: Loader) -> AnyInstance:
    """Instantiate the component of `mirror_text`."""
    artifact = Artifact.from_text(mirror_text())
    return await (await load_any(loader, artifact)).instantiate()
