"""Declaring a topology by decorators: what is collected, and in which order."""

import inspect
import math
import pickle
from functools import wraps
from pathlib import Path

import attrs
import pytest
import trio
from hypothesis import given, strategies as st

from airssys.contracts import (
    BRUTAL_KILL,
    QUOTA_RULES,
    ActorSpec,
    Blueprint,
    ComponentId,
    ComponentSpec,
    DefinitionError,
    EngineSettings,
    Intensity,
    Limits,
    Quotas,
    RestartType,
    SupervisorSpec,
    as_blueprint,
    check,
    find_mistakes,
    walk,
)
from airssys.dsl import (
    ActorOptions,
    ComponentOptions,
    DeclaredActorOptions,
    DeclaredComponentOptions,
    LimitValues,
    QuotaValues,
    SupervisorOptions,
    TopologyOptions,
    actor,
    blueprint,
    component,
    supervisor,
    topology,
)
from airssys.system import open_system, run

SHOUT = Path(__file__).resolve().parents[2] / "examples" / "shout.wat"


@component("../../examples/shout.wat", restart="transient", mailbox=64, data="from 1")
class Shout:
    """Answers louder."""


@actor
async def greet(context, envelope):
    return b"hello, " + envelope.payload


@actor(mailbox=7, shutdown=BRUTAL_KILL, names=["first", "team/second/2"])
class Clerk:
    def __init__(self, name="nobody"):
        self.name = name

    async def handle(self, context, envelope):
        return self.name.encode()


def spec_of(name, whole):
    found = [s for _, s in walk(whole.root) if getattr(s, "id", None) == name]
    assert len(found) == 1
    return found[0]


def names(spec):
    return [getattr(c, "name", None) or c.id.name for c in spec.children]


def test_a_topology_becomes_a_blueprint():
    @supervisor(restarts=5, period=10, restart="temporary", shutdown=3)
    class Workers:
        """Supervises one."""

        greeter = greet

    @topology(stop_timeout=10, restarts=1, period=2, engine=EngineSettings(tick=0.01))
    class App:
        """Everything."""

        shout = Shout
        workers = Workers

    whole = as_blueprint(App)
    check(whole)
    assert whole.stop_timeout == 10
    assert whole.engine.tick == 0.01
    assert (whole.root.name, whole.root.intensity) == ("root", Intensity(1, 2))
    shout, workers = whole.root.children
    assert isinstance(shout, ComponentSpec)
    assert shout.id == ComponentId.parse("shout")
    assert shout.artifact.source.samefile(SHOUT)
    assert (shout.mailbox, shout.config.data) == (64, b"from 1")
    assert shout.restart is RestartType.TRANSIENT
    assert isinstance(workers, SupervisorSpec)
    assert (workers.name, workers.intensity) == ("workers", Intensity(5, 10))
    assert (workers.restart, workers.shutdown) == (RestartType.TEMPORARY, 3)
    (greeter,) = workers.children
    assert isinstance(greeter, ActorSpec)
    assert greeter.id == ComponentId.parse("greeter")
    assert greeter.behaviour is greet


def test_what_is_left_out_has_the_defaults_of_the_specs():
    @supervisor
    class Workers:
        greeter = greet

    @topology
    class App:
        workers = Workers

    plain = ActorSpec(id=ComponentId.parse("greeter"), behaviour=greet)
    below = SupervisorSpec(name="workers", children=(plain,))
    assert as_blueprint(App).root == SupervisorSpec(name="root", children=(below,))
    assert as_blueprint(App).engine == EngineSettings()


