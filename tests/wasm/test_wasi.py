"""WASI 0.2 for actors' guests: all of it links, and nothing is granted by default."""

import pytest
import trio

from airssys.contracts import (
    Artifact,
    ComponentConfig,
    ComponentRefused,
    GuestTrapped,
    Limits,
    LogLevel,
    TrapReason,
)
from airssys.security import (
    arguments,
    clock,
    env,
    insecure_random,
    monotonic_clock,
    random,
    stdout,
)
from airssys.security.capabilities import read_grants
from airssys.testing import FakeServices, HandWallClock
from airssys.wasm import Err, HostInterface, Ok
from airssys.wasm.host import StopGuest
from airssys.wasm.host.wasi import WASI_INTERFACES, wasi_beside
from wasm_support import WasiCalls, envelope, open_guests, order, wasi_guest

SECOND = 1_000_000_000


@pytest.fixture(params=["own", "wasmtime"])
async def guests(request):
    async with open_guests(lane=request.param) as opened:
        yield opened


async def start(guests, services, **limits):
    """Start the guest that imports WASI."""
    artifact = Artifact.from_text(wasi_guest(), "the guest")
    component = await guests.loader.load(artifact)
    instance = await component.instantiate(Limits(**limits), services)
    guests.started.append(instance)
    await instance.initialize(ComponentConfig())
    return instance


async def do(guest, word, given=0):
    answer = await guest.handle_message(envelope(order(word, given)))
    return answer[8:]


async def number(guest, word):
    return int.from_bytes(await do(guest, word), "little")


# ---------------------------------------------------------------- by a guest


async def test_a_guest_with_versions_of_all_kinds_runs_without_a_grant(guests):
    services = FakeServices(can=())
    guest = await start(guests, services)
    assert guest.spent is None
    assert services.denied == []


async def test_a_guest_sleeps_by_trios_clock_and_it_is_not_execution_time(
    guests, autojump_clock
):
    guest = await start(guests, FakeServices(), execution_time=1.0)
    began = trio.current_time()
    before = await number(guest, "n")
    await do(guest, "s", 3600 * SECOND)
    assert trio.current_time() - began == pytest.approx(3600, abs=1)
    assert await number(guest, "n") - before == pytest.approx(3600 * SECOND, abs=SECOND)


async def test_a_sleep_ends_when_the_call_is_cancelled(guests, autojump_clock):
    guest = await start(guests, FakeServices())
    with trio.move_on_after(5):
        await do(guest, "s", 2**64 - 1)
    assert guest.spent.reason is TrapReason.CANCELLED


async def test_what_it_prints_comes_into_the_log(guests):
    services = FakeServices(can=[stdout()])
    guest = await start(guests, services)
    await do(guest, "p", b"hello\nyou")
    await do(guest, "p", b" there\n\xff")
    assert [line for _, line, _ in services.lines] == ["hello", "you there"]
    guest.close()
    assert services.lines[-1] == (LogLevel.INFO, "\ufffd", (("stream", "stdout"),))


async def test_without_a_grant_what_it_prints_is_gone_and_reported_once(guests):
    services = FakeServices(can=())
    guest = await start(guests, services)
    for _ in range(3):
        await do(guest, "p", b"hello\n")
    assert services.lines == []
    (denied,) = services.denied
    assert (denied.access.kind, denied.access.verb) == ("streams", "stdout")


@pytest.mark.parametrize("lane", ["own", "wasmtime"])
async def test_a_composed_component_runs_wasi_by_the_fallback(lane, autojump_clock):
    inner = """(component
      (component $a (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func (export "f") (canon lift (core func $i "f"))))
      (component $b (import "f" (func $f)) (core func (canon lower (func $f))))
      (instance $a (instantiate $a))
      (instance (instantiate $b (with "f" (func $a "f"))))"""
    text = wasi_guest().replace("(component", inner, 1)
    services = FakeServices(can=[stdout()])
    async with open_guests(lane=lane) as guests:
        component = await guests.loader.load(Artifact.from_text(text, "composed"))
        assert component.code.core is None
        guest = await component.instantiate(Limits(), services)
        guests.started.append(guest)
        await guest.initialize(ComponentConfig())
        began = trio.current_time()
        await do(guest, "s", 3600 * SECOND)
        assert trio.current_time() - began == pytest.approx(3600, abs=1)
        await do(guest, "p", b"hello\n")
    assert [line for _, line, _ in services.lines] == ["hello"]


