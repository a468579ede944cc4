"""Builds the guest once, and finds it again as long as its source is the same."""

import hashlib
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIT = ROOT / "wit"
GUEST = Path(__file__).parent / "guest"
CACHE = ROOT / ".build" / "word_count"
"""For its owner alone: compiled code is kept here, and loading it runs it."""

NO_TOOL = """\
The guest is Python, and componentize-py, which turns it into WebAssembly, is missing.
`make demo` installs it. By hand: {python} -m pip install 'componentize-py>=0.25'"""


def build_guest() -> Path:
    """Return the guest as a WebAssembly component, built now or by an earlier run."""
    CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
    built = CACHE / f"word_counter-{_digest()}.wasm"
    if built.exists():
        print("guest    built before, from the same source")
        return built
    print("guest    building it from Python (once, about 10 s) ...", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=CACHE) as directory:
        unfinished = Path(directory) / built.name
        _componentize(unfinished)
        unfinished.replace(built)
    took, size = time.monotonic() - started, built.stat().st_size / 1e6
    print(f"         {size:.1f} MB of WebAssembly, built in {took:.1f} s")
    print(
        "         compiling it for this machine (once, up to a minute) ...", flush=True
    )
    return built


def _componentize(output: Path) -> None:
    tool = Path(sys.executable).with_name("componentize-py")
    done = subprocess.run(  # noqa: S603  # no input but our own paths
        [
            *(str(tool), "--quiet", "--wit-path", str(WIT), "--world", "runtime-host"),
            *("componentize", "--stub-wasi", "--python-path", str(GUEST)),
            *("word_counter", "--output", str(output)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"componentize-py could not build the guest:\n{done.stderr}")


def _digest() -> str:
    """Name everything that the guest is made from."""
    try:
        tool = version("componentize-py")
    except PackageNotFoundError:
        sys.exit(NO_TOOL.format(python=sys.executable))
    digest = hashlib.sha256(tool.encode())
    for source in sorted([*GUEST.glob("*.py"), *WIT.glob("*.wit")]):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
