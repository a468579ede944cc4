"""Show what can be run in perf/, with the first line of each file's docstring."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def summary(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "(no docstring)"
    return doc.splitlines()[0]


def main() -> None:
    found = [p for p in (ROOT / "perf").glob("*.py") if not p.name.startswith("_")]
    if not found:
        print("[airssys] nothing in perf/ yet")
    print(
        ".venv/bin/python -m perf --help\n    The suite: run it, compare runs, peers."
    )
    for path in sorted(found):
        print(f".venv/bin/python perf/{path.name}\n    {summary(path)}")


main()
