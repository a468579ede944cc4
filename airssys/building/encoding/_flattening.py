"""The signature of a function of the world, as a core module sees it.

The canonical ABI passes numbers: a record is its fields one after the other; a variant
is the number of its case, followed by the numbers that its largest cases need. More
than 16 parameters are replaced by one pointer to them in memory. A result of more than
one number is replaced by a pointer, which a lowered function takes as its last
parameter and a lifted function returns.

The source is "Flattening" in the component model's canonical ABI.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

from ._wit_text import Function, Name, Of, Record, Variant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._wit_text import Type, WitWorld

_MOST_PARAMS: Final = 16
_WORDS: Final = {"s64": "i64", "u64": "i64", "f32": "f32", "f64": "f64"}
"""The core types other than i32."""


class CoreType(NamedTuple):
    """The type of a core function, e.g. `("i32", "i64"), ("i32",)`."""

    params: tuple[str, ...]
    results: tuple[str, ...]

    def __str__(self) -> str:
        results = ", ".join(self.results) or "nothing"
        return f"({', '.join(self.params)}) -> {results}"


def core_type(
    world: WitWorld, interface: str, function: Function, *, is_import: bool
) -> CoreType:
    """Return the core type of an imported or exported function of an interface."""

    def flatten(wit_type: Type | None) -> tuple[str, ...]:
        return flat(world, interface, wit_type)

    params = tuple(word for _, each in function.params for word in flatten(each))
    results = flatten(function.result)
    if len(params) > _MOST_PARAMS:
        params = ("i32",)
    if len(results) <= 1:
        return CoreType(params, results)
    if is_import:
        return CoreType((*params, "i32"), ())
    return CoreType(params, ("i32",))


def flat(world: WitWorld, interface: str, wit_type: Type | None) -> tuple[str, ...]:
    """Return the core types of one value; none for a type without content."""

    def inner(part: Type | None) -> tuple[str, ...]:
        return flat(world, interface, part)

    match wit_type:
        case None:
            return ()
        case Name(name):
            return _flat_name(world, interface, name)
        case Of(kind, parts):
            return _flat_of(kind, [inner(part) for part in parts])
        case Record(fields):
            return tuple(word for _, field in fields for word in inner(field))
        case Variant(cases):
            return ("i32", *_joined(inner(carried) for _, carried in cases))


def _flat_name(world: WitWorld, interface: str, name: str) -> tuple[str, ...]:
    if _is_defined(world, interface, name):
        place, meant = world.resolve(interface, name)
        return flat(world, place, meant)
    return ("i32", "i32") if name == "string" else (_WORDS.get(name, "i32"),)


def _flat_of(kind: str, parts: list[tuple[str, ...]]) -> tuple[str, ...]:
    if kind == "list":
        return ("i32", "i32")
    if kind == "tuple":
        return tuple(word for part in parts for word in part)
    return ("i32", *_joined(parts))  # option and result


def _is_defined(world: WitWorld, interface: str, name: str) -> bool:
    found = world.interfaces[interface]
    return name in found.uses or name in found.types


def _joined(cases: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return core types that can hold any of several cases."""
    return tuple(_join({w for w in words if w}) for words in zip_longest(*cases))


def _join(words: set[str]) -> str:
    if len(words) == 1:
        return next(iter(words))
    return "i32" if words <= {"i32", "f32"} else "i64"
