"""Fuzz manifests, patterns and the host boundary, with coverage as the guide.

    make fuzz [ARGS="patterns --seconds 600"]

Atheris instruments airssys and looks for inputs that reach what none did before. The host
boundary is fuzzed without coverage: a system with a guest runs for each input, and atheris
does not get through its threads. Each target runs in a process of its own. What breaks something is written to `.build/fuzz`, and
can be tried again by `python .ci/fuzz.py TARGET --input FILE`. Inputs that were worth
keeping stay in `.build/fuzz/TARGET` for the next run.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / ".build" / "fuzz"
NAMES: Final = ("manifest", "patterns", "boundary")
BLIND: Final = ("boundary",)
INSTRUMENTED: Final = ["airssys.security"]
PIECES: Final = [
    *(bytes([number]) for number in range(20)),
    *(b"\0\0", b"\n", b"local/b/0", b"local/a/0", b"mine/k", b"k", b"*", b"#", b"1"),
    *(
        b"18446744073709551615",
        b"-1",
        b"x" * 500,
        b"\xff",
        "\u202e".encode(),
        b"/",
        b".",
    ),
]
SEEDS: Final = {
    "manifest": [
        *sorted((ROOT / "examples").glob("*.toml")),
        ROOT / "tests/security/twenty_mistakes.toml",
    ],
}


def seed(name: str) -> Path:
    """Make the folder of a target, with inputs to begin with."""
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(SEEDS.get(name, [])):
        (folder / f"seed-{number}").write_bytes(path.read_bytes())
    if name != "manifest":
        for number in range(40):
            text = b"/a/x\n/a/*\n/**" if number % 2 else b"a.b:1\n*.b:*\na.b:1-9"
            (folder / f"seed-{number}").write_bytes(bytes([number]) + text)
    return folder


def find(name: str) -> Callable[[bytes], None]:
    """Import what is fuzzed; airssys is imported only then."""
    found: Callable[[bytes], None] = import_module("fuzz_targets").TARGETS[name]
    return found


def fuzz(name: str, seconds: int, tried: str | None) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris  # noqa: PLC0415  # an error of its own if it is not there

    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = find(name)
    if tried is not None:
        target(Path(tried).read_bytes())
        return
    options = [
        f"-max_total_time={seconds}",
        f"-artifact_prefix={FOLDER}/{name}-",
        *("-max_len=2048", "-timeout=20", "-rss_limit_mb=3000", "-verbosity=0"),
        *("-print_final_stats=1", str(seed(name))),
    ]
    atheris.Setup([sys.argv[0], *options], target)
    atheris.Fuzz()


def fuzz_blindly(name: str, seconds: int) -> None:
    """Try inputs that are put together at random, until the time is over."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
    target = find(name)
    seed_of_all = time.time_ns()
    rng, count = random.Random(seed_of_all), 0
    print(f"seed {seed_of_all}")
    target(b"")  # what is compiled once is not counted
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = b"".join(rng.choices(PIECES, k=rng.randrange(60)))
        if count % 4 == 0:
            at = rng.randrange(len(data) + 1)
            data = data[:at] + rng.randbytes(3) + data[at + 1 :]
        count += 1
        try:
            target(data)
        except BaseException:
            (FOLDER / f"{name}-crash").write_bytes(data)
            raise
    print(f"number_of_executed_units: {count}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(NAMES)}; else all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--input", help="try this file only")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    targets = options.targets or list(NAMES)
    if unknown := {*targets} - {*NAMES}:
        parser.error(f"not a target: {', '.join(sorted(unknown))}")
    if options.here or options.input:
        if targets[0] in BLIND and not options.input:
            fuzz_blindly(targets[0], options.seconds)
        else:
            fuzz(targets[0], options.seconds, options.input)
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in targets:
        command = [sys.executable, __file__, name, "--here"]
        command += ["--seconds", str(options.seconds)]
        log = FOLDER / f"{name}.log"
        with log.open("wb") as output:
            done = subprocess.run(command, stdout=output, stderr=output, check=False)
        text = log.read_text("utf-8", "replace")
        runs = text.partition("number_of_executed_units:")[2].split(maxsplit=1)
        print(f"[fuzz] {name}: {runs[0] if runs else '?'} inputs, {options.seconds} s")
        if done.returncode:
            print(text[-3000:])
            print(f"[fuzz] {name} failed: see {os.path.relpath(log)}")
            failed += 1
    sys.exit(1 if failed else 0)


main()
