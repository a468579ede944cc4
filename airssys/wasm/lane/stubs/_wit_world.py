"""From WIT text to what a component of its world would say of itself.

A package consists of all files of its folder, and what it depends on is in the folder
`deps` beside them. Those files are read when a name leads there.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, final

from airssys.contracts import ComponentRefused
from airssys.wasm.host import AnyWorld
from airssys.wasm.values import (
    CHAR,
    STRING,
    Borrow,
    Enum,
    Flags,
    Float,
    Function,
    List,
    Number,
    Option,
    Own,
    Record,
    Result,
    Tuple,
    Variant,
    WitType,
)

from ._read import Described
from ._wit_text import (
    Interface,
    Made,
    Named,
    Resource,
    Signature,
    Stated,
    Used,
    WitMistake,
    WitText,
    World,
    in_package,
    parse_wit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PLAIN: Final[dict[str, WitType]] = {
    "char": CHAR,
    "string": STRING,
    "f32": Float.F32,
    "f64": Float.F64,
    "bool": Number.BOOL,
    **{
        f"{sign}{bits}": Number[f"{sign}{bits}".upper()]
        for sign in "su"
        for bits in (8, 16, 32, 64)
    },
}
_ADVICE: Final = "Correct the text, or write the module from the component itself"
_DEEPEST: Final = 100
"""Definitions that lead from one to the next."""
_LARGEST: Final = 1 << 20
"""Bytes of one file."""


def describe_wit(file: Path, world: str = "") -> Described:
    """Read what a component of a world says of itself.

    Args:
        file: WIT text that defines the world.
        world: its name; "" if there is only one.

    Raises:
        ComponentRefused: It is not WIT, lacks what it refers to, or has something that a
            stub cannot have.
    """
    try:
        return _Reading(file).describe(world)
    except (WitMistake, OSError, UnicodeDecodeError) as error:
        raise ComponentRefused(str(file), f"its WIT text: {error}", _ADVICE) from error


def _read(file: Path) -> WitText:
    with file.open("rb") as opened:
        code = opened.read(_LARGEST + 1)
    if len(code) > _LARGEST:
        raise WitMistake(f"it has more than {_LARGEST:,} bytes")
    return parse_wit(code.decode())


@final
class _Reading:
    """One world, with the interfaces that it refers to."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._text = _read(file)
        self._more = self._others()
        self._interfaces = dict(self._text.interfaces)
        self._worlds = dict(self._text.worlds)
        self._types: dict[str, WitType] = {}
        self._resources: set[str] = set()
        self._open: set[tuple[str, str]] = set()
        self._functions: dict[str, Function] = {}

    def _others(self) -> Iterator[WitText]:
        """Read further files, one after the other."""
        folder = self._file.parent
        for path in sorted([*folder.glob("*.wit"), *folder.glob("deps/**/*.wit")]):
            if path == self._file:
                continue
            try:
                text = _read(path)
            except WitMistake as error:
                raise WitMistake(f"{path}: {error}") from error
            is_sibling = path.parent == folder
            if not is_sibling or text.package == self._text.package:
                yield text

    def _find_interface(self, full: str, line: int) -> Interface:
        while full not in self._interfaces:
            self._read_more(full, line)
        return self._interfaces[full]

    def _find_world(self, full: str, line: int) -> World:
        while full not in self._worlds:
            self._read_more(full, line)
        return self._worlds[full]

    def _read_more(self, wanted: str, line: int) -> None:
        text = next(self._more, None)
        if text is None:
            raise WitMistake(
                f"line {line}: {wanted} is not defined here, in the other .wit files of "
                "this package, or in the folder deps"
            )
        self._interfaces = {**text.interfaces, **self._interfaces}
        self._worlds = {**text.worlds, **self._worlds}

    # -------------------------------------------------------- the world

    def describe(self, name: str) -> Described:
        worlds = {_own(full): full for full in self._text.worlds}
        if name:
            worlds = {own: full for own, full in worlds.items() if own == name}
        if len(worlds) != 1:
            listed = ", ".join(map(_own, self._text.worlds)) or "none"
            wanted = f"no world {name!r}" if name else "not one world"
            raise WitMistake(f"it has {wanted} but these: {listed}")
        (full,) = worlds.values()
        for world in self._merged(full, 0, frozenset()):
            self._export(world)
        exports = AnyWorld({}, self._functions, {})
        return Described(
            str(self._file), exports, self._types, frozenset(self._resources)
        )

    def _merged(self, full: str, line: int, above: frozenset[str]) -> list[World]:
        """Return the worlds that a world includes, and itself."""
        if full in above:
            raise WitMistake(f"line {line}: {full} includes itself")
        world = self._find_world(full, line)
        found = []
        for name, at in world.includes:
            inner = in_package(world.own.package, name)
            found += self._merged(inner, at, above | {full})
        return [*found, world]

    def _export(self, world: World) -> None:
        self._interface("", world.own, is_own=False)
        for name, inside in world.exports.items():
            if inside is None:
                full = in_package(world.own.package, name)
                self._interface(full, self._find_interface(full, 0), is_own=True)
            else:
                self._interface(name, inside, is_own=True)

    def _interface(self, full: str, found: Interface, *, is_own: bool) -> None:
        """Note the types and functions of an interface that is exported."""
        prefix = f"{full}#" if full else ""
        for name, stated in found.types.items():
            if isinstance(stated, Resource):
                if is_own:
                    self._resources.add(f"{prefix}{name}")
            else:
                wit = self._named(full, found, Named(name, 0))
                self._types[f"{prefix}{name}"] = wit
        for name, signature in found.functions.items():
            made = self._signature(full, found, signature)
            self._functions[f"{prefix}{name}"] = made

    # -------------------------------------------------------- types

    def _signature(self, full: str, inside: Interface, stated: Signature) -> Function:
        make = partial(self._type, full, inside)
        params = tuple((name, make(wit)) for name, wit in stated.params)
        return Function(params, stated.result and make(stated.result))

    def _type(self, full: str, inside: Interface, stated: Stated) -> WitType:
        if isinstance(stated, Named):
            return self._named(full, inside, stated)
        make = partial(self._type, full, inside)
        if stated.kind in {"enum", "flags"}:
            return (Enum if stated.kind == "enum" else Flags)(stated.names)
        parts = tuple(part and make(part) for part in stated.parts)
        if stated.kind == "variant":
            return Variant(tuple(zip(stated.names, parts, strict=True)))
        if stated.kind == "result":
            return Result(*parts)
        return _made(stated, tuple(part for part in parts if part is not None))

    def _named(self, full: str, inside: Interface, named: Named) -> WitType:
        name = named.name
        if name not in inside.types:
            if name in _PLAIN:
                return _PLAIN[name]
            raise WitMistake(f"line {named.line}: there is no type {name!r}")
        place = full, name
        if place in self._open:
            raise WitMistake(f"line {named.line}: the type {name!r} contains itself")
        if len(self._open) >= _DEEPEST:
            raise WitMistake(f"line {named.line}: types nest deeper than {_DEEPEST}")
        self._open.add(place)
        try:
            return self._defined(full, inside, name)
        finally:
            self._open.discard(place)

    def _defined(self, full: str, inside: Interface, name: str) -> WitType:
        stated = inside.types[name]
        if isinstance(stated, Resource):
            return Own(f"{full}#{name}" if full else name)
        if not isinstance(stated, Used):
            return self._type(full, inside, stated)
        where = in_package(inside.package, stated.interface)
        other = self._find_interface(where, stated.line)
        if stated.name not in other.types:
            raise WitMistake(f"line {stated.line}: {where} has no type {stated.name!r}")
        return self._named(where, other, Named(stated.name, stated.line))


def _made(stated: Made, parts: tuple[WitType, ...]) -> WitType:
    """Make a type all of whose parts are types."""
    match stated.kind:
        case "record":
            return Record(tuple(zip(stated.names, parts, strict=True)))
        case "tuple":
            return Tuple(parts)
        case "list":
            return List(*parts)
        case "option":
            return Option(*parts)
        case _:
            return _handle(stated, parts[0])


def _handle(stated: Made, resource: WitType) -> WitType:
    """Make the type of a handle.

    Raises:
        WitMistake: It is not one of a resource.
    """
    if not isinstance(resource, Own):
        raise WitMistake(f"{stated.kind!r} of a type that is not a resource")
    return Borrow(resource.resource) if stated.kind == "borrow" else resource


def _own(full: str) -> str:
    return full.rpartition("/")[2].partition("@")[0]