@pytest.mark.parametrize("status", [0, 3])
async def test_exit_is_an_outcome_of_its_own(guests, status):
    guest = await start(guests, FakeServices())
    with pytest.raises(GuestTrapped, match=f"status {status}") as caught:
        await do(guest, "x", status)
    assert caught.value.reason is TrapReason.EXITED
    assert caught.value.status == status
    assert guest.spent is caught.value


async def test_secure_random_bytes_are_refused_by_stopping_the_guest(guests):
    services = FakeServices(can=[insecure_random()])
    guest = await start(guests, services)
    with pytest.raises(GuestTrapped, match=r"random\(\)") as caught:
        await do(guest, "r")
    assert caught.value.reason is TrapReason.NOT_GRANTED
    assert len(services.denied) == 1


async def test_random_numbers_are_those_of_the_system(guests):
    one = await number(await start(guests, FakeServices(can=[random()])), "r")
    other = await number(await start(guests, FakeServices(can=[random()])), "r")
    assert one == other != 0


async def test_handles_are_bounded(guests):
    guest = await start(guests, FakeServices())
    with pytest.raises(GuestTrapped, match="1000 resources") as caught:
        await do(guest, "h")
    assert caught.value.reason is TrapReason.HOST_ALLOCATION_LIMIT


async def test_dropped_handles_do_not_count(guests):
    guest = await start(guests, FakeServices())
    for _ in range(1100):
        await do(guest, "p", b"")


async def test_an_own_clock_moves_by_what_was_slept_and_by_nothing_else(
    guests, autojump_clock
):
    services = FakeServices(can=())
    guest = await start(guests, services)
    assert await number(guest, "n") == 0
    await trio.sleep(10)
    assert await number(guest, "n") == 0
    await do(guest, "s", 5 * SECOND)
    assert await number(guest, "n") == 5 * SECOND
    (denied,) = services.denied
    assert (denied.access.kind, denied.access.verb) == ("clock", "monotonic")


async def test_what_a_program_gives_itself_comes_first(guests):
    own = HostInterface(
        "wasi:random/random@0.2.9", {"get-random-u64": lambda _services: 7}
    )
    artifact = Artifact.from_text(wasi_guest(), "the guest").given([own])
    component = await guests.loader.load(artifact)
    guest = await component.instantiate(Limits(), FakeServices(can=()))
    guests.started.append(guest)
    await guest.initialize(ComponentConfig())
    assert await number(guest, "r") == 7


async def test_the_next_load_finds_it_in_the_cache(tmp_path, request):
    for lane in ("own", "wasmtime"):
        for _ in range(2):
            async with open_guests(tmp_path / lane, lane=lane) as opened:
                guest = await start(opened, FakeServices())
                assert await number(guest, "n")


async def test_wasi_03_is_refused_with_its_reason(guests):
    text = wasi_guest().replace("random/random@0.2.3", "random/random@0.3.0")
    with pytest.raises(ComponentRefused, match=r"wasi:random/random@0\.3\.0") as caught:
        await guests.loader.load(Artifact.from_text(text, "later"))
    assert "streams and futures" in caught.value.advice


# ---------------------------------------------------------------- function by function


class Wasi:
    """The functions of one instance, by interface and name, without a guest."""

    def __init__(self, services, **limits):
        (make,) = {each.make_context for each in WASI_INTERFACES}
        self.context = make(services, Limits(**limits))
        self.services = services

    def call(self, interface, name, *arguments):
        """Call a function; what it answers at once, or its coroutine."""
        (found,) = [
            each for each in WASI_INTERFACES if each.gives(f"wasi:{interface}@0.2.1")
        ]
        function = found.functions[name]
        act = function.at_once or function.act
        return act(self.context, *arguments)

    @property
    def denied(self):
        return [
            (event.access.kind, event.access.verb) for event in self.services.denied
        ]


DENIED = {
    "cli/environment#get-environment": ((), [], ("environment", "read")),
    "cli/environment#get-arguments": ((), [], ("arguments", "read")),
    "cli/environment#initial-cwd": ((), None, None),
    "clocks/wall-clock#now": ((), (0, 0), ("clock", "wall")),
    "clocks/wall-clock#resolution": ((), (0, 1000), ("clock", "wall")),
    "clocks/monotonic-clock#now": ((), 0, ("clock", "monotonic")),
    "clocks/monotonic-clock#resolution": ((), 1000, ("clock", "monotonic")),
    "random/random#get-random-bytes": ((8,), StopGuest, ("random", "secure")),
    "random/random#get-random-u64": ((), StopGuest, ("random", "secure")),
    "random/insecure#get-insecure-random-bytes": (
        (4,),
        bytes.fromhex("cd072cd8"),
        ("random", "insecure"),
    ),
    "random/insecure#get-insecure-random-u64": (
        (),
        7106521602475165645,
        ("random", "insecure"),
    ),
    "cli/terminal-stdin#get-terminal-stdin": ((), None, None),
    "cli/terminal-stdout#get-terminal-stdout": ((), None, None),
    "cli/terminal-stderr#get-terminal-stderr": ((), None, None),
    "filesystem/preopens#get-directories": ((), [], ("files", "list")),
    "sockets/tcp-create-socket#create-tcp-socket": (
        ("ipv4",),
        Err("access-denied"),
        ("network", "connect"),
    ),
    "sockets/udp-create-socket#create-udp-socket": (
        ("ipv4",),
        Err("access-denied"),
        ("network", "bind"),
    ),
    "sockets/ip-name-lookup#resolve-addresses": (
        (None, "example.com"),
        Err("access-denied"),
        ("network", "resolve"),
    ),
}


