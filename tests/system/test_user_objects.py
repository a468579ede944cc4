"""Faults in whatever a program gives: all others go on, or the program ends in order.

A fault is injected wherever the system calls into, formats or compares what a user gave, in
each of the steps that must not fail (the design page lists them). Then its supervisor
has reported every end, its asker has an answer, and the system ends.
"""

import gc
import io
import logging
import os
import random
import time

import pytest
import trio

from airssys import (
    NO_BACKOFF,
    Backoff,
    CalleeFailed,
    ChildExited,
    ChildStarted,
    HealthStatus,
    InvalidMessage,
    MessagingError,
    Refusal,
    TaskSpec,
    actor,
    blueprint,
    dynamic_supervisor,
    open_system,
    pool,
)


def raises(*_):
    raise LookupError("the session is closed")


def recurses(*_):
    return recurses() + 1


def returns_nonsense(*_):
    return object()


def raises_a_deep_group(*_):
    error = ValueError("deep")
    for _ in range(600):
        error = ExceptionGroup("group", [error])
    raise error


def ends(*_):
    raise SystemExit(7)


def interrupts(*_):
    raise KeyboardInterrupt


FAULTS = [raises, recurses, returns_nonsense, raises_a_deep_group]
FATAL = [ends, interrupts]
ANY = pytest.mark.parametrize("fault", FAULTS + FATAL)


@pytest.fixture(autouse=True)
def log():
    """Every line is made, and goes nowhere."""
    logger, handler = logging.getLogger("airssys"), logging.NullHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


class Neighbour:
    """Did nothing wrong."""

    def __init__(self, ended):
        self.ended = ended

    async def handle(self, context, envelope):
        return envelope.payload

    async def stopped(self, context):
        self.ended.append(context.self_id.name)


async def outlive(fault, victim, provoke, **options):
    """Provoke a fault in a system, and see that no other actor is affected; returns its events.

    One that is to end the program ends it in order: the neighbour is stopped properly.
    """
    ended = []
    whole = blueprint(actor("neighbour", Neighbour, ended), victim, stop_timeout=30)
    opening = open_system(whole, **options)
    events = opening.listen()
    came_out = None
    with trio.fail_after(1000):
        try:
            async with opening as system:
                await provoke(system)
                if fault in FATAL:
                    await trio.sleep(100)
                answer = await system.ask("neighbour", b"hello", timeout=10)
                assert answer == b"hello"
                assert fault not in FATAL, "the program went on"
        except (SystemExit, KeyboardInterrupt) as error:
            came_out = type(error)
    assert came_out is {ends: SystemExit, interrupts: KeyboardInterrupt}.get(fault)
    assert ended == ["neighbour"]
    return [event async for event in events]


def ends_of(events, name="local/victim/0"):
    return [e for e in events if isinstance(e, ChildExited) and e.child == name]


def starts_of(events, name="local/victim/0"):
    return [e for e in events if isinstance(e, ChildStarted) and e.child == name]


# ---------------------------------------------------------------------------- errors

NAMES = ("__str__", "__repr__", "__class__", "__bool__", "__eq__", "__hash__")


def odd_error(fault):
    """Make an error of which nothing can be asked without this fault."""
    members = {**dict.fromkeys(NAMES, fault), "__class__": property(fault)}
    return type("Odd", (ValueError,), members)("odd")


class Victim:
    """Raises an error at a chosen place, but only once."""

    def __init__(self, where, error, runs):
        self.where, self.error, self.runs = where, error, runs
        runs.append("init")

    def fail(self, where):
        if self.where == where and where not in self.runs:
            self.runs.append(where)
            raise self.error

    async def started(self, context):
        if len(self.runs) > 1:
            self.fail("started again")

    async def handle(self, context, envelope):
        self.fail("handle")
        if envelope.payload == b"crash":
            raise OSError("on purpose")
        return b"answered"

    async def health(self, context):
        self.fail("health")
        return HealthStatus.HEALTHY

    async def before_restart(self, context, reason):
        self.fail("before_restart")

    async def stopped(self, context):
        self.fail("stopped")


WHERE = ["handle", "started again", "health", "before_restart", "stopped"]


