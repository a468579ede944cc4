"""Loads mutated components: each must be loaded or refused, and nothing else.

    python tests/wasm/fuzz_loader.py LAST INPUTS SEED

Each input is written to the file LAST before it is loaded, so that a crash leaves it
behind. It ends with a line of JSON: how many were loaded, refused, and otherwise.
"""

import json
import random
import sys
from collections import Counter
from pathlib import Path

import trio
import wasmtime

from airssys.contracts import Artifact, ComponentRefused, EngineSettings
from airssys.wasm import open_runtime

GUESTS = Path(__file__).resolve().parents[1] / "guests"
PER_ENGINE = 100
NUMBERS = (0, 1, 2, 0x3F, 0x40, 0x60, 0x70, 0x7F, 0x80, 0xFE, 0xFF)
LONG = (b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x08", b"\x80" * 11, b"\xff" * 4)


def originals():
    """Every fixture as text and in the binary format."""
    texts = [path.read_bytes() for path in sorted(GUESTS.glob("*.wat"))]
    binaries = []
    for text in texts:
        try:
            binaries.append(bytes(wasmtime.wat2wasm(text.decode())))
        except wasmtime.WasmtimeError:
            continue
    return texts, binaries


def flip_bit(code, choice, _):
    code[choice.randrange(len(code))] ^= 1 << choice.randrange(8)


def set_byte(code, choice, _):
    code[choice.randrange(len(code))] = choice.choice(NUMBERS)


def insert_number(code, choice, _):
    at = choice.randrange(len(code))
    code[at:at] = choice.choice(LONG)


def remove_some(code, choice, _):
    at = choice.randrange(len(code))
    del code[at : at + choice.choice((1, 2, 8, 100))]


def repeat_some(code, choice, _):
    at = choice.randrange(len(code))
    code[at:at] = code[at : at + choice.choice((1, 4, 50, 1000))] * choice.choice(
        (1, 9)
    )


def cut_off(code, choice, _):
    del code[choice.randrange(len(code)) :]


def splice(code, choice, others):
    other = choice.choice(others)
    at, start = choice.randrange(len(code)), choice.randrange(len(other))
    code[at : at + choice.choice((0, 200))] = other[
        start : start + choice.choice((9, 500))
    ]


def nest(code, choice, others):
    """Put a whole component or module into this one, as a section."""
    inner = choice.choice(others)
    section = b"\x04" if choice.random() < 0.7 else b"\x01"
    code[8:8] = section + leb128(len(inner)) + inner


def leb128(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


MUTATIONS = (
    *(flip_bit, set_byte) * 3,
    *(insert_number, remove_some, repeat_some, cut_off, splice, nest),
)


def mutate(choice, texts, binaries):
    pool = texts if choice.random() < 0.2 else binaries
    code = bytearray(choice.choice(pool))
    for _ in range(choice.choice((1, 1, 1, 2, 3, 10))):
        if code:
            choice.choice(MUTATIONS)(code, choice, pool)
    return bytes(code)


async def load(inputs, last, counts):
    settings = EngineSettings(compile_time=60)
    async with open_runtime(settings, cache_directory=None) as loader:
        for number, code in inputs:
            last.write_bytes(code)
            try:
                await loader.load(Artifact.from_bytes(code, f"input {number}"))
                counts["loaded"] += 1
            except ComponentRefused as refusal:
                is_complete = refusal.problem and refusal.advice
                counts["refused" if is_complete else "refused silently"] += 1


def main():
    last, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    texts, binaries = originals()
    choice, counts = random.Random(seed), Counter()
    inputs = [(number, mutate(choice, texts, binaries)) for number in range(count)]
    for start in range(0, count, PER_ENGINE):
        trio.run(load, inputs[start : start + PER_ENGINE], last, counts)
    sys.stdout.write(json.dumps(counts))


if __name__ == "__main__":
    main()
