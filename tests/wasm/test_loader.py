"""What is loaded and what is refused, away from the Trio thread, and the cache on disk."""

import importlib.resources
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import attrs
import pytest
import trio
import wasmtime

from airssys.contracts import (
    KIB,
    Artifact,
    ComponentRefused,
    EngineMisused,
    EngineSettings,
    GuestSpent,
    Limits,
    one_line,
)
from airssys.wasm import open_runtime
from airssys.wasm.artifacts import _source
from airssys.wasm.instances._runtime import Runtime
from pace import PATIENCE, Stopwatch
from wasm_support import GUESTS, Guests, beat, envelope, open_guests, wrap_compilers
from wat_guests import world
from wat_guests.component import Guest


def to_binary(text):
    return bytes(wasmtime.wat2wasm(text))


ECHO = (GUESTS / "echo.wat").read_text()


async def answers(guests, artifact):
    """Load an artifact and see that it is an echo."""
    component = await guests.loader.load(artifact)
    guest = await component.instantiate(Limits(), guests.services)
    guests.started.append(guest)
    return await guest.handle_message(envelope(b"hello")) == b"hello"


async def refused(guests, artifact):
    """Load what cannot be loaded; returns the error, which is complete."""
    with pytest.raises(ComponentRefused) as caught:
        await guests.loader.load(artifact)
    error = caught.value
    assert error.artifact == artifact.label
    assert error.problem
    assert error.advice
    found = one_line(f"{error.artifact}: {error.problem}")
    assert str(error) == f"{found}. {error.advice}"
    return error


# -- what is loaded


@pytest.mark.parametrize(
    "make",
    [
        lambda _: Artifact.from_text(ECHO),
        lambda _: Artifact.from_bytes(ECHO.encode()),
        lambda _: Artifact.from_bytes(to_binary(ECHO)),
        lambda _: Artifact.at(GUESTS / "echo.wat"),
        lambda _: Artifact.at(str(GUESTS / "echo.wat")),
        lambda folder: Artifact.at(binary_in(folder)),
    ],
    ids=["text", "text as bytes", "bytes", "path", "path as str", "path of a binary"],
)
async def test_text_bytes_and_paths_are_loaded(guests, tmp_path, make):
    assert await answers(guests, make(tmp_path))


def binary_in(folder):
    path = folder / "echo.wasm"
    path.write_bytes(to_binary(ECHO))
    return path


# -- what is refused


@pytest.mark.parametrize(
    ("name", "problem", "advice"),
    [
        ("core-module", "core module, not a component", "airssys build core.wasm"),
        ("malformed", "neither WebAssembly nor WAT text", ".wasm component"),
        ("empty", "must export airssys:core/component-lifecycle@1.0.0", "world"),
        ("wrong-version", "airssys:core/component-lifecycle@2.0.0", "1.0.0"),
        ("missing-export", "component-lifecycle@1.0.0 lacks health", "every function"),
        ("unknown-import", "acme:other/thing@1.0.0", "Import only"),
        ("unknown-function", "airssys:core/host-services@1.0.0#reboot", "Import only"),
        (
            "wasi-import",
            "wasi:http/made-up@0.2.9, wasi:keyvalue/store@0.2.9",
            "--stub-wasi",
        ),
        ("bad-signature", "other types for handle-message", "runtime-host@1.0.0"),
    ],
)
async def test_a_fixture_is_refused(guests, name, problem, advice):
    error = await refused(guests, Artifact.at(GUESTS / f"{name}.wat"))
    assert problem in error.problem
    assert advice in error.advice


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (b"", "it is empty"),
        ("  \n", "it is empty"),
        (b"\0asm", "it is malformed (it ends too early"),
        (b"\0asm\x0d\0\x01\0\xff", "it is malformed (it ends too early"),
        (b"\0asm\x0d\0\x01\0\x03\x01\xff", "wasmtime refuses it"),
        (to_binary("(module)"), "core module, not a component"),
        (b"\xff\xfe", "neither WebAssembly nor WAT text"),
        ("\ud800", "neither WebAssembly nor WAT text"),
        (to_binary(ECHO)[:-7], "it is malformed (it ends too early"),
        (
            '(component (import "do" (func)))',
            "it imports do, which this host does not provide",
        ),
        (
            (
                '(component (import "airssys:core/types@1.0.0"'
                ' (instance (export "do" (func)))))'
            ),
            "airssys:core/types@1.0.0#do",
        ),
    ],
)
async def test_bytes_that_are_not_a_guest_are_refused(guests, source, problem):
    error = await refused(guests, Artifact(source, "mine"))
    assert problem in error.problem