@ANY
@pytest.mark.parametrize(
    ("where", "poison"),
    [
        *((each, "drop") for each in WHERE),
        ("handle", "retry"),
        ("handle", "quarantine"),
    ],
)
async def test_an_error_that_can_be_asked_nothing(autojump_clock, fault, where, poison):
    runs, health = [], {"interval": 1} if where == "health" else None
    victim = actor(
        "victim",
        Victim,
        where,
        odd_error(fault),
        runs,
        backoff=NO_BACKOFF,
        poison=poison,
        health=health,
    )
    answers = []

    async def provoke(system):
        if where in {"started again", "before_restart"}:
            with pytest.raises(CalleeFailed):
                await system.ask("victim", b"crash", timeout=5)
        elif where == "handle":
            try:
                answers.append(await system.ask("victim", b"x", timeout=5))
            except CalleeFailed as error:
                answers.append(error)
            assert len(answers) == 1
        elif where == "stopped":
            await system.supervisor("root").terminate_child("victim")
            return
        await trio.sleep(5)
        if fault not in FATAL:
            assert await system.ask("victim", b"x", timeout=5) == b"answered"

    events = await outlive(fault, victim, provoke)
    assert len(ends_of(events)) >= 1
    assert len(ends_of(events)) == len(starts_of(events))


@ANY
async def test_an_error_of_a_task(autojump_clock, fault):
    error, runs = odd_error(fault), []

    async def work():
        runs.append(1)
        if len(runs) == 1:
            raise error
        await trio.sleep_forever()

    async def provoke(system):
        await trio.sleep(1)
        assert len(runs) == 2

    victim = TaskSpec(name="victim", function=work, backoff=NO_BACKOFF)
    await outlive(fault, victim, provoke)


@ANY
async def test_an_error_that_is_resumed_from(autojump_clock, fault):
    error = odd_error(fault)

    async def handle(context, envelope):
        if envelope.payload == b"again":
            return b"answered"
        raise error

    async def provoke(system):
        with pytest.raises(CalleeFailed) as caught:
            await system.ask("victim", b"x", timeout=5)
        if fault not in FATAL:
            assert caught.value.error is error
            assert await system.ask("victim", b"again", timeout=5) == b"answered"

    victim = actor("victim", handle, on_error={ValueError: "resume"})
    await outlive(fault, victim, provoke)


@ANY
async def test_an_error_of_a_child_that_does_not_start(autojump_clock, fault):
    late = type("Late", (Neighbour,), {"__init__": init_of(odd_error(fault))})

    async def provoke(system):
        victims = system.supervisor("root/victims")
        answer = await victims.start_child(actor("late", late))
        assert answer.why is Refusal.START_FAILED

    await outlive(fault, dynamic_supervisor("victims"), provoke)


def init_of(error):
    def init(self):
        raise error

    return init


@pytest.mark.unmeasured
@pytest.mark.parametrize("depth", [600, 100_000])
@pytest.mark.parametrize("kind", [ValueError, SystemExit])
async def test_groups_nested_deep(autojump_clock, depth, kind):
    error, runs = kind(7), []
    for _ in range(depth):
        error = BaseExceptionGroup("group", [error])

    async def work():
        runs.append(1)
        if len(runs) == 1:
            raise error
        await trio.sleep_forever()

    async def provoke(system):
        await trio.sleep(1)
        assert len(runs) == 2

    victim = TaskSpec(name="victim", function=work, backoff=NO_BACKOFF)
    await outlive(ends if kind is SystemExit else raises, victim, provoke)


# ------------------------------------------------------ what is called beside actors


async def crash(context, envelope):
    if envelope.payload == b"crash":
        raise ValueError("a bad day")
    return envelope.payload


async def crash_and_answer(system):
    """Let the victim crash, and be answered by the next one."""
    with pytest.raises(CalleeFailed):
        await system.ask("victim", b"crash", timeout=5)
    assert await system.ask("victim", b"x", timeout=5) == b"x"


def crashing(**options):
    return actor("victim", crash, **{"backoff": NO_BACKOFF, **options})


@ANY
@pytest.mark.parametrize("where", ["emit", "filter", "handler's filter", "format"])
async def test_a_log_handler_or_filter(autojump_clock, log, fault, where):
    handler = logging.StreamHandler(io.StringIO())
    handler.handleError = fault
    if where == "emit":
        handler.emit = fault
    elif where == "format":
        handler.format = fault
    elif where == "handler's filter":
        handler.addFilter(fault)
    else:
        log.addFilter(fault)
    log.addHandler(handler)
    try:
        events = await outlive(fault, crashing(), crash_and_answer_or_end)
    finally:
        log.removeHandler(handler)
        log.removeFilter(fault)
    if fault not in FATAL:
        assert len(ends_of(events)) == len(starts_of(events)) == 2


async def crash_and_answer_or_end(system):
    """Do so, if there is time: in a program that is about to end anything may come out."""
    await trio.lowlevel.checkpoint()
    await crash_and_answer(system)


