"""A pool as a broker sees it: where messages go, and what happens to them."""

import math
import sys
from collections import Counter
from functools import partial

import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from airssys.contracts import (
    AskTimedOut,
    CalleeFailed,
    ComponentId,
    DeadLetter,
    DeadReason,
    InvalidMessage,
    MailboxFull,
    Overflow,
    OverflowRules,
    RequestWouldDeadlock,
    Routing,
    TargetNotFound,
    rules_of,
)
from airssys.messaging import Ending, Pool

POOL = ComponentId.parse("pool")
OUTSIDE = ComponentId.parse("outside")


class PoolScene:
    """A pool in a world, its members in the order in which they came."""

    def __init__(
        self,
        world,
        routing=Routing.ROUND_ROBIN,
        key=None,
        *,
        capacity=10,
        rules=OverflowRules(),  # noqa: B008  # frozen
    ):
        self.world, self.made = world, 0
        self.pool = Pool(POOL, routing, key, capacity=capacity, rules=rules)
        world.registry.register(self.pool)
        self.members = {}

    def join(self):
        self.made += 1
        name = ComponentId("local", "pool", str(self.made))
        member = self.pool.make_member(name)
        self.world.registry.register(member.mailbox)
        self.members[self.made] = member
        self.pool.join(member)
        return member

    def leave(self, number):
        member = self.members.pop(number)
        self.pool.retire(member)
        self.world.registry.unregister(member.id)
        for envelope in member.mailbox.close():
            self.world.broker.dead_letter(envelope, "gone")
        self.pool.forget(member)

    def close(self):
        self.pool.is_open = False
        self.world.registry.unregister(POOL)
        for envelope in self.pool.lobby.close():
            self.world.broker.dead_letter(envelope, "gone")

    def tell(self, payload=b"", sender=OUTSIDE, **fields):
        self.world.broker.tell(
            self.world.letter(POOL, sender, payload)._replace(**fields)
        )

    def take(self, number):
        mailbox = self.members[number].mailbox
        envelope = mailbox.take_nowait()
        mailbox.release()
        return envelope

    def queued(self):
        return {n: queued(m) for n, m in self.members.items()}


def queued(member):
    return [envelope.payload for envelope in member.mailbox._queue]


def test_round_robin_gives_each_member_as_much(world):
    scene = PoolScene(world)
    for _ in range(3):
        scene.join()
    for n in range(9):
        scene.tell(b"%d" % n)
    assert sorted(map(len, scene.queued().values())) == [3, 3, 3]
    first = scene.members[1].mailbox.take_nowait()
    assert first.target == scene.members[1].id
    assert first.sender == OUTSIDE


@pytest.mark.parametrize("routing", [Routing.ROUND_ROBIN, Routing.LEAST_MAILBOX])
def test_a_full_member_is_passed_over_while_another_has_room(world, routing):
    scene = PoolScene(world, routing, capacity=4)
    crowded, roomy = scene.join(), scene.join()
    for _ in range(3):
        world.broker.tell(world.letter(crowded.id, OUTSIDE))
    for n in range(5):
        scene.tell(b"%d" % n)
    assert len(queued(crowded)) == len(queued(roomy)) == 4
    with pytest.raises(MailboxFull):
        scene.tell()
    assert scene.pool.statistics().refused == 1


def test_the_least_mailbox_is_the_one_with_least_to_do(world):
    scene = PoolScene(world, Routing.LEAST_MAILBOX)
    for _ in range(2):
        scene.join()
    for n in range(6):
        scene.tell(b"%d" % n)
    scene.take(1)
    scene.take(1)
    scene.tell(b"x")
    scene.tell(b"y")
    assert queued(scene.members[1])[-2:] == [b"x", b"y"]


