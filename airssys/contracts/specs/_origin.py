"""Where something was declared: the file and line that its mistakes name.

A specification may carry its origin. Code that makes a specification from what a person
wrote stores there what it could not read, so that checking the whole finds every
mistake.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from airssys.contracts.errors import Mistake
from airssys.contracts.texts import kind_name, one_line, plain_text, text_of
from airssys.contracts.values import ComponentId, is_kind, is_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_LONGEST_NAME: Final = 128
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
    name: str = ""
    """What was declared there, if it has a name of its own there: a topology's class."""


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
    places = tuple(tree)
    origins: dict[str, Origin] = {}
    found: list[Mistake] = []
    for path, each in places:
        own = getattr(each, "origin", None)
        if isinstance(own, Origin):
            origins[path] = own
            if own.mistakes:
                found += [attrs.evolve(m, path=path + m.path) for m in own.mistakes]
    found += mistakes
    if not found:
        return []  # as it is almost always: nothing has to be named
    names: dict[str, str] = {}
    for path, each in places:
        names[path] = _name(path, each, names)
    unique: dict[object, Mistake] = {}
    for mistake in found:
        placed, below = _place(mistake, origins, names)
        file, line = placed.file, placed.line
        key = placed if file is None else (file, line, below, mistake.found)
        unique.setdefault(key, placed)
    return list(unique.values())


def _name(path: str, each: object, names: dict[str, str]) -> str:
    """Name what stands at a path by what was declared, from the top down."""
    above, _dot, step = path.rpartition(".")
    if above == "$" or not above:
        origin = getattr(each, "origin", None)
        declared = origin.name if isinstance(origin, Origin) else ""
        return declared or _own_name(each) or "blueprint"
    own = "" if step in {"template", "member"} else _own_name(each)
    return f"{names.get(above, above)}.{own or step}"


def _own_name(each: object) -> str:
    """Return the name of a child; empty if what it has is not a name."""
    identity: Any = getattr(each, "id", None)
    if is_kind(identity, ComponentId):
        alone = ComponentId("local", identity.name)
        return identity.name if identity == alone else str(identity)
    name: Any = getattr(each, "name", None)
    if not is_text(name):
        return ""
    text = plain_text(name)
    return text if len(text) <= _LONGEST_NAME else ""


def _place(
    mistake: Mistake, origins: dict[str, Origin], names: dict[str, str]
) -> tuple[Mistake, str]:
    """Place one mistake; also returns its path below the declaration."""
    path = next((p for p in _upwards(mistake.path) if p in origins), None)
    if path is None:
        return mistake, mistake.path
    known = next(p for p in _upwards(mistake.path) if p in names)

    def with_place(other: re.Match[str]) -> str:
        there = origins.get(other[0])
        if there is None:
            return other[0]
        return f"{names.get(other[0], other[0])} ({there.file}:{there.line})"

    origin = origins[path]
    return (
        attrs.evolve(
            mistake,
            found=_PATH.sub(with_place, mistake.found),
            file=mistake.file or origin.file,
            line=mistake.line or origin.line,
            place=names[known] + mistake.path.removeprefix(known),
        ),
        mistake.path.removeprefix(path),
    )


def _upwards(path: str) -> Iterator[str]:
    """Visit a path and its parents, the longest first."""
    while path:
        yield path
        path = path.rpartition(".")[0]