class Meta(type):
    """Of a class for `on_error` that cannot be asked who belongs to it."""

    fault = raises

    def __instancecheck__(cls, instance):
        return Meta.fault()

    def __subclasscheck__(cls, kind):
        return Meta.fault()


class Asked(Exception, metaclass=Meta):
    pass


@ANY
async def test_a_class_of_errors_that_cannot_be_asked(
    autojump_clock, monkeypatch, fault
):
    monkeypatch.setattr(Meta, "fault", staticmethod(fault))
    victim = crashing(on_error={Asked: "stop"})
    events = await outlive(None, victim, crash_and_answer)
    assert len(ends_of(events)) == len(starts_of(events)) == 2


class Failing:
    """Callable: fails from a chosen moment on."""

    def __init__(self, good, fault):
        self.good, self.fault, self.fails = good, fault, False

    def __call__(self, *arguments):
        return self.fault() if self.fails else self.good(*arguments)


@ANY
@pytest.mark.parametrize("what", ["wall_clock", "randomness"])
async def test_a_clock_or_a_source_of_randomness(autojump_clock, fault, what):
    good = {"wall_clock": lambda: 5, "randomness": os.urandom}[what]
    given = Failing(good, fault)
    received = []

    async def timed(context, envelope):
        if envelope.payload == b"start":
            context.send_after(1, b"later")
            context.watch("neighbour")
        elif envelope.payload == b"later":
            received.append(envelope)
        return await crash(context, envelope)

    async def provoke(system):
        await system.send("victim", b"start")
        given.fails = True
        for _ in range(300):  # more than random bytes are fetched for at once
            assert await system.ask("victim", b"x", timeout=5) == b"x"
        await crash_and_answer(system)
        await trio.sleep(5)
        assert await system.ask("victim", b"x", timeout=5) == b"x"

    victim = actor("victim", timed, backoff=NO_BACKOFF)
    await outlive(fault, victim, provoke, **{what: given})


@pytest.mark.parametrize("moment", [-1, 2**63, 0.5, "now", None])
async def test_a_clock_that_tells_no_time(autojump_clock, moment):
    sent = []

    async def note(context, envelope):
        sent.append(envelope.sent_at_ns)

    before = time.time_ns()
    await outlive(
        None,
        actor("victim", note),
        lambda system: system.ask("victim", b""),
        wall_clock=lambda: moment,
    )
    assert before <= sent[0] <= time.time_ns()


@ANY
async def test_chance(autojump_clock, fault):
    class Chance(random.Random):
        def uniform(self, a, b):
            return fault()

        random = uniform

    victim = crashing(backoff=Backoff(first=0.1, jitter=True))
    events = await outlive(fault, victim, crash_and_answer_or_end, rng=Chance())
    if fault not in FATAL:
        assert len(ends_of(events)) == len(starts_of(events)) == 2


PAYLOADS = [b"%d" % number for number in range(20)]


@ANY
@pytest.mark.parametrize("members", [5, 1, 2])
async def test_a_key_function_while_messages_are_moved(autojump_clock, fault, members):
    """The pool grows, shrinks, or shrinks later when it is idle."""
    key = Failing(lambda envelope: envelope.payload, fault)
    handled = []

    async def provoke(system):
        await system.resize("victim", 2)
        for payload in PAYLOADS:
            system.tell("victim", payload)
        key.fails = True
        await system.resize("victim", members)
        await trio.sleep(100)
        key.fails = False
        if fault not in FATAL:
            assert sorted(handled) == sorted(PAYLOADS)
            assert await system.ask("victim", b"x", timeout=5) == b"done"

    await outlive(fault, slow_pool(handled, key), provoke)


@ANY
async def test_a_key_function_while_a_message_is_sent(autojump_clock, fault):
    key = Failing(lambda envelope: envelope.payload, fault)

    async def provoke(system):
        await system.resize("victim", 2)
        for payload in PAYLOADS:
            system.tell("victim", payload)
        key.fails = True
        if fault in FATAL:
            system.tell("victim", b"x")
        with pytest.raises(InvalidMessage):
            system.tell("victim", b"x")

    await outlive(fault, slow_pool([], key), provoke)


def slow_pool(handled, key):
    async def work(context, envelope):
        handled.append(envelope.payload)
        await trio.sleep(1)
        return b"done"

    return pool(
        "victim",
        actor("victim", work, backoff=NO_BACKOFF),
        size={"minimum": 1, "maximum": 8},
        routing="consistent-hash",
        key=key,
    )