def test_decorators_and_builders_declare_the_same():
    @supervisor(restarts=2)
    class Workers:
        shout = Shout
        first = Clerk

    @topology(period=9)
    class App:
        workers = Workers

    shout = component("shout", SHOUT, restart="transient", mailbox=64, data=b"from 1")
    options = {"mailbox": 7, "shutdown": BRUTAL_KILL}
    clerks = [actor(n, Clerk, **options) for n in ("first", "team/second/2")]
    built = blueprint(supervisor("workers", shout, *clerks, restarts=2), period=9)
    declared = as_blueprint(App)
    artifact = spec_of(ComponentId.parse("shout"), declared).artifact
    assert artifact.source.samefile(SHOUT)
    without = [s for _, s in walk(declared.root) if not isinstance(s, ComponentSpec)]
    again = [s for _, s in walk(built.root) if not isinstance(s, ComponentSpec)]
    assert [s for s in without if isinstance(s, ActorSpec)] == [
        s for s in again if isinstance(s, ActorSpec)
    ]
    assert [names(s) for s in without if isinstance(s, SupervisorSpec)] == [
        names(s) for s in again if isinstance(s, SupervisorSpec)
    ]


def test_what_was_decorated_is_what_it_was():
    async def handle(context, envelope): ...

    class Body: ...

    assert actor(handle) is handle
    assert actor(mailbox=3)(handle) is handle
    assert component("a.wasm")(Body) is Body
    assert inspect.signature(greet) == inspect.signature(handle)
    assert trio.run(Clerk("me").handle, None, None) == b"me"


@given(st.permutations(["a", "b", "c", "d", "e"]))
def test_children_start_in_the_order_of_the_body(order):
    kinds = {
        "a": Shout,
        "b": greet,
        "c": [actor("c", greet)],
        "d": component(SHOUT),
        "e": actor("e", greet),
    }
    body = type("App", (), {name: kinds[name] for name in order})
    assert names(as_blueprint(topology(body)).root) == order


def test_one_declaration_may_have_many_names():
    @topology
    class App:
        clerks = Clerk
        one = Shout
        two = Shout
        more = component(SHOUT, names="three"), actor("four", Clerk, "me", mailbox=1)

    whole = as_blueprint(App)
    check(whole)
    assert names(whole.root) == ["first", "second", "one", "two", "three", "four"]
    assert spec_of(ComponentId("team", "second", "2"), whole).mailbox == 7
    four = spec_of(ComponentId.parse("four"), whole)
    assert (four.arguments, four.mailbox) == (("me",), 1)
    assert four.shutdown is BRUTAL_KILL


def test_a_builder_takes_over_what_was_declared():
    spec = component("other", Shout, mailbox=3, limits=Limits(fuel=5))
    assert (spec.mailbox, spec.config.data, spec.limits.fuel) == (3, b"from 1", 5)
    assert spec.artifact.source.samefile(SHOUT)
    assert component("third", component(SHOUT)).artifact.source == SHOUT


def test_what_begins_with_an_underscore_is_the_users_own():
    @topology
    class App:
        _count = 3
        greeter = greet
        _others = _count, object()

    assert names(as_blueprint(App).root) == ["greeter"]
    assert find_mistakes(as_blueprint(App)) == []


def test_functions_may_be_declared_in_a_body():
    @topology
    class App:
        @actor(mailbox=3)
        async def first(context, envelope): ...  # noqa: N805  # it is not a method

        @actor
        @staticmethod
        async def second(context, envelope): ...

        @staticmethod
        @actor
        async def third(context, envelope): ...

    whole = as_blueprint(App)
    check(whole)
    assert names(whole.root) == ["first", "second", "third"]
    assert whole.root.children[0].mailbox == 3


def test_a_subclass_declares_what_its_base_does_and_may_replace_it():
    @topology(stop_timeout=3)
    class App:
        one = Shout
        two = greet

    class Tested(App):
        three = greet
        one = greet

    whole = as_blueprint(Tested)
    check(whole)
    assert names(whole.root) == ["one", "two", "three"]
    assert whole.stop_timeout == 3
    assert isinstance(whole.root.children[0], ActorSpec)
    assert isinstance(as_blueprint(App).root.children[0], ComponentSpec)


def test_a_wrapper_stays_declared():
    @wraps(greet)
    async def loud(context, envelope):
        return (await greet(context, envelope)).upper()

    @topology
    class App:
        greeter = loud

    assert as_blueprint(App).root.children[0].behaviour is loud


