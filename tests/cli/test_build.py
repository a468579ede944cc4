"""`airssys build` and `airssys wit`, as typed."""

import pytest
import wasmtime
from click.testing import CliRunner

from airssys.building import wit_directory
from airssys.cli import main

CORE_WITHOUT_ANYTHING = bytes(wasmtime.wat2wasm("(module)"))


@pytest.fixture
def airssys(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runner = CliRunner()
    return lambda *arguments: runner.invoke(main, arguments)


def test_wit_prints_the_folder(airssys):
    done = airssys("wit")
    assert (done.exit_code, done.stdout) == (0, f"{wit_directory()}\n")


def test_commands_are_listed(airssys):
    listed = airssys("--help").stdout
    assert "Build a component from Python, C, Rust, Go or JavaScript." in listed
    assert "-o, --output" in airssys("build", "--help").stdout


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.py", None, "gone.py: No such file or directory"),
        ("notes.txt", b"", "its suffix is .txt; the supported suffixes are .py, .c,"),
        (
            "notes",
            b"",
            "it has no suffix; the supported suffixes are .py, .c, .rs, .go,",
        ),
        ("class.py", b"", "'class' cannot be imported"),
        ("core.wasm", CORE_WITHOUT_ANYTHING, "does not export the function"),
        ("core.wasm", b"junk", "it is not a WebAssembly module"),
    ],
)
def test_mistakes_are_explained(airssys, tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = airssys("build", name)
    assert done.exit_code == 1
    assert "Error: " in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.output


def test_a_component_lies_beside_its_source(airssys, tmp_path, echo_core):
    (tmp_path / "echo.wasm").write_bytes(echo_core)
    first = airssys("build", "echo.wasm")
    assert first.exit_code == 0, first.output
    assert first.stderr == "making a component of echo.wasm ...\n"
    component = tmp_path / "echo.component.wasm"
    size = f"{component.stat().st_size:,} bytes"
    assert first.stdout == f"echo.component.wasm: {size}\n"
    again = airssys("build", "echo.wasm", "-o", "other.wasm")
    assert again.stdout == f"other.wasm: {size}, built before from the same source\n"
    assert (tmp_path / "other.wasm").read_bytes() == component.read_bytes()
    assert (tmp_path / "cache/airssys/built").is_dir()


def test_fresh_builds_again(airssys, tmp_path, echo_core):
    (tmp_path / "echo.wasm").write_bytes(echo_core)
    airssys("build", "echo.wasm", "--cache", "mine")
    assert "before" in airssys("build", "echo.wasm", "--cache", "mine").stdout
    fresh = airssys("build", "echo.wasm", "--cache", "mine", "--fresh")
    assert "before" not in fresh.stdout
    assert (tmp_path / "mine").is_dir()


@pytest.fixture
def echo_core():
    names = ["initialize", "handle-callback", "metadata", "health", "shutdown"]
    params = {"initialize": "(param i32 i32 i32 i32 i32 i64 i64 i32 i64)"}
    params |= dict.fromkeys(("handle-callback", "handle-message"), "(param i32)")
    lifecycle = "".join(
        f'(func (export "airssys:core/component-lifecycle@1.0.0#{name}")'
        f" {params.get(name, '')} (result i32) (i32.const 0))"
        for name in [*names, "handle-message"]
    )
    return bytes(
        wasmtime.wat2wasm(
            f'(module {lifecycle} (memory (export "memory") 1)'
            '(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)'
            " (i32.const 0)))"
        )
    )


@pytest.mark.parametrize(("options", "kept"), [([], 1), (["--no-compile"], 0)])
def test_what_was_built_is_compiled_ahead(airssys, tmp_path, echo_core, options, kept):
    (tmp_path / "echo.wasm").write_bytes(echo_core)
    done = airssys("build", *options, "echo.wasm")
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "cache").rglob("*.cwasm"))) == kept
