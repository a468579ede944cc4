"""Where something was declared: the file and line that its mistakes name.

A specification may carry its origin. Code that makes a specification from what a person
wrote stores there what it could not read, so that checking the whole finds every
mistake.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.contracts.errors import Mistake
from airssys.contracts.texts import kind_name, one_line, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_PATH: Final = re.compile(r"\$\.root(?:\.\w+(?:\[\d+\])?)*")


@final
@attrs.frozen
class Origin:
    """A place in a file, and the mistakes there that no specification can hold."""

    file: str
    """As Python names it: absolute, or in angle brackets if it is not a file."""
    line: int
    mistakes: tuple[Mistake, ...] = ()
    """Mistakes found while reading. Their paths begin below what was declared, e.g.
    `.mailbx`; mistakes without a file are at this place."""


def guarded(look: Callable[[], list[Mistake]], path: str) -> list[Mistake]:
    """Run a check, and turn what the values themselves raise into a mistake."""
    try:
        return look()
    except Exception as error:  # noqa: BLE001  # their own code may raise anything
        raised = f"{kind_name(error)}: {text_of(error)}"
        hint = "use plain values: comparing or reading one of them failed"
        return [Mistake(path, one_line(f"it cannot be inspected: {raised}"), hint)]


def place_mistakes(
    mistakes: Iterable[Mistake], tree: Iterable[tuple[str, object]]
) -> list[Mistake]:
    """Add the mistakes that origins hold, and the file and line to each mistake.

    Many children may be made at one place; a mistake there is reported once.

    Args:
        mistakes: Found in the tree.
        tree: The paths of everything in the tree, each with its value.
    """
    origins: dict[str, Origin] = {}
    found: list[Mistake] = []
    for path, each in tree:
        own = getattr(each, "origin", None)
        if isinstance(own, Origin):
            origins[path] = own
            found += [attrs.evolve(m, path=path + m.path) for m in own.mistakes]
    told: dict[object, Mistake] = {}
    for mistake in (*found, *mistakes):
        placed, below = _place(mistake, origins)
        file, line = placed.file, placed.line
        key = placed if file is None else (file, line, below, mistake.found)
        told.setdefault(key, placed)
    return list(told.values())


def _place(mistake: Mistake, origins: dict[str, Origin]) -> tuple[Mistake, str]:
    """Place one mistake; also returns its path below the declaration."""
    path = next((p for p in _upwards(mistake.path) if p in origins), None)
    if path is None:
        return mistake, mistake.path

    def with_place(other: re.Match[str]) -> str:
        there = origins.get(other[0])
        return other[0] + (f" ({there.file}:{there.line})" if there else "")

    origin = origins[path]
    return (
        attrs.evolve(
            mistake,
            found=_PATH.sub(with_place, mistake.found),
            file=mistake.file or origin.file,
            line=mistake.line or origin.line,
        ),
        mistake.path.removeprefix(path),
    )


def _upwards(path: str) -> Iterator[str]:
    """Visit a path and its parents, the longest first."""
    while path:
        yield path
        path = path.rpartition(".")[0]
