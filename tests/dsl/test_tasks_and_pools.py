"""Children that are not actors, in the words of the DSL: tasks and dynamic supervisors."""

import pytest
import trio

from airssys.contracts import (
    ActorSpec,
    Backoff,
    Blueprint,
    ComponentId,
    ComponentSpec,
    DefinitionError,
    Directive,
    DynamicSupervisorSpec,
    Growth,
    Health,
    HealthStatus,
    Intensity,
    Poison,
    RestartType,
    TaskSpec,
    as_blueprint,
    check,
    find_mistakes,
)
from airssys.dsl import (
    actor,
    blueprint,
    component,
    dynamic_supervisor,
    supervisor,
    task,
    topology,
)
from airssys.system import open_system

ran = []


@task
async def plain():
    ran.append("plain")
    await trio.sleep_forever()


@task(context=True, restart="transient", significant=True, shutdown=2, start_timeout=3)
async def listening(context):
    context.started()
    await context.stop_asked.wait()
    ran.append("listened")


async def counting(first, second=2):
    ran.append(first + second)


@actor(names="team/worker/0", mailbox=3)
class Worker:
    def __init__(self, greeting=b"hello"):
        self.greeting = greeting

    async def handle(self, context, envelope):
        return self.greeting + b" " + envelope.payload


@actor
async def handle(context, envelope):
    return envelope.payload


def places(declared):
    found = find_mistakes(as_blueprint(declared))
    return [(m.path.removeprefix("$.root."), m.found) for m in found]


def test_a_name_first_makes_a_finished_child():
    made = task("t", counting, 1, restart="temporary", backoff={"first": 2.0})
    assert isinstance(made, TaskSpec)
    assert (made.name, made.function, made.arguments) == ("t", counting, (1,))
    assert made.restart is RestartType.TEMPORARY
    assert made.backoff == Backoff(first=2.0)
    pool = dynamic_supervisor("p", actor("w", handle), max_children=3, restarts=1)
    assert isinstance(pool, DynamicSupervisorSpec)
    assert (pool.max_children, pool.intensity) == (3, Intensity(1))
    assert pool.template.id == ComponentId("local", "w")
    assert dynamic_supervisor("anything").template is None
    check(blueprint(made, pool))


def test_what_is_declared_is_called_like_the_attribute_that_holds_it():
    @topology(auto_shutdown="all_significant")
    class App:
        first = plain
        second = listening
        third = task("third", counting, 5)
        several = tuple(task(f"t{n}", counting, n) for n in range(2))
        pool = dynamic_supervisor(handle, max_children=2)
        named = dynamic_supervisor(Worker)
        guests = dynamic_supervisor(component("shout.wasm", restart="transient"))
        free = dynamic_supervisor(restarts=9, period=5, restart="transient")

    children = {child.name: child for child in as_blueprint(App).root.children}
    assert list(children) == [
        *("first", "second", "third", "t0", "t1", "pool", "named", "guests", "free")
    ]
    assert children["first"] == TaskSpec(name="first", function=plain)
    second = children["second"]
    assert (second.context, second.significant) == (True, True)
    assert (second.shutdown, second.start_timeout) == (2, 3)
    assert children["pool"].template == ActorSpec(
        id=ComponentId("local", "pool"), behaviour=handle
    )
    assert children["named"].template.id == ComponentId("team", "worker", "0")
    assert children["named"].template.mailbox == 3
    guests = children["guests"].template
    assert isinstance(guests, ComponentSpec)
    assert guests.restart is RestartType.TRANSIENT
    assert children["free"].template is None
    assert children["free"].intensity == Intensity(9, 5)


def test_another_child_like_a_declared_one_has_its_options():
    again = task("again", listening, shutdown=9)
    assert (again.context, again.significant, again.shutdown) == (True, True, 9)
    assert dynamic_supervisor("d", Worker).template.mailbox == 3


async def test_they_run(autojump_clock):
    ran.clear()

    @topology
    class App:
        first = plain
        second = task("second", listening, significant=False)
        pool = dynamic_supervisor(Worker, max_children=1)

    async with open_system(App) as system:
        pool = system.supervisor("root/pool")
        started = await pool.start_from_template(b"good day")
        assert await system.ask(started.child, b"x") == b"good day x"
        assert (await pool.start_from_template()).why.name == "MAX_CHILDREN"
    assert ran == ["plain", "listened"]


class Needy:
    def __init__(self, name):
        self.name = name

    async def handle(self, context, envelope):
        return self.name


async def test_a_template_may_leave_arguments_to_the_start(autojump_clock):
    declared = actor()(Needy)

    @topology
    class App:
        one = dynamic_supervisor(declared)
        two = dynamic_supervisor(actor("other", Needy))

    async with open_system(App) as system:
        for name in ("one", "two"):
            pool = system.supervisor(f"root/{name}")
            started = await pool.start_from_template(b"me")
            assert await system.ask(started.child, b"") == b"me"


def test_a_template_with_too_many_arguments_is_a_mistake():
    many = dynamic_supervisor("d", actor("a", Needy, "a", "b"))
    (found,) = find_mistakes(blueprint(many))
    assert "too many positional arguments" in found.found
    assert found.path == "$.root.children[0].template.arguments"


