"""The small values: artifacts, envelopes, restarts, exits, what passes to guests."""

import copy
import inspect
import pickle
import re
from pathlib import Path

import attrs
import pytest
from hypothesis import given, strategies as st

from airssys import contracts
from airssys.contracts import (
    BRUTAL_KILL,
    Artifact,
    BrutalKill,
    ChildEvent,
    ComponentConfig,
    ComponentId,
    Envelope,
    Event,
    ExitKind,
    ExitReason,
    HealthStatus,
    Intensity,
    Limits,
    LogLevel,
    RestartType,
    StorageUsage,
    Timestamp,
    one_line,
)

WIT = Path(__file__).resolve().parents[2] / "wit"
ME = ComponentId.parse("me")


def enum_of(name):
    """The cases of an enum in the WIT, which the contracts repeat."""
    text = (WIT / "types.wit").read_text("utf-8")
    body = re.search(rf"enum {name} {{(.*?)}}", text, re.DOTALL).group(1)
    return re.findall(r"[\w-]+", body)


# -- artifacts


def test_an_artifact_is_a_path_bytes_or_text():
    assert Artifact.at("a.wasm") == Artifact.at(Path("a.wasm"))
    assert Artifact.at("a.wasm").source == Path("a.wasm")
    assert Artifact.at("a.wasm").label == "a.wasm"
    assert Artifact.from_bytes(bytearray(b"\0asm")).source == b"\0asm"
    assert Artifact.from_text("(component)").source == "(component)"


def test_equal_artifacts_are_one():
    artifacts = [Artifact.at("a"), Artifact.at("a"), Artifact.from_text("a")]
    assert len(set(artifacts)) == 2


def test_the_code_of_an_artifact_stays_out_of_messages():
    assert "secret" not in repr(Artifact.from_text("secret"))


# -- messages


def test_an_envelope_needs_a_target_a_sender_and_a_payload():
    envelope = Envelope(ME, ME, b"hello")
    assert set(envelope[3:]) == {None, 0}
    assert envelope._replace(payload=b"").payload == b""
    assert pickle.loads(pickle.dumps(envelope)) == envelope


# -- restarts


def test_intensity_is_three_within_a_minute():
    assert Intensity() == Intensity(3, 60.0)


def test_there_is_one_brutal_kill():
    assert pickle.loads(pickle.dumps(BRUTAL_KILL)) is BRUTAL_KILL
    assert copy.deepcopy(BRUTAL_KILL) is BRUTAL_KILL
    assert list(BrutalKill) == [BRUTAL_KILL]


@pytest.mark.parametrize("word", ["permanent", "transient", "temporary"])
def test_restart_types_are_read_from_their_words(word):
    assert RestartType(word).value == word


# -- exits


@given(st.sampled_from(ExitKind), st.text(max_size=20))
def test_an_exit_says_its_kind_and_the_detail(kind, detail):
    text = str(ExitReason(kind, detail=detail))
    assert text == (f"{kind.value} ({one_line(detail)})" if detail else kind.value)


def test_exits_are_equal_whatever_was_raised():
    one, other = (ExitReason(ExitKind.CRASH, ValueError(), "v") for _ in range(2))
    assert one == other
    assert one != ExitReason(ExitKind.KILLED, None, "v")


def test_an_exit_survives_pickle_and_copy():
    reason = ExitReason(ExitKind.CRASH, ValueError("v"), "v")
    again = pickle.loads(pickle.dumps(reason))
    assert again == reason
    assert repr(again.error) == repr(reason.error)
    assert copy.deepcopy(reason) is copy.copy(reason) is reason


# -- values of guests


@pytest.mark.parametrize(
    ("kind", "name"), [(LogLevel, "log-level"), (HealthStatus, "health-status")]
)
def test_enums_are_those_of_the_world(kind, name):
    assert [member.value for member in kind] == enum_of(name)


def test_a_level_and_what_is_more_important():
    assert LogLevel.TRACE.and_above == frozenset(LogLevel)
    assert LogLevel.WARN.and_above == {LogLevel.WARN, LogLevel.ERROR}
    assert LogLevel.ERROR.and_above == {LogLevel.ERROR}


def test_a_configuration_holds_nothing_unless_given():
    assert ComponentConfig() == ComponentConfig((), None, Limits())


def test_what_the_engine_lowers_is_a_tuple():
    assert Timestamp(5, 7) == (5, 7)
    assert StorageUsage(1, 2, 3) == (1, 2, 3)


# -- all of them


def test_every_event_is_a_frozen_value_with_words_to_it():
    for event in Event.__args__:
        assert attrs.has(event)
        assert event.__doc__
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            event.__new__(event).supervisor = "x"


def test_events_of_children_differ_from_those_of_actors():
    of_children = {e for e in Event.__args__ if issubclass(e, ChildEvent)}
    fields = {e: {f.name for f in attrs.fields(e)} for e in Event.__args__}
    assert of_children == {e for e in fields if {"supervisor", "child"} <= fields[e]}


def test_contracts_are_final_and_frozen():
    open_classes = {ChildEvent, *(c for c in public_classes() if not attrs.has(c))}
    for kind in public_classes() - open_classes:
        assert getattr(kind, "__final__", False), f"{kind.__name__} is not final"
        assert kind.__setattr__ is not object.__setattr__, kind.__name__


def public_classes():
    members = (getattr(contracts, name) for name in contracts.__all__)
    return {member for member in members if inspect.isclass(member)}
