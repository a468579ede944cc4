"""Grants as words of a command line: `read /data`, `env HOME LANG`, `clock 0.001`."""

from __future__ import annotations

import inspect
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airssys import security
from airssys.contracts import Grant, meant

if TYPE_CHECKING:
    from collections.abc import Callable

_FILES: Final = {
    "read": security.read_files,
    "list": security.list_files,
    "write": security.write_files,
    "delete": security.delete_files,
}
_OTHERS: Final[dict[str, Callable[..., Grant]]] = {
    "bind": security.bind,
    "clock": lambda seconds=0: security.clock(float(seconds)),
    "connect": security.connect,
    "env": security.env,
    "everything": security.everything,
    "http": lambda origin, methods="*": security.http(origin, methods=methods),
    "insecure-random": security.insecure_random,
    "monotonic-clock": lambda seconds=0: security.monotonic_clock(float(seconds)),
    "random": security.random,
    "resolve": security.resolve,
}
GRANT_WORDS: Final = (*_FILES, *_OTHERS)
"""What a grant of a command line may begin with."""


def read_grant_words(text: str) -> Grant:
    """Read a grant.

    A path without wildcards stands for itself and all below it, unless it is a file of
    the host. What follows `at=` is the host's folder that is seen there.

    Raises:
        ValueError: it is not a grant; says why.
    """
    try:
        word, *rest = shlex.split(text)
    except ValueError as error:
        what = "is empty" if not text.strip() else f"cannot be read: {error}"
        raise ValueError(f"{text!r} {what}") from None
    if word in _FILES:
        return _read_files(word, rest)
    if word not in _OTHERS:
        hint = meant(word, GRANT_WORDS, "the words are")
        raise ValueError(f"{word!r} is not a word for a grant: {hint}")
    make = _OTHERS[word]
    try:
        inspect.signature(make).bind(*rest)
        return make(*rest)
    except TypeError:
        given = " ".join(rest) or "nothing"
        raise ValueError(
            f"{word} does not take {given}: write {_usage(word)}"
        ) from None


def _usage(word: str) -> str:
    parameters = inspect.signature(_OTHERS[word]).parameters.values()
    shown = [
        f"[{each.name.upper()}]"
        if each.default is not each.empty
        else each.name.upper()
        for each in parameters
    ]
    return " ".join([word, *shown])


def _read_files(word: str, rest: list[str]) -> Grant:
    paths = [each for each in rest if not each.startswith("at=")]
    places = [each.removeprefix("at=") for each in rest if each.startswith("at=")]
    if len(paths) != 1 or len(places) > 1:
        raise ValueError(f"write {word} PATH or {word} PATH at=FOLDER")
    (path,), at = paths, places[0] if places else None
    if not path.startswith("/"):
        hint = f"write {word} /{path} at=FOLDER, or the whole path"
        raise ValueError(f"{path!r} is not an absolute path: {hint}")
    if "*" not in path and (at is not None or not Path(path).is_file()):
        path = f"{path.rstrip('/')}/**"
    return _FILES[word](path, at=None if at is None else str(Path(at).absolute()))
