"""`build` picks the way, keeps what it made, and names what it is made from."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import wasmtime
from wasmtime.component import Component

from airssys.building import BuildFailed, CoreModuleUnfit, ToolMissing, build
from airssys.building.recipes._recipe import run_tool
from airssys.building.toolchains._c_guest import INCLUDE, _sources as c_sources
from airssys.building.toolchains._python_sources import python_sources
from airssys.building.toolchains._rust_guest import TARGET, _sources as rust_sources
from wasm_support import envelope

from .compilers import FakeCompiler, only
from .core_modules import HOST, WORLD, core_module

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples/guests"
LACKING = """\
from wit_world import exports
class ComponentLifecycle(exports.ComponentLifecycle):
    def health(self): pass
    def initialize(self, config): pass
"""
ENGINE = wasmtime.Engine()


def is_component(path):
    return bool(Component(ENGINE, path.read_bytes()))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder for the only programs there are."""
    folder = tmp_path / "tools"
    folder.mkdir()
    only(monkeypatch, folder)
    return folder


def wrong(*arguments, **named):
    with pytest.raises(BuildFailed) as failure:
        build(*arguments, **named)
    return str(failure.value)


# -- any kind


def test_a_core_module_is_made_a_component_once(tmp_path, cache):
    (tmp_path / "echo.wasm").write_bytes(core_module())
    lines = []
    how = {"cache_directory": cache, "tell": lines.append}
    first = build(tmp_path / "echo.wasm", **how)
    assert first.is_new
    assert first.path.parent == cache
    assert is_component(first.path)
    again = build(tmp_path / "echo.wasm", **how)
    assert (again.path, again.is_new) == (first.path, False)
    assert lines == ["making a component of echo.wasm"]
    assert build(tmp_path / "echo.wasm", fresh=True, **how).is_new
    (tmp_path / "echo.wasm").write_bytes(core_module(HOST))
    assert build(tmp_path / "echo.wasm", **how).path != first.path


def test_the_output_is_a_copy_that_others_may_read(tmp_path, cache):
    (tmp_path / "echo.wasm").write_bytes(core_module())
    output = tmp_path / "out.wasm"
    built = build(tmp_path / "echo.wasm", output, cache_directory=cache)
    assert built.path == output
    (kept,) = cache.iterdir()
    assert output.read_bytes() == kept.read_bytes()
    assert output.stat().st_mode & 0o044
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "cache",
        "echo.wasm",
        "out.wasm",
    ]


def test_mistakes_are_reported_and_leave_nothing(tmp_path, cache):
    (tmp_path / "echo.wasm").write_bytes(core_module(without=["shutdown"]))
    (tmp_path / "good.wasm").write_bytes(core_module())
    (tmp_path / "notes.txt").touch()
    how = {"cache_directory": cache}
    with pytest.raises(CoreModuleUnfit, match="#shutdown"):
        build(tmp_path / "echo.wasm", **how)
    assert "No such file" in wrong(tmp_path / "missing.wasm", **how)
    message = wrong(tmp_path / "notes.txt", **how)
    assert ".txt" in message
    assert ".py, .c, .rs, .go, .js, .mjs, .wasm" in message
    good = tmp_path / "good.wasm"
    assert "is the source" in wrong(good, good, **how)
    assert "nowhere" in wrong(good, tmp_path / "nowhere/out.wasm", **how)
    (tmp_path / "file").touch()
    assert "file" in wrong(good, cache_directory=tmp_path / "file")
    assert good.read_bytes() == core_module()


def test_a_compiler_that_runs_for_ever_is_stopped(tmp_path):
    program = [sys.executable, "-c", "while True: pass"]
    with pytest.raises(BuildFailed, match=r"stopped after 0\.2 s"):
        run_tool(program, tmp_path, 0.2)
    with pytest.raises(BuildFailed, match="cannot be run: No such file"):
        run_tool([str(tmp_path / "gone")], tmp_path)


# -- Python


def test_what_a_python_guest_imports_from_beside_it_is_its_source(tmp_path):
    files = {
        "main.py": "import os, near\nfrom package.inner import x\ndef f(): import late",
        "near.py": "import far.deep, main",
        "late.py": "import nothing",
        "far/deep.py": "",
        "far/other.py": "",
        "far/__pycache__/deep.py": "",
        "package/__init__.py": "from . import inner",
        "package/inner.py": "",
        "unused.py": "",
        "os.txt": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    found = python_sources(tmp_path / "main.py")
    assert sorted(found) == [
        "far/deep.py",
        "far/other.py",
        "late.py",
        "main.py",
        "near.py",
        "package/__init__.py",
        "package/inner.py",
    ]
    assert found["near.py"] == b"import far.deep, main"


def test_beside_what_cannot_be_parsed_everything_is_source(tmp_path):
    (tmp_path / "main.py").write_text("x =")
    (tmp_path / "other.py").write_text("")
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / "pyvenv.cfg").touch()
    (venv / "site.py").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/x.py").touch()
    assert sorted(python_sources(tmp_path / "main.py")) == ["main.py", "other.py"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my-guest.py", "'my-guest' cannot be imported; rename it"),
        ("class.py", "'class' cannot be imported"),
        ("runtime_host.py", "runtime_host is the name of the world"),
        ("wit_world.py", "wit_world is the name of the bindings"),
        ("json.py", "json is the name of a module of Python"),
    ],
)
def test_a_module_that_cannot_have_its_name_is_refused(tmp_path, cache, name, words):
    pytest.importorskip("componentize_py")
    (tmp_path / name).write_text("")
    assert words in wrong(tmp_path / name, cache_directory=cache)


