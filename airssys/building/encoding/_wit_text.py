"""Parses WIT text, as much of the language as the world `airssys:core` uses.

Types keep their names, because a component has to name the records and variants that it
imports and exports. A package consists of all the files in one folder. The text is our
own, so an unknown construct is a mistake of ours and raises `ValueError`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs

if TYPE_CHECKING:
    from pathlib import Path

_TOKEN: Final = re.compile(r"//[^\n]*|->|[a-z][a-z0-9-]*|[0-9.]+|[^\sa-z0-9]")
PLAIN: Final = frozenset(
    ["bool", "char", "string", "f32", "f64"]
    + [f"{sign}{bits}" for sign in "su" for bits in (8, 16, 32, 64)]
)
_OF_OTHERS: Final = {"list", "option", "tuple", "result"}


@final
@attrs.frozen
class Name:
    """A built-in type, or one that its interface defines or uses."""

    name: str


@final
@attrs.frozen
class Of:
    """`list`, `option`, `tuple` or `result` of other types; None is WIT's `_`."""

    kind: str
    parts: tuple[Type | None, ...]


@final
@attrs.frozen
class Record:
    """`record`: names and types, in order."""

    fields: tuple[tuple[str, Type], ...]


@final
@attrs.frozen
class Variant:
    """`variant` and `enum`: cases in order, with or without a type."""

    cases: tuple[tuple[str, Type | None], ...]
    is_enum: bool


Type: TypeAlias = Name | Of | Record | Variant


@final
@attrs.frozen
class Function:
    """A signature."""

    params: tuple[tuple[str, Type], ...]
    result: Type | None


@final
@attrs.frozen
class Interface:
    """One interface; `uses` are types of other interfaces, by name."""

    uses: Mapping[str, str]
    types: Mapping[str, Type]
    functions: Mapping[str, Function]


@final
@attrs.frozen
class WitWorld:
    """A package and its first world; other worlds add optional interfaces."""

    package: str
    version: str
    interfaces: Mapping[str, Interface]
    imports: tuple[str, ...]
    exports: tuple[str, ...]

    def full_name(self, interface: str) -> str:
        """Return the name under which components import and export an interface."""
        return f"{self.package}/{interface}@{self.version}"

    def resolve(self, interface: str, name: str) -> tuple[str, Type]:
        """Return what a name in an interface stands for, and where it is defined."""
        while name in self.interfaces[interface].uses:
            interface = self.interfaces[interface].uses[name]
        return interface, self.interfaces[interface].types[name]


def read_world(folder: Path) -> WitWorld:
    """Read the package in a folder."""
    texts = (path.read_text("utf-8") for path in sorted(folder.glob("*.wit")))
    interfaces: dict[str, Interface] = {}
    imports: list[str] = []
    exports: list[str] = []
    package = version = ""
    for text in texts:
        reader = _Reader(text)
        package, version = reader.package()
        while not reader.at_end:
            if reader.take("interface", "world") == "interface":
                name = reader.take()
                interfaces[name] = reader.interface()
            else:
                reader.world(imports, exports)
    return WitWorld(package, version, interfaces, tuple(imports), tuple(exports))


class _Reader:
    """One file, as a list of tokens."""

    def __init__(self, text: str) -> None:
        words = (word for word in _TOKEN.findall(text) if not word.startswith("//"))
        self._tokens = [*words][::-1]

    @property
    def at_end(self) -> bool:
        return not self._tokens

    def take(self, *expected: str) -> str:
        token = self._tokens.pop() if self._tokens else "the end"
        if expected and token not in expected:
            msg = f"WIT: found {token!r}, expected one of {expected}"
            raise ValueError(msg)
        return token

    def accept(self, token: str) -> bool:
        if self._tokens and self._tokens[-1] == token:
            self._tokens.pop()
            return True
        return False

    def package(self) -> tuple[str, str]:
        self.take("package")
        name = "".join(iter(self.take, "@"))
        return name, "".join(iter(self.take, ";"))

    def world(self, imports: list[str], exports: list[str]) -> None:
        if self.take() != "runtime-host":
            while not self.accept("}"):
                self.take()
            return
        self.take("{")
        while not self.accept("}"):
            found = imports if self.take("import", "export") == "import" else exports
            found.append(self.take())
            self.take(";")

    def interface(self) -> Interface:
        found = Interface({}, {}, {})
        uses, types, functions = dict[str, str](), dict[str, Type](), {}
        self.take("{")
        while not self.accept("}"):
            word = self.take()
            if word == "use":
                uses |= self._use()
            elif self.accept(":"):
                functions[word] = self._function()
            else:
                name = self.take()
                types[name] = self._definition(word)
        return attrs.evolve(found, uses=uses, types=types, functions=functions)

    def _use(self) -> dict[str, str]:
        source = self.take()
        self.take(".")
        self.take("{")
        found = {}
        while not self.accept("}"):
            name = self.take()
            found[name] = source
            self.accept(",")
        self.take(";")
        return found

    def _function(self) -> Function:
        self.take("func")
        self.take("(")
        params = tuple(self._pairs(")"))
        result = self._type() if self.accept("->") else None
        self.take(";")
        return Function(params, result)

    def _pairs(self, end: str) -> list[tuple[str, Type]]:
        found = []
        while not self.accept(end):
            name = self.take()
            self.take(":")
            found.append((name, self._type()))
            self.accept(",")
        return found

    def _definition(self, word: str) -> Type:
        if word == "type":
            self.take("=")
            meant = self._type()
            self.take(";")
            return meant
        self.take("{")
        if word == "record":
            return Record(tuple(self._pairs("}")))
        if word not in {"enum", "variant"}:
            msg = f"WIT: {word!r} is not understood"
            raise ValueError(msg)
        return Variant(tuple(self._cases()), is_enum=word == "enum")

    def _cases(self) -> list[tuple[str, Type | None]]:
        found: list[tuple[str, Type | None]] = []
        while not self.accept("}"):
            name, carried = self.take(), None
            if self.accept("("):
                carried = self._type()
                self.take(")")
            found.append((name, carried))
            self.accept(",")
        return found

    def _type(self) -> Type:
        name = self.take()
        if name not in _OF_OTHERS:
            return Name(name)
        parts: list[Type | None] = []
        if self.accept("<"):
            while not self.accept(">"):
                parts.append(None if self.accept("_") else self._type())
                self.accept(",")
        return Of(name, tuple(parts))
