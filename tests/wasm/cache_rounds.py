"""Rounds in which four processes use one cache at once, and some are killed in between.

    python tests/wasm/cache_rounds.py DIRECTORY ROUNDS SEED

Each process wants every one of a few components, and runs what it gets: each answers
with a number of its own. It ends with a line of JSON: how often code was found and
compiled, what was wrong, and how many were killed.
"""

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import wasmtime
from wasmtime import component

from airssys.contracts import EngineSettings
from airssys.wasm.artifacts._footprint import footprint
from airssys.wasm.cache import _artifact_cache
from airssys.wasm.cache._artifact_cache import ArtifactCache

PROCESSES = 4
WAT = """\
(component
  (core module $m
    (func (export "f") (result i32) (i32.const {number}))
    (data "{ballast}")
    {functions})
  (core instance $i (instantiate $m))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))
"""
FUNCTIONS = "(func (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))"
BINARIES = [
    bytes(
        wasmtime.wat2wasm(
            WAT.format(number=n, ballast="x" * 1000, functions=FUNCTIONS * n * 20)
        )
    )
    for n in range(1, 5)
]


def answer_of(engine, compiled):
    store = wasmtime.Store(engine)
    instance = component.Linker(engine).instantiate(store, compiled)
    return instance.get_func(store, "f")(store)


def use(directory, is_large, order, report):
    """Want every component, in some order; one letter goes out for each."""
    _artifact_cache.LARGE = 1 if is_large else 1 << 30
    _artifact_cache._AT_REST = 1_000_000
    config = wasmtime.Config()
    config.parallel_compilation = False
    engine = wasmtime.Engine(config)
    # Room for about half of them, so that they push each other out.
    cache = ArtifactCache(directory, EngineSettings(cache_bytes=60_000))
    for number in order:
        code, digest = BINARIES[number], f"{number:064x}"
        kept = cache.find(engine, digest)
        if kept is None:
            compiled = component.Component(engine, code)
            cache.keep(digest, compiled, footprint(code), f"number {number}")
            letter = b"c"
        else:
            compiled = kept.compiled
            letter = b"f" if kept.footprint == footprint(code) else b"w"
        if answer_of(engine, compiled) != number + 1:
            letter = b"w"
        os.write(report, letter)


def start(directory, choice, report):
    is_large = choice.random() < 0.5
    order = choice.sample(range(len(BINARIES)), len(BINARIES))
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        use(directory, is_large, order, report)
        status = 0
    finally:
        os._exit(status)


def play(directory, choice):
    """Play one round; the letters, and how the processes ended."""
    reading, report = os.pipe()
    children = [start(directory, choice, report) for _ in range(PROCESSES)]
    os.close(report)
    # By how far they are, not by the time: on a busy machine that says nothing.
    letters = b"".join(os.read(reading, 1) for _ in range(choice.randrange(8)))
    time.sleep(choice.uniform(0, 0.01))  # noqa: TID251  # real processes
    for child in choice.sample(children, choice.randint(1, 2)):
        os.kill(child, signal.SIGKILL)
    ends = Counter(
        os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children
    )
    with os.fdopen(reading, "rb") as rest:
        return (letters + rest.read()).decode(), ends


def main():
    directory, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    choice = random.Random(seed)
    letters, ends = Counter(), Counter()
    for _ in range(rounds):
        some, how = play(directory, choice)
        letters.update(some)
        ends.update(how)
    killed = ends.pop(-signal.SIGKILL, 0)
    well = ends.pop(0, 0)
    found = {
        "found": letters["f"],
        "compiled": letters["c"],
        "wrong": letters["w"],
        "killed": killed,
        "ended well": well,
        "other ends": dict(ends),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
