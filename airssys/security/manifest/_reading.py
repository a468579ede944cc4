"""Reads a `Component.toml`: all that is wrong with it at once, each with its line.

A manifest comes with the code of a stranger. So it is small, is read from a regular
file only, and nothing in it is trusted: what it asks for is a request.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from airssys.contracts import (
    CODEC_NAMES,
    Artifact,
    Backoff,
    Codecs,
    ComponentConfig,
    ComponentId,
    ComponentSpec,
    Grant,
    Health,
    Mistake,
    find_spec_mistakes,
)
from airssys.security.capabilities import KINDS, read_grants

from ._bounded import bounded, read_quotas
from ._lines import Key, find_lines
from ._schema import Capabilities, Manifest, grants_of
from ._signature import signature_problem
from ._structure import Structure

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES: Final = 64 * 1024
"""Of a manifest."""
SUFFIX: Final = ".toml"
CODEC_WORDS: Final = frozenset({"codecs", "prefixed", "sends"})
"""Options that belong together."""
_VARIABLE: Final = re.compile(r"\$\.config\.env\[(\d+)\]")
_AT_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)$")
_HOW_TO_SIGN: Final = (
    "airssys manifest sign makes one, with the extra: pip install 'airssys[audit]'"
)
_NO_CODE: Final = Artifact.from_bytes(b"", "no component")
_SAMPLE: Final = ComponentId("local", "sample")


@final
@attrs.frozen
class Described:
    """What a manifest says of its component."""

    file: Path
    artifact: Artifact
    """Its code; nothing, if the manifest has mistakes there."""
    options: Mapping[str, object]
    """Options of `component`, by their words."""
    requests: tuple[Grant, ...]
    """What it asks for. It holds nothing by that."""
    mistakes: tuple[Mistake, ...]
    """What is wrong, with file and line; and if there is no such file, without."""
    tables: Mapping[str, object] = attrs.field(factory=dict)
    """All that is right, by the names of the tables."""
    above: Mapping[str, str] = attrs.field(factory=dict)
    """By word of an option: what was asked for and is beyond the default."""


def is_manifest(artifact: object) -> bool:
    """Say whether the file of an artifact is a manifest, by its name."""
    source = getattr(artifact, "source", None)
    return isinstance(source, Path) and source.suffix.lower() == SUFFIX


def read_manifest(file: Path) -> Described:
    """Read a manifest; raises nothing, and finds all mistakes."""
    try:
        found = _read_bytes(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        mistake = Mistake(".artifact", f"{file!s:.200} cannot be read: {reason}")
        if isinstance(error, FileNotFoundError):
            hint = "a relative path starts at the file that it is written in"
            mistake = Mistake(".artifact", f"there is no {file}", hint)
        return Described(file, _NO_CODE, {}, (), (mistake,))
    return _described(file, found, len(KINDS))


def _read_bytes(file: Path) -> bytes:
    """Read a regular file, and one byte more than it may have.

    Raises:
        OSError: that is not possible.
        ValueError: it is a folder or a device.
    """
    # Not blocking: a pipe would wait for a writer.
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            kind = "it is a folder" if stat.S_ISDIR(mode) else "it is not a file"
            raise ValueError(kind)
        with os.fdopen(handle, "rb", closefd=False) as opened:
            return opened.read(MOST_BYTES + 1)
    finally:
        os.close(handle)


@lru_cache(maxsize=64)
def _described(file: Path, code: bytes, kinds: int) -> Described:
    """Read the bytes of a manifest; many actors may have the same one.

    `kinds`: the number of kinds that there are; what is remembered is of these.
    """
    del kinds
    text, problem = _as_text(code)
    document: dict[str, Any] = {}
    lines: dict[Key, int] = {(): 1}
    if problem is None:
        document, lines, problem = _parse(text)
    if problem is not None:
        line, found, hint = problem
        mistake = Mistake("", found, hint, str(file), line, "the file")
        return Described(file, _NO_CODE, {}, (), (mistake,))
    structure = Structure(str(file), lines)
    tables = structure.table(Manifest, document)
    requests = tuple(_requests(document, structure))
    options = dict(_options(document, tables, structure))
    artifact = _artifact(file, tables)
    quotas, problems = read_quotas(tables.get("quotas"))
    for name, why in problems.items():
        structure.note(("quotas", name), why, "docs/reference/quotas has the rules")
    for word, key, mistake in tuple(_beyond(options)):
        structure.note(key, mistake.found, mistake.hint)
        for each in CODEC_WORDS if word in CODEC_WORDS else (word,):
            options.pop(each, None)
    problem_there = signature_problem(code, lines, tables)
    if problem_there is not None:
        structure.note(("signature",), problem_there, _HOW_TO_SIGN)
    if quotas:
        options["quotas"] = quotas
    options, above = bounded(options)
    mistakes = tuple(sorted(structure.mistakes, key=lambda each: each.line or 0))
    return Described(file, artifact, options, requests, mistakes, tables, above)


_Problem = tuple[int, str, str]


def _as_text(code: bytes) -> tuple[str, _Problem | None]:
    if len(code) > MOST_BYTES:
        found = f"it has more than {MOST_BYTES} bytes"
        return "", (1, found, "a manifest describes: put data into other files")
    try:
        return code.decode().replace("\r\n", "\n"), None
    except UnicodeDecodeError as error:
        line = code.count(b"\n", 0, error.start) + 1
        return "", (line, "it is not UTF-8", "save it as UTF-8")


def _parse(text: str) -> tuple[dict[str, Any], dict[Key, int], _Problem | None]:
    empty: dict[Key, int] = {(): 1}
    hint = "see https://toml.io for what may be written"
    try:
        document = tomllib.loads(text)
        return document, find_lines(text), None
    except RecursionError:
        return {}, empty, (1, "it is nested too deeply", "write fewer brackets")
    except ValueError as error:  # what tomllib raises, and what int() does
        place = _AT_LINE.search(str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        found = _AT_LINE.sub("", str(error)).removesuffix(" (at end of document)")
        return {}, empty, (line, f"it is not TOML: {found}", hint)


def _requests(document: Mapping[str, Any], structure: Structure) -> Iterator[Grant]:
    """Visit what it asks for, as far as that is valid; the rest is noted."""
    given = document.get("capabilities")
    if not isinstance(given, dict):
        return
    quiet = Structure("", {(): 1})  # what is wrong with the types is noted already
    read = quiet.table(Capabilities, given)
    for name, field in attrs.fields_dict(Capabilities).items():
        if name not in read:
            continue
        key: Key = ("capabilities", name)
        try:
            grants = grants_of(field, read[name])
        except (ValueError, OverflowError) as error:
            structure.note(key, str(error), "docs/reference/grants has the grammar")
            continue
        for number, grant in enumerate(grants):
            at = (*key, number) if isinstance(given[name], list) else key
            if _is_valid(grant, at, structure):
                yield grant


def _is_valid(grant: Grant, key: Key, structure: Structure) -> bool:
    """Check one request; a kind that is not known here may be one of the program's."""
    if key[1] == "custom" and grant.kind not in KINDS:
        return True
    problems = {str(each): None for each in read_grants([grant])[1]}
    for problem in problems:
        found = f"{grant.resource!r}: {problem}"
        structure.note(key, found, "docs/reference/grants has the grammar")
    return not problems


