"""Actors that a toolchain built against WASI's first preview: C with wasi-libc, and Rust."""

import faulthandler
import os
from pathlib import Path

import pytest

from airssys.building import ToolMissing, build
from airssys.contracts import (
    Artifact,
    ComponentConfig,
    GuestRejected,
    Limits,
)
from airssys.security import clock, env, monotonic_clock, random, read_files, stdout
from airssys.testing import FakeServices
from wasm_support import envelope, open_guests

HERE = Path(__file__).parent
GUESTS = HERE / "guests"
RUST = """\
    let name = String::from_utf8_lossy(payload).into_owned();
    println!("{} bytes of a path at {:?}", name.len(), std::time::Instant::now());
    std::fs::read(&name).map(Some).map_err(|error| error.to_string())"""


@pytest.fixture(params=["own", "wasmtime"])
async def guests(request):
    async with open_guests(lane=request.param) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.txt").write_bytes(b"apples")
    return data


async def start(guests, path, services):
    component = await guests.loader.load(Artifact.at(path))
    guest = await component.instantiate(Limits(), services)
    guests.started.append(guest)
    await guest.initialize(ComponentConfig())
    return guest


def granted(folder, *others):
    words = [monotonic_clock(), stdout(), *others]
    return FakeServices(can=[read_files("/data/**", at=str(folder)), *words])


async def test_an_actor_of_wasi_libc_reads_what_it_is_granted(guests, folder):
    services = granted(folder, env("GREETING"))
    guest = await start(guests, GUESTS / "reader.wasm", services)
    for _ in range(3):  # what the adapter keeps outlives a call
        assert await guest.handle_message(envelope(b"/data/a.txt")) == b"apples"
    assert [text for _, text, _ in services.lines] == ["1 read", "2 read", "3 read"]
    with pytest.raises(GuestRejected, match="it cannot be opened"):
        await guest.handle_message(envelope(b"/data/b.txt"))
    with pytest.raises(GuestRejected, match="it cannot be opened"):
        await guest.handle_message(envelope(b"/data/../../etc/passwd"))


async def test_an_actor_of_wasi_libc_has_nothing_without_grants(guests):
    services = FakeServices(can=())
    guest = await start(guests, GUESTS / "reader.wasm", services)
    with pytest.raises(GuestRejected, match="it cannot be opened"):
        await guest.handle_message(envelope(b"/data/a.txt"))
    assert services.lines == []
    assert {each.access.kind for each in services.denied} >= {"environment"}


def built(source, folder, *, wasi=True):
    """Build it where its toolchain is; AIRSSYS_NODE_MODULES may name a folder with jco."""
    folder.mkdir(exist_ok=True)
    modules = os.environ.get("AIRSSYS_NODE_MODULES")
    if modules is not None:
        (folder / "node_modules").symlink_to(modules)
    copy = folder / source.name
    copy.write_text(
        source.read_text().replace("    Ok(Some(payload.to_ascii_uppercase()))", RUST)
    )
    cache = HERE.parents[1] / ".build/tests/built"
    try:
        return build(copy, cache_directory=cache, wasi=wasi).path
    except ToolMissing as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize("source", ["reader.c", "shout.rs"])
async def test_an_actor_with_wasi_is_built_and_runs(guests, folder, tmp_path, source):
    place = GUESTS if source.endswith(".c") else HERE.parents[1] / "examples/guests"
    services = granted(folder, random())
    guest = await start(guests, built(place / source, tmp_path), services)
    assert await guest.handle_message(envelope(b"/data/a.txt")) == b"apples"
    with pytest.raises(GuestRejected):
        await guest.handle_message(envelope(b"/data/b.txt"))


@pytest.mark.slow
async def test_the_actor_of_the_how_to_for_javascript_runs(tmp_path):
    """It compiles for a minute or more."""
    text = (HERE.parents[1] / "docs/how-to/write-a-javascript-guest.md").read_text()
    example = text[text.index("## An actor") :].split("```")[1].removeprefix("js")
    source = tmp_path / "actor.js"
    source.write_text(example)
    faulthandler.cancel_dump_traceback_later()
    path = built(source, tmp_path / "copy", wasi=False)
    services = FakeServices(can=[random(), clock(), monotonic_clock()])
    async with open_guests(HERE.parents[1] / ".build/tests/compiled") as guests:
        guest = await start(guests, path, services)
        for _ in range(3):
            assert await guest.handle_message(envelope(b"hello")) == b"hello"