def test_the_error_says_how_to_get_componentize_py(tmp_path, cache, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "guest.py").write_text("")
    with pytest.raises(ToolMissing) as failure:
        build(tmp_path / "guest.py", cache_directory=cache)
    assert failure.value.tool == "componentize-py"
    assert "pip install 'airssys[guests]'" in str(failure.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("syntax", "x = 1\ndef f(:\n", ['{folder}/syntax.py", line 2', "SyntaxError"]),
        ("bad_import", "import gone", ['{folder}/bad_import.py", line 1', "'gone'"]),
        ("no_class", "", ["no_class has no class ComponentLifecycle"]),
        (
            "lacking",
            LACKING,
            ["does not define handle_message, handle_callback, shutdown, metadata"],
        ),
        ("files", "open('/nothing/there')", ["FileNotFoundError", "line 1"]),
    ],
)
def test_what_is_wrong_with_a_python_guest_is_reported_with_its_place(
    tmp_path, cache, name, text, words
):
    pytest.importorskip("componentize_py")
    (tmp_path / f"{name}.py").write_text(text)
    message = wrong(tmp_path / f"{name}.py", cache_directory=cache)
    for word in words:
        assert word.format(folder=tmp_path) in message
    assert "anyhow" not in message
    assert list(cache.iterdir()) == []


# -- C


def test_c_is_compiled_for_wasm_and_encoded(tmp_path, cache, tools):
    clang = FakeCompiler(
        tools, "clang-16", {"--print-targets": "  wasm32", "--version": "clang 16.0"}
    )
    source = shutil.copy(EXAMPLES / "shout.c", tmp_path / "shout.c")
    lines = []
    built = build(source, cache_directory=cache, tell=lines.append)
    assert is_component(built.path)
    assert lines == ["building shout.c with clang 16.0"]
    (arguments,) = clang.compiled
    assert {"-target", "wasm32-unknown-unknown", str(INCLUDE)} <= set(arguments)
    assert not build(source, cache_directory=cache).is_new
    Path(source).write_text("// changed")
    assert build(source, cache_directory=cache).is_new
    assert len(clang.compiled) == 2


def test_a_clang_without_wasm_is_passed_over_for_zig(tmp_path, cache, tools):
    clang = FakeCompiler(tools, "clang", {"--print-targets": "  x86-64"})
    zig = FakeCompiler(tools, "zig", {"--version": "zig 0.14"})
    (tmp_path / "guest.c").touch()
    built = build(tmp_path / "guest.c", cache_directory=cache)
    assert "zig" in built.does
    assert zig.compiled[0][:3] == ["cc", "-target", "wasm32-freestanding"]
    assert clang.compiled == []


def test_the_error_says_how_to_get_a_c_compiler(tmp_path, cache, tools, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "guest.c").touch()
    with pytest.raises(ToolMissing) as failure:
        build(tmp_path / "guest.c", cache_directory=cache)
    assert "apt-get install clang lld" in str(failure.value)
    assert "pip install ziglang" in str(failure.value)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("guest.c:3:1: error: expected ';'", "guest.c:3:1: error: expected ';'"),
        ('Executable "wasm-ld" doesn\'t exist!', "apt-get install lld"),
    ],
)
def test_what_a_c_compiler_says_is_passed_on(tmp_path, cache, tools, failure, words):
    FakeCompiler(tools, "clang", {"--print-targets": "wasm32"}, failure)
    (tmp_path / "guest.c").touch()
    assert words in wrong(tmp_path / "guest.c", cache_directory=cache)


def test_what_a_c_file_includes_from_beside_it_is_its_source(tmp_path):
    (tmp_path / "main.c").write_text(
        '#include "a.h"\n #  include "sub/b.h"\n#include <c.h>'
    )
    (tmp_path / "a.h").write_text('#include "airssys_guest.h"\n#include "main.c"')
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b.h").touch()
    (tmp_path / "c.h").touch()
    assert sorted(c_sources(tmp_path / "main.c")) == ["/a.h", "/main.c", "/sub/b.h"]


def real_clang():
    try:
        from airssys.building.toolchains._c_guest import _compiler

        _compiler()
    except ToolMissing:
        return False
    return True


