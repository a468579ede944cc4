"""Text of others becomes part of a line and can do nothing to it."""

import sys
import unicodedata

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import MAX_LINE, one_line
from pace import seconds_taken

BAD = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class Sly(str):
    """What `str(error)` may return."""

    __slots__ = ()

    def __getitem__(self, _):
        return self

    def isprintable(self):
        return True


@given(st.text(), st.integers(1, 50))
def test_it_is_short_and_printable_whatever_comes_in(text, most):
    line = one_line(text, most)
    assert line.isprintable()
    assert len(line) <= most
    assert one_line(line, most) == line


@given(st.text("abcé日 ", max_size=20))
def test_printable_text_stays_as_it_is(text):
    assert one_line(text) == text


@pytest.mark.unmeasured
def test_every_control_and_format_character_is_escaped():
    characters = map(chr, range(sys.maxunicode + 1))
    hostile = [c for c in characters if unicodedata.category(c) in BAD]
    assert {"\x1b", "\x9b", "\r", "\n", "\u2028", "\u202e", "\ud800"} <= set(hostile)
    for start in range(0, len(hostile), 100):  # one by one would be a million calls
        some = hostile[start : start + 100]
        escaped = "".join(ascii(c)[1:-1] for c in some)
        assert one_line("".join(some), len(escaped)) == escaped


def test_a_subclass_of_str_has_no_say():
    assert one_line(Sly("a\x1b" * 9), 4) == "a\\x…"


@pytest.mark.parametrize("character", ["\x1b", "\u202e", "\ud800", "a"])
def test_a_long_text_takes_no_longer(character):
    def least(length):
        text = character * length
        assert len(one_line(text)) == MAX_LINE
        return seconds_taken(lambda: one_line(text))

    # All of it would take 500 times.
    assert least(1 << 20) < 20 * least(MAX_LINE) + 0.001
