"""Every small way to break a module, as source text.

Cosmic Ray's operators replace operators, comparisons, numbers, booleans and exceptions,
and add `not`. Ours are for the code that makes decisions here: tables, `match` and
enums. A member of an enum is replaced by its neighbour; a case, a guard, a statement,
an item of a tuple or set, or one end of a slice is removed; and `min` is replaced by
`max`.

A change without effect at run time is not a mutant: annotations, docstrings, `@final`,
imports for types, protocols, a case that is never reached. Neither is `==` in place of
`is`, for members of enums and None.
"""

from __future__ import annotations

import ast
import copy
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

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
    """Yield the text of each mutant of a module once, without comments."""
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
    """Return what is left of a module at run time; None if that is nothing."""
    try:
        tree = _Stripper().visit(ast.parse(source))
        compile(source, "mutant", "exec")
    except (SyntaxError, ValueError):
        return None
    return ast.dump(tree)


class _Stripper(ast.NodeTransformer):
    """Removes what is only for readers and type checkers."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        condition = ast.unparse(node.test)
        if condition.removeprefix("not ") == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if "TypeAlias" in ast.unparse(node.annotation):
            return None
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        """The way arguments are passed does not affect decisions."""
        node.args = node.posonlyargs + node.args + node.kwonlyargs
        node.defaults += [each for each in node.kw_defaults if each is not None]
        node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST | None:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | None:
        node.returns = None
        return self._decorated(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST | None:
        is_protocol = any(ast.unparse(base) == "Protocol" for base in node.bases)
        return None if is_protocol else self._decorated(node)

    def _decorated(self, node: ast.ClassDef | ast.FunctionDef) -> ast.AST:
        node.decorator_list = [
            each for each in node.decorator_list if ast.unparse(each) != "final"
        ]
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_never = ast.unparse(node).startswith("assert_never(")
        return None if is_never or isinstance(node.value, ast.Constant) else node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        if isinstance(node.value, ast.Constant) and node.value.value is None:
            return ast.Return(None)
        return self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> ast.AST | None:
        return None

    def visit_match_case(self, node: ast.match_case) -> ast.AST | None:
        body = [ast.unparse(each) for each in node.body]
        is_never = body[0].startswith("assert_never(")
        is_nothing = ast.unparse(node.pattern) == "_" and body == ["pass"]
        return None if is_never or is_nothing else self.generic_visit(node)


# ---------------------------------------------------------------------- ours

Enums: TypeAlias = "dict[str, list[str]]"
Change: TypeAlias = "Callable[[ast.AST], None]"
"""Changes one node of a copy of the tree."""


def _by_us(source: str, enums: Enums) -> Iterator[str]:
    tree = ast.parse(source)
    for number, node in enumerate(ast.walk(tree)):
        for changes in _OURS:
            for change in changes(node, enums):
                broken = copy.deepcopy(tree)
                change([*ast.walk(broken)][number])
                yield ast.unparse(ast.fix_missing_locations(broken))


def _put(field: str, value: object, node: ast.AST) -> None:
    setattr(node, field, value)


def _pop(field: str, place: int, node: ast.AST) -> None:
    getattr(node, field).pop(place)


def _pass(field: str, place: int, node: ast.AST) -> None:
    getattr(node, field)[place] = ast.Pass()


def _neighbours(node: ast.AST, enums: Enums) -> Iterator[Change]:
    match node:
        case ast.Attribute(ast.Name(owner), member) if member in enums.get(owner, ()):
            members = enums[owner]
            other = members[(members.index(member) + 1) % len(members)]
            yield partial(_put, "attr", other)


def _without_cases(node: ast.AST, _: Enums) -> Iterator[Change]:
    if isinstance(node, ast.Match) and len(node.cases) > 1:
        for place in range(len(node.cases)):
            yield partial(_pop, "cases", place)


def _other_guards(node: ast.AST, _: Enums) -> Iterator[Change]:
    if isinstance(node, ast.match_case) and node.guard is not None:
        opposite = ast.UnaryOp(ast.Not(), node.guard)
        for guard in (None, opposite):
            yield partial(_put, "guard", guard)


def _without_parts(node: ast.AST, _: Enums) -> Iterator[Change]:
    field = "patterns" if isinstance(node, ast.MatchOr) else "elts"
    if isinstance(node, ast.MatchOr | ast.Tuple | ast.Set):
        count = len(getattr(node, field))
        for place in range(count if count > 1 else 0):
            yield partial(_pop, field, place)


def _longer_slices(node: ast.AST, _: Enums) -> Iterator[Change]:
    if isinstance(node, ast.Slice):
        for end in ("lower", "upper"):
            yield partial(_put, end, None)


def _opposites(node: ast.AST, _: Enums) -> Iterator[Change]:
    match node:
        case ast.Call(func=ast.Name(name)) if name in OPPOSITES:
            yield partial(_put, "func", ast.Name(OPPOSITES[name], ast.Load()))


def _without_result(node: ast.AST, _: Enums) -> Iterator[Change]:
    if isinstance(node, ast.Return) and node.value is not None:
        yield partial(_put, "value", None)


def _without_statements(node: ast.AST, _: Enums) -> Iterator[Change]:
    for field in ("body", "orelse"):
        body = getattr(node, field, None)
        for place, each in enumerate(body if isinstance(body, list) else []):
            if isinstance(each, ast.Expr | ast.Assign | ast.AugAssign | ast.If):
                yield partial(_pass, field, place)


_OURS: Final[tuple[Callable[[ast.AST, Enums], Iterator[Change]], ...]] = (
    _neighbours,
    _without_cases,
    _other_guards,
    _without_parts,
    _longer_slices,
    _opposites,
    _without_result,
    _without_statements,
)
