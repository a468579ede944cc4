"""Built components are kept for convenience: what cannot be kept is built all the same."""

import pytest

from airssys.building import BuildFailed, build

from .core_modules import core_module


def test_a_component_is_built_although_it_cannot_be_kept(tmp_path):
    source = tmp_path / "guest.wasm"
    source.write_bytes(bytes(core_module()))
    (tmp_path / "cache").write_text("a file in its place")
    lines = []
    made = build(
        source,
        tmp_path / "made.wasm",
        cache_directory=tmp_path / "cache",
        tell=lines.append,
    )
    assert made.path.read_bytes().startswith(b"\0asm")
    assert sum("will not be cached" in line for line in lines) == 1


def test_what_is_to_be_left_in_the_cache_only_must_be_kept(tmp_path):
    source = tmp_path / "guest.wasm"
    source.write_bytes(bytes(core_module()))
    (tmp_path / "cache").write_text("a file in its place")
    with pytest.raises(BuildFailed, match="cache"):
        build(source, None, cache_directory=tmp_path / "cache")


def test_without_a_home_a_component_is_built(tmp_path, monkeypatch):
    source = tmp_path / "guest.wasm"
    source.write_bytes(bytes(core_module()))
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.home", _no_home)
    made = build(source, tmp_path / "made.wasm")
    assert made.is_new


def _no_home():
    raise RuntimeError("no home")
