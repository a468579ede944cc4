"""Modules for components: what they convert, and that type checkers accept their use."""

import contextlib
import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import airssys
from airssys.cli.commands.building import wit as command
from airssys.contracts import Artifact, ComponentRefused, EngineSettings
from airssys.wasm.host import interfaces_of
from airssys.wasm.lane.stubs import describe, describe_wit, module_for
from pace import finished
from wasm_support import open_guests

HERE = Path(__file__).parent
SITE = Path(airssys.__file__).parents[1]
USE = """
from airssys import Artifact
from airssys.wasm import Loader
import shapes
import own_things

async def use(loader: Loader) -> list[int]:
    with await shapes.start(loader, Artifact.at("shapes.wasm")) as it:
        line: shapes.Line = await it.echo_line(shapes.Line(3, shapes.Color.RED))
        rights = await it.echo_rights(frozenset({shapes.RightsFlag.WRITE_ALL}))
        shape = await it.echo_maybe(shapes.ShapeDrawn(line))
        if isinstance(shape, shapes.ShapeDrawn):
            line = shape.value
        half: int = await it.half(len(rights))
    with await own_things.start(loader, Artifact.at("own_things.wasm")) as other:
        async with await other.new_thing(5) as thing:
            return [line.n, half, await thing.number()]
"""
WRONG = """
import shapes

async def use(it: shapes.Component) -> None:
    await it.echo_line((3, "red"))
    await it.echo_maybe("dot")
    text: str = await it.half(3)
"""

MISTAKES = [
    *(("shop_wrong.py", line) for line in "56"),
    *(("wrong.py", line) for line in "567"),
]
"""Where type checkers find the wrong use."""


def load_module(name, folder):
    path = folder / f"{name}.py"
    path.write_text(
        module_for(describe(Artifact.at(HERE / f"{name}.wat"), EngineSettings()))
    )
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def own(compiled):
    async with open_guests(compiled, lane="own") as guests:
        yield guests.loader


async def test_values_have_the_classes_of_their_types(own, tmp_path):
    shapes = load_module("shapes", tmp_path)
    line = shapes.Line(7, shapes.Color.DARK_BLUE)
    with await shapes.start(own, Artifact.at(HERE / "shapes.wat")) as it:
        found = await it.echo_line(line)
        assert found == line
        assert [type(found), type(found.color)] == [shapes.Line, shapes.Color]
        for rights in (frozenset(), frozenset(shapes.RightsFlag)):
            assert await it.echo_rights(rights) == rights
        for shape in (None, shapes.ShapeDot(), shapes.ShapeDrawn(line)):
            found = await it.echo_maybe(shape)
            assert found == shape
            assert type(found) is type(shape)
        assert await it.half(8) == 4
        with pytest.raises(shapes.Refused) as caught:
            await it.half(7)
        assert caught.value.value is shapes.Color.DARK_BLUE


async def test_resources_are_objects_with_methods(own, tmp_path):
    module = load_module("own_things", tmp_path)
    host = interfaces_of({"asked": lambda number: number})
    artifact = Artifact.at(HERE / "own_things.wat")
    with await module.start(own, artifact, host) as it:
        async with await it.new_thing(5) as thing:
            assert await thing.number() == 5
            assert await it.thing_sum(thing, thing) == 10
        assert await it.drops() == 1
        kept = await it.new_thing(6)
        assert await it.rep(await it.keep(kept)) == 6


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A folder with modules, and programs that use them."""
    folder = tmp_path_factory.mktemp("stubs")
    for name in ("shapes", "own_things"):
        text = module_for(describe(Artifact.at(HERE / f"{name}.wat"), EngineSettings()))
        (folder / f"{name}.py").write_text(text)
    (folder / "shop.py").write_text(wit_module(SHOP, folder, "shop"))
    (folder / "use.py").write_text(USE)
    (folder / "wrong.py").write_text(WRONG)
    (folder / "shop_use.py").write_text(SHOP_USE)
    (folder / "shop_wrong.py").write_text(SHOP_WRONG)
    return folder


@pytest.mark.slow
def test_mypy_accepts_right_use_and_finds_wrong_use(checked):
    is_installed = SITE.name == "site-packages"  # where mypy looks by itself
    environment = {**os.environ} | ({} if is_installed else {"MYPYPATH": str(SITE)})
    options = ["--strict", "--config-file=", "--follow-imports=silent"]
    options += ["--cache-dir=mypy", *sorted(path.name for path in checked.glob("*.py"))]
    done = finished(
        [sys.executable, "-m", "mypy", *options],
        seconds=200,
        cwd=checked,
        env=environment,
    )
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    found = [tuple(line.split(":")[:2]) for line in errors]
    assert sorted(found) == MISTAKES, done.stdout


@pytest.mark.slow
def test_pyright_accepts_right_use_and_finds_wrong_use(checked):
    configuration = {"typeCheckingMode": "strict", "extraPaths": [str(SITE)]}
    (checked / "pyrightconfig.json").write_text(json.dumps(configuration))
    programs = ["use.py", "wrong.py", "shop_use.py", "shop_wrong.py"]
    program = [sys.executable, "-m", "basedpyright", *programs]
    done = finished(program, seconds=200, cwd=checked, env={**os.environ})
    errors = re.findall(r"(\w+\.py):(\d+):\d+ - error: ", done.stdout)
    assert sorted(set(errors)) == MISTAKES, done.stdout


def test_the_command_writes_a_module_named_after_the_file(tmp_path):
    file = tmp_path / "my-shapes.wat"
    file.write_bytes((HERE / "shapes.wat").read_bytes())
    done = CliRunner().invoke(command, ["stubs", str(file), "-o", str(tmp_path / "o")])
    assert done.exit_code == 0, done.output
    assert done.output.strip() == str(tmp_path / "o" / "my_shapes.py")
    compile((tmp_path / "o" / "my_shapes.py").read_text(), "my_shapes", "exec")


@pytest.mark.parametrize("text", ["", "(component", "(module)"])
def test_what_is_not_a_component_is_refused(tmp_path, text):
    file = tmp_path / "file.wat"
    file.write_text(text)
    with pytest.raises(ComponentRefused):
        describe(Artifact.at(file), EngineSettings())
    done = CliRunner().invoke(command, ["stubs", str(file)])
    assert done.exit_code == 1
    assert "Error: " in done.output


SHAPES = """\
// The same world as that of `shapes.wat`.
package acme:shapes@1.0.0;

