"""How many members a pool should have, as a property of loads."""

from hypothesis import given, strategies as st

from airssys.contracts import PoolSize
from airssys.nursery.restarts._pool_rule import grown, shrunk

loads = st.integers(0, 10_000)


@st.composite
def sizes(draw):
    minimum = draw(st.integers(1, 20))
    maximum = draw(st.integers(minimum, 40))
    eighths = draw(st.integers(0, 400))
    grow_above = eighths / 8  # without rounding
    shrink_below = draw(st.integers(0, eighths)) / 8
    return PoolSize(
        minimum=minimum,
        maximum=maximum,
        grow_above=grow_above,
        shrink_below=shrink_below,
    )


@given(sizes(), st.data(), loads)
def test_it_grows_to_what_carries_the_load_and_no_further(size, data, load):
    members = data.draw(st.integers(size.minimum, size.maximum))
    wanted = grown(size, members, load)
    assert members <= wanted <= size.maximum
    if wanted > members:
        assert load > size.grow_above * members
        assert load > size.grow_above * (wanted - 1), "one fewer would not do"
    if wanted < size.maximum:
        assert load <= size.grow_above * wanted


@given(sizes(), st.data(), st.integers(0, 200))
def test_it_shrinks_by_one_and_does_not_have_to_grow_again(size, data, most):
    members = data.draw(st.integers(size.minimum, size.maximum))
    wanted = shrunk(size, members, most)
    assert wanted in {members, members - 1}
    assert wanted >= size.minimum
    if wanted < members:
        assert most < size.shrink_below * members
        assert grown(size, wanted, most) == wanted


def test_a_rule_that_wants_as_many_as_there_may_be():
    for load in (1e-311, 0.0):
        size = PoolSize(minimum=1, maximum=7, grow_above=load, shrink_below=0)
        assert grown(size, 1, 3) == 7


def test_an_idle_pool_gives_members_up_down_to_its_minimum():
    size = PoolSize(minimum=2, maximum=9)
    members = 9
    for _ in range(20):
        members = shrunk(size, members, 0)
    assert members == 2