async def test_one_that_handles_a_message_has_more_to_do_than_an_idle_one(world):
    scene = PoolScene(world, Routing.LEAST_MAILBOX)
    busy, idle = scene.join(), scene.join()
    taken = []

    async def take_one(member):
        taken.append((await member.mailbox.take()).target)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_one, busy)
        nursery.start_soon(take_one, idle)
        await wait_all_tasks_blocked()
        assert scene.pool.load == 0
        scene.tell()
        await wait_all_tasks_blocked()
        assert scene.pool.load == 1
        scene.tell()
        await wait_all_tasks_blocked()
        assert sorted(taken) == [busy.id, idle.id]
        assert scene.pool.load == 2


async def test_a_member_whose_actor_is_down_counts_as_busy(world):
    scene = PoolScene(world, Routing.LEAST_MAILBOX)
    down = scene.join()
    assert scene.pool.load_of(down.id) == 0
    with trio.move_on_after(0.001):
        await down.mailbox.take()
    assert scene.pool.load_of(down.id) == 1
    fresh = scene.join()
    scene.tell()
    assert (len(queued(down)), len(queued(fresh))) == (0, 1)


def test_messages_of_a_key_go_to_one_member_and_keep_their_order(world):
    scene = PoolScene(world, Routing.CONSISTENT_HASH, capacity=100)
    for _ in range(4):
        scene.join()
    for n in range(60):
        scene.tell(b"%d" % n, key=f"customer {n % 6}")
    at = {}
    for number in scene.members:
        while scene.members[number].mailbox.statistics().queued:
            envelope = scene.take(number)
            at.setdefault(envelope.key, []).append((number, int(envelope.payload)))
    assert len(at) == 6
    for found in at.values():
        assert len({number for number, _ in found}) == 1
        assert found == sorted(found)


def test_without_a_key_the_sender_is_the_key(world, names):
    scene = PoolScene(world, Routing.CONSISTENT_HASH, capacity=100)
    for _ in range(4):
        scene.join()
    for sender in names * 5:
        scene.tell(str(sender).encode(), sender=sender)
    for payloads in scene.queued().values():
        assert all(count == 5 for count in Counter(payloads).values())


def test_a_key_function_decides_and_its_mistakes_are_the_senders_to_see(world):
    def key(envelope):
        match envelope.payload[:1]:
            case b"!":
                raise KeyError("no such field")
            case b"?":
                return 3
        return envelope.payload[:1]

    scene = PoolScene(world, Routing.CONSISTENT_HASH, key)
    for _ in range(3):
        scene.join()
    for payload in (b"a1", b"b1", b"a2", b"b2"):
        scene.tell(payload)
    for payloads in scene.queued().values():
        assert (b"a1" in payloads) == (b"a2" in payloads)
        assert (b"b1" in payloads) == (b"b2" in payloads)
    with pytest.raises(InvalidMessage, match="no such field"):
        scene.tell(b"!")
    with pytest.raises(InvalidMessage, match="is int"):
        scene.tell(b"?")
    assert sum(map(len, scene.queued().values())) == 4


def test_what_comes_while_there_are_no_members_waits_for_them(world):
    scene = PoolScene(world, capacity=3)
    scene.tell(b"1")
    scene.tell(b"2")
    scene.join()
    assert scene.queued() == {1: [b"1", b"2"]}
    scene.leave(1)
    scene.tell(b"3")
    with pytest.raises(MailboxFull):
        scene.tell(b"4")
    scene.join()
    assert scene.queued() == {2: [b"1", b"2", b"3"]}
    assert scene.pool.statistics().refused == 1