world shapes {
  enum color { red, dark-blue }
  record line { n: u32, color: color, }
  flags rights { read, write-all }
  variant shape { dot, drawn(line) }

  export echo-line: func(it: line) -> line;
  export echo-rights: func(%class: rights) -> rights;
  export echo-maybe: func(it: option<shape>) -> option<shape>;
  export half: func(n: u32) -> result<u32, color>;
}
"""
SHOP = """\
package acme:shop@1.2.0;

/* An interface /* with a comment inside */ that uses another one. */
interface carts {
  use acme:money/types@0.1.0-rc.1.{amount as price};
  use common.{note};
  type label = string;
  @since(version = 1.0.0)
  resource cart {
    constructor(owner: label);
    add: func(item: label, cost: price) -> result<_, note>;
    merge: static func(a: cart, b: borrow<cart>) -> cart;
  }
  %list: func(most: option<u8>) -> list<tuple<label, price>>;
}
interface common { record note { lines: list<string>, raw: list<u8> } }
world base { export common; }
world shop {
  include base;
  import log: func(text: string);
  import acme:money/types@0.1.0-rc.1;
  export carts;
  export checks: interface { use carts.{cart}; look: func(it: borrow<cart>) -> bool; }
}
package acme:money@0.1.0-rc.1 { interface types { record amount { cents: s64 } } }
"""
SHOP_USE = """
from airssys import Artifact
from airssys.wasm import Loader
import shop

async def use(loader: Loader) -> int:
    with await shop.start(loader, Artifact.at("shop.wasm")) as it:
        async with await it.carts.new_cart("me") as cart:
            await cart.add("tea", shop.Price(100))
            checked: bool = await it.checks.look(cart)
            found = await it.carts.list(None if checked else 3)
            return found[0][1].cents
"""
SHOP_WRONG = """
import shop

async def use(it: shop.Component) -> None:
    await it.carts.new_cart(3)
    await it.carts.list("all")