@pytest.mark.parametrize("full", DENIED)
async def test_without_a_grant_a_function_refuses_and_that_is_reported_once(full):
    taken, answer, access = DENIED[full]
    wasi = Wasi(FakeServices(can=(), environment=[("HOME", "/root")]))
    for _ in range(2):
        if answer is StopGuest:
            with pytest.raises(StopGuest) as caught:
                wasi.call(*full.split("#"), *taken)
            assert caught.value.reason is TrapReason.NOT_GRANTED
        elif "insecure" in full:
            assert type(wasi.call(*full.split("#"), *taken)) is type(answer)
        else:
            assert wasi.call(*full.split("#"), *taken) == answer
    assert wasi.denied == ([] if access is None else [access])


@pytest.mark.parametrize("full", DENIED)
async def test_a_component_without_an_actor_gets_the_same(full):
    taken, answer, _ = DENIED[full]
    wasi = Wasi(None)
    if answer is StopGuest:
        with pytest.raises(StopGuest):
            wasi.call(*full.split("#"), *taken)
    else:
        assert wasi.call(*full.split("#"), *taken) == answer


def test_every_function_is_in_the_matrix_or_works_on_what_was_given():
    """A new function needs a row, unless it takes a resource or opens nothing."""
    free = {
        "io/poll#poll",
        "cli/exit#exit",
        "cli/exit#exit-with-code",
        "cli/stdin#get-stdin",
        "cli/stdout#get-stdout",
        "cli/stderr#get-stderr",
        "clocks/monotonic-clock#subscribe-instant",
        "clocks/monotonic-clock#subscribe-duration",
        "random/insecure-seed#insecure-seed",
        "filesystem/types#filesystem-error-code",
        "sockets/network#network-error-code",
        "sockets/instance-network#instance-network",
        "http/types#http-error-code",
        "http/types#[constructor]fields",
        "http/types#[constructor]outgoing-request",
        "http/types#[constructor]outgoing-response",
        "http/types#[constructor]request-options",
        "http/types#[static]fields.from-list",
        "http/types#[static]incoming-body.finish",
        "http/types#[static]outgoing-body.finish",
        "http/types#[static]response-outparam.set",
        "http/outgoing-handler#handle",  # test_wasi_http: it takes a request
    }
    names = {
        f"{each.name[5:].partition('@')[0]}#{name}"
        for each in WASI_INTERFACES
        for name in each.functions
        if not name.startswith("[method]")
    }
    assert names == free | set(DENIED)


async def test_what_is_remembered_of_denied_names_is_bounded():
    wasi = Wasi(FakeServices(can=()))
    name = "sockets/ip-name-lookup", "resolve-addresses"
    for number in range(2000):
        answer = wasi.call(*name, None, f"{number}.example.com")
        assert answer == Err("access-denied")
    assert len(wasi.context._denied) <= 256
    assert wasi.call(*name, None, "x" * 254) == Err("invalid-argument")
    assert len(wasi.denied) == 2000


async def test_the_environment_has_the_variables_that_are_granted():
    given = [("HOME", "/root"), ("LANG", "C"), ("KEY", "secret")]
    wasi = Wasi(FakeServices(can=[env("HOME", "LANG")], environment=given))
    found = wasi.call("cli/environment", "get-environment")
    assert found == [("HOME", "/root"), ("LANG", "C")]
    assert wasi.denied == []


async def test_the_only_argument_is_its_own_name():
    wasi = Wasi(FakeServices("shop/cart/1", can=[arguments()]))
    assert wasi.call("cli/environment", "get-arguments") == ["shop/cart/1"]


