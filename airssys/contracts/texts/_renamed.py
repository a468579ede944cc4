"""Old names that still work for one version, with a warning."""

from __future__ import annotations

import functools
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