def _artifact(file: Path, tables: Mapping[str, Any]) -> Artifact:
    source = tables.get("source")
    if source is None:
        return _NO_CODE
    artifact = Artifact.at(file.parent / source.path)
    return attrs.evolve(artifact, sha256=source.sha256) if source.sha256 else artifact


_RENAMED: Final = {
    "mailbox.messages": "mailbox",
    "mailbox.bytes": "mailbox_bytes",
    "mailbox.message_bytes": "message_bytes",
    "mailbox.overflow": "overflow",
    "restart.type": "restart",
    "restart.poison": "poison",
    "codecs.accepts": "codecs",
    "codecs.prefixed": "prefixed",
    "codecs.sends": "sends",
}
"""The words of the DSL for keys that have other ones; those of `component` are theirs."""
_WHOLE: Final = {"limits": "limits", "health": "health", "restart.backoff": "backoff"}
"""Tables that are one option, a dict of what was written."""


def _options(
    document: Mapping[str, Any], tables: Mapping[str, Any], structure: Structure
) -> Iterator[tuple[str, object]]:
    """Visit the options that were written and are right, by the words of the DSL."""
    for table in ("component", "mailbox", "restart", "codecs"):
        for key in document.get(table, ()) if table in tables else ():
            if f"{table}.{key}" not in _WHOLE and structure.is_right(table, key):
                word = _RENAMED.get(f"{table}.{key}", key)
                yield word, getattr(tables[table], key)
    for path, word in _WHOLE.items():
        written: Any = document
        value: Any = tables.get(path.partition(".")[0])
        for step in path.split("."):
            written = written.get(step) if isinstance(written, dict) else None
        if isinstance(written, dict) and value is not None:
            value = value.backoff if word == "backoff" else value
            steps = path.split(".")
            right = [key for key in written if structure.is_right(*steps, key)]
            yield word, {key: getattr(value, key) for key in right}


def _beyond(options: Mapping[str, Any]) -> Iterator[tuple[str, Key, Mistake]]:
    """Have values checked as those of any component are; visit option, key, mistake."""
    words = {word: key for key, word in (*_RENAMED.items(), *_WHOLE.items())}
    chosen = {
        word: value
        for word, value in options.items()
        if word not in {"env", "data", "limits", *CODEC_WORDS}
    }
    for word, kind in (("health", Health), ("backoff", Backoff)):
        if word in chosen:
            chosen[word] = kind(**chosen[word])
    takes = tuple(CODEC_NAMES.get(each, each) for each in options.get("codecs", ()))
    sends = options.get("sends")
    if "codecs" in options or sends or options.get("prefixed"):
        chosen["codecs"] = Codecs(
            takes=takes,
            prefixed=options.get("prefixed", False),
            sends=CODEC_NAMES.get(sends, sends) if sends else None,
        )
    sample = Artifact.from_bytes(b"", "sample")
    variables = tuple(options.get("env", {}).items())
    chosen["config"] = ComponentConfig(env=variables)
    spec = ComponentSpec(id=_SAMPLE, artifact=sample, **chosen)
    for mistake in find_spec_mistakes(spec):
        if variable := _VARIABLE.fullmatch(mistake.path):
            name, _ = variables[int(variable[1])]
            yield "env", ("component", "env", name), mistake
            continue
        word, *rest = mistake.path.removeprefix("$.").split(".")
        word = word.partition("[")[0]
        path = words.get(word, f"component.{word}")
        below = (step.partition("[")[0] for step in rest)
        yield word, (*path.split("."), *below), mistake
