"""What W3C Trace Context takes and refuses."""

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import TraceContext

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
digits = st.sampled_from("0123456789abcdef")


def some_id(size):
    text = st.text(digits, min_size=size, max_size=size)
    return text.filter(lambda digits: digits.strip("0"))


def test_the_parts_of_a_context():
    context = TraceContext(PARENT, "vendor=x")
    assert context.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert context.span_id == "00f067aa0ba902b7"
    assert context.is_sampled
    assert not TraceContext(PARENT.replace("-01", "-02")).is_sampled


@given(some_id(32), some_id(16), st.text(digits, min_size=2, max_size=2))
def test_every_traceparent_of_this_version_is_taken(trace, span, flags):
    context = TraceContext(f"00-{trace}-{span}-{flags}")
    assert (context.trace_id, context.span_id) == (trace, span)


@pytest.mark.parametrize(
    ("parent", "why"),
    [
        ("", "is not of the form"),
        (PARENT.upper(), "is not of the form"),
        (PARENT[:-1], "is not of the form"),
        (PARENT + "\n", "is not of the form"),
        (" " + PARENT, "is not of the form"),
        (PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32), "all zeros"),
        (PARENT.replace("00f067aa0ba902b7", "0" * 16), "all zeros"),
        ("ff" + PARENT[2:], "a version that does not exist"),
        (PARENT + "-more", "a version that does not exist"),
        ("01" + PARENT[2:] + "-" + "x" * 600, "more than 512"),
        (None, "is NoneType, not str"),
        (PARENT.encode(), "is bytes, not str"),
    ],
)
def test_what_is_not_a_traceparent_is_refused_with_the_reason(parent, why):
    with pytest.raises(ValueError, match=why):
        TraceContext(parent)


def test_a_later_version_may_have_more_parts():
    assert TraceContext("01" + PARENT[2:] + "-more").is_sampled


@pytest.mark.parametrize(
    "state", ["", "a=1", "rojo=00f067,congo=t61rcWkgMzE", "a=1, ,b=2", "1t@sys=x"]
)
def test_tracestates(state):
    assert TraceContext(PARENT, state).tracestate == state


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("a", "is not a list of key=value"),
        ("A=1", "is not a list of key=value"),
        ("a=1=2", "is not a list of key=value"),
        ("a=\n", "is not a list of key=value"),
        ("a=1,a=2", "names a key twice"),
        (",".join(f"k{n}=1" for n in range(33)), "more than 32 members"),
        ("a=" + "x" * 600, "more than 512 characters"),
        (7, "is int, not str"),
    ],
)
def test_what_is_not_a_tracestate_is_refused_with_the_reason(state, why):
    with pytest.raises(ValueError, match=why):
        TraceContext(PARENT, state)


@given(st.text(), st.text())
def test_whatever_comes_is_taken_or_refused(parent, state):
    try:
        context = TraceContext(parent, state)
    except ValueError:
        return
    assert len(context.trace_id) == 32
