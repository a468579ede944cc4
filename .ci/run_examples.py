"""Run every example: each folder with a `__main__.py`, and each `.py` of the others.

Examples get no arguments here. They must end by themselves with exit status 0, and
write nothing into the checkout.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECONDS_ALLOWED = 120


def passes(example: Path) -> bool:
    name = example.relative_to(ROOT)
    started = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, str(name)],
            cwd=ROOT,
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
    examples = ROOT / "examples"
    folders = [examples, *(path for path in examples.iterdir() if path.is_dir())]
    found = [path for path in folders if (path / "__main__.py").exists()]
    found += [p for path in folders if path not in found for p in path.glob("*.py")]
    if not found:
        print("[airssys]   no examples")
    failed = [example for example in sorted(found) if not passes(example)]
    sys.exit(1 if failed else 0)


main()
