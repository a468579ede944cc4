"""Finds the line of an attribute of a class, for the mistakes in it.

Python keeps the lines of code, but not of the values in a class body. So the source is
read, but only if there is a mistake to report. If it cannot be found, or has changed
since the program started, the line of the declaration is used instead.
"""

from __future__ import annotations

import ast
import linecache
import sys
from typing import TYPE_CHECKING, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airssys.contracts import Origin


@final
@attrs.frozen
class _Body:
    """What the source shows about one class."""

    file: str
    line: int
    lines: dict[str, int]
    """By attribute, the last line that assigns it."""


@final
class Sources:
    """The files that were read so far."""

    def __init__(self) -> None:
        self._classes: dict[str, list[tuple[str, ast.ClassDef]]] = {}
        """By file: its classes with their qualified names."""
        self._bodies: dict[type[object], _Body] = {}

    def find(
        self, body: type[object], attribute: str, declared: Origin
    ) -> tuple[str, int]:
        """Find the file and line where an attribute of a class got its value.

        Args:
            body: The class.
            attribute: Its name.
            declared: Where the class was declared; returned if nothing better is known.
        """
        owner = next((c for c in body.__mro__ if attribute in vars(c)), body)
        if owner not in self._bodies:
            self._bodies[owner] = self._look_up(owner, declared)
        found = self._bodies[owner]
        return found.file, found.lines.get(attribute, found.line)

    def _look_up(self, owner: type[object], declared: Origin) -> _Body:
        module = sys.modules.get(owner.__module__)
        file = getattr(module, "__file__", None) or declared.file
        found = [n for name, n in self._read(file) if name == owner.__qualname__]
        exact = [n for n in found if _first_line(n) <= declared.line <= n.lineno]
        for node in (exact or found)[-1:]:
            return _Body(file, node.lineno, dict(_lines(node.body)))
        return _Body(declared.file, declared.line, {})

    def _read(self, file: str) -> list[tuple[str, ast.ClassDef]]:
        if file not in self._classes:
            try:
                tree = ast.parse("".join(linecache.getlines(file)))
            except (SyntaxError, ValueError, RecursionError):
                tree = ast.Module([], [])
            self._classes[file] = list(_classes(tree, ""))
        return self._classes[file]


def _first_line(node: ast.ClassDef) -> int:
    return min((each.lineno for each in node.decorator_list), default=node.lineno)


def _classes(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """Visit all classes of a file, each with its qualified name."""
    for below in ast.iter_child_nodes(node):
        match below:
            case ast.ClassDef(name=name):
                yield prefix + name, below
                yield from _classes(below, f"{prefix}{name}.")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield from _classes(below, f"{prefix}{name}.<locals>.")
            case _:
                yield from _classes(below, prefix)


def _lines(body: list[ast.stmt]) -> Iterator[tuple[str, int]]:
    """Visit the names that a body assigns, each with its line."""
    for statement in body:
        match statement:
            case ast.Assign(targets=targets):
                nodes = [node for target in targets for node in ast.walk(target)]
                names = [node.id for node in nodes if isinstance(node, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                names = [name]
            case _:
                continue
        for name in names:
            yield name, statement.lineno