async def test_a_key_function_that_sends_while_messages_are_moved(autojump_clock):
    handled, systems, sent = [], [], []

    def key(envelope):
        if systems and len(sent) < 3:
            sent.append(b"from the key function")
            systems[0].tell("victim", sent[-1])
        return envelope.payload

    async def provoke(system):
        for payload in PAYLOADS:
            system.tell("victim", payload)
        systems.append(system)
        await system.resize("victim", 4)
        await trio.sleep(100)

    await outlive(None, slow_pool(handled, key), provoke)
    assert len(sent) == 3
    assert sorted(handled) == sorted([*PAYLOADS, *sent])


@ANY
async def test_an_object_that_fails_while_it_is_forgotten(
    autojump_clock, monkeypatch, fault
):
    """Python itself ignores what `__del__` raises; so it changes nothing."""
    ignored = []
    monkeypatch.setattr("sys.unraisablehook", lambda args: ignored.append(1))

    class Code:
        __del__ = fault

        async def handle(self, context, envelope):
            return await crash(context, envelope)

    victim = actor("victim", Code, backoff=NO_BACKOFF)
    events = await outlive(None, victim, crash_and_answer)
    gc.collect()
    ends, starts = ends_of(events), starts_of(events)
    assert len(ends) == len(starts) == 2
    del events, ends
    gc.collect()
    assert len(ignored) == (0 if fault is returns_nonsense else 2)


# ------------------------------------------------------------ what is sent and asked for


def odd(base, fault, *names):
    """Make a value of a subclass whose methods all have a fault."""
    kept = {
        "__new__",
        "__init__",
        "__class__",
        "__getattribute__",
        "__setattr__",
        "__init_subclass__",
        "__del__",
        "__subclasshook__",
        "__doc__",
        "__dict__",
        "__slots__",
        "__delattr__",
        "__dir__",
    }
    return type("Odd", (base,), {name: fault for name in dir(base) if name not in kept})


@ANY
@pytest.mark.parametrize("base", [bytes, bytearray])
async def test_payloads_and_answers(autojump_clock, fault, base):
    kind = odd(base, fault)

    async def answer(context, envelope):
        assert type(envelope.payload) is bytes
        return kind(b"answered")

    async def provoke(system):
        try:
            moment = await system.ask("victim", kind(b"asked"), timeout=5)
        except CalleeFailed:
            assert base is bytearray  # which is not an answer
        else:
            assert (type(moment), moment) == (bytes, b"answered")

    await outlive(None, actor("victim", answer), provoke)


@ANY
async def test_names_keys_and_content_types(autojump_clock, fault):
    text = odd(str, fault)
    seen = []

    async def note(context, envelope):
        seen.append(envelope)

    async def provoke(system):
        await system.ask(
            text("victim"), b"", key=text("key"), content_type=text("text/plain")
        )
        with pytest.raises(MessagingError):
            await system.ask(text("nobody"), b"")

    await outlive(None, actor("victim", note), provoke)
    (envelope,) = seen
    assert type(envelope.key) is type(envelope.content_type) is str
    assert type(envelope.target.name) is str


@ANY
async def test_seconds_of_a_timer(autojump_clock, fault):
    """They are compared with others in a service that all share."""
    names = (
        "__add__",
        "__radd__",
        "__gt__",
        "__mul__",
        "__rmul__",
        "__hash__",
    )
    kind = type("Odd", (float,), dict.fromkeys(names, fault))
    received = []

    async def note(context, envelope):
        received.append(envelope.payload)
        if envelope.payload == b"start":
            context.send_after(kind(1), b"once")
            context.send_every(kind(1), b"again")

    async def provoke(system):
        await system.ask("victim", b"start", timeout=5)
        await trio.sleep(3.5)
        assert sorted(received) == [b"again"] * 3 + [b"once", b"start"]

    await outlive(None, actor("victim", note), provoke)


@ANY
async def test_a_specification_that_cannot_be_inspected(autojump_clock, fault):
    class Odd:
        __eq__ = __hash__ = __bool__ = __repr__ = __str__ = __lt__ = __le__ = fault
        __class__ = property(fault)

    async def provoke(system):
        victims = system.supervisor("root/victims")
        for name in ("mailbox", "restart", "on_error", "backoff", "behaviour", "id"):
            spec = actor("late", crash)
            object.__setattr__(spec, name, Odd())
            answer = await victims.start_child(spec)
            assert answer.why is Refusal.INVALID_SPEC
        good = await victims.start_child(actor("late", crash))
        assert good.child == "local/late/0"

    await outlive(fault, dynamic_supervisor("victims"), provoke)