@pytest.mark.parametrize("routing", Routing)
@pytest.mark.parametrize("keeps", [False, True])
def test_a_pool_that_is_suspended_keeps_its_queue_in_order(world, routing, keeps):
    scene = PoolScene(world, routing)
    scene.join()
    scene.join()
    for number in range(4):
        scene.tell(b"%d" % number, key=b"k")
    scene.pool.suspend(keeps=keeps)
    for number in range(4, 6):
        scene.tell(b"%d" % number, key=b"k")
    kept = sum(map(len, scene.queued().values()))
    assert kept == (4 if keeps else 0)
    scene.leave(1)
    scene.leave(2)
    scene.join()
    assert scene.queued() == {3: []}
    scene.pool.resume()
    (queue,) = scene.queued().values()
    assert sorted(queue) == [b"%d" % number for number in range(6)]
    if routing is Routing.CONSISTENT_HASH:
        assert queue == sorted(queue)


def test_what_a_retired_member_has_not_begun_goes_to_the_others(world):
    scene = PoolScene(world)
    scene.join()
    scene.join()
    for n in range(6):
        scene.tell(b"%d" % n)
    newest = scene.members[2]
    in_hand = newest.mailbox.take_nowait()
    own = world.letter(newest.id, OUTSIDE, b"its own")
    world.broker.tell(own)
    assert scene.pool.retire_newest() == newest.id
    assert queued(newest) == [b"its own"]
    left = queued(scene.members[1])
    assert len(left) == 5
    assert in_hand.payload not in left
    scene.tell(b"later")
    assert scene.members[2].mailbox.in_hand is in_hand
    newest.mailbox.release()
    scene.leave(2)
    assert [e.why for e in world.events if isinstance(e, DeadLetter)] == ["gone"]
    counted = scene.pool.statistics()
    assert (counted.handled, counted.queued, counted.given_up) == (1, 6, 1)
    assert counted.arrived == 8


def test_a_member_that_joins_takes_over_its_share(world):
    scene = PoolScene(world, capacity=100)
    scene.join()
    for n in range(60):
        scene.tell(b"%d" % n)
    scene.join()
    scene.join()
    lengths = sorted(map(len, scene.queued().values()))
    assert sum(lengths) == 60
    assert lengths[0] >= 15


async def test_one_that_waits_for_room_gets_the_first_there_is(world):
    scene = PoolScene(world, capacity=1)
    scene.join()
    scene.join()
    for _ in range(2):
        scene.tell(b"early")
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            letter = world.letter(POOL, OUTSIDE, b"late")
            nursery.start_soon(world.broker.send, letter)
        await wait_all_tasks_blocked()
        assert scene.pool.statistics().blocked_senders == 4
        taken = [scene.take(2).payload for _ in range(5)]
    assert taken == [b"early", *[b"late"] * 4]
    assert scene.queued() == {1: [b"early"], 2: []}


async def test_gates_see_the_pool_and_the_same_message_again(world):
    scene = PoolScene(world, capacity=1)
    scene.join()
    scene.tell()
    seen = []
    world.gates.append(seen.append)
    letter = world.letter(POOL, OUTSIDE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.broker.send, letter)
        await wait_all_tasks_blocked()
        scene.take(1)
    assert len(seen) == 2
    assert all(envelope is letter for envelope in seen)


