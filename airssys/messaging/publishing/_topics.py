"""The subscribers of each topic. Pure.

Patterns live in a trie, so that looking a topic up visits what matches it and nothing
else. What was found is remembered until the next change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar, final

import attrs

from airssys.contracts import ONE, REST, read_pattern, read_topic

if TYPE_CHECKING:
    from collections.abc import Iterator

_REMEMBERED_BYTES: Final = 256 * 1024
_PLACE_BYTES: Final = 256
"""About how many bytes one topic takes besides its text and its subscribers."""

T = TypeVar("T")


@final
class _Node(Generic[T]):
    """What patterns with the same beginning have in common."""

    __slots__ = ("below", "ending", "ending_in_rest")

    def __init__(self) -> None:
        self.below: dict[str, _Node[T]] = {}
        """By segment; `*` is one of them."""
        self.ending: dict[T, None] = {}
        """Subscribers whose pattern ends here; a dict, to keep their order."""
        self.ending_in_rest: dict[T, None] = {}
        """Subscribers whose pattern ends here with `#`."""

    def is_empty(self) -> bool:
        return not (self.below or self.ending or self.ending_in_rest)


@final
@attrs.define(eq=False, repr=False)
class Subscriptions(Generic[T]):
    """Subscribers and their patterns."""

    _root: _Node[T] = attrs.field(init=False, factory=_Node)
    _patterns: dict[T, dict[str, None]] = attrs.field(init=False, factory=dict)
    """What each subscriber is subscribed to. Invariant: the same as in the trie."""
    _found: dict[str, tuple[T, ...]] = attrs.field(init=False, factory=dict)
    """By topic; emptied by every change."""
    _found_bytes: int = attrs.field(init=False, default=0)
    """About how many bytes that takes; bounded, because publishers choose the topics."""

    def __len__(self) -> int:
        """Count subscriptions: pairs of a subscriber and a pattern."""
        return sum(map(len, self._patterns.values()))

    def __contains__(self, subscriber: T) -> bool:
        """Return whether a subscriber has any subscription."""
        return subscriber in self._patterns

    def patterns_of(self, subscriber: T) -> tuple[str, ...]:
        """Return the patterns of a subscriber."""
        return tuple(self._patterns.get(subscriber, ()))

    def add(self, pattern: str, subscriber: T) -> None:
        """Add a subscriber to a pattern; doing it again changes nothing.

        Raises:
            BadTopic: it is not a valid pattern.
        """
        *path, last = read_pattern(pattern)
        node = self._root
        for segment in path if last == REST else (*path, last):
            node = node.below.setdefault(segment, _Node())
        (node.ending_in_rest if last == REST else node.ending)[subscriber] = None
        self._patterns.setdefault(subscriber, {})[pattern] = None
        self._forget_found()

    def remove(self, pattern: str, subscriber: T) -> bool:
        """End one subscription; False if there was none of exactly this pattern."""
        patterns = self._patterns.get(subscriber, {})
        if pattern not in patterns:
            return False
        del patterns[pattern]
        if not patterns:
            del self._patterns[subscriber]
        self._prune(read_pattern(pattern), subscriber)
        self._forget_found()
        return True

    def remove_all(self, subscriber: T) -> None:
        """End all subscriptions of a subscriber."""
        for pattern in self.patterns_of(subscriber):
            self.remove(pattern, subscriber)

    def find(self, topic: str) -> tuple[T, ...]:
        """Return each subscriber that a topic is for, once.

        Raises:
            BadTopic: it is not a valid topic.
        """
        found = self._found.get(topic)
        if found is None:
            found = tuple(dict.fromkeys(_walk(self._root, read_topic(topic))))
            size = _PLACE_BYTES + 4 * len(topic) + 8 * len(found)
            self._found_bytes += size
            if self._found_bytes > _REMEMBERED_BYTES:
                self._found.clear()
                self._found_bytes = size
            self._found[topic] = found
        return found

    def _forget_found(self) -> None:
        self._found.clear()
        self._found_bytes = 0

    def _prune(self, segments: tuple[str, ...], subscriber: T) -> None:
        """Take a subscriber out of the trie, and nodes that are not needed any more."""
        *path, last = segments
        way = [self._root]
        walked = path if last == REST else [*path, last]
        for segment in walked:
            way.append(way[-1].below[segment])
        end = way[-1]
        del (end.ending_in_rest if last == REST else end.ending)[subscriber]
        for segment, parent in zip(reversed(walked), reversed(way[:-1]), strict=True):
            if not parent.below[segment].is_empty():
                return
            del parent.below[segment]


def _walk(node: _Node[T], segments: tuple[str, ...]) -> Iterator[T]:
    yield from node.ending_in_rest
    if not segments:
        yield from node.ending
        return
    for segment in (segments[0], ONE):
        below = node.below.get(segment)
        if below is not None:
            yield from _walk(below, segments[1:])
