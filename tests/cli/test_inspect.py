"""`airssys inspect`: shows what a component is; says why one would be refused."""

import hashlib
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import wasmtime
from click.testing import CliRunner

from airssys.cli import main
from airssys.cli.common import _needs, needs_of
from airssys.wasm import EXPORTS, WASI_INTERFACES
from pace import PATIENCE, processor_seconds
from wasm_support import CAT, program

GUESTS = Path(__file__).resolve().parents[1] / "guests"
REFUSED = {
    "core-module": ("core module, not a component", "airssys build core.wasm"),
    "malformed": ("neither WebAssembly nor WAT text", "Pass a .wasm component"),
    "empty": ("must export airssys:core/component-lifecycle@1.0.0", "Build it for"),
    "wrong-version": ("airssys:core/component-lifecycle@2.0.0", "Build it for"),
    "missing-export": ("lacks health", "Export every function"),
    "unknown-import": ("acme:other/thing@1.0.0", "Import only what"),
    "unknown-function": ("airssys:core/host-services@1.0.0#reboot", "Import only what"),
    "wasi-import": ("wasi:keyvalue/store@0.2.9", "--stub-wasi"),
    "bad-signature": ("other types for handle-message", "Build it for"),
}


def inspect(path):
    return CliRunner().invoke(main, ["inspect", str(path)])


def test_a_component_is_shown():
    path = GUESTS / "calls.wat"
    result = inspect(path)
    assert (result.exit_code, result.stderr) == (0, "")
    shown = result.stdout
    assert shown.startswith(str(path))
    assert f"{path.stat().st_size:,} bytes, text" in shown
    assert f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" in shown
    assert "memories   1, from 65,536 bytes up to as many as memory_bytes" in shown
    assert "tables     none" in shown
    assert "lanes      own and wasmtime" in shown
    for name in EXPORTS:
        assert name in shown
    assert "airssys:core/storage@1.0.0  (offered; needs a grant)" in shown
    assert "delete, exists, get, list-keys, set, usage" in shown
    assert "airssys:core/types@1.0.0  (types only: nothing to grant)" in shown


def test_a_component_that_only_wasmtime_can_run_says_why(tmp_path):
    inner = """(component
      (component $a (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func (export "f") (canon lift (core func $i "f"))))
      (component $b (import "f" (func $f)) (core func (canon lower (func $f))))
      (instance $a (instantiate $a))
      (instance (instantiate $b (with "f" (func $a "f"))))"""
    path = tmp_path / "composed.wat"
    text = (GUESTS / "echo.wat").read_text()
    path.write_text(text.replace("(component", inner, 1))
    result = inspect(path)
    assert result.exit_code == 0
    why = "it has components inside it that call each other"
    assert f"lanes      wasmtime alone: {why}" in result.stdout


def test_what_made_it_is_shown_where_it_says_so(tmp_path):
    """Each `producers` section has its fields, those their names with versions."""

    def text(word):
        return bytes([len(word)]) + word.encode()

    def section(content):
        return b"\0" + bytes([len(content)]) + content

    fields = [("processed-by", "clang", "14.0.6"), ("language", "C11", "")]
    content = text("producers") + bytes([len(fields)])
    for field, name, version in fields:
        content += text(field) + b"\x01" + text(name) + text(version)
    binary = bytes(wasmtime.wat2wasm((GUESTS / "echo.wat").read_text()))
    path = tmp_path / "echo.wasm"
    path.write_bytes(binary + section(content))
    assert "made with  C11, clang 14.0.6" in inspect(path).stdout
    for cut in range(1, len(content) - len(text("producers"))):
        path.write_bytes(binary + section(content[:-cut]))
        result = inspect(path)
        assert result.exit_code == 0, cut
    path.write_bytes(binary)
    assert "made with" not in inspect(path).stdout


