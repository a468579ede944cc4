"""The kinds of grants: what can be done, and to which resources.

A kind is a table of verbs with the grammar of their resources. Those of airssys stand
below; an embedding program adds its own (`Kind`), with a pattern class that reads a
text, matches a resource and compares itself with another pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol, Self, final

import attrs

from airssys.contracts import Access
from airssys.security.patterns import (
    HostPattern,
    KeyPattern,
    NamePattern,
    PathPattern,
    PatternMistake,
    Ports,
    SubscriptionPattern,
    TopicPattern,
    normal_path,
)

from ._log_lines import LOG, LogLines


class Pattern(Protocol):
    """Resources that a grant stands for.

    A class may also have a text `beginning`, with which the text `key(resource)` of each
    of its resources begins, or the resource itself if it has no `key`. Then the
    grants that may allow something are found among many without trying all. A wrong
    beginning denies what is granted, and never allows more.
    """

    def matches(self, resource: str, /) -> bool:
        """Say whether a resource is one of these."""
        ...

    def includes(self, other: Any, /) -> bool:  # noqa: ANN401  # a pattern of the same class
        """Say whether all resources of another pattern of the class are among these.

        No is always a safe answer; yes has to be true.
        """
        ...


@final
@attrs.frozen
class Everything:
    """The only pattern of a verb that has no resource."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read it.

        Raises:
            PatternMistake: something but '*' is there.
        """
        if text != "*":
            raise PatternMistake(text, "this has no resource: leave it out")
        return cls()

    def matches(self, resource: str) -> bool:
        """Say yes: there is nothing to tell apart."""
        del resource
        return True

    def includes(self, other: Self) -> bool:
        """Say yes."""
        del other
        return True


_NO_NAME: Final = re.compile(r"[\s=*]")


@final
@attrs.frozen
class Words:
    """Some words, such as names of variables or methods of HTTP, or any (`*`)."""

    words: frozenset[str] | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read words that are separated by commas.

        Raises:
            PatternMistake: one is empty, or is not a name: it has a blank, an equals sign,
                an asterisk, or what cannot be printed.
        """
        if text == "*":
            return cls(None)
        words = [word.strip(" ") for word in text.split(",")]
        for word in words:
            if not word.isprintable() or _NO_NAME.search(word):
                problem = f"{word!r} is not a name: write it without value or blanks"
                raise PatternMistake(text, problem)
        if not all(words):
            raise PatternMistake(text, "write names separated by commas, or '*'")
        return cls(frozenset(words))

    def matches(self, resource: str) -> bool:
        """Say whether it is one of the words."""
        return self.words is None or resource in self.words

    def includes(self, other: Self) -> bool:
        """Say whether all words of the other are among these."""
        if self.words is None:
            return True
        return other.words is not None and other.words <= self.words


@final
@attrs.frozen
class Exactly:
    """One text and no other, such as a folder of the host."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read it.

        Raises:
            PatternMistake: it is empty, or has a NUL.
        """
        if not text:
            raise PatternMistake(text, "it is empty")
        if "\0" in text:
            raise PatternMistake(text, "it has a NUL, which ends a text for the host")
        return cls(text)

    def matches(self, resource: str) -> bool:
        """Say whether it is this text."""
        return resource == self.text

    def includes(self, other: Self) -> bool:
        """Say whether the other is the same."""
        return self == other


@final
@attrs.frozen
class AtLeast:
    """A number of seconds that a clock may be exact to, or more coarse."""

    seconds: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read seconds; `*` is as exact as the machine is.

        Raises:
            PatternMistake: it is not a number, or is less than 0.
        """
        try:
            seconds = 0.0 if text == "*" else float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf"):
            raise PatternMistake(text, "write seconds, such as 0.001, or '*'")
        return cls(seconds)

    def matches(self, resource: str) -> bool:
        """Say whether a clock with this resolution, in seconds, may be read."""
        try:
            return float(resource) >= self.seconds
        except ValueError:
            return False

    def includes(self, other: Self) -> bool:
        """Say whether the other is as coarse or more so."""
        return self.seconds <= other.seconds


@final
@attrs.frozen
class Moment:
    """A time of day that a clock always shows, in seconds since 1970."""

    seconds: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read seconds.

        Raises:
            PatternMistake: it is not a number from 0 to the year 9999.
        """
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < _LATEST:
            raise PatternMistake(text, "write seconds since 1970, such as 1700000000")
        return cls(seconds)

    def matches(self, resource: str) -> bool:
        """Say whether it is this time."""
        try:
            return float(resource) == self.seconds
        except ValueError:
            return False

    def includes(self, other: Self) -> bool:
        """Say whether the other is the same time."""
        return self == other