def test_the_vocabulary_is_in_step_with_what_it_describes():
    assert set(LimitValues.__optional_keys__) == set(attrs.fields_dict(Limits))
    assert set(QuotaValues.__optional_keys__) == set(QUOTA_RULES)
    assert {field.name for field in attrs.fields(Quotas)} == set(QUOTA_RULES)
    own = {"names", "restarts", "period", "data", "env", "limits"}
    own |= {"arguments", "listen", "keep", "handles_http", "stdin", "passes_stdio"}
    own |= {
        "strategy",
        "auto_shutdown",
        "bound",
        "quotas",
    }  # of a topology: those of its root
    own |= {"prefixed", "sends"}  # parts of `codecs`
    own |= {"host"}  # a part of `artifact`
    for options, spec in (
        (ActorOptions, ActorSpec),
        (DeclaredActorOptions, ActorSpec),
        (ComponentOptions, ComponentSpec),
        (DeclaredComponentOptions, ComponentSpec),
        (SupervisorOptions, SupervisorSpec),
        (TopologyOptions, Blueprint),
    ):
        assert not options.__required_keys__
        assert options.__optional_keys__ <= set(attrs.fields_dict(spec)) | own


def test_relative_paths_begin_at_the_file_of_the_declaration(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    here = Path(__file__).parent
    assert component("a", "b/c.wasm").artifact.source == here / "b/c.wasm"
    assert component("a", Path("c.wasm")).artifact.source == here / "c.wasm"
    assert component("a", "/c.wasm").artifact.source == Path("/c.wasm")


def test_without_a_file_relative_paths_begin_where_the_program_runs():
    found = {"component": component}
    exec("spec = component('a', 'b.wasm')", found)
    assert found["spec"].artifact.source == Path("b.wasm")


def test_where_something_was_declared_does_not_make_it_another():
    one = actor("a", greet)
    other = actor("a", greet)
    assert one == other
    assert one.origin.line < other.origin.line
    assert one.origin.file == __file__


async def test_a_system_opens_from_a_topology():
    @topology
    class App:
        greeter = greet
        shout = component(SHOUT)

    async with open_system(App) as system:
        assert await system.ask("greeter", b"you") == b"hello, you"
        assert await system.ask("shout", b"loud") == b"LOUD"
        assert [node.name for node in system.tree().children] == [
            "local/greeter/0",
            "local/shout/0",
        ]


def test_a_topology_runs_as_a_program():
    @topology
    class App:
        greeter = greet

    async def main(system):
        return await system.ask("greeter", b"you")

    assert run(App, main) == b"hello, you"


def test_an_instance_of_a_topology_does_not_run():
    with pytest.raises(DefinitionError, match="neither a topology nor a blueprint"):
        open_system(topology(type("App", (), {"greeter": greet}))())


@pytest.mark.parametrize("wrong", [Clerk, Shout, int, greet, 3, "App", Clerk()])
def test_what_is_not_a_topology_does_not_run(wrong):
    with pytest.raises(DefinitionError, match="neither a topology nor a blueprint"):
        open_system(wrong)


def nested(depth):
    body = supervisor(type("Last", (), {"last": greet}))
    for _ in range(depth - 2):
        body = supervisor(type("Inner", (), {"inner": body}))
    app = topology(restart_budget=None)(type("App", (), {"inner": body}))
    return as_blueprint(app)


def test_a_tree_may_be_as_deep_as_it_may():
    assert find_mistakes(nested(100)) == []
    for depth in 101, 1_000:
        (mistake,) = find_mistakes(nested(depth))
        assert "inside 100 others" in mistake.found


def test_mistakes_travel():
    error = DefinitionError(find_mistakes(blueprint(actor("", greet))))
    again = pickle.loads(pickle.dumps(error))
    assert again.mistakes == error.mistakes
    assert again.mistakes[0].file == __file__
    assert math.isfinite(again.mistakes[0].line)
