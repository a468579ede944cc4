"""Run every example: each folder with a `__main__.py`, and each `.py` of the others.

They are run from a copy in an empty directory, as for a user who has installed airssys
and has no checkout. They get no arguments here, and must end by themselves with exit status 0.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECONDS_ALLOWED = 600
"""Twenty times what the longest takes on a quiet machine."""
CACHES = {"XDG_CACHE_HOME": str(ROOT / ".build" / "examples")}
"""What examples build and compile is kept there, not in the user's directories."""


def passes(example: Path, directory: Path) -> bool:
    name = example.relative_to(directory)
    started = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, str(name)],
            cwd=directory,
            env=os.environ | CACHES,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS_ALLOWED,
        )
        output, verdict = done.stdout, f"exit {done.returncode}"
    except subprocess.TimeoutExpired as expired:
        output, verdict = expired.stdout or b"", f"not done in {SECONDS_ALLOWED} s"
    passed = verdict == "exit 0"
    took = time.monotonic() - started
    print(f"[airssys]   {name}: {'ok' if passed else verdict} ({took:.1f} s)")
    if not passed:
        print(output.decode(errors="replace"))
    return passed


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="airssys-examples-") as made:
        directory = Path(made).resolve()
        left_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "examples", directory / "examples", ignore=left_out)
        sys.exit(run_all(directory))


def run_all(directory: Path) -> int:
    examples = directory / "examples"
    folders = [examples, *(path for path in examples.iterdir() if path.is_dir())]
    found = [path for path in folders if (path / "__main__.py").exists()]
    found += [p for path in folders if path not in found for p in path.glob("*.py")]
    if not found:
        print("[airssys]   no examples")
    failed = [example for example in sorted(found) if not passes(example, directory)]
    return 1 if failed else 0


main()