async def test_a_path_that_is_not_there_is_refused(guests, tmp_path):
    error = await refused(guests, Artifact.at(tmp_path / "gone.wasm"))
    assert "No such file" in error.problem


async def test_a_directory_is_refused(guests, tmp_path):
    error = await refused(guests, Artifact.at(tmp_path))
    assert "directory" in error.problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_an_unreadable_file_is_refused(guests, tmp_path):
    path = tmp_path / "secret.wasm"
    path.touch(mode=0o000)
    error = await refused(guests, Artifact.at(path))
    assert "Permission denied" in error.problem


async def test_a_failed_read_is_refused(guests, monkeypatch):
    def fail(*_):
        raise OSError("the disk is on fire")

    monkeypatch.setattr(_source.os, "open", fail)
    error = await refused(guests, Artifact.at("somewhere"))
    assert error.problem == "cannot be read: the disk is on fire"


async def test_a_component_that_cannot_be_counted_is_refused(guests):
    """Its memories would come from a module that another component hands over."""
    inner = """\
  (component $inner (core module $m (memory 1)) (export "m" (core module $m)))
  (instance $inner (instantiate $inner))
  (alias export $inner "m" (core module $module))
  (core instance (instantiate $module))
"""
    text = ECHO.replace("(component\n", "(component\n" + inner, 1)
    error = await refused(guests, Artifact.from_text(text))
    assert "cannot be counted" in error.problem


async def test_a_refused_artifact_is_refused_again(guests):
    artifact = Artifact.from_text("(component)")
    first, second = [await refused(guests, artifact) for _ in range(2)]
    assert str(first) == str(second)


# -- types: with other types than ours, marshalling would read where the guest wants


def exporting(name, component_type, core_type, body):
    return Guest(
        name="wrong",
        does="states other types",
        types={name: component_type},
        core_types={name: core_type},
        exports={name: body},
    ).wat()


def importing(monkeypatch, label, **types):
    """A guest that states these types for an import."""
    wrong = attrs.evolve(world.HOST_FUNCTIONS[label], **types)
    monkeypatch.setitem(world.HOST_FUNCTIONS, label, wrong)
    count = wrong.core_type.split("(result")[0].count("i64")
    call = f"(call ${label} {'(i64.const 1) ' * count})"
    if "(result" in wrong.core_type:
        call = f"(drop {call})"
    return Guest(
        name="wrong",
        does="states other types",
        exports={"handle-message": f"{call}\n(call $ok)"},
    ).wat()


@pytest.mark.parametrize(
    ("name", "component_type", "core_type", "body"),
    [
        ("health", "(result u64)", "(result i64)", "(i64.const 1)"),
        ("health", "(result u8)", "(result i32)", "(i32.const 1)"),
        ("health", "(result char)", "(result i32)", "(i32.const 65)"),
        ("health", "", "", ""),
        (
            "health",
            '(param "deep" bool) (result $health-status)',
            "(param i32) (result i32)",
            "(i32.const 0)",
        ),
    ],
)
async def test_an_export_of_another_type_is_refused(
    guests, name, component_type, core_type, body
):
    text = exporting(name, component_type, core_type, body)
    error = await refused(guests, Artifact.from_text(text))
    assert f"component-lifecycle@1.0.0 has other types for {name}" in error.problem


