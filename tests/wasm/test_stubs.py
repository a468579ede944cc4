"""Modules for components: what they convert, and that type checkers accept their use."""

import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import airssys
from airssys.cli.commands._wit import command
from airssys.contracts import Artifact, ComponentRefused, EngineSettings
from airssys.wasm.host import interfaces_of
from airssys.wasm.lane.stubs import describe, module_for
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
    (folder / "use.py").write_text(USE)
    (folder / "wrong.py").write_text(WRONG)
    return folder


@pytest.mark.slow
def test_mypy_accepts_right_use_and_finds_wrong_use(checked):
    is_installed = SITE.name == "site-packages"  # where mypy looks by itself
    environment = {**os.environ} | ({} if is_installed else {"MYPYPATH": str(SITE)})
    options = ["--strict", "--config-file=", "--follow-imports=silent"]
    options += ["--cache-dir=mypy", "use.py", "wrong.py", "shapes.py", "own_things.py"]
    done = finished(
        [sys.executable, "-m", "mypy", *options],
        seconds=200,
        cwd=checked,
        env=environment,
    )
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert {line.split(":")[0] for line in errors} == {"wrong.py"}, done.stdout
    assert [int(line.split(":")[1]) for line in errors] == [5, 6, 7], done.stdout


@pytest.mark.slow
def test_pyright_accepts_right_use_and_finds_wrong_use(checked):
    configuration = {"typeCheckingMode": "strict", "extraPaths": [str(SITE)]}
    (checked / "pyrightconfig.json").write_text(json.dumps(configuration))
    program = [sys.executable, "-m", "basedpyright", "use.py", "wrong.py"]
    done = finished(program, seconds=200, cwd=checked, env={**os.environ})
    errors = re.findall(r"(\w+\.py):(\d+):\d+ - error: ", done.stdout)
    assert set(errors) == {("wrong.py", n) for n in "567"}, done.stdout


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
