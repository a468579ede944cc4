"""A core module that several components contain is compiled once for all of them."""

import errno

import pytest
import trio
import wasmtime

from airssys.contracts import Artifact, EngineSettings, Limits
from airssys.wasm import load_any, load_concurrent, open_runtime
from airssys.wasm.cache import list_cache
from airssys.wasm.cache._private_directory import PrivateDirectory
from airssys.wasm.lane.core import _parts
from pace import PATIENCE
from wasm_support import GUESTS, envelope, open_guests

SIZE = 4 * _parts.LARGE_MODULE


def module(letter="x", size=SIZE):
    return f"""
    (core module $large
      (memory 8) (func (export "f")) (data (i32.const 0) "{letter * size}"))
    (core instance $part (instantiate $large))"""


LARGE = module()


def with_module(name, of=LARGE):
    """A guest of the tests that contains one more module."""
    text = (GUESTS / f"{name}.wat").read_text()
    start = text.index("(component") + len("(component")
    return Artifact.from_text(text[:start] + of + text[start:])


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def compiled(monkeypatch):
    """The sizes of the large modules that were compiled."""
    sizes = []
    original = wasmtime.Module

    class Noting(original):
        def __init__(self, engine, code):
            if len(code) >= _parts.LARGE_MODULE:
                sizes.append(len(code))
            super().__init__(engine, code)

    monkeypatch.setattr(_parts.wasmtime, "Module", Noting)
    return sizes


async def load(folder, name, of=LARGE, **settings):
    async with open_guests(folder, lane="own", **settings) as guests:
        component = await guests.loader.load(with_module(name, of))
        guest = await component.instantiate(Limits(), guests.services)
        guests.started.append(guest)
        if name == "echo":
            assert await guest.handle_message(envelope(b"hello")) == b"hello"


def files_of_module(folder, ending):
    """The files of the largest entry."""
    (code,) = sorted(folder.glob("*.cwasm"), key=lambda each: each.stat().st_size)[-1:]
    return list(folder.glob(f"{code.name[:64]}*{ending}"))


# -- what is found


async def test_two_components_share_it(folder, compiled):
    await load(folder, "echo")
    await load(folder, "state")
    assert len(compiled) == 1
    await load(folder, "state")
    await load(folder, "echo")
    assert len(compiled) == 1


async def test_it_is_stored_once(folder):
    await load(folder, "echo")
    first = sum(path.stat().st_size for path in folder.iterdir())
    await load(folder, "state")
    second = sum(path.stat().st_size for path in folder.iterdir()) - first
    assert first > SIZE > second


async def test_another_module_is_compiled(folder, compiled):
    await load(folder, "echo")
    await load(folder, "state", module("y"))
    assert len(compiled) == 2


async def test_small_ones_are_kept_with_their_component(folder, compiled):
    small = module(size=SIZE // 8)
    await load(folder, "echo", small)
    assert len(list(folder.iterdir())) == 2
    assert compiled == []


async def test_what_is_compiled_in_otherwise_is_compiled_again(folder, compiled):
    await load(folder, "echo")
    await load(folder, "state", guest_stack_bytes=256 * 1024)
    assert len(compiled) == 2


async def test_components_of_any_world_share_it(folder, compiled):
    await load(folder, "echo")
    artifact = Artifact.from_text(f"(component {module()})")
    async with open_runtime(
        EngineSettings(lane="own"), cache_directory=folder
    ) as loader:
        await load_any(loader, artifact)
    assert len(compiled) == 1


async def load_with_tasks(folder, of=LARGE):
    settings = EngineSettings(component_async=True)
    async with open_runtime(settings, cache_directory=folder) as loader:
        component = await load_concurrent(
            loader, Artifact.from_text(f"(component {of})")
        )
        async with component.open():
            pass


async def test_components_with_asynchronous_functions_share_it(folder, compiled):
    await load_with_tasks(folder)
    await load_with_tasks(folder)
    await load(folder, "echo")
    assert len(compiled) == 1
    await load(folder, "echo", module("y"))
    await load_with_tasks(folder, module("y"))
    assert len(compiled) == 2


async def test_without_a_cache_they_are_compiled_each_time(compiled):
    await load_with_tasks(None)
    await load_with_tasks(None)
    assert len(compiled) == 2


async def test_the_list_says_whose_it_is(folder):
    await load(folder, "echo")
    labels = [entry.label for entry in list_cache(folder, EngineSettings())]
    assert sorted(labels) == ["a module of component text", "component text"]


async def test_a_shared_memory_is_refused_although_it_is_there(folder, monkeypatch):
    """What is refused is refused before it is searched for."""
    bad = module().replace("(memory 8)", "(memory 8 8 shared)")
    monkeypatch.setattr(_parts.Compiling, "compile", None)
    with pytest.raises(Exception, match="shared") as caught:
        await load(folder, "echo", bad)
    assert "NoneType" not in str(caught.value)


# -- what fails


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def open_to_others(path):
    path.chmod(0o666)


@pytest.mark.parametrize("ending", [".cwasm", ".entry"])
@pytest.mark.parametrize("damage", [cut, flip, open_to_others, lambda it: it.unlink()])
@pytest.mark.parametrize("name", ["echo", "state"])
async def test_a_damaged_one_is_compiled_and_replaced(
    folder, compiled, damage, ending, name
):
    await load(folder, "echo")
    for path in files_of_module(folder, ending):
        damage(path)
    with trio.fail_after(PATIENCE):
        await load(folder, name)
    assert len(compiled) == 2
    await load(folder, "echo")
    await load(folder, name)
    assert len(compiled) == 2


async def test_one_under_the_name_of_another_is_not_loaded(folder, compiled):
    await load(folder, "echo")
    entries = set(folder.iterdir())
    await load(folder, "echo", module("y"))
    (other,) = (
        path
        for path in set(folder.iterdir()) - entries
        if path.suffix == ".cwasm" and path.stat().st_size > SIZE
    )
    mine = max(
        (path for path in entries if path.suffix == ".cwasm"),
        key=lambda each: each.stat().st_size,
    )
    other.write_bytes(mine.read_bytes())
    await load(folder, "echo", module("y"))
    assert len(compiled) == 3


@pytest.mark.parametrize("good", range(5))
async def test_a_full_disk_stops_nothing(folder, compiled, monkeypatch, good):
    """After any number of writes: two files for the module, two for what contains it."""
    left = [good]
    original = PrivateDirectory.write

    def write(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(PrivateDirectory, "write", write)
        await load(folder, "echo")
    await load(folder, "echo")
    assert len(compiled) == (1 if good >= 2 else 2)
    await load(folder, "echo")
    assert len(compiled) <= 2


@pytest.mark.parametrize("more", [-SIZE // 2, 4096])
async def test_a_small_cache_stays_small(folder, compiled, more):
    """It has no room for the module, or only for that."""
    await load(folder, "echo")
    (code,) = files_of_module(folder, ".cwasm")
    most = code.stat().st_size + more
    for path in folder.iterdir():
        path.unlink()
    for _ in range(2):
        await load(folder, "echo", cache_bytes=most)
    used = sum(path.stat().st_size for path in folder.iterdir())
    assert used <= most
    assert len(compiled) == (3 if more < 0 else 2)


async def test_only_the_module_that_went_is_compiled(folder, compiled):
    both = module() + module("y").replace("$large", "$more").replace("$part", "$b")
    await load(folder, "echo", both)
    for path in files_of_module(folder, ""):
        path.unlink()
    await load(folder, "echo", both)
    assert len(compiled) == 3
