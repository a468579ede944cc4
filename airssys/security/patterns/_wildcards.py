"""Texts with wildcards as automata: does one match, does one include another?

The theory. A pattern is a list of tokens: a character, `ANY` (any characters but the
separator, none included) or `ANY_ACROSS` (any characters at all). It is an automaton
whose states are the places between tokens; a wildcard keeps its state for what it takes.

Whether a pattern includes another one is asked when grants are compared, and must never
be answered yes by mistake. So both are run at once, over all texts that differ for them:
of each state of the one (the *narrow*) it is known in which states the other (the
*wide*) may be. A text that the narrow one takes and the wide one does not is found by
that, if there is one. Characters that stand in neither pattern behave the same way, so
one of them stands for all.

Two patterns with a few wildcards meet in a few hundred states. A pattern can be written
for which there would be very many; `MOST_STATES` then ends the search with no.

Whether a text matches is asked for each access, and a guest may choose the text so that
it takes long. So the states are the bits of one number, which a character moves all at
once: the time grows with the length of the text and with nothing else.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_STATES: Final = 20_000


@final
class Wild(enum.Enum):
    """The wildcards."""

    ANY = "*"
    """Any characters but the separator."""
    ANY_ACROSS = "**"
    """Any characters."""


Token: TypeAlias = str | Wild
"""One character, or a wildcard."""
Tokens: TypeAlias = tuple[Token, ...]
_OTHER: Final = ""
"""Stands for every character that is in neither pattern."""


def tokens_of(text: str) -> Tokens:
    """Read a pattern: `**` and `*` are wildcards, anything else stands for itself."""
    found: list[Token] = []
    for number, part in enumerate(text.split("**")):
        if number:
            found.append(Wild.ANY_ACROSS)
        for place, literal in enumerate(part.split("*")):
            if place:
                found.append(Wild.ANY)
            found += literal
    return tuple(found)


@final
@attrs.frozen
class Shape:
    """A pattern made ready to be matched: its literal ends, and its automaton as bits."""

    tokens: Tokens
    separator: str
    head: str
    """What is before the first wildcard."""
    tail: str
    """What is after the last one; empty if there is none."""
    letters: dict[str, int]
    """For each character the states that it takes one further."""
    any: int
    """The states of `*`."""
    across: int
    """The states of `**`."""

    @classmethod
    def of(cls, tokens: Tokens, separator: str = "/") -> Shape:
        """Prepare a pattern."""
        places = [n for n, token in enumerate(tokens) if isinstance(token, Wild)]
        first = places[0] if places else len(tokens)
        last = places[-1] + 1 if places else len(tokens)
        letters: dict[str, int] = {}
        bits = dict.fromkeys(Wild, 0)
        for number, token in enumerate(tokens):
            if isinstance(token, Wild):
                bits[token] |= 1 << number
            else:
                letters[token] = letters.get(token, 0) | 1 << number
        head, tail = (
            "".join(map(str, part)) for part in (tokens[:first], tokens[last:])
        )
        return cls(
            tokens,
            separator,
            head,
            tail,
            letters,
            bits[Wild.ANY],
            bits[Wild.ANY_ACROSS],
        )

    def matches(self, text: str) -> bool:
        """Say whether a text is one that the pattern stands for."""
        if not self.any | self.across:
            return text == self.head
        if len(text) < len(self.head) + len(self.tail):
            return False
        if not (text.startswith(self.head) and text.endswith(self.tail)):
            return False
        middle = text[len(self.head) : len(text) - len(self.tail)]
        if len(self.tokens) == len(self.head) + 1 + len(self.tail):
            return bool(self.across) or self.separator not in middle
        return self._takes(middle)

    def _takes(self, middle: str) -> bool:
        """Say whether what is between the literal ends fits what is between these."""
        across, wild = self.across, self.any | self.across
        states = self._opened(1 << len(self.head))
        for character in middle:
            kept = across if character == self.separator else wild
            moved = (states & self.letters.get(character, 0)) << 1
            states = self._opened(states & kept | moved)
            if not states:
                return False
        return bool(states >> (len(self.tokens) - len(self.tail)) & 1)

    def _opened(self, states: int) -> int:
        """Add what is reached without a character: wildcards may take none."""
        wild = self.any | self.across
        while (more := states | (states & wild) << 1) != states:
            states = more
        return states


def matches(tokens: Tokens, text: str, separator: str) -> bool:
    """Say whether a text is one that the pattern stands for."""
    return Shape.of(tokens, separator).matches(text)


def includes(wides: Sequence[Tokens], narrow: Tokens, separator: str) -> bool:
    """Say whether each text that `narrow` stands for is one of the `wides` too.

    No if that would take more than `MOST_STATES` steps to find out.
    """
    letters = {t for tokens in (*wides, narrow) for t in tokens if isinstance(t, str)}
    alphabet = [*sorted(letters | {separator}), _OTHER]
    start = tuple(frozenset(_opened(wide, {0})) for wide in wides)
    todo = deque((state, start) for state in _opened(narrow, {0}))
    seen = set(todo)
    while todo:
        state, wide_states = todo.popleft()
        ends = zip(wides, wide_states, strict=True)
        if state == len(narrow) and not any(len(wide) in now for wide, now in ends):
            return False
        if len(seen) > MOST_STATES:
            return False
        for letter in alphabet:
            after = tuple(
                frozenset(_step(wide, now, letter, separator))
                for wide, now in zip(wides, wide_states, strict=True)
            )
            for following in _step(narrow, {state}, letter, separator):
                pair = following, after
                if pair not in seen:
                    seen.add(pair)
                    todo.append(pair)
    return True


def overlap(one: Tokens, other: Tokens, separator: str) -> bool:
    """Say whether some text is one of both."""
    letters = {token for token in (*one, *other) if isinstance(token, str)}
    alphabet = [*sorted(letters | {separator}), _OTHER]
    todo = [(a, b) for a in _opened(one, {0}) for b in _opened(other, {0})]
    seen = set(todo)
    while todo:
        a, b = todo.pop()
        if a == len(one) and b == len(other):
            return True
        for letter in alphabet:
            for after_a in _step(one, {a}, letter, separator):
                for after_b in _step(other, {b}, letter, separator):
                    if (after_a, after_b) not in seen:
                        seen.add((after_a, after_b))
                        todo.append((after_a, after_b))
    return False


def _opened(tokens: Tokens, states: set[int]) -> set[int]:
    """Add the states that are reached without a character: wildcards may take none."""
    found, todo = set(states), list(states)
    while todo:
        state = todo.pop()
        if (
            state < len(tokens)
            and isinstance(tokens[state], Wild)
            and state + 1 not in found
        ):
            found.add(state + 1)
            todo.append(state + 1)
    return found


def _step(
    tokens: Tokens, states: set[int] | frozenset[int], letter: str, separator: str
) -> set[int]:
    """Give the states after one more character."""
    found: set[int] = set()
    for state in states:
        if state == len(tokens):
            continue
        token: Token = tokens[state]
        if token is Wild.ANY_ACROSS or (token is Wild.ANY and letter != separator):
            found.add(state)
        elif token == letter and isinstance(token, str):
            found.add(state + 1)
    return _opened(tokens, found)
