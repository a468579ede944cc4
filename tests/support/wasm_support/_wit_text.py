"""Reads the part of the WIT language that `wit/` uses, into our own table of types."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from airssys.wasm.values._types import (
    STRING,
    Enum,
    Function,
    List,
    Number,
    Option,
    Record,
    Result,
    Tuple,
    Variant,
    WitType,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN = re.compile(r"///?[^\n]*|->|[a-z][a-z0-9-]*(?::[a-z-]+)?|[^\sa-z]")
_NUMBERS = {number.value[0]: number for number in Number}


def wit_folder() -> Path:
    """Where the text of the world lies: in the wheel, or else in the checkout."""
    installed = Path(str(files("airssys"))) / "wit"
    return installed if installed.is_dir() else checkout_wit()


def checkout_wit() -> Path:
    return Path(__file__).resolve().parents[3] / "wit"


@attrs.define
class Interface:
    """Types and functions by name."""

    types: dict[str, WitType] = attrs.Factory(dict)
    functions: dict[str, Function] = attrs.Factory(dict)


@attrs.define
class World:
    """What a package says."""

    interfaces: dict[str, Interface] = attrs.Factory(dict)
    imports: list[str] = attrs.Factory(list)
    exports: list[str] = attrs.Factory(list)


def read_wit(folder: Path) -> World:
    """Read all files of a package; interfaces may use those of any other file."""
    texts = {path.stem: path.read_text() for path in folder.glob("*.wit")}
    world = World()
    reading: set[str] = set()

    def interface(name: str) -> Interface:
        if name not in world.interfaces:
            assert name not in reading, f"{name} uses itself"
            reading.add(name)
            _Reader(texts[name], world, interface).file()
        return world.interfaces[name]

    for name in sorted(texts):
        if name == "world":
            _Reader(texts[name], world, interface).file()
        else:
            interface(name)
    return world


class _Reader:
    """One file, token by token."""

    def __init__(
        self, text: str, world: World, find: Callable[[str], Interface]
    ) -> None:
        self.tokens = [each for each in _TOKEN.findall(text) if each[:2] != "//"]
        self.world = world
        self.find = find

    def next(self, *expected: str) -> str:
        token = self.tokens.pop(0)
        assert not expected or token in expected, f"{token!r} is none of {expected}"
        return token

    def accept(self, token: str) -> bool:
        if self.tokens[:1] == [token]:
            self.next()
            return True
        return False

    def until(self, end: str) -> str:
        return "".join(iter(self.next, end))

    def file(self) -> None:
        self.next("package")
        assert self.until(";") == "airssys:core@1.0.0"
        while self.tokens:
            if self.next("interface", "world") == "world":
                self.a_world()
            else:
                self.an_interface()

    def a_world(self) -> None:
        if self.next() == "runtime-host-with-state":
            included = self.until("}")
            assert included == "{includeruntime-host;exportstate-handover;"
            return
        self.next("{")
        while not self.accept("}"):
            kind = self.next("import", "export")
            names = self.world.imports if kind == "import" else self.world.exports
            names.append(self.until(";"))

    def an_interface(self) -> None:
        found = self.world.interfaces[self.next()] = Interface()
        self.next("{")
        while not self.accept("}"):
            word = self.next()
            if word == "use":
                self.uses(found)
            elif self.accept(":"):
                self.next("func")
                found.functions[word] = self.function(found)
                self.next(";")
            else:
                name = self.next()
                found.types[name] = getattr(self, f"a_{word}")(found)

    def uses(self, found: Interface) -> None:
        source = self.find(self.next())
        self.next(".")
        self.next("{")
        while not self.accept("}"):
            name = self.next()
            found.types[name] = source.types[name]
            self.accept(",")
        self.next(";")

    def a_type(self, found: Interface) -> WitType:
        self.next("=")
        named = self.wit_type(found)
        self.next(";")
        return named

    def fields(self, found: Interface) -> tuple[tuple[str, WitType], ...]:
        return tuple(self.named(found, "}"))

    def named(self, found: Interface, end: str) -> list[tuple[str, WitType]]:
        pairs = []
        while not self.accept(end):
            name = self.next()
            self.next(":")
            pairs.append((name, self.wit_type(found)))
            self.accept(",")
        return pairs

    def a_record(self, found: Interface) -> WitType:
        self.next("{")
        return Record(self.fields(found))

    def a_enum(self, _: Interface) -> WitType:
        self.next("{")
        cases = []
        while not self.accept("}"):
            cases.append(self.next())
            self.accept(",")
        return Enum(tuple(cases))

    def a_variant(self, found: Interface) -> WitType:
        self.next("{")
        cases: list[tuple[str, WitType | None]] = []
        while not self.accept("}"):
            name, payload = self.next(), None
            if self.accept("("):
                payload = self.wit_type(found)
                self.next(")")
            cases.append((name, payload))
            self.accept(",")
        return Variant(tuple(cases))

    def function(self, found: Interface) -> Function:
        self.next("(")
        params = tuple(self.named(found, ")"))
        result = self.wit_type(found) if self.accept("->") else None
        return Function(params, result)

    def wit_type(self, found: Interface) -> WitType:
        name = self.next()
        match name:
            case "string":
                return STRING
            case "list" | "option":
                (inner,) = self.arguments(found)
                assert inner is not None
                return List(inner) if name == "list" else Option(inner)
            case "tuple":
                return Tuple(tuple(each for each in self.arguments(found) if each))
            case "result":
                sides = [*self.arguments(found), None, None]
                return Result(sides[0], sides[1])
            case _:
                return _NUMBERS[name] if name in _NUMBERS else found.types[name]

    def arguments(self, found: Interface) -> list[WitType | None]:
        arguments: list[WitType | None] = []
        if not self.accept("<"):
            return arguments
        while not self.accept(">"):
            arguments.append(None if self.accept("_") else self.wit_type(found))
            self.accept(",")
        return arguments
