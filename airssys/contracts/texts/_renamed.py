"""Names that a package finds when they are asked for: old ones, and what is imported late."""

from __future__ import annotations

import functools
import importlib
import sys
import warnings
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_P = ParamSpec("_P")
_T = TypeVar("_T")


def renamed(door: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a package whose public names have changed.

    Args:
        door: The name of the package.
        names: What each old name is called now.

    Example:
        >>> __getattr__ = renamed("airssys.testing", {"Old": "New"})
    """

    def find(name: str) -> Any:  # noqa: ANN401  # whatever has that name
        if name not in names:
            msg = f"module {door!r} has no attribute {name!r}"
            raise AttributeError(msg)
        now = names[name]
        msg = f"{door}.{name} was renamed to {now}; the next version removes {name}"
        warnings.warn(msg, DeprecationWarning, stacklevel=2)
        return getattr(sys.modules[door], now)

    return find


def imported_late(door: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a package that imports names when they are first used.

    For what few programs need and all would wait for.

    Args:
        door: The name of the package.
        names: The module that each name comes from.
    """

    def find(name: str) -> Any:  # noqa: ANN401  # whatever has that name
        if name not in names:
            msg = f"module {door!r} has no attribute {name!r}"
            raise AttributeError(msg)
        found = getattr(importlib.import_module(names[name]), name)
        setattr(sys.modules[door], name, found)
        return found

    return find


def keyword_renamed(
    old: str, new: str
) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Let a function accept a keyword by its old name too, with a warning."""

    def decorate(function: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(function)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            if old in kwargs:
                name = getattr(function, "__name__", "the function")
                msg = f"{name}({old}=) was renamed to {new}="
                msg = f"{msg}; the next version removes {old}="
                warnings.warn(msg, DeprecationWarning, stacklevel=2)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate
