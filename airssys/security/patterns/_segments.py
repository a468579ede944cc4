"""Patterns of texts in segments: names of components, and topics."""

from __future__ import annotations

from itertools import takewhile
from typing import Final, Self, final

import attrs

from airssys.contracts import MAX_TOPIC_CHARACTERS, ComponentId, read_pattern

from ._mistakes import PatternMistake

ANY: Final = "*"
_NAME_PARTS: Final = 3
_LONGEST: Final = 128
"""Characters of a segment of a name."""


@final
@attrs.frozen
class NamePattern:
    """Names of components: `namespace/name/instance`, `*` for any one segment.

    `name` alone stands for `local/name/*`, `shop/orders` for `shop/orders/*`, and `*` alone
    for every name: a grant to send to `worker` covers all members of a pool of that name.
    """

    segments: tuple[str, str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern.

        Raises:
            PatternMistake: it has more than three segments, or an empty one.
        """
        parts = text.split("/")
        if text == ANY:
            parts = [ANY, ANY, ANY]
        elif len(parts) == 1:
            parts = ["local", text, ANY]
        elif len(parts) == _NAME_PARTS - 1:
            parts = [*parts, ANY]
        if len(parts) != _NAME_PARTS:
            problem = f"it has {len(parts)} segments; write 'name', "
            problem += "'namespace/name' or 'namespace/name/instance'"
            raise PatternMistake(text, problem)
        for part in parts:
            if part != ANY and (not part or ANY in part or not part.isprintable()):
                advice = "a segment is a whole name, or '*' for any one"
                raise PatternMistake(text, f"{part!r} is not a valid segment: {advice}")
            if len(part) > _LONGEST:
                raise PatternMistake(text, "a segment is longer than any name")
        return cls((parts[0], parts[1], parts[2]))

    def matches(self, name: str) -> bool:
        """Say whether a name, as text, is one of those that this pattern stands for."""
        parts = name.split("/")
        return len(parts) == _NAME_PARTS and all(
            wanted in {ANY, part}
            for wanted, part in zip(self.segments, parts, strict=True)
        )

    def includes(self, other: Self) -> bool:
        """Say whether it stands for every name that the other one stands for."""
        return all(
            mine in {ANY, theirs}
            for mine, theirs in zip(self.segments, other.segments, strict=True)
        )

    def overlaps(self, other: Self) -> bool:
        """Say whether some name is one of both."""
        return all(
            ANY in {mine, theirs} or mine == theirs
            for mine, theirs in zip(self.segments, other.segments, strict=True)
        )

    def of(self, target: ComponentId) -> bool:
        """Say whether it stands for this component."""
        return self.matches(target.text)

    @property
    def beginning(self) -> str:
        """What each of these names begins with."""
        return str(self).partition(ANY)[0]

    def __str__(self) -> str:
        return "/".join(self.segments)


@final
@attrs.frozen
class TopicPattern:
    """Topics, as in messaging: `*` for any one segment, `#` at the end for the rest."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern.

        Raises:
            PatternMistake: no subscription could have it.
        """
        try:
            read_pattern(text)
        except ValueError as error:
            raise PatternMistake(text, str(error)) from error
        return cls(text)

    @property
    def _path(self) -> list[str]:
        return self.text.split(".")

    def matches(self, topic: str) -> bool:
        """Say whether a topic is one of those that this pattern stands for."""
        if len(topic) > MAX_TOPIC_CHARACTERS:
            return False
        return _takes(self._path, topic.split("."))

    def includes(self, other: Self) -> bool:
        """Say whether it stands for every topic that the other one stands for."""
        mine, theirs = self._path, other._path
        if mine[-1] != "#" and theirs[-1] == "#":
            return False
        if theirs[-1] == "#" and len(mine) > len(theirs):
            return False
        return _takes(mine, theirs)

    def overlaps(self, other: Self) -> bool:
        """Say whether some topic is one of both."""
        return _overlap(self._path, other._path)

    @property
    def beginning(self) -> str:
        """What each of these topics begins with: whole segments, the last without a dot."""
        return ".".join(takewhile(lambda part: part not in {ANY, "#"}, self._path))

    def __str__(self) -> str:
        return self.text


@final
@attrs.frozen
class SubscriptionPattern:
    """Topics that may be subscribed to: what is asked for is a pattern too."""

    topics: TopicPattern

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern.

        Raises:
            PatternMistake: no subscription could have it.
        """
        return cls(TopicPattern.parse(text))

    def matches(self, wanted: str) -> bool:
        """Say whether all topics of a pattern that is asked for are among these."""
        try:
            return self.topics.includes(TopicPattern.parse(wanted))
        except PatternMistake:
            return False

    def touches(self, wanted: str) -> bool:
        """Say whether some topic of a pattern that is asked for is among these."""
        try:
            other = TopicPattern.parse(wanted)
        except PatternMistake:
            return False
        return _overlap(self.topics.text.split("."), other.text.split("."))

    def includes(self, other: Self) -> bool:
        """Say whether it stands for every topic that the other one stands for."""
        return self.topics.includes(other.topics)

    def overlaps(self, other: Self) -> bool:
        """Say whether some topic is one of both."""
        return self.topics.overlaps(other.topics)

    @property
    def beginning(self) -> str:
        """What each pattern of such topics begins with."""
        return self.topics.beginning

    def __str__(self) -> str:
        return str(self.topics)


def _overlap(one: list[str], other: list[str]) -> bool:
    """Say whether a topic fits both of two patterns."""
    for mine, theirs in zip(one, other, strict=False):
        if "#" in {mine, theirs}:
            return True
        if ANY not in {mine, theirs} and mine != theirs:
            return False
    longer = one if len(one) > len(other) else other
    shorter = min(len(one), len(other))
    return len(one) == len(other) or longer[shorter] == "#"


def _takes(pattern: list[str], path: list[str]) -> bool:
    """Say whether segments fit a pattern; wildcards of `path` are segments like others."""
    if pattern[-1] == "#":
        head = pattern[:-1]
        if len(path) < len(head):
            return False
        pairs = zip(head, path, strict=False)
    elif len(pattern) != len(path):
        return False
    else:
        pairs = zip(pattern, path, strict=True)
    return all(wanted in {ANY, part} for wanted, part in pairs)
