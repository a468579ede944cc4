"""Names: which there may be, and that their text form says it all."""

import copy
import pickle
from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import ComponentId, identity_of_child
from airssys.contracts.values._identity import segment_problem

printable = st.characters(exclude_categories=["C", "Z"], exclude_characters="/")
segments = st.text(printable | st.just(" "), min_size=1, max_size=128).filter(
    str.isprintable
)
ids = st.builds(ComponentId, segments, segments, segments)
anything = st.one_of(
    st.text(max_size=140), st.none(), st.integers(), st.binary(max_size=3), segments
)


@given(ids)
def test_the_text_form_comes_back_as_the_same_name(name):
    assert ComponentId.parse(str(name)) == name
    assert str(name) == f"{name.namespace}/{name.name}/{name.instance}"
    assert identity_of_child(str(name)) == name


@given(segments)
def test_a_name_alone_is_local(name):
    assert ComponentId.parse(name) == ComponentId("local", name, "0")


@given(anything, anything, anything)
def test_a_name_is_valid_or_refused_and_nothing_between(one, two, three):
    parts = one, two, three
    is_valid = all(segment_problem(part) is None for part in parts)
    if not is_valid:
        with pytest.raises(ValueError, match=r".") as caught:
            ComponentId(*parts)
        assert len(str(caught.value)) < 250
        return
    name = ComponentId(*parts)
    for part in parts:
        assert isinstance(part, str)
        assert 0 < len(part) <= 128
        assert "/" not in part
    assert ComponentId.parse(str(name)) == name


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text):
    name = None
    with suppress(ValueError):
        name = ComponentId.parse(text)
    if name is not None:
        assert str(name) in {text, f"local/{text}/0"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "name '' is empty"),
        (
            "a/b",
            "'a/b' is not a valid identity: write 'name' or 'namespace/name/instance'",
        ),
        ("a/b/c/d", "is not a valid identity"),
        ("a//0", "name '' is empty"),
        ("/a/0", "namespace '' is empty"),
        ("a/b/", "instance '' is empty"),
        ("x" * 129, "has 129 characters, more than 128"),
        ("a\n", "contains a character that cannot be printed"),
        ("\ud800", "contains a character that cannot be printed"),
    ],
)
def test_the_refusal_says_what_is_wrong(text, problem):
    with pytest.raises(ValueError, match=r".") as caught:
        ComponentId.parse(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("part", "problem"), [(3, "is int, not str"), ("a/b", "contains '/'")]
)
def test_each_part_is_checked(part, problem):
    for parts in [(part, "n", "i"), ("n", part, "i"), ("n", "n", part)]:
        with pytest.raises(ValueError, match=problem):
            ComponentId(*parts)


@given(ids, ids)
def test_names_are_equal_sorted_and_hashed_by_their_parts(one, other):
    parts = [(n.namespace, n.name, n.instance) for n in (one, other)]
    assert (one == other) == (parts[0] == parts[1])
    assert (one < other) == (parts[0] < parts[1])
    assert len({one, ComponentId(*parts[0])}) == 1


@given(ids)
def test_a_name_survives_pickle_and_copy(name):
    again = pickle.loads(pickle.dumps(name))
    assert again == name
    assert hash(again) == hash(name)
    assert copy.deepcopy(name) == copy.copy(name) == name


def test_a_name_cannot_be_changed():
    with pytest.raises(AttributeError):
        ComponentId.parse("a").name = "b"


def test_a_supervisor_is_not_an_actor():
    assert identity_of_child("workers") is None
