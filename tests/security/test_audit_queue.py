"""What waits to be recorded is bounded and fair, and no count is ever lost."""

from collections import Counter

from hypothesis import given, settings, strategies as st

from airssys import ComponentId
from airssys.contracts import Access, Decision
from airssys.security.audit import AuditQueue, Change, Mark, Noted, record_of

MANY = settings(max_examples=max(150, settings.default.max_examples))
ACTORS = [ComponentId("local", name) for name in "abc"]
BYTES = 64_000

decisions = st.builds(
    lambda actor, resource, allowed, times: Decision(
        actor, 1, Access("storage", "read", resource), allowed, "rule", times
    ),
    st.sampled_from(ACTORS),
    st.sampled_from(["k", "x" * 300, "y" * 9000]),
    st.booleans(),
    st.integers(1, 5),
)
changes = st.builds(Change, st.sampled_from(ACTORS), st.just("revoked"), st.just(0))
steps = st.one_of(
    st.tuples(st.just("add"), decisions | changes),
    st.tuples(st.just("write"), st.integers(0, 9)),
)


def counts(noted):
    found = Counter()
    for each in noted:
        what = each.what
        found[type(what), what.actor, getattr(what, "allowed", None)] += what.times
    return found


@MANY
@given(st.lists(steps, max_size=150))
def test_what_goes_in_comes_out_in_counts_whatever_fails(steps):
    queue, put, got = AuditQueue(20, BYTES), [], []
    for number, (step, value) in enumerate(steps):
        if step == "add":
            put.append(Noted(number, value))
            queue.add(put[-1])
            assert len(queue) <= 20 + 5 * len(ACTORS)
        else:
            batch = queue.take(10)
            written = min(value, len(batch))  # as many as there was room for
            got += batch[:written]
            queue.confirm(written)
    while batch := queue.take(10):
        got += batch
        queue.confirm(len(batch))
    assert counts(got) == counts(put)
    assert not len(queue)
    assert queue.has_room
    assert not queue.is_full


@MANY
@given(st.lists(decisions, max_size=60))
def test_one_actor_never_fills_it(found):
    queue = AuditQueue(40, BYTES)
    for number, each in enumerate(found):
        queue.add(Noted(number, each._replace(actor=ACTORS[0])))
    assert not queue.is_full
    other = found[0]._replace(actor=ACTORS[1]) if found else None
    if other is not None:
        assert queue.add(Noted(99, other))


def test_what_is_recorded_first_is_written_first():
    queue = AuditQueue(80, 1_000_000)
    for number in range(5):
        queue.add(Noted(number, Mark("began")))
    assert [each.time for each in queue.take(3)] == [0, 1, 2]
    queue.confirm(1)
    assert [each.time for each in queue.take(9)] == [1, 2, 3, 4]


@given(st.text(), st.text(), st.lists(st.tuples(st.text(), st.text()), max_size=9))
def test_every_record_fits_into_a_line(resource, rule, details):
    from airssys.security.audit import Head, write_record

    big = "\U0001f600" * 10_000
    access = Access("k" * 900, "v" * 900, resource + big, (*details, (big, big)))
    found = Decision(ACTORS[0], 1, access, True, rule + big, 1, ACTORS[1], big, big)
    queue = AuditQueue(80, 1_000_000)
    queue.add(Noted(0, found))
    [noted] = queue.take(1)
    line, _ = write_record(record_of(noted), Head())
    assert line.isascii()
