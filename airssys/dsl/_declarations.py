"""The record that a decorator attaches, and nothing else.

A record contains the kind of the declaration, its options and its origin. It does not
contain the class or function it is attached to: that is supplied when a topology is
compiled, so a class that inherits a record is declared like its base class.
"""

from __future__ import annotations

import enum
import inspect
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeVar, final

import attrs

from airssys.contracts import Mistake, Origin

if TYPE_CHECKING:
    from types import FrameType

_MARK: Final = "__airssys__"

_T = TypeVar("_T")
_Class = TypeVar("_Class", bound=type[object])


class Kind(enum.Enum):
    """What is declared, named like its decorator."""

    COMPONENT = "component"
    ACTOR = "actor"
    POOL = "pool"
    SUPERVISOR = "supervisor"
    DYNAMIC = "dynamic_supervisor"
    TASK = "task"
    TOPOLOGY = "topology"


@final
@attrs.frozen(eq=False)
class Declaration:
    """A declaration as it was written; nothing of it has been checked."""

    kind: Kind
    options: Mapping[str, object]
    origin: Origin
    code: object = None
    """For a component: where its code comes from. For a dynamic supervisor: its
    template. For a pool: its member, or the declaration of the class or function below
    it."""


def declare(target: _T, declaration: Declaration) -> _T:
    """Attach a record to a class or function, and return the class or function.

    Raises:
        TypeError: the value cannot be decorated.
    """
    on: object = target.__func__ if isinstance(target, staticmethod) else target
    earlier = vars(on).get(_MARK) if hasattr(on, "__dict__") else None
    if isinstance(earlier, Declaration) and _makes_pool(declaration, earlier):
        declaration = attrs.evolve(declaration, code=earlier)
    elif isinstance(earlier, Declaration):
        word = declaration.kind.value
        text = f"@{word} is above @{earlier.kind.value}"
        origin = declaration.origin
        hint = "keep one of them"
        if _makes_pool(earlier, declaration):
            hint = f"write @pool above @{word}"
        mistake = Mistake("", text, hint, origin.file, origin.line)
        mistakes = (*earlier.origin.mistakes, mistake)
        declaration = attrs.evolve(
            earlier, origin=attrs.evolve(earlier.origin, mistakes=mistakes)
        )
    try:
        setattr(on, _MARK, declaration)
    except (AttributeError, TypeError):
        kind = type(target).__name__
        word = declaration.kind.value
        raise TypeError(
            f"@{word} goes above a class or a function, not a {kind}"
        ) from None
    return target


def _makes_pool(upper: Declaration, lower: Declaration) -> bool:
    """Say whether `@pool` is in its proper place: above the declaration of an actor."""
    is_actor = lower.kind in {Kind.ACTOR, Kind.COMPONENT}
    return upper.kind is Kind.POOL and is_actor


@final
@attrs.frozen(eq=False)
class PoolDeclaration:
    """A pool without a name."""

    declaration: Declaration


@final
@attrs.frozen(eq=False)
class ComponentDeclaration:
    """A component without a name: a child by itself, or the decorator of a class."""

    declaration: Declaration

    def __call__(self, body: _Class, /) -> _Class:
        """Attach a record to a class, and return the class."""
        return declare(body, self.declaration)


@final
@attrs.frozen(eq=False)
class DynamicDeclaration:
    """A dynamic supervisor without a name; it gets the name of its attribute."""

    declaration: Declaration


def declaration_of(value: object) -> Declaration | None:
    """Return the record of a declaration; None if there is none."""
    if isinstance(value, (ComponentDeclaration, DynamicDeclaration, PoolDeclaration)):
        return value.declaration
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return None
    found = getattr(value, _MARK, None)
    return found if isinstance(found, Declaration) else None


_WAITING: Final = "__airssys_waiting__"


def waiting(decorate: _T, kind: Kind) -> _T:
    """Record on a decorator which word made it, for the code that finds it in a body."""
    setattr(decorate, _WAITING, kind)
    return decorate


def waiting_kind(value: object) -> Kind | None:
    """Return the word that made a decorator; None if the value is not one of ours."""
    found = getattr(value, _WAITING, None) if inspect.isfunction(value) else None
    return found if isinstance(found, Kind) else None


def is_code(value: object) -> bool:
    """Say whether a value is a class or a function."""
    return inspect.isclass(value) or inspect.isroutine(value)


def here() -> Origin:
    """Return the place of the code that called into this package."""
    frame = _calling_frame()
    return Origin(frame.f_code.co_filename, frame.f_lineno)


def calling_module() -> str | None:
    """Return the name of the module that called into this package."""
    name: str | None = _calling_frame().f_globals.get("__name__")
    return name


def _calling_frame() -> FrameType:
    frame = sys._getframe(1)  # noqa: SLF001  # a tenth of what `inspect` takes for it
    package = __name__.rpartition(".")[0]
    while frame.f_back and frame.f_globals.get("__package__") == package:
        frame = frame.f_back
    return frame


def shown(value: object) -> str:
    """Show what was written, on one line and shortened."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  # a `repr` may do anything
        text = object.__repr__(value)
    return f"{' '.join(text.split()):.80}"
