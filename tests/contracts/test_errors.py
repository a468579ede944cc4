"""Errors: whose fault, which fields, what to do; and that they survive travelling."""

import copy
import inspect
import pickle
import threading

import pytest
from hypothesis import given, strategies as st

from airssys import contracts
from airssys.contracts import (
    AirssysError,
    AskTimedOut,
    AuditFailed,
    BadAnswer,
    BadTopic,
    BroadcastFailed,
    CalleeFailed,
    CapacityReached,
    CodecNotTaken,
    ComponentId,
    ComponentRefused,
    DefinitionError,
    DeliveryFailed,
    EngineMisused,
    ExchangeBroken,
    ExitKind,
    ExitReason,
    ExtraMissing,
    Fault,
    GuestFailed,
    GuestRejected,
    GuestSpent,
    GuestTrapped,
    HealthStatus,
    IntensityExceeded,
    InternalError,
    InvalidMessage,
    MailboxFull,
    MessageExpired,
    MessageTooLarge,
    MessageTooShort,
    MessagingError,
    Mistake,
    NameTaken,
    NoAnswer,
    NotEncodable,
    NotGranted,
    NotUnderstood,
    PrefixContradicted,
    QuotaExceeded,
    RequestCancelled,
    RequestWouldDeadlock,
    SnapshotRefused,
    StartFailed,
    StashFull,
    StoppedByQuota,
    StorageRefused,
    SystemGaveUp,
    TargetNotFound,
    TooManyRequests,
    TrapReason,
    Unavailable,
    UnhandledMessage,
    Unhealthy,
    UnknownPrefix,
    Unwanted,
    one_line,
)

HOSTILE = (
    "\x1b]0;owned\x07\x9b2J\r\nroot/other ended\u2028\u2029\x85\u202e\u2066\ud800\x00"
)
TEXT = st.text(max_size=20) | st.just(HOSTILE)
NAMES = st.builds(
    ComponentId,
    st.sampled_from(["local", "team"]),
    st.text("abc-", min_size=1, max_size=5),
)
NUMBERS = st.integers(0, 10**6)
SECONDS = st.floats(0, 1e6)
CASES = ["not-found", "already-exists", "quota-exceeded", "invalid-key", "io-error"]
BASES = {AirssysError, GuestFailed, MessagingError}

