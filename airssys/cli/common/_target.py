"""Finds what a command line names: `MODULE:NAME`, or `path/to/file.py:NAME`.

Modules are found in the current directory, as with `python -m`; for a file, also in its
folder, as with `python path/to/file.py`. A wrong name is an error of usage. An error
that the module raises is shown with its traceback, without the frames of this program
and of the import system.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, TypeGuard

import click

from airssys.contracts import (
    BLUEPRINT_METHOD,
    ActorSpec,
    AirssysError,
    Blueprint,
    ComponentSpec,
    Mistake,
    SupervisorSpec,
    as_blueprint,
    child_name,
    find_all_mistakes,
    lines_of_mistakes,
)
from airssys.dsl import declaration_of
from airssys.security.policies import grant_mistakes
from airssys.system import EXIT_INTERRUPTED

from ._say import escaped, say, say_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType, TracebackType

_PACKAGE: Final = Path(__file__).parents[2]
_NAMES: Final = str(_PACKAGE / "contracts" / "texts" / "_renamed.py")
"""What answers for a name that a package does not have."""
EXIT_MISTAKES: Final = 1
"""The definition is wrong, a component was refused, or the module raised an error."""

Declared: TypeAlias = Blueprint | type[object]


def find_declared(_: click.Context, __: click.Parameter, value: str) -> Declared:
    """Import the named object.

    Raises:
        click.BadParameter: it does not exist, or cannot be run.
        SystemExit: the module raised an error, which was printed on stderr.
    """
    place, _colon, path = value.rpartition(":")
    if not place or not path:
        text = f"{value!r} is not a valid target: "
        text += "write MODULE:NAME or path/to/file.py:NAME"
        raise click.BadParameter(escaped(text))
    try:
        module = _import(place)
    except _NotFound as error:
        raise click.BadParameter(escaped(str(error))) from error
    try:
        found: object = attrgetter(path)(module)
    except AttributeError as error:
        text = f"{place} has no {path}; {_offer(module)}"
        raise click.BadParameter(escaped(text)) from error
    if not _is_declared(found):
        text = f"{getattr(found, '__qualname__', path)} is neither a topology nor a blueprint"
        text = f"{text}{_what(found)}; {_offer(module)}"
        raise click.BadParameter(escaped(text))
    return found


def target_argument(command: Callable[..., None]) -> Callable[..., None]:
    """Add the argument that names a topology or a blueprint."""
    argument = click.argument("target", metavar="MODULE:NAME", callback=find_declared)
    return argument(command)


def target_option(name: str, text: str) -> Callable[..., Callable[..., None]]:
    """Add an option that names a topology or a blueprint; without it there is None."""

    def find(
        context: click.Context, parameter: click.Parameter, value: str | None
    ) -> Declared | None:
        return None if value is None else find_declared(context, parameter, value)

    return click.option(name, "target", metavar="MODULE:NAME", callback=find, help=text)


def as_checked(declared: Declared) -> Blueprint:
    """Return the blueprint, or end the program with all its mistakes.

    Raises:
        SystemExit: there are mistakes, which were printed on stderr.
    """
    blueprint = as_blueprint(declared)
    mistakes = find_all_mistakes(blueprint, grant_mistakes)
    if mistakes:
        report(mistakes)
        sys.exit(EXIT_MISTAKES)
    return blueprint


def report(mistakes: list[Mistake]) -> None:
    """Print mistakes on stderr, sorted by file and line, and their number."""
    for line in lines_of_mistakes(mistakes):
        say(line, err=True)


class _NotFound(Exception):
    """There is no such module or file."""


def _import(place: str) -> ModuleType:
    is_file = place.endswith(".py") or "/" in place
    if place.startswith(".") and not is_file:
        raise _NotFound(f"{place} is not a module: write its full name")
    try:
        return _import_file(Path(place)) if is_file else _import_module(place)
    except _NotFound:
        raise
    except SystemExit as ending:
        raise _NotFound(
            f"{place} ended the program when it was imported ({ending!r}): "
            'move what it runs below `if __name__ == "__main__":`'
        ) from ending
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:  # noqa: BLE001  # whatever the user's module raises
        if line := _refused_value(error):
            say(line, err=True)
            sys.exit(EXIT_MISTAKES)
        own = _own_frames(error.__traceback__)
        say_lines("".join(traceback.format_exception(None, error, own)))
        say(f"{place} could not be imported", err=True)
        sys.exit(EXIT_MISTAKES)


def _import_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise _NotFound(
            f"there is no module {error.name}, neither in {Path.cwd()} nor "
            "in Python's search path"
        ) from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise _NotFound(f"there is no file {path}")
    name = path.stem if path.stem not in sys.modules else f"_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.absolute())
    if spec is None or spec.loader is None:
        raise _NotFound(f"{path} is not a Python file")
    sys.path.insert(0, str(path.absolute().parent))
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _refused_value(error: Exception) -> str | None:
    """Say in one line which value or name airssys has refused; None for other errors."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = f"{_PACKAGE}/"
    if not frames or not frames[-1].filename.startswith(ours):
        return None
    is_refusal = isinstance(error, (TypeError, ValueError, AirssysError))
    if not is_refusal and frames[-1].filename != _NAMES:
        return None
    own = [
        frame
        for frame in frames
        if not frame.filename.startswith((ours, "<")) and frame.lineno is not None
    ]
    if not own:
        return None
    return f"{own[-1].filename}:{own[-1].lineno}: {error}"


def _own_frames(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the frames that come before the user's own."""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file != __file__ and "importlib" not in file:
            return trace
        trace = trace.tb_next
    return None


def _is_declared(value: object) -> TypeGuard[Declared]:
    if isinstance(value, Blueprint):
        return True
    return inspect.isclass(value) and hasattr(value, BLUEPRINT_METHOD)


def _what(value: object) -> str:
    """Describe a value that is not a system; empty if its kind is not known."""
    declared = declaration_of(value)
    if declared is not None:
        return f", but was declared with @{declared.kind.value}"
    if isinstance(value, (ActorSpec, ComponentSpec, SupervisorSpec)):
        return f", but the specification of a child, {child_name(value)}"
    return ""


def _offer(module: ModuleType) -> str:
    """List what could have been named."""
    names = [n for n, v in vars(module).items() if _is_declared(v) and n[0] != "_"]
    if not names:
        return "decorate a class with @topology, or call blueprint(...)"
    return "it has " + ", ".join(names)
