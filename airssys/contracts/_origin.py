"""Where something was declared: the file and the line that its mistakes are named by."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from ._errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@final
@attrs.frozen
class Origin:
    """A place in a file, and what stands there that no spec can hold."""

    file: str
    """Absolute; in angle brackets if there is no file, e.g. `<stdin>`."""
    line: int
    mistakes: tuple[Mistake, ...] = ()
    """Found when it was read. Their paths begin below what was declared, e.g.
    `.mailbx`; those without a file stand at this place."""


def placed(
    mistakes: Iterable[Mistake], origin: Origin | None, path: str
) -> Iterator[Mistake]:
    """Give mistakes their place, those that the origin holds first."""
    if origin is None:
        yield from mistakes
        return
    file, line = origin.file, origin.line
    for mistake in origin.mistakes:
        below = attrs.evolve(mistake, path=path + mistake.path)
        yield below if below.file else attrs.evolve(below, file=file, line=line)
    for mistake in mistakes:
        yield attrs.evolve(mistake, file=file, line=line)


def bare(origin: Origin | None) -> Origin | None:
    """Return the place alone, for what is below and has none of its own."""
    if origin is None or not origin.mistakes:
        return origin
    return attrs.evolve(origin, mistakes=())