@pytest.mark.skipif(
    not real_clang(), reason="neither clang with wasm32 nor zig is here"
)
async def test_the_example_in_c_runs(cache, open_component):
    built = build(EXAMPLES / "shout.c", cache_directory=cache)
    async with open_component(built.path) as guest:
        for _ in range(3):
            assert await guest.handle_message(envelope(b"Hello, w")) == b"HELLO, W"
        assert (await guest.metadata()).name == "shout"


def test_the_header_has_the_whole_world():
    import re

    header = (INCLUDE / "airssys_guest.h").read_text("utf-8")
    imported = re.findall(r'^AIRSSYS_IMPORT\("(.+)", "(.+)"\)$', header, re.MULTILINE)
    assert sorted(imported) == sorted(HOST)
    for exported in ("LIFECYCLE", "POST"):
        names = re.findall(rf'^AIRSSYS_{exported}\("(.+?)"\)', header, re.MULTILINE)
        assert names == list(WORLD.interfaces["component-lifecycle"].functions)
    for kind in ("wasm", "component", "messaging", "storage"):
        cases = [
            name for name, _ in WORLD.interfaces["errors"].types[f"{kind}-error"].cases
        ]
        (text,) = re.findall(rf"enum {{([^}}]+)}}; /\* {kind}-error \*/", header)
        names = [f"AIRSSYS_{name.upper().replace('-', '_')}" for name in cases]
        assert re.findall(r"\w+", text) == names


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not here")
def test_the_header_keeps_the_layout_of_the_canonical_abi(tmp_path):
    # 32-bit x86 with 8-byte alignment lays structs out as wasm32 does; the header
    # itself asserts the sizes.
    options = "-m32 -malign-double -ffreestanding -fsyntax-only -std=c11 -Wall -Wextra"
    quiet = "-Wno-attributes -Wno-implicit-function-declaration"
    done = run_tool(
        [
            *("gcc", *options.split(), *quiet.split(), "-I", str(INCLUDE)),
            str(EXAMPLES / "shout.c"),
        ],
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")


# -- Rust


def test_rust_is_compiled_for_wasm_and_encoded(tmp_path, cache, tools):
    sysroot = tmp_path / "sysroot"
    (sysroot / "lib/rustlib" / TARGET / "lib").mkdir(parents=True)
    answers = {"--version": "rustc 1.80", "--print": str(sysroot)}
    rustc = FakeCompiler(tools, "rustc", answers)
    built = build(EXAMPLES / "shout.rs", cache_directory=cache)
    assert is_component(built.path)
    assert built.does == "building shout.rs with rustc 1.80"
    assert TARGET in rustc.compiled[0]
    assert not build(EXAMPLES / "shout.rs", cache_directory=cache).is_new


def test_the_error_says_how_to_get_the_rust_target(tmp_path, cache, tools):
    source = EXAMPLES / "shout.rs"
    with pytest.raises(ToolMissing, match="install Rust with rustup"):
        build(source, cache_directory=cache)
    answers = {"--version": "rustc 1.80", "--print": str(tmp_path)}
    FakeCompiler(tools, "rustc", answers)
    with pytest.raises(ToolMissing, match=f"rustup target add {TARGET}"):
        build(source, cache_directory=cache)


def test_what_rustc_says_is_passed_on(tmp_path, cache, tools):
    (tmp_path / "lib/rustlib" / TARGET / "lib").mkdir(parents=True)
    answers = {"--version": "rustc 1.80", "--print": str(tmp_path)}
    FakeCompiler(tools, "rustc", answers, "error[E0425]: cannot find value `x`")
    assert "E0425" in wrong(EXAMPLES / "shout.rs", cache_directory=cache)


def test_modules_beside_a_rust_file_are_its_source(tmp_path):
    (tmp_path / "main.rs").write_text("mod near;\npub mod far;\nmod inline { }\n")
    (tmp_path / "near.rs").write_text("mod deeper;")
    (tmp_path / "far").mkdir()
    (tmp_path / "far/mod.rs").touch()
    assert sorted(rust_sources(tmp_path / "main.rs")) == [
        "far/mod.rs",
        "main.rs",
        "near.rs",
    ]


def test_a_rustc_with_the_target_is_found_behind_one_without(
    tmp_path, cache, monkeypatch
):
    (tmp_path / "whole/lib/rustlib" / TARGET / "lib").mkdir(parents=True)
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder, root in zip(folders, ("none", "whole"), strict=True):
        folder.mkdir()
        answers = {"--version": f"rustc {root}", "--print": str(tmp_path / root)}
        FakeCompiler(folder, "rustc", answers)
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))
    built = build(EXAMPLES / "shout.rs", cache_directory=cache)
    assert built.does.endswith(f"with rustc whole ({folders[1] / 'rustc'})")
    (tmp_path / "whole/lib/rustlib" / TARGET / "lib").rmdir()
    with pytest.raises(ToolMissing, match="rustc none") as caught:
        build(EXAMPLES / "shout.rs", cache_directory=cache)
    assert "rustc whole" in str(caught.value)
