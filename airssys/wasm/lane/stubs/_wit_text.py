"""Reads WIT text: from letters to definitions, which still refer to each other by name.

The grammar is `design/mvp/WIT.md` of WebAssembly/component-model. Gates such as
`@since(version = 1.0.0)` are read and mean nothing here. What a stub cannot have, such as
an asynchronous function or a stream, is an error that says where it stands.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias, TypeVar, final

import attrs

T = TypeVar("T")

_TOKEN: Final = re.compile(
    r"(?P<blank>\s+|//[^\n]*)|(?P<open>/\*)"
    r"|(?P<token>->|\d+(?:\.\d+)+(?:[-+][0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)*|%?[a-zA-Z][a-zA-Z0-9-]*|\d+|.)",
    re.DOTALL,
)
_COMMENT: Final = re.compile(r"/\*|\*/")
_WORD: Final = re.compile(r"%?[a-zA-Z][a-zA-Z0-9-]*")
_DEEPEST: Final = 100
_LATER: Final = frozenset({"stream", "future", "error-context", "map"})


class WitMistake(Exception):  # not for users: `_wit_world` makes it a refusal
    """The text is not WIT, or has something that a stub cannot have."""


@final
@attrs.frozen
class Named:
    """A type by its name: a built-in one, or one of the same interface or world."""

    name: str
    line: int


@final
@attrs.frozen
class Made:
    """A type made of others, by what makes it; None is the `_` of a result.

    `list`, `option`, `result`, `tuple`, `borrow` and `own`; `record`, `variant`, `enum` and
    `flags`, which have names, one for each part.
    """

    kind: str
    parts: tuple[Stated | None, ...] = ()
    names: tuple[str, ...] = ()


Stated: TypeAlias = Named | Made


@final
@attrs.frozen
class Resource:
    """A resource that is defined here."""


@final
@attrs.frozen
class Used:
    """A type of another interface."""

    interface: str
    """Its full name, or as it is called in this package."""
    name: str
    line: int


@final
@attrs.frozen
class Signature:
    """A function; its parameters and its result."""

    params: tuple[tuple[str, Stated], ...]
    result: Stated | None


@final
@attrs.frozen
class Interface:
    """What stands in an interface, or a world beside its imports and exports."""

    package: str
    """`acme:shop@1.0.0`."""
    types: dict[str, Stated | Resource | Used] = attrs.field(factory=dict)
    functions: dict[str, Signature] = attrs.field(factory=dict)


@final
@attrs.frozen
class World:
    """A world: what it exports, and the names of what it includes and imports."""

    own: Interface
    """The types of the world; its functions are those that it exports."""
    exports: dict[str, Interface | None] = attrs.field(factory=dict)
    """By name; None for an interface that is defined elsewhere."""
    includes: list[tuple[str, int]] = attrs.field(factory=list)


@final
@attrs.frozen
class WitText:
    """What one file defines, by full name."""

    interfaces: dict[str, Interface] = attrs.field(factory=dict)
    worlds: dict[str, World] = attrs.field(factory=dict)
    package: str = ""


def in_package(package: str, name: str) -> str:
    """Return the full name of an interface or a world: `acme:shop/till@1.0.0`."""
    if "/" in name:
        return name
    base, at, version = package.partition("@")
    return f"{base}/{name}{at}{version}"


def parse_wit(text: str) -> WitText:
    """Read a file.

    Raises:
        WitMistake: It is not WIT, or has something that is not known here.
    """
    return _Parser(_tokens(text)).file()


def _tokens(text: str) -> list[tuple[str, int]]:
    found, at, line = [], 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match is not None  # noqa: S101  # the last alternative is any letter
        end = match.end()
        if match["open"]:
            end = _end_of_comment(text, end, line)
        elif match["token"]:
            found.append((match["token"], line))
        line += text.count("\n", at, end)
        at = end
    found.append(("", line))
    return found


def _end_of_comment(text: str, at: int, line: int) -> int:
    depth = 1
    for match in _COMMENT.finditer(text, at):
        depth += 1 if match[0] == "/*" else -1
        if not depth:
            return match.end()
    raise WitMistake(f"line {line}: a comment that does not end")


@final
class _Parser:
    def __init__(self, tokens: list[tuple[str, int]]) -> None:
        self._tokens, self._at, self._deep = tokens, 0, 0

    # -------------------------------------------------------- tokens

    @property
    def _next(self) -> str:
        return self._tokens[self._at][0]

    @property
    def _line(self) -> int:
        return self._tokens[self._at][1]

    def _fail(self, wanted: str) -> WitMistake:
        found = repr(self._next) if self._next else "the end of the file"
        return WitMistake(f"line {self._line}: found {found:.80}, expected {wanted}")

    def _take(self, *wanted: str) -> str:
        token = self._next
        if token not in wanted:
            raise self._fail(" or ".join(map(repr, wanted)))
        self._at += 1
        return token

    def _accept(self, token: str) -> bool:
        if self._next == token:
            self._at += 1
            return True
        return False

    def _name(self) -> str:
        token = self._next
        if not _WORD.fullmatch(token):
            raise self._fail("a name")
        self._at += 1
        return token.removeprefix("%")

    def _version(self) -> str:
        token = self._next
        if not token[:1].isdigit():
            raise self._fail("a version such as 1.0.0")
        self._at += 1
        return f"@{token}"

    def _gates(self) -> None:
        """Skip `@since(version = 1.0.0)` and the like."""
        while self._accept("@"):
            self._name()
            if self._accept("("):
                while not self._accept(")"):
                    if not self._next:
                        raise self._fail("')'")
                    self._at += 1

    def _path(self) -> str:
        """Read `till`, or `acme:shop/till@1.0.0`."""
        name = self._name()
        if not self._accept(":"):
            return name
        name += f":{self._name()}"
        self._take("/")
        name += f"/{self._name()}"
        return name + (self._version() if self._accept("@") else "")

    # -------------------------------------------------------- files

    def file(self) -> WitText:
        found, package = WitText(), ""
        self._gates()
        if self._next == "package":
            package = self._package(found)
        while self._next:
            self._top(found, package)
        return attrs.evolve(found, package=package)

    def _package(self, found: WitText) -> str:
        """Read a declaration; returns the name, or "" after a package in braces."""
        self._take("package")
        name = f"{self._name()}{self._take(':')}{self._name()}"
        if self._accept("@"):
            name += self._version()
        if self._take(";", "{") == ";":
            return name
        while not self._accept("}"):
            self._top(found, name)
        return ""

    def _top(self, found: WitText, package: str) -> None:
        self._gates()
        word = self._next
        if word == "package":
            self._package(found)
            return
        self._take("interface", "world", "package")
        full = in_package(package, self._name())
        if full in found.interfaces or full in found.worlds:
            raise WitMistake(f"line {self._line}: {full} is defined twice")
        if word == "interface":
            found.interfaces[full] = self._interface(package)
        else:
            found.worlds[full] = self._world(package)

    def _interface(self, package: str) -> Interface:
        made = Interface(package)
        self._take("{")
        while not self._accept("}"):
            self._gates()
            if not self._definition(made):
                self._member(made)
        return made

    def _member(self, made: Interface) -> None:
        line, name = self._line, self._name()
        self._take(":")
        self._add(made.functions, name, self._function(), line)
        self._take(";")

    def _world(self, package: str) -> World:
        made = World(Interface(package))
        self._take("{")
        while not self._accept("}"):
            self._gates()
            if self._accept("include"):
                made.includes.append((self._path(), self._line))
                if self._accept("with"):
                    raise self._fail("';': names of `include` cannot be changed here")
                self._take(";")
            elif not self._definition(made.own):
                is_export = self._take("import", "export") == "export"
                self._port(made if is_export else World(Interface(package)))
        return made

    def _port(self, made: World) -> None:
        """Read what is imported or exported."""
        line, start = self._line, self._at
        name = self._name()
        if not self._accept(":"):
            self._add(made.exports, name, None, line)
        elif self._accept("interface"):
            self._add(made.exports, name, self._interface(made.own.package), line)
            return
        elif self._next in {"func", "async"}:
            self._add(made.own.functions, name, self._function(), line)
        else:
            self._at = start
            self._add(made.exports, self._path(), None, line)
        self._take(";")

    # -------------------------------------------------------- definitions

    def _definition(self, made: Interface) -> bool:
        """Read the definition of a type; False if there is another thing."""
        word, line = self._next, self._line
        if self._tokens[self._at + 1 : self._at + 2] and (
            self._tokens[self._at + 1][0] == ":"
        ):
            return False  # a function of that name
        if word == "use":
            self._use(made)
        elif word == "resource":
            self._at += 1
            self._resource(made, self._name(), line)
        elif word == "type":
            self._at += 1
            name = self._name()
            self._take("=")
            self._add(made.types, name, self._type(), line)
            self._take(";")
        elif word in {"record", "variant", "enum", "flags"}:
            self._at += 1
            self._add(made.types, self._name(), self._named_parts(word), line)
        else:
            return False
        return True

    def _add(self, known: dict[str, T], name: str, made: T, line: int) -> None:
        if name in known:
            raise WitMistake(f"line {line}: {name!r} is defined twice")
        known[name] = made

    def _use(self, made: Interface) -> None:
        self._take("use")
        interface = self._path()
        self._take(".")
        self._take("{")
        while not self._accept("}"):
            line, name = self._line, self._name()
            own = self._name() if self._accept("as") else name
            self._add(made.types, own, Used(interface, name, line), line)
            if not self._accept(",") and self._next != "}":
                raise self._fail("',' or '}'")
        self._take(";")

    def _named_parts(self, kind: str) -> Made:
        names: list[str] = []
        parts: list[Stated | None] = []
        self._take("{")
        while not self._accept("}"):
            self._gates()
            names.append(self._name())
            if kind == "record":
                self._take(":")
                parts.append(self._type())
            elif kind == "variant" and self._accept("("):
                parts.append(self._type())
                self._take(")")
            else:
                parts.append(None)
            if not self._accept(",") and self._next != "}":
                raise self._fail("',' or '}'")
        if not names or len({*names}) != len(names):
            raise self._fail(f"a {kind} whose parts have names of their own")
        return Made(kind, tuple(parts), tuple(names))

    def _resource(self, made: Interface, name: str, line: int) -> None:
        self._add(made.types, name, Resource(), line)
        if self._accept(";"):
            return
        self._take("{")
        while not self._accept("}"):
            self._gates()
            line, word = self._line, self._name()
            if word == "constructor" and self._next == "(":
                params, result = self._params(), Named(name, line)
                given = self._type() if self._accept("->") else result
                made_of = Signature(params, given)
                self._add(made.functions, f"[constructor]{name}", made_of, line)
            else:
                self._take(":")
                self._method(made, name, word, line)
            self._take(";")

    def _method(self, made: Interface, resource: str, name: str, line: int) -> None:
        is_static = self._accept("static")
        found = self._function()
        kind = "static" if is_static else "method"
        if not is_static:
            me = Made("borrow", (Named(resource, line),))
            found = attrs.evolve(found, params=(("self", me), *found.params))
        self._add(made.functions, f"[{kind}]{resource}.{name}", found, line)

    # -------------------------------------------------------- functions and types

    def _function(self) -> Signature:
        if self._next == "async":
            raise self._fail("'func': stubs have no asynchronous functions")
        self._take("func")
        params = self._params()
        return Signature(params, self._type() if self._accept("->") else None)

    def _params(self) -> tuple[tuple[str, Stated], ...]:
        found = []
        self._take("(")
        while not self._accept(")"):
            name = self._name()
            self._take(":")
            found.append((name, self._type()))
            if not self._accept(",") and self._next != ")":
                raise self._fail("',' or ')'")
        return tuple(found)

    def _type(self) -> Stated:
        line, name = self._line, self._name()
        if name in _LATER:
            raise WitMistake(f"line {line}: stubs have no type {name!r}")
        if name == "result" and self._next != "<":
            return Made("result", (None, None))
        if name not in {"list", "option", "result", "tuple", "borrow", "own"}:
            return Named(name, line)
        self._deep += 1
        if self._deep > _DEEPEST:
            raise WitMistake(f"line {line}: types nest deeper than {_DEEPEST}")
        parts: list[Stated | None] = []
        self._take("<")
        while not self._accept(">"):
            parts.append(None if self._accept("_") else self._type())
            if not self._accept(",") and self._next != ">":
                raise self._fail("',' or '>'")
        self._deep -= 1
        return Made(name, self._checked(name, parts, line))

    def _checked(
        self, name: str, parts: list[Stated | None], line: int
    ) -> tuple[Stated | None, ...]:
        if name == "result":
            parts += [None] * (2 - len(parts))
        most = {"result": 2, "tuple": len(parts)}.get(name, 1)
        empty = name != "result" and None in parts
        if not parts or len(parts) != most or empty:
            raise WitMistake(f"line {line}: {name!r} with the wrong number of types")
        return tuple(parts)