def test_a_binary_is_shown_as_one(tmp_path):
    path = tmp_path / "echo.wasm"
    path.write_bytes(wasmtime.wat2wasm((GUESTS / "echo.wat").read_text()))
    result = inspect(path)
    assert result.exit_code == 0
    assert f"{path.stat().st_size:,} bytes, binary" in result.stdout


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_refused_says_why_and_fails(name):
    problem, advice = REFUSED[name]
    result = inspect(GUESTS / f"{name}.wat")
    assert result.exit_code == 1
    why, *_quoted, way_out = result.stderr.splitlines()
    assert why.startswith("Refused: ")
    assert problem in why
    assert advice in way_out
    assert "sha256:" in result.stdout


def test_a_component_with_wasi_is_shown_all_the_same():
    result = inspect(GUESTS / "wasi-import.wat")
    assert result.exit_code == 1
    assert "wasi:keyvalue/store@0.2.9  (WASI: not offered)" in result.stdout
    assert "[method]fields.clone" in result.stdout
    assert "handle-message" in result.stdout


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: folder / "gone.wasm", "No such file"),
        (lambda folder: folder, "Is a directory"),
        (lambda _: Path("/dev/zero"), "it is a device"),
    ],
    ids=["missing", "directory", "device"],
)
def test_a_path_that_is_not_a_file_reads_well(tmp_path, make, reason):
    path = make(tmp_path)
    result = inspect(path)
    assert result.exit_code == 1
    assert result.stdout == f"{path}\n"
    assert reason in result.stderr
    assert "Traceback" not in result.output


def test_what_would_control_a_terminal_is_not_shown(tmp_path):
    path = tmp_path / "evil.wat"
    path.write_text("(component \x1b]0;owned\x07\x1b[31m")
    result = inspect(path)
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "\x07" not in result.output


def test_ctrl_c_does_not_wait_for_the_compiler(tmp_path):
    path = tmp_path / "large.wasm"
    calls = "(call 0 " * 20 + "(local.get 0)" + ")" * 20
    functions = f"(func (param i64) (result i64) {calls})\n" * 40_000
    path.write_bytes(wasmtime.wat2wasm(f"(component (core module {functions}))"))
    command = [sys.executable, "-m", "airssys", "inspect", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert "compiling" in process.stderr.readline()
        time.sleep(0.3)  # noqa: TID251  # a real process, in the middle of it
        spent, of_others = processor_seconds(process.pid), ended_processes()
        process.send_signal(signal.SIGINT)
        printed = process.stderr.read()
        assert process.wait(PATIENCE) == 1
    # Compiling takes three to four times as much as came before it, on any machine.
    assert ended_processes() - of_others - spent < spent
    assert printed.strip() == "Aborted!"


def ended_processes():
    """Processor seconds of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_program_is_shown_with_the_grants_that_it_may_need(tmp_path):
    path = tmp_path / "cat.wat"
    path.write_text(program(CAT))
    result = inspect(path)
    assert result.exit_code == 0, result.stderr
    assert "program    run it with `airssys run`" in result.stdout
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "stdin() to read what it is given (cli/stdin: get-stdin)" in lines
    assert any(line.startswith("env(...) to see variables of env=") for line in lines)
    assert not any(line.startswith(("random()", "monotonic_clock()")) for line in lines)


def test_each_need_names_functions_that_there_are():
    """What the list says of WASI is what WASI has."""
    offered = {
        each.name.partition("@")[0]: {n.rpartition(".")[2] for n in each.functions}
        for each in WASI_INTERFACES
    }
    for need in _needs._NEEDS:
        if need.interface in offered:
            assert need.functions <= offered[need.interface], need


def test_needs_are_by_interface_and_function():
    files = "wasi:filesystem/types@0.2.3"
    found = dict(needs_of({files: ["[method]descriptor.read-directory"]}))
    assert list(found) == ["list_files(...)"]
    assert dict(needs_of({"wasi:random/random@0.2.12": []})) == {}
