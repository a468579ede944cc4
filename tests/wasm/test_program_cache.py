"""That a component is a program is remembered beside its compiled code."""

import pytest

from airssys.contracts import Artifact
from airssys.wasm.host.wasi import ProgramComponent
from airssys.wasm.loading import _component_loader
from wasm_support import leaving, open_guests


@pytest.mark.parametrize("lane", ["own", "wasmtime"])
async def test_it_is_found_out_once(tmp_path, monkeypatch, lane):
    looked = []

    def look(names):
        looked.append(names)
        return original(names)

    original = _component_loader.is_program
    monkeypatch.setattr(_component_loader, "is_program", look)
    artifact = Artifact.from_text(leaving(0), "it")
    for _ in range(3):
        async with open_guests(tmp_path / "cache", lane=lane) as guests:
            component = await guests.loader.load(artifact)
            assert isinstance(component, ProgramComponent)
    assert len(looked) == 1


async def test_a_note_that_was_changed_does_not_count(tmp_path, monkeypatch):
    artifact = Artifact.from_text(leaving(0), "it")
    cache = tmp_path / "cache"
    async with open_guests(cache) as guests:
        await guests.loader.load(artifact)
    notes = list(cache.glob("*.state"))
    assert len(notes) == 1
    notes[0].write_bytes(b"x" * 32)
    looked = []
    original = _component_loader.is_program
    monkeypatch.setattr(
        _component_loader,
        "is_program",
        lambda names: looked.append(names) or original(names),
    )
    async with open_guests(cache) as guests:
        assert isinstance(await guests.loader.load(artifact), ProgramComponent)
    assert len(looked) == 1