async def test_one_that_waits_when_the_pool_is_closed_is_notified(world):
    scene = PoolScene(world, capacity=1)
    scene.join()
    scene.tell()
    ends = []

    async def send():
        with pytest.raises(TargetNotFound) as error:
            await world.broker.send(world.letter(POOL, OUTSIDE))
        ends.append(error.value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        scene.pool.is_open = False
        world.registry.unregister(POOL)
        scene.leave(1)
    assert len(ends) == 1


async def test_one_that_waits_at_a_member_that_goes_waits_at_another(served, nursery):
    world = served
    scene = PoolScene(world, capacity=1)
    scene.join()
    scene.join()
    scene.tell(b"1")
    scene.tell(b"2")
    a, b = ComponentId.parse("a"), ComponentId.parse("b")
    answers = []

    async def ask():
        answers.append(await world.ask(POOL, a, b"asked"))

    nursery.start_soon(world.broker.send, world.letter(POOL, b, b"sent"))
    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    gone = [scene.members[2]]
    scene.leave(2)
    await wait_all_tasks_blocked()
    remaining = scene.members[1]
    assert {each.mailbox.statistics().moved for each in gone} != {0}
    edges = {(a, remaining.id), (b, remaining.id)}
    assert world.broker.waits.edges() == edges
    for _ in range(4):
        envelope = remaining.mailbox.take_nowait()
        if envelope.reply is not None:
            envelope.reply.answer(b"here")
        remaining.mailbox.release()
        await wait_all_tasks_blocked()
    assert answers == [b"here"]
    counted = scene.pool.statistics()
    assert (counted.handled, counted.arrived) == (4, 4)


async def test_what_moves_must_not_close_a_cycle(served, nursery):
    """The asker, a member's target and the member: only another member may answer."""
    world = served
    scene = PoolScene(world, capacity=1)
    first, second = scene.join(), scene.join()
    a = world.open(ComponentId.parse("a"))
    errors = []

    async def ask():
        with pytest.raises(RequestWouldDeadlock) as error:
            await world.ask(POOL, a.owner, timeout=1000)
        errors.append(error.value)

    async def send():
        with pytest.raises(RequestWouldDeadlock) as error:
            await world.broker.send(world.letter(POOL, a.owner))
        errors.append(error.value)

    nursery.start_soon(silent, world.ask(a.owner, second.id, timeout=1000))
    await wait_all_tasks_blocked()
    for _ in range(2):
        scene.tell()
    nursery.start_soon(ask)
    nursery.start_soon(send)
    await wait_all_tasks_blocked()
    assert world.broker.waits.edges() == {(a.owner, first.id), (second.id, a.owner)}
    second.mailbox.take_nowait()
    await wait_all_tasks_blocked()
    assert errors == [], "room there is not for those that wait for the other"
    second.mailbox.release()
    scene.leave(1)
    await wait_all_tasks_blocked()
    assert len(errors) == 2
    a.take_nowait().reply.answer(b"")
    await wait_all_tasks_blocked()


async def test_an_ask_that_is_queued_and_moves_must_not_close_one_either(
    served, nursery
):
    world = served
    scene = PoolScene(world)
    scene.join()
    scene.join()
    a = world.open(ComponentId.parse("a"))
    errors = []

    async def ask():
        with pytest.raises(RequestWouldDeadlock) as error:
            await world.ask(POOL, a.owner, timeout=1000)
        errors.append(error.value)

    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    (holder,) = [n for n, found in scene.queued().items() if found]
    (other,) = set(scene.members) - {holder}
    other_id = scene.members[other].id
    nursery.start_soon(silent, world.ask(a.owner, other_id, timeout=1000))
    await wait_all_tasks_blocked()
    scene.leave(holder)
    await wait_all_tasks_blocked()
    assert len(errors) == 1
    assert scene.queued() == {other: []}
    assert scene.pool.statistics().refused == 1
    a.take_nowait().reply.answer(b"")
    await wait_all_tasks_blocked()


async def test_an_ask_in_a_queue_that_moves_is_answered_by_another(served, nursery):
    world = served
    scene = PoolScene(world)
    scene.join()
    scene.join()
    answers = []

    async def ask():
        answers.append(await world.ask(POOL, ComponentId.parse("a")))

    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    (holder,) = [n for n, found in scene.queued().items() if found]
    holding = scene.members[holder]
    scene.leave(holder)
    assert holding.mailbox.statistics().moved == 1
    assert holding.mailbox.statistics().arrived == 1
    (left,) = scene.members
    waited_for = {(ComponentId.parse("a"), scene.members[left].id)}
    assert world.broker.waits.edges() == waited_for
    scene.members[left].mailbox.take_nowait().reply.answer(b"moved")
    scene.members[left].mailbox.release()
    await wait_all_tasks_blocked()
    assert answers == [b"moved"]


async def test_a_member_asks_its_own_pool_and_another_one_answers(served, nursery):
    world = served
    scene = PoolScene(world)
    first, second = scene.join(), scene.join()
    for _ in range(4):
        with pytest.raises(AskTimedOut):
            await world.ask(POOL, first.id, b"for another", timeout=0)
    assert queued(first) == []
    assert len(queued(second)) == 4
    scene.leave(2)
    with pytest.raises(RequestWouldDeadlock):
        await world.ask(POOL, first.id)


async def test_a_blocked_send_that_would_close_a_cycle_is_refused(served, nursery):
    world = served
    scene = PoolScene(world, capacity=1)
    only = scene.join()
    a = world.open(ComponentId.parse("a"))
    scene.tell()
    nursery.start_soon(silent, world.ask(a.owner, only.id, timeout=1000))
    await wait_all_tasks_blocked()
    with pytest.raises(RequestWouldDeadlock):
        await world.broker.send(world.letter(POOL, a.owner))
    assert scene.pool.statistics().refused == 1
    a.take_nowait().reply.answer(b"")


async def silent(waiting):
    await waiting


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (Overflow.DROP_NEWEST, "dropped"),
        (Overflow.DROP_OLDEST, "dropped"),
        (Overflow.DEAD_LETTER, "given_up"),
    ],
)
def test_the_policy_of_its_members_is_that_of_the_pool(world, policy, name):
    scene = PoolScene(world, capacity=1, rules=rules_of(policy))
    scene.join()
    scene.tell(b"1")
    scene.tell(b"2")
    assert getattr(scene.pool.statistics(), name) == 1
    kept = b"2" if policy is Overflow.DROP_OLDEST else b"1"
    assert scene.queued() == {1: [kept]}


