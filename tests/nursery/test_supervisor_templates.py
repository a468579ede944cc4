"""A supervisor as the template of a dynamic one: made again and again, with all below."""

import attrs
import pytest
import trio

from airssys import (
    ActorSpec,
    Blueprint,
    ComponentId,
    DefinitionError,
    DynamicSupervisorSpec,
    Refusal,
    SupervisorSpec,
    TaskSpec,
    actor,
    blueprint,
    dynamic_supervisor,
    open_system,
    supervisor,
)
from airssys.contracts import (
    NO_BACKOFF,
    Done,
    Intensity,
    PoolSpec,
    RestartType,
    find_spec_mistakes,
)

pytestmark = pytest.mark.usefixtures("handler_kind")


class Guest:
    def __init__(self, room, *more):
        self.text = " ".join((room, *more)).encode()

    async def handle(self, context, envelope):
        if envelope.payload == b"crash":
            raise ValueError("on purpose")
        return self.text


def guest(name, *arguments, instance="0"):
    own_id = ComponentId("local", name, instance)
    return ActorSpec(
        id=own_id, behaviour=Guest, arguments=arguments, backoff=NO_BACKOFF
    )


async def run_for_ever():
    await trio.sleep_forever()


ROOM = SupervisorSpec(
    name="room",
    children=(
        guest("host"),
        SupervisorSpec(
            name="table",
            children=(guest("seat"), guest("seat", "x", instance="window")),
        ),
        TaskSpec(name="clock", function=run_for_ever),
        PoolSpec(id=ComponentId("local", "waiters"), member=guest("any", "pool")),
        DynamicSupervisorSpec(name="bar", template=guest("drink")),
    ),
    intensity=Intensity(0, 60.0),
    backoff=NO_BACKOFF,
)


def hotel(template=ROOM, **options):
    return DynamicSupervisorSpec(name="rooms", template=template, **options)


async def test_supervisors_are_made_and_stopped_with_all_below(autojump_clock):
    root = SupervisorSpec(name="root", children=(hotel(),))
    async with open_system(Blueprint(root=root, restart_budget=None)) as system:
        rooms = system.supervisor("root/rooms")
        assert rooms.template() == ROOM
        for view in ("sea", "yard"):
            assert (await rooms.start_from_template(view)).child
        assert [info.child for info in rooms.which_children()] == ["room-2", "room-1"]
        assert rooms.count_children().supervisors == 2
        assert await system.ask("local/host/1", b"") == b"sea"
        assert await system.ask("local/seat/2-window", b"") == b"x yard"
        assert await system.ask("local/waiters/of-2", b"") == b"pool"
        first = await system.supervisor("root/rooms/room-1/bar").start_from_template(
            "a"
        )
        other = await system.supervisor("root/rooms/room-2/bar").start_from_template(
            "b"
        )
        assert (first.child, other.child) == ("local/drink/1", "local/drink/2")

        system.tell("local/host/1", b"crash")  # one too many for its room
        await trio.sleep(1)
        (room,) = (i for i in rooms.which_children() if i.child == "room-1")
        assert room.restarts == 1
        assert await system.ask("local/host/1", b"") == b"sea"  # by the same arguments

        assert await rooms.terminate_child("room-1") == Done("room-1")
        assert not system.supervisor("root/rooms/room-1").is_up()
        assert system.supervisor("root/rooms/room-2").is_up()
        assert await rooms.terminate_child("room-1") == Done("room-1")
        assert (await rooms.start_from_template("attic")).child == "room-3"


async def test_one_whose_children_do_not_start_leaves_nothing_behind(autojump_clock):
    root = SupervisorSpec(name="root", children=(hotel(),))
    async with open_system(Blueprint(root=root, restart_budget=None)) as system:
        rooms = system.supervisor("root/rooms")
        refused = await rooms.start_from_template()  # a Guest needs a room
        assert refused.why is Refusal.START_FAILED
        assert rooms.which_children() == ()
        assert (await rooms.start_from_template("sea")).child == "room-2"


@pytest.mark.parametrize(
    "template", [hotel(), PoolSpec(id=ComponentId("local", "p"), member=guest("a"))]
)
def test_no_other_supervisor_is_a_template(template):
    found = find_spec_mistakes(hotel(template))
    assert [mistake.path for mistake in found] == ["$.template"]
    assert "neither an actor nor an ordered supervisor" in found[0].found


def test_what_is_wrong_inside_of_a_template_is_reported():
    found = find_spec_mistakes(hotel(attrs.evolve(ROOM, strategy="all")))
    assert [mistake.path for mistake in found] == ["$.template.strategy"]
    marked = attrs.evolve(ROOM, restart=RestartType.TRANSIENT, significant=True)
    assert find_spec_mistakes(hotel(marked))


async def test_the_language_has_it(autojump_clock):
    rooms = dynamic_supervisor(
        "rooms", supervisor("room", actor("guest", Guest)), max_children=1
    )
    async with open_system(blueprint(rooms, restart_budget=None)) as system:
        admin = system.supervisor("root/rooms")
        assert (await admin.start_from_template("sea")).child == "room-1"
        assert await system.ask("local/guest/1", b"") == b"sea"
        assert (await admin.start_from_template("sea")).why is Refusal.MAX_CHILDREN


def test_the_language_checks_what_is_below():
    wrong = dynamic_supervisor("rooms", supervisor("room", actor("guest", 3)))
    with pytest.raises(DefinitionError):
        open_system(blueprint(wrong))
