"""What a component may do, held against the port itself, and what each call does."""

import pytest

from airssys.contracts import (
    Clock,
    Codecs,
    ComponentId,
    ComponentInfo,
    Directory,
    HostServices,
    Keyspace,
    Limits,
    Logged,
    LogLevel,
    Messages,
    MessageTooShort,
    NotGranted,
    Permissions,
    StorageRefused,
    Timestamp,
    Topics,
    UnknownPrefix,
)
from airssys.nursery import ActorServices
from airssys.nursery.shared._system_services import ActorDirectory, SystemClock
from airssys.storage import MemoryStorage

ME = ComponentId.parse("me")
LIMITS = Limits(storage_bytes=700, storage_keys=8)


class Shared:
    """As much of them as the calls below need."""

    broker = publishing = randomness = None

    def __init__(self):
        self.lines, self.infos, self.quotas = [], {}, []
        self.events = self.lines.append
        self.kept = Recorder()
        self.storage = self
        self.clock = SystemClock(self.wall_clock, None)
        self.directory = ActorDirectory(None, self.infos)

    def keyspace(self, owner, *, max_bytes, max_keys):
        self.quotas.append((owner, max_bytes, max_keys))
        return self.kept

    def wall_clock(self):
        return 1_700_000_000_000_000_005


class Recorder:
    """A keyspace that notes what it is asked, and answers with it."""

    def __getattr__(self, name):
        return lambda *arguments: (name, *arguments)


@pytest.fixture
def shared():
    return Shared()


@pytest.fixture
def services(shared):
    return ActorServices(ME, shared, LIMITS, None)


def calls_of(port):
    return {name for name in vars(port) if not name.startswith("_")}


PARTS = {
    "messages": Messages,
    "topics": Topics,
    "clock": Clock,
    "directory": Directory,
    "storage": Keyspace,
    "permissions": Permissions,
}


def public(thing):
    return {name for name in dir(thing) if not name.startswith("_")}


def test_every_host_call_is_there_and_no_more(services, shared):
    shared.kept = MemoryStorage().keyspace(ME, max_bytes=1, max_keys=1)
    # What the host itself uses: no guest reaches it.
    own = {"note_taken", "close", "has_open_requests", "patterns", "meter", "cut_time"}
    assert public(services) - own == calls_of(HostServices)
    assert calls_of(HostServices) - PARTS.keys() == {
        "self_id",
        "log",
        "environment",
        "config",
        "randomness",
    }
    for part, port in PARTS.items():
        assert public(getattr(services, part)) - own == calls_of(port), part


def test_an_incarnation_that_has_ended_begins_nothing(services):
    services.close()
    for begin in (
        lambda: services.topics.subscribe("topic"),
        lambda: services.messages.request(ME, b"", 1.0),
    ):
        with pytest.raises(NotGranted, match="has ended"):
            begin()


def test_storage_is_the_keyspace_of_the_component(services, shared):
    assert shared.quotas == []
    assert services.storage.get("k") == ("get", "k")
    assert services.storage.exists("k") == ("exists", "k")
    assert services.storage.keys("p") == ("keys", "p")
    assert shared.quotas == [(ME, 700, 8)]

    class Refusing(Recorder):
        def set(self, key, value):
            raise StorageRefused("quota-exceeded", f"{key} {value!r}")

        def usage(self):
            return [1, 2, 3]

    shared.kept = Refusing()
    refusing = ActorServices(ME, shared, LIMITS, None)
    with pytest.raises(StorageRefused, match=r"k b'v'"):
        refusing.storage.set("k", b"v")
    assert refusing.storage.usage() == [1, 2, 3]


def test_a_line_is_an_event_with_its_source_and_context(services, shared):
    services.log(LogLevel.WARN, "hot", [("degrees", "99")])
    assert shared.lines == [Logged(ME, LogLevel.WARN, "hot", (("degrees", "99"),))]


@pytest.mark.parametrize("minimum", LogLevel)
def test_a_line_below_the_level_costs_no_event(shared, minimum):
    services = ActorServices(ME, shared, LIMITS, None, minimum)
    for level in LogLevel:
        services.log(level, "line", ())
    levels = list(LogLevel)
    assert [line.level for line in shared.lines] == levels[levels.index(minimum) :]


def test_the_clock_is_the_one_that_was_given(services):
    assert services.clock.current_time() == Timestamp(1_700_000_000, 5)


def test_what_an_actor_reported_of_itself_is_found(services, shared):
    assert services.directory.component_info(ME) is None
    shared.infos[ME] = info = ComponentInfo(ME, "me", "1.0", "healthy")
    assert services.directory.component_info(ME) is info


@pytest.mark.parametrize(
    ("payload", "error"), [(b"", MessageTooShort), (b"{}", UnknownPrefix)]
)
async def test_a_component_of_prefixes_sends_nothing_without_one(
    shared, payload, error
):
    """Refused before there is a broker to ask, which there is not."""
    codecs = Codecs(prefixed=True)
    services = ActorServices(ME, shared, LIMITS, None, codecs=codecs)
    for send in (
        lambda: services.messages.send(ME, payload),
        lambda: services.messages.ask(ME, payload, 1),
        lambda: services.messages.broadcast([ME], payload),
        lambda: services.topics.publish("topic", payload),
    ):
        with pytest.raises(error):
            await send()
    with pytest.raises(error):
        services.messages.request(ME, payload, 1)
