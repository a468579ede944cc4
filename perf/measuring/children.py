"""Measurements that need a process of their own, because they change it for good."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

Found: TypeAlias = dict[str, Any]
"""What a child has found, by name."""


def run_child(script: str, *arguments: object) -> Found:
    """Run a script again, with arguments; print what it prints, return what it tells.

    Raises:
        RuntimeError: it did not end well.
    """
    command = [sys.executable, script, *map(str, arguments)]
    child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if child.returncode:
        what = " ".join([Path(script).name, *map(str, arguments)])
        raise RuntimeError(f"{what} ended with status {child.returncode}")
    *lines, last = child.stdout.splitlines()
    print(*lines, sep="\n", end="\n" * bool(lines))
    found: Found = json.loads(last)
    return found


def tell_parent(**found: object) -> None:
    """Print what was found, for `run_child`."""
    print(json.dumps(found), flush=True)