def test_wrong_ones_are_reported_at_once():
    async def yielding():
        yield 1

    class Odd:
        pass

    @topology
    class App:
        a = task("a", counting)
        b = task("b", yielding)
        c = task("c", Odd)
        d = task("d", counting, 1, perid=3)
        e = task(context=True)(counting)
        f = task("f", None)
        g = dynamic_supervisor(plain)
        h = dynamic_supervisor(3, max_children=-1)
        i = dynamic_supervisor(handle, max_child=1)
        j = (plain,)
        k = task("k", counting, 1, context="yes")
        l = dynamic_supervisor(names="x")  # noqa: E741  # in order

    found = sorted((place, text.partition(":")[0]) for place, text in places(App))
    assert found == [
        ("children[0].arguments", "counting cannot be called"),
        ("children[10].names", "there is no option 'names'"),
        ("children[1].function", YIELDING),
        ("children[2].function", ODD),
        ("children[3].perid", "there is no option 'perid'"),
        ("children[5].function", "None cannot be called"),
        ("children[6].template", f"{plain} is not a child specification"),
        ("children[7].max_children", "-1 is not a valid number of children"),
        ("children[7].template", "3 is not a child specification"),
        ("children[8].max_child", "there is no option 'max_child'"),
        ("children[9].context", "'yes' is not a bool"),
        ("j[0]", "plain has no name here"),
    ]


WHERE = "test_wrong_ones_are_reported_at_once.<locals>"
YIELDING, ODD = f"{WHERE}.yielding yields", f"{WHERE}.Odd is a class"


def test_a_task_stands_above_a_function():
    @topology
    class App:
        @task
        class Nothing:
            pass

    (found,) = places(App)
    assert "@task decorates the class" in found[1]


@pytest.mark.parametrize("given", [("a",), (1, 2, 3)])
def test_what_cannot_be_meant_is_refused_at_once(given):
    if len(given) == 1:
        with pytest.raises(TypeError, match="write task"):
            task(*given)
    else:
        with pytest.raises(TypeError, match="write dynamic_supervisor"):
            dynamic_supervisor(*given)


async def health(context):
    return HealthStatus.HEALTHY


def test_back_off_health_poison_and_limits_of_hooks_are_words():
    class Probed:
        async def handle(self, context, envelope):
            return None

        async def health(self, context):
            return HealthStatus.HEALTHY

    made = actor(
        "a",
        Probed,
        backoff={"growth": "linear", "first": 0.5, "jitter": True},
        health={"interval": 2.0, "threshold": 1},
        poison="quarantine",
        hook_timeout=2.5,
        on_error={ValueError: "escalate"},
    )
    assert made.backoff == Backoff(growth=Growth.LINEAR, first=0.5, jitter=True)
    assert made.health == Health(interval=2.0, threshold=1)
    assert (made.poison, made.hook_timeout) == (Poison.QUARANTINE, 2.5)
    assert made.on_error == ((ValueError, Directive.ESCALATE),)
    guest = component("c", b"", poison="retry", health={})
    assert (guest.poison, guest.health) == (Poison.RETRY, Health())
    inner = supervisor("s", start_timeout=7.0, backoff={"cap": 1.0})
    assert (inner.start_timeout, inner.backoff.cap) == (7.0, 1.0)
    whole = blueprint(made, guest, inner, stop_budget=60.0)
    assert whole.stop_budget == 60.0
    check(whole)


def test_wrong_values_in_them_are_reported_with_their_places():
    whole = blueprint(
        actor("a", handle, backoff={"growth": "wild", "frist": 1.0}, poison="eat"),
        actor("b", handle, hook_timeout=0),
        component("c", b"", health={"interval": 0, "often": True}, poison=3),
        stop_budget="soon",
    )
    with pytest.raises(DefinitionError) as caught:
        check(whole)
    found = sorted(m.path.removeprefix("$.root.") for m in caught.value.mistakes)
    assert found == [
        "$.stop_budget",
        "children[0].backoff.frist",
        "children[0].backoff.growth",
        "children[0].poison",
        "children[1].hook_timeout",
        "children[2].health.interval",
        "children[2].health.often",
        "children[2].poison",
    ]


def test_hooks_that_cannot_be_called_are_reported():
    class Wrong:
        async def handle(self, context, envelope):
            return None

        async def started(self):
            pass

        async def before_restart(self, context):
            pass

        async def stopped(self, context):
            yield 1

    found = [m.found for m in find_mistakes(blueprint(actor("w", Wrong)))]
    assert len(found) == 3
    assert "Wrong.started cannot be called" in found[0]
    assert "Wrong.before_restart cannot be called" in found[1]
    assert found[2].endswith("Wrong.stopped yields")


def test_hooks_of_other_makes_are_left_alone():
    class Fine:
        stopped = staticmethod(print)
        started = None

        async def handle(self, context, envelope):
            return None

        async def before_restart(self, *anything):
            pass

    assert find_mistakes(blueprint(actor("f", Fine))) == []
    assert isinstance(blueprint(actor("f", Fine)), Blueprint)
