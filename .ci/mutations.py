"""Every small way to break a module, as source text.

Cosmic Ray's operators replace operators, comparisons, numbers, booleans and exceptions,
and add `not`. Ours are for what decides here: tables, `match` and enums. A member of an
enum becomes its neighbour, a case, a guard or a statement goes, a part of a tuple or a
set too, one end of a slice, and `min` becomes `max`.

What is the same at run time is no mutant: annotations, docstrings, `@final`, imports for
types, a case that is never reached. Nor is `==` instead of `is`, for members of enums
and None.
"""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING, Any, Final

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ENUM_BASES: Final = {"enum.Enum", "Enum", "enum.IntEnum"}
OPPOSITES: Final = {
    "all": "any",
    "any": "all",
    "bisect_left": "bisect_right",
    "max": "min",
    "min": "max",
    "reversed": "list",
}
SAME_BY_NATURE: Final = {
    "core/ReplaceComparisonOperator_Is_Eq",
    "core/ReplaceComparisonOperator_IsNot_NotEq",
}
NEEDS_ARGUMENTS: Final = {"core/VariableInserter", "core/VariableReplacer"}


def enums_in(package: Path) -> dict[str, list[str]]:
    """Find the members of all enums of a package, by the name of the class."""
    found = {}
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and any(
                ast.unparse(base) in ENUM_BASES for base in node.bases
            ):
                found[node.name] = [
                    target.id
                    for line in node.body
                    if isinstance(line, ast.Assign)
                    for target in line.targets
                    if isinstance(target, ast.Name)
                ]
    return found


def mutants_of(source: str, enums: dict[str, list[str]]) -> Iterator[str]:
    """Give the text of each mutant of a module once, without comments."""
    seen = {_at_run_time(source)}
    for mutant in (*_by_cosmic_ray(source), *_by_us(source, enums)):
        meaning = _at_run_time(mutant)
        if meaning is not None and meaning not in seen:
            seen.add(meaning)
            yield ast.unparse(ast.parse(mutant))


def _by_cosmic_ray(source: str) -> Iterator[str]:
    for name in sorted({*operator_names()} - NEEDS_ARGUMENTS - SAME_BY_NATURE):
        occurrence = 0
        while True:
            mutant = mutate_code(source, get_operator(name)(), occurrence)
            if mutant is None:
                break
            yield mutant
            occurrence += 1


def _at_run_time(source: str) -> str | None:
    """Return what is left of a module when it runs; None if that is nothing."""
    try:
        tree = _Stripper().visit(ast.parse(source))
        compile(source, "mutant", "exec")
    except (SyntaxError, ValueError):
        return None
    return ast.dump(tree)


class _Stripper(ast.NodeTransformer):
    """Takes away what is for readers and type checkers only."""

    def visit_If(self, node: ast.If) -> Any:
        condition = ast.unparse(node.test)
        if condition.removeprefix("not ") == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if "TypeAlias" in ast.unparse(node.annotation):
            return None
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> Any:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        return self.visit_ClassDef(node)

    def visit_ClassDef(self, node: ast.ClassDef | ast.FunctionDef) -> Any:
        node.decorator_list = [
            each for each in node.decorator_list if ast.unparse(each) != "final"
        ]
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> Any:
        is_never = ast.unparse(node).startswith("assert_never(")
        return None if is_never or isinstance(node.value, ast.Constant) else node

    def visit_Pass(self, node: ast.Pass) -> Any:  # noqa: ARG002
        return None

    def visit_match_case(self, node: ast.match_case) -> Any:
        is_never = ast.unparse(node.body[0]).startswith("assert_never(")
        return None if is_never else self.generic_visit(node)


# ---------------------------------------------------------------------- ours


def _by_us(source: str, enums: dict[str, list[str]]) -> Iterator[str]:
    tree = ast.parse(source)
    nodes = [*ast.walk(tree)]
    for number, node in enumerate(nodes):
        for change in _changes(node, enums):
            broken = copy.deepcopy(tree)
            change([*ast.walk(broken)][number])
            yield ast.unparse(ast.fix_missing_locations(broken))


def _changes(
    node: ast.AST, enums: dict[str, list[str]]
) -> Iterator[Callable[[Any], None]]:
    match node:
        case ast.Attribute(ast.Name(owner), member) if member in enums.get(owner, ()):
            members = enums[owner]
            other = members[(members.index(member) + 1) % len(members)]
            yield lambda found: setattr(found, "attr", other)
        case ast.Match(cases=cases) if len(cases) > 1:
            for place in range(len(cases)):
                yield lambda found, at=place: found.cases.pop(at)
        case ast.match_case(guard=ast.expr() as guard):
            yield lambda found: setattr(found, "guard", None)
            opposite = ast.UnaryOp(ast.Not(), guard)
            yield lambda found: setattr(found, "guard", opposite)
        case ast.MatchOr(patterns=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            field = "patterns" if isinstance(node, ast.MatchOr) else "elts"
            for place in range(len(parts) if len(parts) > 1 else 0):
                yield lambda found, at=place, of=field: getattr(found, of).pop(at)
        case ast.Slice():
            for end in ("lower", "upper"):
                yield lambda found, at=end: setattr(found, at, None)
        case ast.Call(func=ast.Name(name)) if name in OPPOSITES:
            yield lambda found: setattr(found.func, "id", OPPOSITES[name])
        case ast.Return(value=ast.expr()):
            yield lambda found: setattr(found, "value", None)
    for field in ("body", "orelse"):
        body = getattr(node, field, None)
        for place in range(len(body) if isinstance(body, list) else 0):
            if isinstance(body[place], ast.Expr | ast.Assign | ast.AugAssign | ast.If):
                yield lambda found, at=place, of=field: getattr(found, of).__setitem__(
                    at, ast.Pass()
                )