def calls_of_a_message(world_of, routing, members):
    """Count the Python functions that run while a pool takes ten messages."""
    scene = PoolScene(world_of(), routing, capacity=1000)
    for _ in range(members):
        scene.join()
    letters = [
        scene.world.letter(POOL, OUTSIDE)._replace(key=b"%d" % n) for n in range(10)
    ]
    calls = Counter()
    sys.setprofile(lambda frame, event, _: calls.update([event]))
    try:
        for letter in letters:
            scene.pool.offer(letter)
    finally:
        sys.setprofile(None)
    return calls["call"] + calls["c_call"]


@pytest.mark.parametrize("routing", Routing)
def test_the_cost_of_routing_does_not_grow_with_the_members(make_world, routing):
    few = calls_of_a_message(make_world, routing, 4)
    many = calls_of_a_message(make_world, routing, 100)
    assert many <= 1.1 * few


moves = st.one_of(
    *[st.tuples(st.just("post"), st.integers(0, 4), st.booleans())] * 6,
    *[st.tuples(st.just("ask"), st.integers(0, 4), st.booleans())] * 3,
    *[st.tuples(st.just("take"), st.integers(0, 4), st.booleans())] * 5,
    st.tuples(st.just("join"), st.just(0), st.just(False)),
    st.tuples(st.just("leave"), st.integers(0, 4), st.just(False)),
    st.tuples(st.just("give up"), st.integers(0, 4), st.just(False)),
    st.tuples(st.just("suspend"), st.just(0), st.booleans()),
    st.tuples(st.just("resume"), st.just(0), st.just(False)),
)


