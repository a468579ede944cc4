"""Finds the files that a blueprint names and that are not there."""

from __future__ import annotations

import stat
from pathlib import Path

import attrs

from airssys.contracts.errors import DefinitionError, Mistake
from airssys.contracts.specs import ComponentSpec, guarded, place_mistakes
from airssys.contracts.values import is_kind

from ._blueprint import Blueprint, Check, find_mistakes, walk


def missing_artifacts(blueprint: Blueprint) -> list[Mistake]:
    """Find the files that a blueprint names and that cannot be read.

    A file that is named in several places is a mistake in each of them, but only one
    mistake for all the actors of one place.
    """
    found: dict[object, Mistake | None] = {}
    for path, spec in walk(blueprint.root):
        if not isinstance(spec, ComponentSpec):
            continue
        file = getattr(spec.artifact, "source", None)
        if not isinstance(file, Path) or (file, spec.origin) in found:
            continue
        found[file, spec.origin] = None
        if problem := _file_problem(file):
            hint = "a relative path starts at the file that it is written in"
            mistake = Mistake(f"{path}.artifact", problem, hint)
            if origin := spec.origin:
                mistake = attrs.evolve(mistake, file=origin.file, line=origin.line)
            found[file, spec.origin] = mistake
    return [mistake for mistake in found.values() if mistake is not None]


def _file_problem(file: Path) -> str | None:
    try:
        # Since Python 3.14 `is_file` of a path hides the error.
        mode = file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return f"there is no {file}"
    except OSError as error:
        return f"{file!s:.200} cannot be read: {error.strerror}"
    if stat.S_ISREG(mode):
        return None
    kind = "a folder" if stat.S_ISDIR(mode) else "not a file that can be read twice"
    return f"{file} is {kind}"


def find_all_mistakes(blueprint: Blueprint, *more: Check) -> list[Mistake]:
    """Check a whole blueprint, and the files that it names; raises nothing.

    `more`: further checks of the whole, by packages that know more about parts of it.
    """
    mistakes = find_mistakes(blueprint, *more)
    # A topology has looked for its files when it was compiled.
    known = {(m.file, m.line, m.found) for m in mistakes}

    def look() -> list[Mistake]:
        if not is_kind(blueprint, Blueprint):
            return []
        found = missing_artifacts(blueprint)
        if not found:
            return []  # `mistakes` has what the places themselves report
        return place_mistakes(found, [("$", blueprint), *walk(blueprint.root)])

    missing = guarded(look, "$")
    return mistakes + [m for m in missing if (m.file, m.line, m.found) not in known]


def check_all(blueprint: Blueprint, *more: Check) -> None:
    """Refuse a blueprint that cannot be run, or that names a file that is not there.

    Raises:
        DefinitionError: with every mistake, each with its path and a hint.
    """
    if mistakes := find_all_mistakes(blueprint, *more):
        raise DefinitionError(mistakes)
