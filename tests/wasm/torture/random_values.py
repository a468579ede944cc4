"""Values that no type has, from Python and from guests: errors with names, no crash."""

import sys
from array import array
from collections import UserList
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "support"))

import trio
from bench import say
from hypothesis import HealthCheck, given, settings, strategies as st

from airssys.contracts import Artifact, GuestTrapped, TrapReason
from airssys.wasm.host import interfaces_of
from airssys.wasm.loading._any_instance import load_any
from airssys.wasm.values._types import Case, Err, Ok, Some, ValueUnfit
from wasm_support import (
    HOST,
    echo_component,
    open_guests,
    same,
    stray_component,
    types,
    values_of,
)

COUNT = int(sys.argv[2])
RANDOMLY = settings(
    max_examples=COUNT,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Odd:
    """Equal to everything, and of no use."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 7


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters(), max_size=5),
    st.binary(max_size=5),
    st.builds(Odd),
    st.sampled_from([object, Case, range(9), array("I", [1, 2, 3, 4, 5, 6])]),
    st.binary(max_size=16).map(lambda data: memoryview(data)[::2]),
)
JUNK = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=7),
        st.lists(inner, max_size=7).map(tuple),
        st.lists(inner, max_size=7).map(UserList),
        st.builds(Case, inner, inner),
        st.builds(Ok, inner),
        st.builds(Err, inner),
        st.builds(Some, inner),
        st.dictionaries(st.text(max_size=3), inner, max_size=2),
    ),
    max_leaves=12,
)


def spoilt(value, junk, way):
    """The value with one part of it replaced, the part chosen by `way`."""
    if not isinstance(value, tuple) or not value or not way:
        return junk
    first, *rest = way
    index = first % len(value)
    inner = spoilt(value[index], junk, rest)
    parts = (*value[:index], inner, *value[index + 1 :])
    return type(value)(*parts) if hasattr(value, "_fields") else parts


TRIALS = types().flatmap(
    lambda wit: st.tuples(
        st.just(wit),
        values_of(wit),
        st.lists(st.tuples(JUNK, st.lists(st.integers(0, 9), max_size=5)), max_size=5),
    )
)


@RANDOMLY
@given(TRIALS)
def values_of_the_host(trial):
    wit, value, changes = trial

    async def main():
        async with open_guests() as guests:
            host = interfaces_of({f"{HOST}#echo-0": lambda x: x})
            artifact = Artifact.from_text(echo_component(wit))
            component = await load_any(guests.loader, artifact, host)
            guest = await component.instantiate()
            for junk, way in changes:
                try:
                    found = await guest.call("run-0", spoilt(value, junk, way))
                except ValueUnfit as error:
                    assert error.path.startswith("x"), error.path
                else:
                    assert same(await guest.call("run-0", found), found)
            assert same(await guest.call("run-0", value), value)
            guest.close()

    trio.run(main)


WORDS = st.one_of(
    st.integers(0, 3),
    st.sampled_from([1024, 1032, 1056, 65528, 65535, 2**31, 2**32 - 1, 0xD800]),
    st.integers(0, 2**32 - 1),
)
NAMED = {TrapReason.BAD_VALUE, TrapReason.HOST_ALLOCATION_LIMIT}


@RANDOMLY
@given(types(), st.lists(WORDS, min_size=8, max_size=60))
def values_of_a_guest(wit, words):
    async def main():
        async with open_guests() as guests:
            passed = []
            host = interfaces_of({f"{HOST}#put": passed.append})
            artifact = Artifact.from_text(stray_component(wit, words))
            component = await load_any(guests.loader, artifact, host)
            for name in ("get", "put"):
                guest = await component.instantiate()
                try:
                    found = await guest.call(name)
                except GuestTrapped as error:
                    assert error.reason in NAMED, (error.reason, error.text)
                else:
                    echo = await load_any(
                        guests.loader,
                        Artifact.from_text(echo_component(wit)),
                        interfaces_of({f"{HOST}#echo-0": lambda x: x}),
                    )
                    other = await echo.instantiate()
                    value = passed[-1] if name == "put" else found
                    assert same(await other.call("run-0", value), value)
                    other.close()
                finally:
                    guest.close()

    trio.run(main)


say(sys.argv[1])
globals()[sys.argv[1]]()
say("survived")