@pytest.mark.parametrize(
    ("resolution", "seen"),
    [(0, (12, 345_678_000)), (0.1, (12, 300_000_000)), (5, (10, 0))],
)
async def test_clocks_are_as_coarse_as_their_grants(resolution, seen, mock_clock):
    # A fake's own clock is not cut; that is what the services of an actor do.
    mock_clock.jump(12.345678 - trio.current_time())
    wasi = Wasi(FakeServices(can=[monotonic_clock(resolution)]))
    shown = wasi.call("clocks/monotonic-clock", "now")
    assert shown == pytest.approx(seen[0] * SECOND + seen[1], abs=10)
    stated = wasi.call("clocks/monotonic-clock", "resolution")
    assert stated == (resolution * SECOND or 1000)


async def test_a_coarse_clock_wakes_a_guest_when_it_shows_the_time(autojump_clock):
    wasi = Wasi(FakeServices(can=[monotonic_clock(1)]))
    wanted = wasi.call("clocks/monotonic-clock", "now") + SECOND // 2
    timer = wasi.call("clocks/monotonic-clock", "subscribe-instant", wanted)
    assert wasi.call("io/poll", "[method]pollable.block", timer) is None
    await wasi_function("io/poll", "[method]pollable.block").act(wasi.context, timer)
    assert wasi.call("clocks/monotonic-clock", "now") >= wanted


async def test_times_that_have_passed_are_not_waited_for(autojump_clock):
    wasi = Wasi(FakeServices(can=[monotonic_clock()]))
    clocks, began = "clocks/monotonic-clock", trio.current_time()
    await trio.sleep(1)
    now = wasi.call(clocks, "now")
    for name, when in (
        ("subscribe-instant", now),
        ("subscribe-instant", now - 1),
        ("subscribe-instant", 0),
        ("subscribe-duration", 0),
    ):
        timer = wasi.call(clocks, name, when)
        assert wasi.call("io/poll", "[method]pollable.ready", timer) is True, name
        assert wasi.call("io/poll", "[method]pollable.block", timer) == Ok()
    assert trio.current_time() == began + 1


def wasi_function(interface, name):
    (found,) = [
        each for each in WASI_INTERFACES if each.gives(f"wasi:{interface}@0.2.0")
    ]
    return found.functions[name]


async def test_the_wall_clock_is_that_of_the_services():
    wall = HandWallClock(1_234.5)
    wasi = Wasi(FakeServices(can=[clock()], wall_clock=wall))
    assert wasi.call("clocks/wall-clock", "now") == (1_234, 500_000_000)


async def test_poll_gives_what_is_ready_and_waits_for_the_first(autojump_clock):
    wasi = Wasi(FakeServices())
    after = lambda seconds: wasi.call(  # noqa: E731  # short
        "clocks/monotonic-clock", "subscribe-duration", seconds * SECOND
    )
    timers = [after(7), after(3), after(0), after(3)]
    assert wasi.call("io/poll", "poll", timers) == [2]
    rest = timers[:2] + timers[3:]
    assert wasi.call("io/poll", "poll", rest) is None
    began = trio.current_time()
    assert await wasi_function("io/poll", "poll").act(wasi.context, rest) == [1, 2]
    assert trio.current_time() - began == pytest.approx(3)


async def test_breaking_a_rule_stops_the_guest():
    wasi = Wasi(FakeServices(), host_call_bytes=100)
    out = wasi.call("cli/stdout", "get-stdout")
    stream = "[method]output-stream."
    for interface, name, *taken in (
        ("io/poll", "poll", []),
        ("io/streams", stream + "write", out, bytes(65537)),
        ("io/streams", stream + "write-zeroes", out, 2**64 - 1),
        ("io/streams", stream + "blocking-write-and-flush", out, bytes(4097)),
        ("io/streams", stream + "blocking-write-zeroes-and-flush", out, 4097),
        ("random/random", "get-random-bytes", 101),
        ("random/insecure", "get-insecure-random-bytes", 2**64 - 1),
    ):
        with pytest.raises(StopGuest):
            wasi.call(interface, name, *taken)


async def test_many_random_bytes_are_made_in_pieces():
    wasi = Wasi(FakeServices())
    for interface, name in (
        ("random/random", "get-random-bytes"),
        ("random/insecure", "get-insecure-random-bytes"),
    ):
        assert wasi.call(interface, name, 200_000) is None
        found = await wasi_function(interface, name).act(wasi.context, 200_000)
        assert len(found) == 200_000


async def test_standard_input_has_ended():
    services = FakeServices(can=())
    wasi = Wasi(services)
    stdin = wasi.call("cli/stdin", "get-stdin")
    for name in ("read", "blocking-read", "skip", "blocking-skip"):
        answer = wasi.call("io/streams", f"[method]input-stream.{name}", stdin, 10)
        assert answer.value.name == "closed"
    assert wasi.denied == [("streams", "stdin")]


