"""Builds the guest once, and finds it again as long as its source is the same."""

import sys
import time
from pathlib import Path

from airssys.building import BuildFailed, build, default_build_cache

ROOT = Path(__file__).resolve().parents[2]
GUEST = Path(__file__).parent / "guest" / "word_counter.py"
IN_CHECKOUT = (ROOT / "pyproject.toml").is_file()
CACHE = ROOT / ".build" if IN_CHECKOUT else default_build_cache().parent
CACHE /= "word_count"
"""Only its owner may have access: compiled code is kept here, and loading it runs it."""


def build_guest() -> Path:
    """Return the guest as a WebAssembly component, built now or by an earlier run."""
    started = time.monotonic()
    try:
        built = build(GUEST, cache_directory=CACHE, tell=_tell)
    except BuildFailed as error:
        sys.exit(str(error))
    if not built.is_new:
        print("guest    built before, from the same source")
        return built.path
    took, size = time.monotonic() - started, built.path.stat().st_size / 1e6
    print(f"         {size:.1f} MB of WebAssembly, built in {took:.1f} s")
    print(
        "         compiling it for this machine (once, up to a minute) ...", flush=True
    )
    return built.path


def _tell(text: str) -> None:
    print(f"guest    {text} ...", flush=True)
