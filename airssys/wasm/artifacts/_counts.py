"""Checks of what a component consists of, before it is compiled."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from airssys.contracts import ComponentRefused

from ._advice import advice_for
from ._binary import NotOffered, Uncountable, Unreadable
from ._footprint import Footprint, footprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airssys.contracts import EngineSettings

_MOST_STEPS: Final = 250_000
"""Steps of making one instance, which a worker does in up to 40 ms. Deleting it, which
a worker does not do, takes up to 10 ms. The largest guests need a tenth of this."""


def count(binary: bytes, label: str) -> Footprint:
    """Count what a component consists of, before anything is compiled.

    Raises:
        ComponentRefused: It is malformed, or cannot be counted.
    """
    try:
        return footprint(binary)
    except Uncountable as error:
        raise ComponentRefused(
            label,
            f"its parts cannot be counted ({error})",
            "Link it into one component that contains its modules",
        ) from error
    except NotOffered as error:
        raise _refused(label, error) from error
    except Unreadable as error:
        raise ComponentRefused(
            label,
            f"it is malformed ({error})",
            "Build it again: the file may be truncated or damaged, or in a format that "
            "is newer than this engine",
        ) from error


@contextlib.contextmanager
def refusing(label: str) -> Iterator[None]:
    """Refuse a component with what the engine does not offer, found in this block.

    Raises:
        ComponentRefused: It was found.
    """
    try:
        yield
    except NotOffered as error:
        raise _refused(label, error) from error


def _refused(label: str, error: NotOffered) -> ComponentRefused:
    return ComponentRefused(
        label, f"it uses unsupported features: {error}", advice_for(str(error))
    )


def check_counts(found: Footprint, label: str, settings: EngineSettings) -> None:
    """Check that compiling a component cannot take too much time or memory.

    Raises:
        ComponentRefused: It has too many functions, or too large ones, or an instance
            of it starts with too much data.
    """
    most = settings.component_functions
    if found.functions > most:
        raise ComponentRefused(
            label,
            f"it has {found.functions} functions, more than {most} "
            f"(component_functions)",
            "Remove unused functions, or raise EngineSettings.component_functions",
        )
    most = settings.function_bytes
    if found.largest_function > most:
        raise ComponentRefused(
            label,
            f"it has a function of {found.largest_function} bytes, more than {most} "
            f"(function_bytes)",
            "Split that function, or raise EngineSettings.function_bytes",
        )
    if found.steps > _MOST_STEPS:
        raise ComponentRefused(
            label,
            f"making an instance takes about {found.steps} steps, for its globals, "
            f"segments, canonical functions and core instances: more than "
            f"{_MOST_STEPS}",
            "Instantiate its core modules fewer times, or make them smaller",
        )