@pytest.mark.parametrize(
    ("label", "types"),
    [
        (
            "host-services.log",
            {
                "type": '(param "level" u64) (param "message" u64)'
                ' (param "context" u64)',
                "core_type": "(param i64 i64 i64)",
            },
        ),
        (
            "host-services.sleep-millis",
            {"type": '(param "duration-ms" s64)', "core_type": "(param i64)"},
        ),
        (
            "host-services.sleep-millis",
            {
                "type": '(param "duration-ms" u64) (result u64)',
                "core_type": "(param i64) (result i64)",
            },
        ),
        (
            "host-services.current-time-millis",
            {"type": "(result s64)", "core_type": "(result i64)"},
        ),
    ],
)
async def test_an_import_of_another_type_is_refused(guests, monkeypatch, label, types):
    interface, _, name = label.partition(".")
    text = importing(monkeypatch, label, **types)
    error = await refused(guests, Artifact.from_text(text))
    assert f"{interface}@1.0.0 has other types for {name}" in error.problem


async def test_an_import_that_is_not_a_function_is_refused(guests):
    text = ECHO.replace(
        "(component\n",
        '(component (import "airssys:core/storage@1.0.0" (instance'
        ' (export "get" (type (sub resource)))))\n',
        1,
    )
    error = await refused(guests, Artifact.from_text(text))
    assert "has other types for get" in error.problem


@pytest.mark.parametrize("name", ["calls", "config", "lifecycle-log", "requester"])
async def test_the_types_of_the_world_are_taken(guests, name):
    assert await guests.component(name)


# -- once, and off the Trio thread


@pytest.fixture
def compilations(monkeypatch):
    """Notes the thread of each compilation; `let_go` holds them up while it is clear."""
    threads = []

    def noting(original):
        def compile_noted(*arguments):
            threads.append(threading.current_thread())
            assert threads_may_go_on.wait(PATIENCE)
            return original(*arguments)

        return compile_noted

    threads_may_go_on = threading.Event()
    threads_may_go_on.set()
    wrap_compilers(monkeypatch, noting)
    threads_may_go_on.threads = threads
    return threads_may_go_on


async def test_the_same_artifact_is_compiled_once(compilations):
    async with open_guests() as guests:
        loaded = []

        async def load():
            loaded.append(await guests.loader.load(Artifact.from_text(ECHO)))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(load)
        await load()
        assert len(set(map(id, loaded))) == 1
    assert len(compilations.threads) == 1


async def test_it_is_compiled_in_another_thread(compilations):
    async with open_guests() as guests:
        assert await answers(guests, Artifact.from_text(ECHO))
    assert threading.current_thread() not in compilations.threads


async def test_different_artifacts_are_loaded_beside_each_other(compilations):
    compilations.clear()
    async with open_guests() as guests:
        guests.runtime.compilers.total_tokens = 2
        async with trio.open_nursery() as nursery:
            for name in ("echo", "state"):
                nursery.start_soon(guests.component, name)
            with trio.fail_after(PATIENCE):
                while len(compilations.threads) < 2:  # noqa: ASYNC110  # threads
                    await trio.sleep(0.005)
            compilations.set()


async def test_a_cancelled_load_is_abandoned_at_once(compilations):
    compilations.clear()
    async with open_guests() as guests:
        with trio.fail_after(PATIENCE), trio.move_on_after(0.02) as scope:
            await guests.component("echo")
        assert scope.cancelled_caught
        compilations.set()
        assert await answers(guests, Artifact.at(GUESTS / "echo.wat"))


async def test_leaving_does_not_wait_for_a_compiler(compilations):
    compilations.clear()
    with trio.fail_after(PATIENCE):
        async with open_guests() as guests:
            with trio.move_on_after(0.02):
                await guests.component("echo")
    compilations.set()


async def test_a_load_is_not_adopted_by_a_closed_engine(compilations):
    compilations.clear()
    with pytest.RaisesGroup(EngineMisused):
        async with trio.open_nursery() as nursery:
            async with open_guests() as guests:
                nursery.start_soon(guests.component, "echo")
                await trio.sleep(0.02)
            compilations.set()


def big_component(functions):
    """An echo with very many functions that are never called."""
    body = "(i64.add (i64.mul (local.get 0) (i64.const 3)) (i64.const 1))"
    many = "".join(
        f"(func (param i64) (result i64) {body})\n" for _ in range(functions)
    )
    return ECHO.replace("(component\n", f"(component (core module $big {many})\n", 1)


