"""One round of stopping and starting: who is next, and who is left out."""

from hypothesis import given, strategies as st

from airssys.nursery.restarts._round import Act, Aim, Round

NAMES = st.lists(st.sampled_from("abcdef"), unique=True)


def steps(now):
    taken = []
    while (step := now.next()) is not None:
        assert now.current == step[1]
        taken.append(step)
    assert now.current is None
    return taken


@given(NAMES, NAMES)
def test_first_all_stop_then_all_start_each_in_order(stop, start):
    taken = steps(Round(Aim.RESTART, stop, start))
    wanted = [(Act.STOP, each) for each in stop]
    assert taken == wanted + [(Act.START, each) for each in start]


@given(NAMES, NAMES, st.sampled_from("abcdef"))
def test_a_dropped_child_is_stopped_all_the_same_but_not_started(stop, start, who):
    now = Round(Aim.RESTART, stop, start, returning=start)
    now.drop(who)
    assert who not in now.returning
    assert now.returning == set(start) - {who}
    left = [each for each in start if each != who]
    assert now.still_to_start() == tuple(left)
    assert [each for act, each in steps(now) if act is Act.STOP] == stop


def test_whose_turn_has_come_is_not_still_to_start():
    now = Round(Aim.OPENING, to_start="abc")
    assert now.aim is Aim.OPENING
    assert now.returning == set()
    assert now.current is None
    now.next()
    assert now.current == "a"
    assert now.still_to_start() == ("b", "c")
    now.drop("a")
    assert now.next() == (Act.START, "b")
