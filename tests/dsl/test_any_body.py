"""Whatever stands in a body or an option: it is a child or a mistake, never a crash."""

from hypothesis import given, strategies as st

from airssys.contracts import as_blueprint, find_mistakes
from airssys.dsl import actor, component, supervisor, topology


@actor
async def greet(context, envelope): ...


@component(b"\0asm")
class Echo: ...


@supervisor
class Workers:
    greeter = greet


OPTIONS = [
    "data",
    "env",
    "arguments",
    "stdin",
    "listen",
    "passes_stdio",
    "limits",
    "restart",
    "shutdown",
    "start_timeout",
    "mailbox",
]
TREE_OPTIONS = ["restarts", "period", "engine", "stop_timeout"]

plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.sampled_from([object(), int, len, greet.__call__, topology, ...]),
)
anything = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
        st.dictionaries(plain, inner, max_size=2),
    ),
    max_leaves=5,
)
attributes = st.text("abcé", min_size=1, max_size=3)


@given(st.dictionaries(attributes, anything, max_size=4))
def test_what_is_not_a_child_is_a_mistake(body):
    whole = as_blueprint(topology(type("App", (), body)))
    assert whole.root.children == ()
    reported = {
        mistake.path.split(".")[2].split("[")[0] for mistake in find_mistakes(whole)
    }
    assert reported == {name for name, value in body.items() if value not in ([], ())}


@given(
    st.dictionaries(attributes, st.sampled_from([greet, Echo, component(b"")])),
    st.dictionaries(attributes, anything),
)
def test_mistakes_take_no_child_away(children, others):
    body = {**others, **children}
    whole = as_blueprint(topology(type("App", (), body)))
    wanted = [name for name in body if name in children]
    assert [child.id.name for child in whole.root.children] == wanted


@given(st.dictionaries(st.sampled_from([*OPTIONS, "names", "other"]), anything))
def test_no_option_of_a_component_crashes(options):
    body = {"echo": component(b"\0asm", **options)}
    whole = as_blueprint(topology(type("App", (), body)))
    assert isinstance(find_mistakes(whole), list)


@given(
    st.dictionaries(st.sampled_from([*TREE_OPTIONS, "other"]), anything, min_size=1),
    st.dictionaries(st.sampled_from(["restarts", "period", "restart"]), anything),
)
def test_no_option_of_a_tree_crashes(options, below):
    body = {"workers": supervisor(**below)(type("Inner", (), {"greeter": greet}))}
    whole = as_blueprint(topology(**options)(type("App", (), body)))
    assert isinstance(find_mistakes(whole), list)