"""


def wit_module(text, folder, name="file"):
    path = folder / f"{name}.wit"
    path.write_text(text)
    return module_for(describe_wit(path, name if name == "shop" else ""))


def test_wit_text_gives_the_module_that_its_component_gives(tmp_path):
    own = module_for(describe(Artifact.at(HERE / "shapes.wat"), EngineSettings()))
    body = own.partition("class Refused")[2]
    assert wit_module(SHAPES, tmp_path).partition("class Refused")[2] == body


def test_wit_text_may_have_packages_resources_and_worlds_that_include_others(tmp_path):
    module = wit_module(SHOP, tmp_path, "shop")
    compile(module, "shop", "exec")
    for text in (
        "class Cart:",
        "async def add(self, item: str, cost: Price) -> None:",
        "async def new_cart(self, owner: str) -> Cart:",
        "async def cart_merge(self, a: Cart, b: Cart) -> Cart:",
        "async def list(self, most: int | None) -> tuple[tuple[str, Price], ...]:",
        "raise Refused('[method]cart.add', _lift_Note(found.value))",
        "async def look(self, it: Cart) -> bool:",
        "class Note(NamedTuple):",
    ):
        assert text in module, text
    assert "def log" not in module


def test_wit_text_may_be_divided_among_the_files_of_a_package(tmp_path):
    text, _, money = SHOP.partition("package acme:money")
    shop, _, common = text.partition("interface common")
    (tmp_path / "deps" / "money").mkdir(parents=True)
    (tmp_path / "deps" / "money" / "all.wit").write_text(f"package acme:money{money}")
    common, _, worlds = common.partition("world base")
    (tmp_path / "common.wit").write_text(
        f"package acme:shop@1.2.0;interface common{common}"
    )
    (tmp_path / "broken.txt").write_text("no WIT")
    divided = wit_module(f"{shop}world base{worlds}", tmp_path, "shop")
    assert divided == wit_module(SHOP, tmp_path, "shop")


async def test_a_module_from_wit_text_calls_the_component(own, tmp_path):
    path = tmp_path / "from_text.py"
    path.write_text(wit_module(SHAPES, tmp_path))
    spec = importlib.util.spec_from_file_location("from_text", path)
    module = sys.modules["from_text"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with await module.start(own, Artifact.at(HERE / "shapes.wat")) as it:
        line = module.Line(7, module.Color.DARK_BLUE)
        assert await it.echo_line(line) == line
        with pytest.raises(module.Refused):
            await it.half(7)


def world_of(text):
    return f"package a:b; world w {{ {text} }}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it has not one world but these: none"),
        ("world a {} world b {}", "not one world but these: a, b"),
        ("package a;", "line 1: found ';', expected ':'"),
        ("\n\nworld {}", "line 3: found '{', expected a name"),
        ("world a {", "found the end of the file"),
        ("world a { /* }", "line 1: a comment that does not end"),
        ("world a {} world a {}", "a is defined twice"),
        (world_of("export f: func(x: thing);"), "there is no type 'thing'"),
        (world_of("export f: func(x: list<u8, 4>);"), "found '4', expected a name"),
        (world_of("export f: func(x: list<u8, u8>);"), "wrong number of types"),
        (world_of("export f: func(x: option<_>);"), "wrong number of types"),
        (world_of("export f: func(x: list<_>);"), "wrong number of types"),
        (world_of("export f: func(x: tuple<>);"), "wrong number of types"),
        (world_of("export f: func(x: borrow<u8>);"), "is not a resource"),
        (world_of("export f: func(x: stream<u8>);"), "stubs have no type 'stream'"),
        (world_of("export f: async func();"), "no asynchronous functions"),
        (world_of("export f: func(); export f: func();"), "'f' is defined twice"),
        (world_of("record r { a: u8, a: u8 }"), "names of their own"),
        (world_of("enum e {}"), "names of their own"),
        (world_of("type a = b; type b = list<a>;"), "contains itself"),
        (world_of("include w;"), "includes itself"),
        (world_of("include other;"), "a:b/other is not defined here"),
        (world_of("export other;"), "a:b/other is not defined here"),
        (world_of("use x:y/z.{t};"), "x:y/z is not defined here"),
        (
            "package a:b; interface i {} world w { use i.{t}; }",
            "a:b/i has no type 't'",
        ),
        (world_of(f"type t = {'list<' * 200}u8{'>' * 200};"), "nest deeper than 100"),
        (
            world_of(
                "type t0 = u8;" + "".join(f"type t{n + 1} = t{n};" for n in range(200))
            ),
            "nest deeper than 100",
        ),
        (" " * (1 << 20) + "world a {}", "more than 1,048,576 bytes"),
        ("world a { @since(version = 1.0.0 }", "found the end of the file"),
        (world_of("include x with { a as b }"), "cannot be changed here"),
    ],
)
def test_what_is_not_wit_text_is_refused_with_its_line(tmp_path, text, problem):
    file = tmp_path / "file.wit"
    file.write_text(text)
    done = CliRunner().invoke(command, ["stubs", str(file), "-o", str(tmp_path)])
    assert done.exit_code == 1
    assert problem in done.output, done.output
    assert not (tmp_path / "file.py").exists()


@pytest.mark.parametrize("cut", range(0, len(SHOP), 7))
def test_wit_text_that_was_cut_off_is_refused_or_has_no_world(tmp_path, cut):
    file = tmp_path / "file.wit"
    file.write_text(SHOP[:cut] + SHOP[cut + 3 :])
    with contextlib.suppress(ComponentRefused):
        compile(module_for(describe_wit(file, "shop")), "file", "exec")


def test_what_is_not_there_or_no_text_is_refused(tmp_path):
    file = tmp_path / "file.wit"
    with pytest.raises(ComponentRefused, match="No such file"):
        describe_wit(file)
    file.write_bytes(b"\xff")
    with pytest.raises(ComponentRefused, match="utf-8") as caught:
        describe_wit(file)
    assert "or write the module from the component itself" in caught.value.advice


def test_only_wit_text_has_several_worlds(tmp_path):
    given = ["stubs", str(HERE / "shapes.wat"), "--world", "w", "-o", str(tmp_path)]
    done = CliRunner().invoke(command, given)
    assert (done.exit_code, "--world is for WIT text" in done.output) == (2, True)
