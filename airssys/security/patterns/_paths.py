"""Patterns of paths, and of keys: `*` stops at the separator, `**` crosses it.

A path is made normal before anything is compared: `.` and doubled slashes go, `..` goes
with the segment before it. One that leaves the root, or has a character that no path of
a guest may have, is refused and matches nothing. No decoding is done: `%2e%2e` is a name
like any other, and so is a letter that only looks like another one. Case counts, as it
does in the file system.
"""

from __future__ import annotations

from typing import Final, Self, final

import attrs

from ._mistakes import PatternMistake
from ._wildcards import Shape, Tokens, Wild, includes, overlap, tokens_of

_LONGEST: Final = 4096
"""Characters of a path, of a key, and of a pattern of them: more matches nothing."""
_MOST_WILDCARDS: Final = 16


def normal_path(path: str) -> str | None:
    """Make a path of a guest normal; None if it may not be asked for at all.

    It is absolute: `/` is the root that the guest sees. A slash at the end is dropped.

    Example:
        >>> normal_path("/data/./a//b/../c/")
        '/data/a/c'
        >>> normal_path("/data/../../etc") is None
        True
    """
    if not path.startswith("/") or len(path) > _LONGEST:
        return None
    if "\0" in path or not (path.isascii() or _is_plain(path)):
        return None
    if "//" not in path and "/." not in path:
        return path.rstrip("/") or "/"
    kept: list[str] = []
    for segment in path.split("/"):
        if segment in {"", "."}:
            continue
        if segment != "..":
            kept.append(segment)
        elif kept:
            kept.pop()
        else:
            return None
    return "/" + "/".join(kept)


def _is_plain(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates, which no guest can send
        return False
    return True


def _shape(text: str) -> Shape:
    return Shape.of(tokens_of(text))


def _check_wildcards(text: str, tokens: Tokens) -> None:
    if len(text) > _LONGEST:
        raise PatternMistake(text[:80], f"it is longer than {_LONGEST} characters")
    wild = sum(isinstance(token, Wild) for token in tokens)
    if wild > _MOST_WILDCARDS:
        raise PatternMistake(text, f"it has more than {_MOST_WILDCARDS} wildcards")
    if "***" in text:
        raise PatternMistake(text, "write '*' within a segment, '**' across segments")


@final
@attrs.frozen
class PathPattern:
    """Paths that a guest sees: `/data/**`, `/data/*.json`.

    `/data/**` stands for what is in `/data`, at any depth, and for `/data` itself: a
    folder that may be read as a whole may be opened.
    """

    text: str
    shapes: tuple[Shape, ...] = attrs.field(init=False, eq=False, repr=False)
    """What it stands for: with `/**` at its end also the folder before that."""

    def __attrs_post_init__(self) -> None:
        texts = [self.text]
        if self.text.endswith("/**"):
            texts.append(self.text.removesuffix("/**") or "/")
        object.__setattr__(self, "shapes", tuple(map(_shape, texts)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern.

        Raises:
            PatternMistake: it is not absolute, or not normal.
        """
        if not text.startswith("/"):
            raise PatternMistake(text, "a path is absolute: begin with '/'")
        normal = normal_path(text)
        if normal is None:
            raise PatternMistake(text, "it leads out of the root, or is not a path")
        if normal != (text.rstrip("/") or "/"):
            raise PatternMistake(text, f"write {normal!r}, which is the same")
        _check_wildcards(normal, tokens_of(normal))
        return cls(normal)

    def matches(self, path: str) -> bool:
        """Say whether a path, which is made normal first, is one of these."""
        normal = normal_path(path)
        if normal is None:
            return False
        return any(shape.matches(normal) for shape in self.shapes)

    def includes(self, other: Self) -> bool:
        """Say whether it stands for every path that the other one stands for."""
        mine = self.alternatives
        return all(includes(mine, one, "/") for one in other.alternatives)

    def overlaps(self, other: Self) -> bool:
        """Say whether some path is one of both."""
        return any(
            overlap(mine, theirs, "/")
            for mine in self.alternatives
            for theirs in other.alternatives
        )

    @property
    def alternatives(self) -> tuple[Tokens, ...]:
        """What it stands for, as tokens."""
        return tuple(shape.tokens for shape in self.shapes)

    @property
    def beginning(self) -> str:
        """What each of these paths begins with, when it is normal."""
        return min((shape.head for shape in self.shapes), key=len)

    @staticmethod
    def key(path: str) -> str | None:
        """Give what is compared with `beginning`; None: no pattern stands for it."""
        return normal_path(path)

    def __str__(self) -> str:
        return self.text


@final
@attrs.frozen
class KeyPattern:
    """Keys of a store: `cart/*`, `cart/**`. Nothing in a key is made normal."""

    text: str
    shape: Shape = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "shape", _shape(self.text))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern.

        Raises:
            PatternMistake: it is empty, too long, or has too many wildcards.
        """
        if not text:
            raise PatternMistake(text, "write '**' for every key")
        _check_wildcards(text, tokens_of(text))
        return cls(text)

    def matches(self, key: str) -> bool:
        """Say whether a key is one of these."""
        return len(key) <= _LONGEST and self.shape.matches(key)

    def includes(self, other: Self) -> bool:
        """Say whether it stands for every key that the other one stands for."""
        return includes((self.shape.tokens,), other.shape.tokens, "/")

    def overlaps(self, other: Self) -> bool:
        """Say whether some key is one of both."""
        return overlap(self.shape.tokens, other.shape.tokens, "/")

    @property
    def beginning(self) -> str:
        """What each of these keys begins with."""
        return self.shape.head

    def __str__(self) -> str:
        return self.text