guests_errors = st.one_of(
    st.builds(GuestTrapped, st.sampled_from(TrapReason), TEXT, TEXT),
    st.builds(GuestRejected, TEXT, TEXT, st.none() | TEXT),
    st.builds(GuestSpent, TEXT, st.none() | st.sampled_from(TrapReason)),
)
causes = st.none() | guests_errors | st.builds(ValueError, TEXT)
reasons = st.builds(ExitReason, st.sampled_from(ExitKind), causes, TEXT)
exceeded = st.builds(
    IntensityExceeded, TEXT, st.just("local/a/0"), NUMBERS, SECONDS, TEXT
)
EXAMPLES = {
    DefinitionError: st.builds(
        DefinitionError, st.lists(st.builds(Mistake, TEXT, TEXT, TEXT), max_size=3)
    ),
    ComponentRefused: st.builds(ComponentRefused, TEXT, TEXT, st.just("Fix it")),
    EngineMisused: st.builds(EngineMisused, TEXT),
    NameTaken: st.builds(NameTaken, NAMES),
    AuditFailed: st.builds(AuditFailed, TEXT, st.just("Make room")),
    CapacityReached: st.builds(CapacityReached, TEXT, st.just("Run fewer")),
    InternalError: st.builds(InternalError, TEXT),
    GuestTrapped: st.builds(GuestTrapped, st.sampled_from(TrapReason), TEXT, TEXT),
    GuestRejected: st.builds(GuestRejected, TEXT, TEXT, st.none() | TEXT),
    GuestSpent: st.builds(GuestSpent, TEXT, st.none() | st.sampled_from(TrapReason)),
    SnapshotRefused: st.builds(SnapshotRefused, TEXT, st.just("Take it again")),
    DeliveryFailed: st.builds(DeliveryFailed, TEXT, st.none() | st.just("Wait")),
    NotGranted: st.builds(NotGranted, TEXT),
    QuotaExceeded: st.builds(
        QuotaExceeded, TEXT, st.just("fan_out"), NUMBERS, NUMBERS, st.floats(0)
    ),
    StoppedByQuota: st.builds(StoppedByQuota, TEXT, st.just("fan_out"), NUMBERS),
    InvalidMessage: st.builds(InvalidMessage, TEXT, st.none() | st.just("Fix it")),
    BadTopic: st.builds(BadTopic, TEXT),
    BroadcastFailed: st.builds(
        BroadcastFailed,
        st.dictionaries(NAMES, st.just(NotGranted("no")), max_size=2),
        st.integers(0, 9),
    ),
    MailboxFull: st.builds(MailboxFull, NAMES, NUMBERS),
    TargetNotFound: st.builds(TargetNotFound, NAMES),
    MessageTooLarge: st.builds(MessageTooLarge, NAMES, NUMBERS, NUMBERS),
    MessageExpired: st.builds(MessageExpired, NAMES),
    CodecNotTaken: st.builds(
        CodecNotTaken, NAMES, st.none() | TEXT, st.lists(TEXT), st.none() | TEXT
    ),
    MessageTooShort: st.builds(MessageTooShort, NAMES, st.integers(0, 1)),
    UnknownPrefix: st.builds(UnknownPrefix, NAMES, st.integers(0, 2**16 - 1)),
    PrefixContradicted: st.builds(PrefixContradicted, NAMES, TEXT, TEXT),
    NotUnderstood: st.builds(NotUnderstood, TEXT, st.lists(TEXT), st.lists(TEXT)),
    UnhandledMessage: st.builds(UnhandledMessage, NAMES, TEXT, st.lists(TEXT)),
    NotEncodable: st.builds(NotEncodable, TEXT, TEXT, TEXT),
    BadAnswer: st.builds(BadAnswer, NAMES, TEXT, st.lists(TEXT)),
    ExchangeBroken: st.builds(ExchangeBroken, TEXT, st.none() | st.integers(400, 599)),
    ExtraMissing: st.builds(ExtraMissing, TEXT, TEXT, TEXT),
    StashFull: st.builds(StashFull, NAMES, NUMBERS),
    Unwanted: st.builds(Unwanted, NAMES),
    Unavailable: st.builds(Unavailable, NAMES, TEXT),
    AskTimedOut: st.builds(AskTimedOut, NAMES, TEXT, SECONDS),
    RequestCancelled: st.builds(RequestCancelled, NAMES, TEXT),
    TooManyRequests: st.builds(TooManyRequests, NAMES, NUMBERS),
    RequestWouldDeadlock: st.builds(RequestWouldDeadlock, st.lists(NAMES, max_size=3)),
    CalleeFailed: st.builds(
        CalleeFailed, NAMES, TEXT, st.sampled_from(NoAnswer), causes
    ),
    StorageRefused: st.builds(StorageRefused, st.sampled_from(CASES), st.none() | TEXT),
    StartFailed: st.builds(StartFailed, TEXT, st.just("local/a/0"), reasons),
    Unhealthy: st.builds(
        Unhealthy, NAMES, st.integers(1, 9), st.sampled_from(HealthStatus)
    ),
    SystemGaveUp: st.builds(SystemGaveUp, st.lists(exceeded, max_size=3)),
}
anything = st.one_of(*EXAMPLES.values())


class Stubborn(Exception):
    """Can be neither pickled nor copied, like many errors that programs define."""

    def __init__(self, *, needed):
        super().__init__(needed)
        self.lock = threading.Lock()


def public_errors():
    members = (getattr(contracts, name) for name in contracts.__all__)
    classes = {m for m in members if inspect.isclass(m)}
    return {c for c in classes if issubclass(c, BaseException)}


def comparable(value):
    """Fields as what can be compared: exceptions are equal only to themselves."""
    if isinstance(value, ExitReason):
        return (value.kind, comparable(value.error), value.detail)
    if isinstance(value, BaseException):
        return (type(value), str(value), comparable(vars(value)))
    if isinstance(value, dict):
        return {name: comparable(each) for name, each in value.items()}
    return value


def is_same(one, other):
    return one is not other and comparable(one) == comparable(other)


def test_every_public_error_is_tested_here():
    assert public_errors() == set(EXAMPLES) | BASES
    assert all(issubclass(error, AirssysError) for error in public_errors())


@given(anything)
def test_an_error_survives_pickle_and_copy(error):
    error.add_note("seen at noon")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert is_same(pickle.loads(pickle.dumps(error, protocol)), error)
    assert is_same(copy.copy(error), error)
    assert is_same(copy.deepcopy(error), error)