_LATEST: Final = 253_402_300_800.0
"""The year 10000, in seconds since 1970."""


@final
@attrs.frozen
class Endpoint:
    """A host and ports: `api.example.com:443`, `10.0.0.0/8:*`."""

    host: HostPattern
    ports: Ports

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an endpoint.

        Raises:
            PatternMistake: it has no port, or no valid host.
        """
        host, colon, ports = text.rpartition(":")
        if not colon or not host:
            raise PatternMistake(text, "write host:port, such as api.example.com:443")
        return cls(HostPattern.parse(host), Ports.parse(ports))

    def matches(self, resource: str) -> bool:
        """Say whether `host:port` is one of these."""
        host, _, port = resource.rpartition(":")
        is_number = port.isascii() and port.isdigit() and len(port) <= 5  # noqa: PLR2004  # the digits of 65535
        return is_number and self.ports.matches(int(port)) and self.host.matches(host)

    def includes(self, other: Self) -> bool:
        """Say whether host and ports of the other are among these."""
        return self.host.includes(other.host) and self.ports.includes(other.ports)

    @property
    def beginning(self) -> str:
        """What the key of each of these begins with: that of its host."""
        return self.host.beginning

    @staticmethod
    def key(resource: str) -> str | None:
        """Give what is compared with `beginning`; None: no endpoint stands for it."""
        return HostPattern.key(resource.rpartition(":")[0])

    def __str__(self) -> str:
        return f"{self.host}:{self.ports}"


_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_ENCODED: Final = re.compile("%(25|2[eEfF]|5[cC]|00)")
_NO_PATH: Final = re.compile(r"[?#\s\x00-\x1f\x7f]")
"""What no path of a request has: such a grant would allow nothing."""
_MOST_DECODED: Final = 4


@final
@attrs.frozen
class Origin:
    """Where a request goes: `https://api.example.com/v1`, a path and all below it."""

    schemes: frozenset[str]
    endpoint: Endpoint
    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an origin; without a port it has that of its scheme.

        Raises:
            PatternMistake: it has no scheme that is known, or no valid host.
        """
        scheme, separator, rest = text.partition("://")
        if not separator or scheme not in {*_DEFAULT_PORTS, "*"}:
            raise PatternMistake(text, "write http://, https:// or *:// and a host")
        place, slash, path = rest.partition("/")
        normal = normal_path(f"/{path}") if slash else "/"
        if normal is None or "*" in path or _NO_PATH.search(text):
            raise PatternMistake(
                text, "the path is a plain beginning, without wildcards or blanks"
            )
        has_port = ":" in place.rpartition("]")[2]
        if not has_port:
            place += f":{_DEFAULT_PORTS.get(scheme, '*')}"
        schemes = frozenset(_DEFAULT_PORTS) if scheme == "*" else frozenset({scheme})
        return cls(schemes, Endpoint.parse(place), normal)

    def matches(self, resource: str) -> bool:
        """Say whether `scheme://host:port/path` is one of these."""
        scheme, _, rest = resource.partition("://")
        place, _, path = rest.partition("/")
        asked = f"/{path.partition('?')[0].partition('#')[0]}"
        return (
            scheme in self.schemes
            and self.endpoint.matches(place)
            and all(self._has(each) for each in _readings(asked))
        )

    def _has(self, path: str) -> bool:
        normal = normal_path(path)
        return normal is not None and _is_below(normal, self.path)

    def includes(self, other: Self) -> bool:
        """Say whether all that the other stands for is among these."""
        return (
            other.schemes <= self.schemes
            and self.endpoint.includes(other.endpoint)
            and _is_below(other.path, self.path)
        )

    @property
    def beginning(self) -> str:
        """What the key of each of these begins with: that of its host."""
        return self.endpoint.beginning

    @staticmethod
    def key(resource: str) -> str | None:
        """Give what is compared with `beginning`; None: no origin stands for it."""
        place = resource.partition("://")[2].partition("/")[0]
        return Endpoint.key(place)


