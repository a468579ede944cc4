"""The suite in `perf/`, which does not belong to the package and so not on the path."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def load(name):
    """Import a module of `perf/suite` by itself; it must need nothing that is measured."""
    whole = f"perf_suite_{name.replace('/', '_')}"
    if whole not in sys.modules:
        path = ROOT / "perf" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(whole, path)
        module = sys.modules[whole] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[whole]
