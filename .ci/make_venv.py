"""Make a virtual environment, or leave it alone if nothing it depends on changed.

    .ci/venv DIRECTORY [pip install arguments]

The environment's stamp contains what it was made from (the interpreter, the tables of
pyproject.toml that name requirements, the constraints) and, line by line, what was
installed. If the former changes, the environment is made again; installing twice does
nothing.

`make test` checks the code while the tests run, so two of these may run at once: the
second one waits for the first.
"""

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / ".build"
CONSTRAINTS = ROOT / os.environ.get("CONSTRAINTS", "requirements/constraints.txt")
VENV_ADVICE = """\
[airssys] {python} could not make a virtual environment.
[airssys] Install its venv package (on Debian and Ubuntu: apt install python3-venv),
[airssys] or name another interpreter: make ... PYTHON=/path/to/python3.12"""
PIP_ADVICE = """\
[airssys] pip could not install {what}.
[airssys] It needs a package index it can reach; see `pip config list` for yours."""


def say(text: str) -> None:
    print(f"[airssys] {text}", flush=True)


def origin() -> str:
    """Return a digest of everything an environment is made from."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    tables = {name: pyproject[name] for name in ("build-system", "dependency-groups")}
    project = {
        name: value
        for name, value in pyproject["project"].items()
        if name in {"dependencies", "optional-dependencies", "requires-python"}
    }
    parts = json.dumps([sys.version, sys.base_prefix, tables, project])
    return hashlib.sha256(parts.encode() + CONSTRAINTS.read_bytes()).hexdigest()


def run(command: list[str], advice: str) -> None:
    """Run quietly; on failure show what was printed, then the advice."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0:
        return
    for line in (done.stdout + done.stderr).splitlines():
        if not re.match(r"WARNING: Location .* is ignored", line):
            print(line, file=sys.stderr)
    sys.exit(advice)


def create(directory: Path) -> None:
    # Not sys.executable: that may be in the environment that is made again.
    python = getattr(sys, "_base_executable", sys.executable)
    version = ".".join(map(str, sys.version_info[:3]))
    say(f"{directory.name}: making it with CPython {version}")
    run(
        [python, "-m", "venv", "--clear", str(directory)],
        VENV_ADVICE.format(python=python),
    )
    # Dependency groups need pip 25.1, interpreters bring older ones.
    install(directory, ["--upgrade", "pip"])


def install(directory: Path, arguments: list[str]) -> None:
    what = " ".join(arguments)
    started = time.monotonic()
    command = [str(directory / "bin/python"), "-m", "pip", "install", "-q"]
    run(
        [*command, "--constraint", str(CONSTRAINTS), *arguments],
        PIP_ADVICE.format(what=what),
    )
    took = time.monotonic() - started
    say(f"{directory.name}: installed {what} ({took:.0f} s)")


def prepare(directory: Path, arguments: list[str]) -> None:
    """Do what is not done yet; the caller holds the lock."""
    wanted = " ".join(arguments)
    stamp = directory / ".airssys-stamp"
    made = stamp.read_text("utf-8").splitlines() if stamp.exists() else []
    if made[:1] != [origin()]:
        stamp.unlink(missing_ok=True)
        create(directory)
        made = [origin()]
    if wanted not in made:
        install(directory, arguments)
        stamp.write_text("\n".join([*made, wanted]) + "\n", "utf-8")


def main(name: str, arguments: list[str]) -> None:
    LOCKS.mkdir(exist_ok=True)
    with (LOCKS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        prepare(ROOT / name, arguments)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
