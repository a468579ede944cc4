"""The options of a message: described in one place, the same for every sender."""

import inspect

import pytest

from airssys import (
    AskOptions,
    MessageOptions,
    Portal,
    Ref,
    SendOptions,
    System,
    TypedAskOptions,
    TypedSendOptions,
    actor,
    blueprint,
    open_system,
)
from airssys.nursery import ActorContext

pytestmark = pytest.mark.usefixtures("handler_kind")

METHODS = [
    (kind, name, TypedAskOptions if is_ref and name == "ask" else options)
    for kind in (System, ActorContext, Portal, Ref)
    for is_ref in [kind is Ref]
    for name, options in (
        ("tell", TypedSendOptions if is_ref else SendOptions),
        ("send", TypedSendOptions if is_ref else SendOptions),
        ("ask", AskOptions),
    )
]
# `Ref.send` refers to `tell`.
DESCRIBED = [each for each in METHODS if each[:2] != (Ref, "send")]
SENDING = ["tell", "send", "ask"]


async def echo(context, envelope):
    return envelope.payload


@pytest.mark.parametrize(("kind", "name", "options"), METHODS)
def test_a_method_takes_its_options_as_one(kind, name, options):
    signature = inspect.signature(getattr(kind, name))
    *_, last = signature.parameters.values()
    assert last.kind is inspect.Parameter.VAR_KEYWORD
    assert last.annotation == f"Unpack[{options.__name__}]"


@pytest.mark.parametrize(("kind", "name", "options"), DESCRIBED)
def test_help_on_a_method_names_each_of_its_options(kind, name, options):
    text = inspect.getdoc(getattr(kind, name))
    names = options.__optional_keys__
    assert names >= MessageOptions.__optional_keys__
    assert [each for each in names if f"`{each}`" not in text] == []
    assert options.__name__ in text


@pytest.mark.parametrize(
    "options",
    [MessageOptions, SendOptions, AskOptions, TypedSendOptions, TypedAskOptions],
)
def test_help_on_the_options_describes_each_one(options):
    source = inspect.getsource(options)
    names = options.__annotations__
    own = [name for name in names if f"    {name}: " in source]
    assert own
    assert source.count('"""') == 2 * (len(own) + 1)  # and the docstring of the class


async def call(system, name, **options):
    answer = getattr(system, name)("echo", b"hello", **options)
    if name != "tell":
        await answer


@pytest.mark.parametrize("name", SENDING)
async def test_an_option_that_there_is_not_is_named_beside_those_that_there_are(name):
    async with open_system(blueprint(actor("echo", echo))) as system:
        with pytest.raises(TypeError) as caught:
            await call(system, name, prority="low")
        text = str(caught.value)
        assert text.startswith(
            f"{name}() got an unexpected keyword argument 'prority': use "
        )
        options = AskOptions if name == "ask" else SendOptions
        assert set(text.partition("use ")[2].split(", ")) == options.__optional_keys__
        assert system.mailbox("echo").arrived == 0


@pytest.mark.parametrize(
    ("name", "option"), [("tell", "timeout"), ("send", "retries"), ("ask", "ttl")]
)
async def test_an_option_of_another_method_is_refused(name, option):
    async with open_system(blueprint(actor("echo", echo))) as system:
        with pytest.raises(TypeError, match=f"keyword argument '{option}'"):
            await call(system, name, **{option: None})


@pytest.mark.parametrize("name", SENDING)
async def test_an_option_that_is_none_was_not_given(name):
    names = ["content_type", "priority", "key", "trace"]
    async with open_system(blueprint(actor("echo", echo))) as system:
        await call(system, name, **dict.fromkeys(names))
        assert system.mailbox("echo").arrived == 1


async def test_an_unknown_option_is_refused_at_the_first_try_of_several():
    async with open_system(blueprint(actor("echo", echo))) as system:
        with pytest.raises(TypeError, match="prority"):
            await call(system, "ask", prority="low", retries=3)
        assert system.mailbox("echo").arrived == 0
