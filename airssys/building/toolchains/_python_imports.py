"""Finds which modules from elsewhere a Python guest imports while it is imported.

These are the imports outside of functions, and outside of `if TYPE_CHECKING`. They are
returned as statements, which a development build runs before the guest's own modules
are there.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def outside_imports(sources: Mapping[str, bytes]) -> list[str] | None:
    """Return the imports of all files, in a fixed order.

    An import inside of `try` or `if` may fail; one at the top may not.

    Args:
        sources: By path, relative to the folder of the main module.

    Returns:
        None if a file cannot be parsed.
    """
    own = {path.partition("/")[0].removesuffix(".py") for path in sources}
    found: set[tuple[str, bool]] = set()
    try:
        for source in sources.values():
            found |= set(_imports(ast.parse(source).body, own, is_sure=True))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    sure = {text for text, is_sure in found if is_sure}
    unsure = {text for text, _ in found} - sure
    return sorted(sure) + [_attempt(text) for text in sorted(unsure)]


def _imports(
    body: list[ast.stmt], own: set[str], *, is_sure: bool
) -> Iterator[tuple[str, bool]]:
    for node in body:
        for module, text in _statements(node):
            if module.partition(".")[0] not in {*own, "__future__"}:
                yield text, is_sure
        is_class = isinstance(node, ast.ClassDef)
        for inner in _blocks(node):
            yield from _imports(inner, own, is_sure=is_sure and is_class)


def _statements(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """Yield the modules that a statement imports, each with a statement for it alone."""
    match node:
        case ast.Import(names=names):
            for name in names:
                yield name.name, f"import {name.name}"
        case ast.ImportFrom(module=str(module), level=0, names=names):
            what = ", ".join(sorted(name.name for name in names))
            every = what == "*"
            yield (
                module,
                f"import {module}" if every else f"from {module} import {what}",
            )
        case _:
            pass  # a relative import stays in its package


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield the blocks of a statement that run when it does."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        yield node.orelse
        return
    yield from _bodies(node)


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield the blocks of a compound statement, those of its clauses too."""
    for value in (value for _, value in ast.iter_fields(node)):
        if not isinstance(value, list) or not value:
            continue
        if isinstance(value[0], ast.stmt):
            yield value
        for clause in value:
            if isinstance(clause, ast.ExceptHandler | ast.match_case):
                yield clause.body


def _attempt(text: str) -> str:
    return (
        f"try:\n    {text}\nexcept ImportError as error:\n"
        "    airssys_late.note_missing(error)"
    )
