"""Annotations of the user's classes and functions, on every Python."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

if sys.version_info >= (3, 14):
    import annotationlib

    _UNEVALUATED = annotationlib.Format.FORWARDREF


def annotations_of(written: Any) -> dict[str, Any]:  # noqa: ANN401  # class or function
    """Return what a class or function itself annotates.

    Since Python 3.14 annotations are evaluated when they are read. A name that does not
    exist then, such as one that is imported for type checkers only, is left as it is written.
    """
    if sys.version_info >= (3, 14):
        return annotationlib.get_annotations(written, format=_UNEVALUATED)
    return inspect.get_annotations(written)


def signature_of(written: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a callable, as `annotations_of` reads annotations.

    Raises:
        TypeError: It is not callable.
        ValueError: It has none, like some built-in functions.
    """
    if sys.version_info >= (3, 14):
        return inspect.signature(written, annotation_format=_UNEVALUATED)
    return inspect.signature(written)