async def test_a_seed_is_the_same_each_time_and_another_in_each_instance():
    one, other = (WasiCalls(FakeServices()) for _ in range(2))
    seed = "random/insecure-seed#insecure-seed"
    first = await one.call(seed)
    assert await one.call(seed) == first
    await one.call("random/insecure#get-insecure-random-u64")
    assert await one.call(seed) == first
    without = WasiCalls(FakeServices(can=()))
    assert await without.call(seed) == await without.call(seed)
    assert await other.call(seed) == first  # the randomness of fakes is the same


async def test_output_beyond_the_quota_is_dropped_and_counted(autojump_clock):
    services = FakeServices()
    wasi = Wasi(services)
    out, name = wasi.call("cli/stderr", "get-stderr"), "[method]output-stream.write"
    for _ in range(20):
        assert wasi.call("io/streams", name, out, b"x" * 65535 + b"\n") == Ok()
    logged = sum(len(line) for _, line, _ in services.lines)
    assert logged == 16 * 65535
    await trio.sleep(1)
    wasi.call("io/streams", name, out, b"again\n")
    assert [line for _, line, _ in services.lines[-2:]] == [
        f"{4 * 65536} bytes of stderr were too much to log",
        "again",
    ]


async def test_a_long_line_becomes_several():
    services = FakeServices()
    wasi = Wasi(services)
    out, name = wasi.call("cli/stdout", "get-stdout"), "[method]output-stream.write"
    wasi.call("io/streams", name, out, b"a" * 20_000)
    wasi.context.close()
    assert [len(line) for _, line, _ in services.lines] == [8192, 8192, 3616]


async def test_what_is_granted_later_is_given_from_then_on():
    services = FakeServices(can=())
    wasi = Wasi(services)
    out, name = wasi.call("cli/stdout", "get-stdout"), "[method]output-stream.write"
    wasi.call("io/streams", name, out, b"one\n")
    services.permissions.extend(read_grants([stdout()])[0])
    wasi.call("io/streams", name, out, b"two\n")
    assert [line for _, line, _ in services.lines] == ["two"]


def test_each_resource_has_one_interface_that_defines_it():
    defined = {each.full_name(r) for each in WASI_INTERFACES for r in each.resources}
    for each in WASI_INTERFACES:
        for meant in each.resources.values():
            if meant is not None and hasattr(meant, "resource"):
                assert meant.resource in defined


def test_a_component_without_wasi_gets_none_of_it():
    assert wasi_beside((), ["airssys:core/storage@1.0.0", "acme:shop/till@1.0.0"]) == ()
    assert wasi_beside((), ["wasi:io/poll@0.3.0"]) == ()
    assert wasi_beside((), ["wasi:io/poll@0.2.77"]) == WASI_INTERFACES


# ---------------------------------------------------------------- fixed and seeded


async def test_a_fixed_clock_shows_one_time_and_does_not_grant_the_real_one():
    wasi = Wasi(FakeServices(can=[clock(fixed=1_700_000_000.25)]))
    for _ in range(2):
        assert wasi.call("clocks/wall-clock", "now") == (1_700_000_000, 250_000_000)
    assert wasi.call("clocks/wall-clock", "resolution") == (1, 0)
    assert wasi.services.denied == []
    assert wasi.services.permissions.finest("clock", "wall") == float("inf")


async def test_a_fixed_clock_wins_over_a_real_one():
    wasi = Wasi(FakeServices(can=[clock(), clock(fixed=5)]))
    assert wasi.call("clocks/wall-clock", "now") == (5, 0)


async def test_seeded_random_bytes_are_the_same_in_each_instance():
    def draw(seed, interface="random/random", name="get-random-bytes"):
        wasi = Wasi(FakeServices(can=[random(seed=seed)]))
        return wasi.call(interface, name, 16), wasi.services.denied

    one, denied = draw(7)
    assert denied == []
    assert draw(7)[0] == one != draw(8)[0]
    assert draw(7, "random/insecure", "get-insecure-random-bytes")[0] == one
    wasi = Wasi(FakeServices(can=[random(seed=7)]))
    first = wasi.call("random/random", "get-random-bytes", 8)
    assert first + wasi.call("random/random", "get-random-bytes", 8) == one


@pytest.mark.parametrize(
    "grant", [clock(fixed=-1), clock(fixed=float("nan")), clock(fixed=1e15)]
)
def test_a_time_that_no_clock_shows_is_a_mistake(grant):
    _, mistakes = read_grants([grant])
    assert "seconds since 1970" in mistakes[0].problem