@given(anything)
def test_an_error_says_whose_fault_it_is_and_what_to_do(error):
    assert isinstance(error.fault, Fault)
    assert len(error.advice) > 3
    assert one_line(error.advice) in str(error)
    assert vars(error), "fields carry the data"


@given(anything)
def test_an_error_is_one_printable_line_or_a_list_of_such_lines(error):
    match error:
        case DefinitionError(mistakes=listed):
            count = max(len(listed), 1)
        case SystemGaveUp(chain=listed):
            count = max(len(listed), 1) + 1
        case _:
            count = 0
    lines = str(error).split("\n")
    assert len(lines) == 1 + count
    assert all(each.isprintable() for each in [*lines, repr(error)])


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (DefinitionError, Fault.DEFINITION),
        (ComponentRefused, Fault.DEFINITION),
        (GuestFailed, Fault.GUEST),
        (GuestTrapped, Fault.GUEST),
        (StorageRefused, Fault.GUEST),
        (InvalidMessage, Fault.SENDER),
        (MailboxFull, Fault.SENDER),
        (TargetNotFound, Fault.SENDER),
        (CalleeFailed, Fault.ACTOR),
        (SystemGaveUp, Fault.ACTOR),
        (Unhealthy, Fault.ACTOR),
        (AuditFailed, Fault.MACHINE),
        (CapacityReached, Fault.MACHINE),
        (EngineMisused, Fault.PROGRAM),
        (NameTaken, Fault.PROGRAM),
        (InternalError, Fault.OURS),
    ],
)
def test_the_fault_belongs_to_the_class(kind, fault):
    assert kind.fault is fault


def test_every_kind_of_fault_occurs():
    assert {kind.fault for kind in EXAMPLES} == set(Fault)


@pytest.mark.parametrize(
    "carry",
    [
        lambda error: CalleeFailed(
            ComponentId.parse("a"), "w", NoAnswer.CRASHED, error
        ),
        lambda error: StartFailed("root", "local/a/0", _crash(error)),
        lambda error: StartFailed(
            "r", "s", _crash(StartFailed("s", "t", _crash(error)))
        ),
    ],
)
def test_a_stubborn_cause_stays_behind_and_its_words_travel(carry):
    error = carry(Stubborn(needed="boom"))
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
    assert vars(again).keys() == vars(error).keys()
    # A copy in the same process need not lose it.
    for copied in (copy.copy(error), copy.deepcopy(error)):
        assert vars(copied) == vars(error)


def _crash(error):
    return ExitReason(ExitKind.CRASH, error, "boom")


@given(st.integers(1, 200))
def test_a_long_chain_of_causes_takes_no_time(length):
    error = ValueError("the first")
    for _ in range(length):
        error = CalleeFailed(ComponentId.parse("a"), "w", NoAnswer.CRASHED, error)
    again = pickle.loads(pickle.dumps(error))
    for _ in range(length):
        again = again.error
    assert str(again) == "the first"


def test_a_users_subclass_may_take_other_arguments():
    again = pickle.loads(pickle.dumps(Special(colour="red")))
    assert (again.colour, str(again)) == (
        "red",
        "a red problem. Correct the message; the same one will be refused again",
    )


class Special(InvalidMessage):
    def __init__(self, *, colour):
        self.colour = colour
        super().__init__(f"a {colour} problem")


def test_a_bad_message_is_a_bad_value_too():
    assert issubclass(InvalidMessage, ValueError)


def test_a_call_into_a_spent_instance_names_the_first_failure_once():
    trapped = GuestTrapped(TrapReason.TIME_LIMIT, "handle-message", "too slow")
    first = GuestSpent.after(trapped)
    assert first.reason is TrapReason.TIME_LIMIT
    assert str(first) == (
        "this instance is spent: time limit in handle-message. Start a fresh instance"
    )
    assert is_same(GuestSpent.after(first), first)
    assert GuestSpent.after(GuestSpent("it was closed")).reason is None
    assert "odd" in str(GuestSpent.after(GuestFailed("odd")))


def test_what_names_a_child_says_whether_it_is_an_actor():
    reason = ExitReason(ExitKind.NORMAL)
    actor = ComponentId.parse("a")
    assert StartFailed("root", str(actor), reason).actor == actor
    assert StartFailed("root", "workers", reason).actor is None
    assert IntensityExceeded("root", str(actor), 1, 1.0, "crash").actor == actor
