"""What was compiled once is found again by all that compile: actors, `load_any`, `inspect`."""

import logging
import threading

import pytest
import trio

from airssys.contracts import (
    USER_CACHE,
    Artifact,
    ComponentRefused,
    EngineSettings,
    GuestTrapped,
    Limits,
    TrapReason,
)
from airssys.wasm import (
    inspect,
    load_any,
    open_runtime,
    user_cache_directory,
)
from airssys.wasm.loading import _component_loader
from pace import PATIENCE
from wasm_support import GUESTS, wrap_compilers

ECHO = Artifact.at(GUESTS / "echo.wat")
ADDER = Artifact.from_text(
    """(component
    (core module $m (func (export "one") (result i32) (i32.const 1)))
    (core instance $i (instantiate $m))
    (func (export "one") (result u32) (canon lift (core func $i "one"))))"""
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def compiled(monkeypatch):
    """The labels of what was compiled."""
    labels = []

    def noting(original):
        def compile_noted(*arguments):
            labels.append(arguments[2] if len(arguments) == 3 else "parts")
            return original(*arguments)

        return compile_noted

    wrap_compilers(monkeypatch, noting)
    return labels


async def load_by_loader(**options):
    async with open_runtime(EngineSettings(), **options) as loader:
        await loader.load(ECHO)


async def load_by_any(**options):
    async with open_runtime(EngineSettings(), **options) as loader:
        component = await load_any(loader, ADDER)
        instance = await component.instantiate()
        try:
            assert await instance.call("one") == 1
        finally:
            instance.close()


async def inspect_echo(**options):
    found = await trio.to_thread.run_sync(lambda: inspect(ECHO, **options))
    assert found.refusal is None
    assert found.exports


async def inspect_adder(**options):
    found = await trio.to_thread.run_sync(lambda: inspect(ADDER, **options))
    assert found.refusal is not None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (load_by_loader, load_by_loader),
        (load_by_any, load_by_any),
        (inspect_echo, inspect_echo),
        (inspect_adder, inspect_adder),
        (inspect_echo, load_by_loader),
        (load_by_loader, inspect_echo),
        (inspect_adder, load_by_any),
        (load_by_any, inspect_adder),
    ],
)
async def test_what_was_compiled_once_is_found_again(compiled, first, second):
    await first()
    assert len(compiled) == 1
    await second()
    is_inspected = {first, second} & {inspect_echo, inspect_adder}
    is_run = {first, second} & {load_by_loader, load_by_any}
    is_apart = EngineSettings().lane == "own"  # what is inspected is compiled whole
    assert len(compiled) == (2 if is_apart and is_inspected and is_run else 1)
    assert list(user_cache_directory().glob("*.cwasm"))


@pytest.mark.parametrize("lane", ["own", "wasmtime"])
async def test_what_was_kept_must_fit_the_limits_of_who_loads_it(compiled, lane):
    """Of components of any world too, which are found without being counted again."""
    wide = EngineSettings(lane=lane)
    narrow = EngineSettings(lane=lane, function_bytes=1024)
    long = Artifact.from_text(
        f"""(component
        (core module $m (memory 1) (func {"(nop)" * 2048}))
        (core instance (instantiate $m)))"""
    )
    async with open_runtime(wide) as loader:
        await load_any(loader, long)
    async with open_runtime(narrow) as loader:
        with pytest.raises(ComponentRefused, match="function_bytes"):
            await load_any(loader, long)
    async with open_runtime(wide) as loader:
        component = await load_any(loader, long)
        with pytest.raises(GuestTrapped) as caught:
            await component.instantiate(Limits(memory_bytes=1024))
        assert caught.value.reason is TrapReason.MEMORY_LIMIT
    assert len(compiled) == 1


@pytest.mark.parametrize("load", [load_by_loader, load_by_any, inspect_echo])
async def test_the_cache_may_be_turned_off(compiled, load):
    await load(cache_directory=None)
    await load(cache_directory=None)
    assert len(compiled) == 2
    assert not user_cache_directory().exists()


async def test_a_directory_may_be_given_as_text(compiled, tmp_path):
    for given in (str(tmp_path / "cache"), tmp_path / "cache"):
        await load_by_loader(cache_directory=given)
    assert len(compiled) == 1


async def test_what_only_fits_any_world_is_not_an_actor(compiled):
    await load_by_any()
    async with open_runtime(EngineSettings()) as loader:
        with pytest.raises(Exception, match="lifecycle"):
            await loader.load(ADDER)


async def test_a_default_that_others_can_reach_is_not_used_and_no_failure(caplog):
    user_cache_directory().mkdir(parents=True)
    user_cache_directory().chmod(0o777)
    with caplog.at_level(logging.WARNING, logger="airssys.cache"):
        await load_by_loader(cache_directory=USER_CACHE)
    [record] = caplog.records
    assert "make it private" in record.getMessage()
    assert not list(user_cache_directory().iterdir())


@pytest.mark.parametrize(
    ("cache", "then"), [(USER_CACHE, "once"), (None, "are not kept")]
)
async def test_a_load_that_waits_for_a_compiler_is_reported(monkeypatch, cache, then):
    go_on, lines = threading.Event(), []

    def report(line):
        lines.append(line)
        go_on.set()

    def waiting(original):
        def wait(*arguments):
            assert go_on.wait(PATIENCE)
            return original(*arguments)

        return wait

    wrap_compilers(monkeypatch, waiting)
    monkeypatch.setattr(_component_loader, "SLOW_AFTER", 0.01)
    await load_by_loader(cache_directory=cache, report=report)
    [line] = lines
    assert line.startswith(f"compiling {ECHO.label}: ")
    assert line.endswith(then)


async def test_what_is_quick_is_not_worth_a_line(monkeypatch):
    lines = []
    monkeypatch.setattr(_component_loader, "SLOW_AFTER", PATIENCE)
    await load_by_loader(report=lines.append)
    assert not lines