def _readings(path: str) -> Iterator[str]:
    """Give a path as it is written, and as servers may read it.

    Some decode dots and slashes before they resolve `..`, some do it twice, and some take
    a backslash for a slash. All readings have to be below what is granted.
    """
    yield path
    for _ in range(_MOST_DECODED):
        plain = _ENCODED.sub(lambda found: chr(int(found[1], 16)), path)
        plain = plain.replace("\\", "/")
        if plain == path:
            return
        yield plain
        path = plain
    yield ""  # no path: no honest path is encoded that often


def _is_below(path: str, beginning: str) -> bool:
    return beginning in {"/", path} or path.startswith(f"{beginning}/")


Read = Callable[[str], Pattern]


@final
@attrs.frozen
class Kind:
    """A kind of grants: its verbs, with what reads a pattern of their resources.

    A program defines its own for what its host functions offer (`define_kind`):

        TILL = define_kind(Kind("till", {"open": NamePattern.parse}))
        component("clerk", "clerk.wasm", host=[...], can=[custom("till", "open", "front")])

    The host function then asks `services.permissions`.
    """

    name: str
    verbs: Mapping[str, Read] = attrs.field(eq=False)
    limits: Mapping[str, Read] = attrs.field(factory=dict, eq=False)
    """What may narrow a grant besides, by name."""
    check: Callable[[Access], bool] | None = attrs.field(default=None, eq=False)
    """A further condition on each access of this kind, beside its pattern. Its answer is
    remembered like the rest of a decision, until grants change."""


def _same(read: Read, *verbs: str) -> dict[str, Read]:
    return dict.fromkeys(verbs, read)


_NAMES: Final = NamePattern.parse
_KNOWN: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "messaging",
            _same(_NAMES, "send", "ask", "request", "broadcast")
            | {"publish": TopicPattern.parse, "subscribe": SubscriptionPattern.parse},
        ),
        Kind("components", _same(_NAMES, "list", "metadata")),
        Kind("storage", _same(KeyPattern.parse, "read", "write", "delete")),
        Kind(
            "files",
            _same(PathPattern.parse, "read", "write", "delete", "list"),
            {"at": Exactly.parse},
        ),
        Kind(
            "network",
            _same(Endpoint.parse, "connect", "bind")
            | _same(HostPattern.parse, "resolve"),
        ),
        Kind("http", _same(Origin.parse, "request"), {"methods": Words.parse}),
        Kind(
            "clock",
            _same(AtLeast.parse, "wall", "monotonic"),
            {"fixed": Moment.parse},
        ),
        Kind(
            "random",
            _same(Everything.parse, "secure", "insecure"),
            {"seed": Exactly.parse},
        ),
        Kind("environment", _same(Words.parse, "read")),
        Kind("arguments", _same(Everything.parse, "read")),
        Kind("streams", _same(Everything.parse, "stdin", "stdout", "stderr")),
        Kind(LOG, _same(LogLines.parse, "emit")),
        Kind("process", _same(PathPattern.parse, "run")),
    )
}
KINDS: Final[Mapping[str, Kind]] = MappingProxyType(_KNOWN)
"""By name. What no host function offers yet is decided all the same."""

_WORD: Final = re.compile(r"[a-z][a-z0-9-]*")


def define_kind(kind: Kind) -> Kind:
    """Add a kind of grants for this process; returns it.

    Define it when the module that offers it is imported, before a blueprint names it.

    Raises:
        ValueError: there is another kind of that name, or the name or a verb is not a
            word of small letters, digits and hyphens, or it has no verbs.
    """
    for word in (kind.name, *kind.verbs, *kind.limits):
        if not isinstance(word, str) or not _WORD.fullmatch(word):
            raise ValueError(f"{word!r} is not a word of small letters")
    if not kind.verbs:
        raise ValueError(f"the kind {kind.name} has nothing that can be granted")
    if _KNOWN.setdefault(kind.name, kind) is not kind:
        raise ValueError(f"there is another kind of grants called {kind.name!r}")
    return kind