async def test_a_heartbeat_goes_on_during_a_large_compilation():
    runs = []
    for functions in range(2_000, 2_005):
        code, late = to_binary(big_component(functions)), []
        async with open_guests() as guests, trio.open_nursery() as nursery:
            nursery.start_soon(beat, 10, 0.01, late)
            watch, before = Stopwatch(), trio.current_time()
            await guests.loader.load(Artifact.from_bytes(code))
            took, own = trio.current_time() - before, watch.seconds()
            nursery.cancel_scope.cancel()
        assert took > 0.1, "too small to tell"
        each, latest = own / len(late), sorted(late)[len(late) * 9 // 10 - 1]
        # Something else may be what delays the beats, but not in every run.
        if each < 0.03 and latest < 0.04:
            return
        runs.append((each, latest))
    raise AssertionError(f"seconds for each beat, and late: {runs}")


# -- opening and leaving


async def test_an_exception_of_the_body_comes_out_as_it_is():
    error = KeyError("mine")
    with pytest.raises(KeyError) as caught:
        async with open_runtime(EngineSettings()):
            raise error
    assert caught.value is error


async def test_a_cancelled_body_still_runs_guests_while_it_ends():
    with trio.CancelScope() as scope:
        async with open_guests() as guests:
            guest = await guests.start("spin")
            scope.cancel()
            with trio.CancelScope(shield=True):
                assert await guest.handle_message(envelope(b"20")) == b"20"
            await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught


async def test_afterwards_no_thread_is_left():
    before = set(threading.enumerate())
    async with open_guests() as guests:
        await guests.start("echo")
    left = {each for each in threading.enumerate() if "Trio" not in each.name}
    assert left <= before


# -- resources of packages


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with a component in it."""
    folder = tmp_path / "site" / "guest_package"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "data" / "echo.wasm").write_bytes(to_binary(ECHO))
    monkeypatch.syspath_prepend(str(folder.parent))
    yield "guest_package"
    sys.modules.pop("guest_package", None)


@pytest.fixture
def zipped(package, tmp_path, monkeypatch):
    """The same, in a zip file."""
    archive = shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path / "site")
    monkeypatch.setattr(sys, "path", [archive, *sys.path[1:]])
    return package


@pytest.mark.parametrize("how", ["package", "zipped"])
@pytest.mark.parametrize("by_name", [True, False])
async def test_resources_are_loaded(guests, request, how, by_name):
    name = request.getfixturevalue(how)
    where = name if by_name else importlib.resources.files(name)
    assert await answers(guests, Artifact.resource(where, "data", "echo.wasm"))


def test_a_resource_that_is_named_twice_is_one_artifact():
    first, second = (Artifact.resource("somewhere", "echo.wasm") for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first.label == "somewhere:echo.wasm"


@pytest.mark.parametrize("how", ["package", "zipped"])
async def test_a_resource_that_is_not_there_is_refused(guests, request, how):
    name = request.getfixturevalue(how)
    error = await refused(guests, Artifact.resource(name, "gone.wasm"))
    assert error.artifact == "guest_package:gone.wasm"
    assert error.problem.startswith("cannot be read: ")


async def test_a_resource_of_a_package_that_is_not_there_is_refused(guests):
    error = await refused(guests, Artifact.resource("no_such_package", "echo.wasm"))
    assert "no_such_package" in error.problem
    assert error.advice == "Install the package"


async def test_a_zipped_resource_that_is_too_large_is_refused(zipped):
    async with open_guests(component_bytes=1024) as guests:
        artifact = Artifact.resource(zipped, "data", "echo.wasm")
        error = await refused(guests, artifact)
    assert "more than 1024 bytes (component_bytes)" in error.problem


# -- limits: what would take long is refused before it is compiled


@pytest.fixture
def no_compiler(monkeypatch):
    def compile_binary(*_):
        pytest.fail("it was compiled")

    wrap_compilers(monkeypatch, lambda _: compile_binary)


async def test_a_component_with_wasi_is_refused_before_it_is_compiled(
    no_compiler, guests
):
    """A missing --stub-wasi is reported at once, not after half a minute."""
    error = await refused(guests, Artifact.at(GUESTS / "wasi-import.wat"))
    assert "wasi:http/made-up@0.2.9, wasi:keyvalue/store@0.2.9" in error.problem
    assert "--stub-wasi" in error.advice


def in_a_file(folder):
    path = folder / "large.wat"
    path.write_text(ECHO)
    return Artifact.at(path)


@pytest.mark.parametrize(
    "make",
    [
        lambda _: Artifact.from_text(ECHO),
        lambda _: Artifact.from_bytes(to_binary(ECHO)),
        in_a_file,
    ],
    ids=["text", "bytes", "file"],
)
async def test_a_component_that_is_too_large_is_refused(no_compiler, tmp_path, make):
    async with open_guests(component_bytes=1024) as guests:
        error = await refused(guests, make(tmp_path))
    assert error.problem == "it has more than 1024 bytes (component_bytes)"
    assert "raise EngineSettings.component_bytes" in error.advice


def test_the_smallest_size_that_is_refused_is_one_byte_more():
    _source.check_size(1024, "mine", 1024)
    with pytest.raises(ComponentRefused):
        _source.check_size(1025, "mine", 1024)


async def test_too_many_functions_are_refused(no_compiler):
    """Also when they are in a component inside the component."""
    body = "(core module " + "(func)" * 60 + ")"
    nested = f"(component {body} (component {body} (component {body})))"
    async with open_guests(component_functions=179) as guests:
        error = await refused(guests, Artifact.from_text(nested))
    assert error.problem == "it has 180 functions, more than 179 (component_functions)"
    assert "raise EngineSettings.component_functions" in error.advice


async def test_a_function_that_is_too_large_is_refused(no_compiler):
    body = "(core module (func (drop (i32.const 1))) (func " + "(nop)" * 2000 + "))"
    nested = f"(component (component {body}))"
    async with open_guests(function_bytes=1024) as guests:
        error = await refused(guests, Artifact.from_text(nested))
    assert (
        error.problem
        == "it has a function of 2002 bytes, more than 1024 (function_bytes)"
    )
    assert "raise EngineSettings.function_bytes" in error.advice


async def test_a_component_of_very_many_parts_is_refused_soon(no_compiler, guests):
    """Thirty million empty sections would take half a minute to read."""
    code = b"\0asm\x0d\0\x01\0" + b"\0\1\0" * 10_000_000
    began = time.process_time()
    error = await refused(guests, Artifact.from_bytes(code))
    assert time.process_time() - began < 10
    assert "more than 1200000 parts" in error.problem


async def test_exponentially_many_instances_are_refused(no_compiler, guests):
    """Forty components, each of which instantiates the one before it twice."""
    text = "(component $c0)"
    for n in range(40):
        text += (
            f"(component $c{n + 1} (alias outer $root $c{n} (component $x))"
            "(instance (instantiate $x)) (instance (instantiate $x)))"
        )
    text = f"(component $root {text} (instance (instantiate $c40)))"
    error = await refused(guests, Artifact.from_text(text))
    assert "more than 10000 instances" in error.problem


async def test_a_compiler_that_takes_too_long_keeps_its_slot(compilations):
    """The component is refused in time; others wait until the compiler is done."""
    compilations.clear()
    async with open_guests(compile_time=0.05) as guests:
        guests.runtime.compilers.total_tokens = 1
        with trio.fail_after(PATIENCE):
            error = await refused(guests, Artifact.from_text(ECHO))
        assert error.problem == "compiling it takes more than 0.05 s (compile_time)"
        assert "raise EngineSettings.compile_time" in error.advice
        assert guests.runtime.compilers.borrowed_tokens == 1
        guests.runtime.settings = EngineSettings()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(guests.component, "state")
            await trio.sleep(0.2)
            assert len(compilations.threads) == 1, "a second compiler was started"
            compilations.set()
        assert await answers(guests, Artifact.from_text(ECHO))


async def test_the_clock_of_a_test_does_not_jump_over_a_compilation(autojump_clock):
    async with open_guests() as guests:
        assert await guests.component("echo")


async def test_a_machine_without_threads_loses_no_slot(guests, monkeypatch):
    def start(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Timer, "start", start)
        with pytest.raises(RuntimeError, match="new thread"):
            await guests.loader.load(Artifact.from_text(ECHO + " "))
    assert guests.runtime.compilers.borrowed_tokens == 0
    assert await answers(guests, Artifact.from_text(ECHO + " "))


async def test_what_was_compiled_too_late_is_kept(compilations, tmp_path):
    compilations.clear()
    folder = tmp_path / "cache"
    async with open_guests(folder, compile_time=0.05) as guests:
        await refused(guests, Artifact.from_text(ECHO))
        compilations.set()
        with trio.fail_after(PATIENCE):
            while guests.runtime.compilers.borrowed_tokens:  # noqa: ASYNC110  # threads
                await trio.sleep(0.005)
        assert await answers(guests, Artifact.from_text(ECHO))
    assert len(compilations.threads) == 1


async def test_what_was_compiled_before_needs_no_slot(compilations, tmp_path):
    folder = tmp_path / "cache"
    async with open_guests(folder) as guests:
        await guests.component("echo")
    compilations.clear()
    async with open_guests(folder) as guests:
        guests.runtime.compilers.total_tokens = 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(guests.component, "state")
            with trio.fail_after(PATIENCE):
                assert await answers(guests, Artifact.at(GUESTS / "echo.wat"))
            compilations.set()


def test_one_core_stays_for_the_rest():
    runtime = Runtime(EngineSettings())
    try:
        assert runtime.compilers.total_tokens == max(1, os.cpu_count() - 1)
    finally:
        runtime.engine.close()


ONE_COMPILATION = """\
import os, sys, threading
from wasmtime.component import Component
from airssys.contracts import EngineSettings
from airssys.wasm.engine._engine import Engine
engine = Engine(EngineSettings())
Component(engine.wasmtime, sys.stdin.buffer.read())
print(len(os.listdir("/proc/self/task")) - threading.active_count())
"""


def test_a_compiler_is_one_thread():
    """With more, limiting how many compile would have no effect."""
    done = subprocess.run(
        [sys.executable, "-c", ONE_COMPILATION],
        input=to_binary(big_component(300)),
        capture_output=True,
    )
    assert (done.returncode, done.stdout) == (0, b"0\n"), done.stderr


# -- what a path may lead to


@pytest.mark.parametrize("kind", ["pipe", "device", "endless file"])
async def test_a_path_to_what_never_ends_is_refused(guests, tmp_path, kind):
    path = Path("/dev/zero")
    if kind == "pipe":
        path = tmp_path / "pipe"
        os.mkfifo(path)
    if kind == "endless file":
        path = tmp_path / "sparse.wasm"
        path.touch()
        os.truncate(path, 2**40)
    with trio.fail_after(PATIENCE):
        error = await refused(guests, Artifact.at(path))
    wanted = "more than" if kind == "endless file" else f"it is a {kind}, not a file"
    assert wanted in error.problem


async def test_a_path_that_cannot_be_one_is_refused(guests):
    error = await refused(guests, Artifact.at("a\0b"))
    assert "null" in error.problem


async def test_leaving_ends_the_calls_that_wait_for_a_turn():
    ends = []

    async def loop(guest):
        try:
            await guest.handle_message(envelope())
        except (EngineMisused, GuestSpent) as error:
            ends.append(error)

    opening = open_runtime(EngineSettings(tick=0.001))
    async with trio.open_nursery() as nursery, opening as loader:
        guests = Guests(loader)
        for guest in [await guests.start("loop") for _ in range(3)]:
            nursery.start_soon(loop, guest)
        # One of them may have its turn whenever this is asked.
        while loader.runtime.turns.waiting < 2:
            await trio.lowlevel.checkpoint()
    assert len(ends) == 3


async def test_leaving_waits_for_the_slice_of_a_worker():
    payload, ends = bytes(3_000_000), []

    async def echo(guest):
        try:
            while True:
                await guest.handle_message(envelope(payload))
        except (EngineMisused, GuestSpent) as error:
            ends.append(error)

    opening = open_runtime(EngineSettings())
    async with trio.open_nursery() as nursery, opening as loader:
        guest = await Guests(loader).start("echo", host_call_bytes=len(payload) + KIB)
        nursery.start_soon(echo, guest)
        stores = loader.runtime.engine.ledger.stores.values()
        while not any(store.lock.locked() for store in stores):
            await trio.lowlevel.checkpoint()
    assert len(ends) == 1