class History:
    """Does what a plan says to a pool, and writes down how each message ended."""

    def __init__(self, scene, nursery):
        self.scene, self.nursery = scene, nursery
        self.sent = Counter()
        self.scopes = []
        self.taken = []
        self.ended = Counter()

    async def post(self, key, serial):
        letter = self.scene.world.letter(POOL, OUTSIDE, b"%d %d" % (key, serial))
        scope = trio.CancelScope()
        self.scopes.append(scope)
        try:
            with scope:
                await self.scene.world.broker.send(letter._replace(key=b"%d" % key))
        except TargetNotFound:
            self.ended["refused"] += 1

    async def ask(self, key, serial, member):
        """Ask in the name of a member, or of an actor that no other waits for."""
        asker = ComponentId("local", "asker", str(key)) if member is None else member
        payload = b"%d %d" % (key, serial)
        scope = trio.CancelScope()
        self.scopes.append(scope)
        ask = partial(self.scene.world.ask, POOL, asker, payload, timeout=math.inf)
        try:
            with scope:
                assert await ask(key=b"%d" % key) == payload
        except (TargetNotFound, RequestWouldDeadlock):
            self.ended["refused"] += 1
        except CalleeFailed:
            self.ended["failed asks"] += 1

    async def tell_or_send(self, key, by_tell):
        serial = self.sent[key]
        self.sent[key] += 1
        if not by_tell:
            self.nursery.start_soon(self.post, key, serial)
            return
        try:
            self.scene.tell(b"%d %d" % (key, serial), key=b"%d" % key)
        except (MailboxFull, TargetNotFound):
            self.ended["refused"] += 1

    def take(self, number, fails):
        mailbox = self.scene.members[number].mailbox
        if mailbox.statistics().queued:
            envelope = mailbox.take_nowait()
            self.taken.append(envelope.payload)
            if envelope.reply is not None:
                envelope.reply.answer(envelope.payload)
            mailbox.release(Ending.FAILED if fails else None)

    async def step(self, kind, number, flag):  # noqa: C901  # one case for each move
        scene = self.scene
        present = sorted(scene.members)
        match kind:
            case "post":
                await self.tell_or_send(number, flag)
            case "ask":
                serial = self.sent[number]
                self.sent[number] += 1
                members = list(scene.members.values())
                asker = members[0].id if flag and members else None
                self.nursery.start_soon(self.ask, number, serial, asker)
            case "take" if present:
                self.take(present[number % len(present)], flag)
            case "join" if len(present) < 4:
                scene.join()
            case "leave" if present:
                scene.leave(present[number % len(present)])
            case "suspend":
                scene.pool.suspend(keeps=flag)
            case "resume":
                scene.pool.resume()
            case "give up" if self.scopes:
                self.scopes.pop(number % len(self.scopes)).cancel()
        await wait_all_tasks_blocked()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(Routing),
    st.lists(moves, min_size=10, max_size=60),
)
def test_nothing_is_lost_and_keys_keep_their_order(make_world, routing, plan):
    async def main():
        world = make_world()
        scene = PoolScene(world, routing, capacity=2)
        scene.join()
        async with trio.open_nursery() as nursery:
            history = History(scene, nursery)
            for step in plan:
                await history.step(*step)
            while scene.members:
                number = min(scene.members)
                while scene.members[number].mailbox.statistics().queued:
                    history.take(number, fails=False)
                    await wait_all_tasks_blocked()
                scene.leave(number)
                await wait_all_tasks_blocked()
            scene.close()
        letters = [e for e in world.events if isinstance(e, DeadLetter)]
        given_up = sum(e.reason is not DeadReason.LATE_ANSWER for e in letters)
        assert len(history.taken) == len(set(history.taken)), "once each"
        assert history.ended["failed asks"] <= given_up
        counted = scene.pool.statistics()
        ends = len(history.taken) + given_up + counted.withdrawn
        assert ends + history.ended["refused"] == sum(history.sent.values())
        assert counted.handled + counted.failed == len(history.taken)
        assert counted.given_up == given_up
        world.assert_at_rest()
        if routing is Routing.CONSISTENT_HASH:
            assert_in_order(history.taken)

    trio.run(main, clock=MockClock())


def assert_in_order(taken):
    by_key = {}
    for payload in taken:
        key, serial = map(int, payload.split())
        by_key.setdefault(key, []).append(serial)
    for serials in by_key.values():
        assert serials == sorted(serials)
