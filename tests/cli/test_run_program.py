"""`airssys run FILE.wasm`: a program with what the command line grants it."""

import subprocess
import sys

import pytest

from wasm_support import ARGUMENTS, CAT, leaving, program

from .conftest import SHOUT

TRAPS = program("(unreachable)")


@pytest.fixture
def run(airssys, write, capfd):
    """Run a program; returns what it wrote, and what the command did."""

    def run_it(text, *arguments):
        path = write("it.wat", text)
        done = airssys("run", str(path), "--no-cache", *arguments)
        return capfd.readouterr().out, done

    return run_it


def test_it_has_the_arguments_and_variables_of_the_command_line(run):
    out, done = run(program(ARGUMENTS), "--env", "A=b=c", "--", "x", "--y", "-v")
    assert out.splitlines() == ["local/it/0", "x", "--y", "-v", "A", "b=c"]
    assert done.exit_code == 0, done.stderr


def test_arguments_and_variables_may_be_any_text(run):
    texts = [
        "hello",
        "",
        "is an argument",
        "with \N{TRIANGULAR FLAG ON POST} emoji",
        "-",
    ]
    large = "x" * 4000
    variables = ["--env", f"LARGE={large}", "--env", "EMPTY=", "--env", "A=a b=c"]
    out, done = run(program(ARGUMENTS), *variables, "--", *texts)
    assert done.exit_code == 0, done.stderr
    lines = out.splitlines()
    assert lines[1:6] == texts
    pairs = dict(zip(lines[6::2], lines[7::2], strict=True))
    assert pairs == {"LARGE": large, "EMPTY": "", "A": "a b=c"}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (program("(i32.const 0)"), 0),
        (leaving(0), 0),
        (program("(i32.const 1)"), 1),
        (leaving(7), 7),
        (leaving(255), 255),
        (TRAPS, 70),
    ],
)
def test_its_status_is_that_of_the_command(run, text, status):
    _, done = run(text)
    assert done.exit_code == status
    if status != 70:  # it says itself why: no crash is reported beside it
        assert done.stderr == ""


def test_it_copies_its_standard_input(write):
    """In a process of its own, whose streams are pipes."""
    path = write("cat.wat", program(CAT))
    given = b"no end of line \xff\x00" * 10_000
    done = subprocess.run(
        [sys.executable, "-m", "airssys", "run", "--no-cache", str(path)],
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == given


def test_a_limit_stops_it(run):
    text = program("(loop $l (br $l)) (unreachable)")
    _, done = run(text, "--limit", "execution_time=0.05")
    assert done.exit_code == 70
    assert "time limit" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--allow", "red /data"], "did you mean read?"),
        (["--allow", ""], "'' is empty"),
        (["--allow", "read 'x"], "cannot be read: No closing quotation"),
        (["--allow", "read data"], "write read /data at=FOLDER"),
        (["--allow", "read"], "write read PATH or read PATH at=FOLDER"),
        (["--allow", "read /a /b"], "write read PATH or read PATH at=FOLDER"),
        (["--allow", "connect"], "write connect HOST [PORTS]"),
        (["--allow", "clock x y"], "write clock [SECONDS]"),
        (["--allow", "clock x"], "could not convert"),
        (["--allow", "random of"], "random does not take of: write random"),
        (["--env", "A"], "write NAME=VALUE"),
        (["--env", "=b"], "write NAME=VALUE"),
        (["--limit", "files"], "write NAME=NUMBER"),
        (["--limit", "files=many"], "write NAME=NUMBER"),
    ],
)
def test_wrong_options_are_refused_before_anything_runs(run, options, said):
    out, done = run(TRAPS, *options)
    assert (done.exit_code, out) == (2, "")
    assert said in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--limit", "file=1"], "there is no limit 'file'"),
        (["--limit", "open_files=-1"], "open_files must be a whole number"),
        (["--allow", "read /a/../../b"], "it leads out of the root"),
    ],
)
def test_wrong_values_are_mistakes(run, options, said):
    _, done = run(TRAPS, *options)
    assert done.exit_code == 1
    assert said in done.stderr
    assert "run_program" not in done.stderr


def test_what_is_not_a_program_is_refused_with_what_it_is(airssys, write, folder):
    done = airssys("run", str(SHOUT))
    assert done.exit_code == 1
    assert "It is the component of an actor" in done.stderr
    done = airssys("run", str(folder / "gone.wasm"))
    assert done.exit_code == 2
    assert "there is no file" in done.stderr
    other = write(
        "other.wat", '(component (core module $m) (export "m" (core module $m)))'
    )
    done = airssys("run", str(other))
    assert "it does not export wasi:cli/run, but m" in done.stderr
    module = write("module.wat", "(module)")
    done = airssys("run", str(module))
    assert done.exit_code == 1


def test_a_program_that_cannot_be_loaded_has_another_status_than_one_that_was_stopped(
    run,
):
    text = program("(i32.const 0)")
    later = text.replace("wasi:cli/exit@0.2.0", "wasi:cli/exit@0.3.0")
    _, done = run(later)
    assert done.exit_code == 1
    assert "Build it for WASI 0.2" in done.stderr
    wrong = text.replace(
        "(i32.const 0)))\n  (core instance", "(i64.const 0)))\n  (core instance"
    )
    assert wrong != text
    _, done = run(wrong)
    assert done.exit_code == 1


def test_what_a_topology_does_not_take_is_refused(airssys):
    for extra in (["x"], ["--allow", "random"], ["--env", "A=b"], ["--limit", "a=1"]):
        done = airssys("run", "app:App", *extra)
        assert done.exit_code == 2
        assert "a .wasm or .wat file" in " ".join(done.stderr.split())


def test_words_of_files_name_folders(tmp_path):
    from airssys.cli.common import read_grant_words
    from airssys.security import env, read_files, write_files

    assert read_grant_words(f"read {tmp_path}") == read_files(f"{tmp_path}/**")
    assert read_grant_words("read /no/such") == read_files("/no/such/**")
    file = tmp_path / "one.txt"
    file.touch()
    assert read_grant_words(f"read {file}") == read_files(str(file))
    found = read_grant_words(f"write /out at={tmp_path}")
    assert found == write_files("/out/**", at=str(tmp_path))
    assert read_grant_words("env HOME LANG") == env("HOME", "LANG")
