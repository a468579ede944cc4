"""Users' objects are asked so that nothing of their own gets in the way."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import (
    contexts_of,
    find_fatal,
    is_a,
    is_wholly,
    kind_name,
    leaves_of,
    only_member,
    repr_of,
    text_of,
)

EXITS = (KeyboardInterrupt, SystemExit, GeneratorExit)


def nested(leaf, siblings, depth):
    for _ in range(depth):
        leaf = BaseExceptionGroup("group", [*siblings, leaf])
    return leaf


def raising(error):
    def method(*_):
        raise error

    return method


def endless(self):
    return str(self) + repr(self)


class Subtext(str):
    __slots__ = ()
    __getitem__ = __len__ = __str__ = __format__ = raising(OSError("a subclass"))


def object_saying(shown):
    """Make an object whose `str` and `repr` are this function."""
    return type("Odd", (ValueError,), {"__str__": shown, "__repr__": shown})()


ODD = {
    "raises": raising(LookupError("the session is closed")),
    "recurses": endless,
    "returns no text": lambda _: 7,
    "returns None": lambda _: None,
    "has no memory": raising(MemoryError()),
}


@pytest.mark.parametrize("say", [text_of, repr_of])
@pytest.mark.parametrize("shown", ODD.values(), ids=ODD)
def test_what_cannot_say_what_it_is_is_named(say, shown):
    text = say(object_saying(shown))
    assert type(text) is str
    assert "cannot be shown" in text


@pytest.mark.parametrize("say", [text_of, repr_of])
def test_what_is_shown_is_plain_text_and_bounded(say):
    plain = say(object_saying(lambda _: Subtext("abcdef")), 3)
    assert (type(plain), plain) == (str, "abc")
    assert len(say(object_saying(lambda _: "x" * 10**7))) == 10_000


@pytest.mark.parametrize("say", [text_of, repr_of])
@pytest.mark.parametrize("kind", EXITS)
def test_a_wish_to_end_the_program_comes_out_of_a_text(say, kind):
    with pytest.raises(kind):
        say(object_saying(raising(kind())))


class Meta(type):
    __instancecheck__ = __subclasscheck__ = raising(OSError("a metaclass"))
    __name__ = property(raising(OSError("a metaclass")))


class Tricky(ValueError, metaclass=Meta):
    __class__ = property(raising(OSError("no class")))
    __bool__ = __eq__ = __hash__ = raising(OSError("no truth"))


def test_what_an_error_is_is_not_asked_of_itself():
    error = Tricky()
    assert is_a(error, ValueError)
    assert is_a(error, (OSError, ValueError))
    assert not is_a(error, OSError)
    assert not is_a(error, (OSError, KeyError))
    assert is_a(error, Tricky)
    assert not is_a(ValueError(), Tricky)
    assert kind_name(error) == "Tricky"
    pretender = type("Pretender", (Exception,), {"__class__": ValueError})()
    assert not is_a(pretender, ValueError)


@given(st.integers(0, 5), st.integers(0, 3), st.sampled_from(EXITS), st.booleans())
def test_what_must_leave_the_tree_is_found_at_every_depth(depth, width, kind, last):
    fatal = kind()
    error = nested(fatal, [ValueError()] * width, depth)
    if last and isinstance(error, BaseExceptionGroup):
        error = BaseExceptionGroup("outer", [error, OSError()])
    assert find_fatal(error) is fatal


@given(st.integers(0, 5), st.integers(0, 3))
def test_exceptions_never_leave_the_tree(depth, width):
    assert find_fatal(nested(ValueError(), [OSError()] * width, depth)) is None


def test_nothing_to_find_in_nothing():
    assert find_fatal(None) is None


class Liar(ExceptionGroup):
    exceptions = property(raising(OSError("no members")))


@pytest.mark.unmeasured
@pytest.mark.parametrize("depth", [600, 100_000])
@pytest.mark.parametrize("siblings", [[], [KeyError()]], ids=["alone", "beside"])
def test_groups_may_be_nested_as_deep_as_they_like(depth, siblings):
    stop = SystemExit()
    error = nested(stop, siblings, depth)
    assert find_fatal(error) is stop
    assert only_member(error) is (error if siblings else stop)
    assert is_wholly(error, (SystemExit, KeyError))


def test_a_group_in_many_places_is_checked_once():
    error = ValueError()
    for _ in range(60):  # 2**60 ways lead to the error
        error = ExceptionGroup("both", [error, error])
    began = time.process_time()
    assert len(list(leaves_of(error))) == 1
    assert is_wholly(error, ValueError)
    assert time.process_time() - began < 1


def test_a_group_that_hides_its_members_is_looked_into_nevertheless():
    leaf = ValueError()
    assert list(leaves_of(Liar("liar", [leaf]))) == [leaf]
    assert only_member(Liar("liar", [leaf])) is leaf


def test_a_group_of_a_class_that_is_asked_for_is_taken_as_a_whole():
    inner = Liar("liar", [ValueError()])
    assert is_wholly(ExceptionGroup("outer", [inner, inner]), Liar)
    assert not is_wholly(ExceptionGroup("outer", [inner, ValueError()]), Liar)
    assert is_wholly(ExceptionGroup("outer", [inner]), (Liar, OSError))


def test_contexts_may_be_many_and_may_lead_in_a_cycle():
    errors = [ValueError(number) for number in range(100_000)]
    for error, context in pairwise([*errors, errors[0]]):
        error.__context__ = context
    assert list(contexts_of(errors[0])) == errors
    hidden = type(
        "Hidden", (ValueError,), {"__context__": property(raising(OSError()))}
    )
    assert [*contexts_of(hidden())] != []
