"""Find phrases that are not plain English, in code and documents.

    python .ci/check_english.py              # every file of the project
    python .ci/check_english.py airssys/cli  # these files and folders only

Prose is checked: Markdown, comments, docstrings, string literals and the Makefile; the name
of a test too, which is a sentence. Other names in code and text in backticks are not.
`PHRASES` has each pattern with what to write instead, `EXCEPTIONS` the places where a phrase
is right, each with a reason.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent

PHRASES = {
    r"(?<!there )\b(?:is|are|was|were|be) no (?!longer\b|more\b|less\b|different\b|fewer\b|"
    r"better\b|worse\b|slower\b|faster\b|larger\b|smaller\b|later\b|earlier\b)": (
        "'is not a valid X', 'is not an X', or 'there is no X'"
    ),
    r"\bmend(?:s|ed|ing)?\b": "'fix'",
    r"\btold\b": "'reported', 'notified' or 'given'",
    r"\b(?:tells?|telling) of\b": "'report'",
    r"\bsaid\b": "'declared', 'given', 'reported', or leave it out",
    r"\bcircles?\b": "'cycle'",
    r"\bin hand\b": "'in progress' or 'being handled'",
    r"\b(?:bears?|bearing|borne)\b": "'has' or 'carries'",
    r"\b(?:hears?|heard)\b": "'is notified of'",
    r"\blook(?:s|ed|ing)? at\b": "'inspect', 'check' or 'read'",
    r"\b(?:nobody|everybody|somebody|anybody)\b": (
        "name what it is: 'no actor', 'every listener', 'another task'"
    ),
    r"\bso (?:many|often)\b(?! that\b)": "'that many', 'that often'",
    r"(?-i:\bWho [a-z]+\b)(?![^.]{0,60}\?)": (
        "name the subject: 'An actor that …', 'A caller that …'"
    ),
    r"\bwho(?:ever|soever)\b": "'code that …', 'the actor that …', 'the caller'",
    r"\bwhom\b": "'which actor'; 'who' is for people",
    r"\b(?:actor|supervisor|child|children|component|guest|member|task|message|sender|"
    r"asker|caller|callee|receiver|publisher|subscriber|listener|instance|call|thread|"
    r"parent|sibling|one)s? who\b": "'that'; 'who' is for people",
    r"\b(?:those|all|one|ones) who\b": "'those that', or name them",
    r"\bwithout a word\b": "'silently'",
    r"\b(?:for|of) want of\b": "'because there is no …'",
    r"\bin vain\b": "'without effect'",
    r"\bdone without\b": "'ignored' or 'not used'",
    r"\bbec[oa]mes? of\b": "'what happens to'",
    r"\blives? on\b": "'keeps running'",
    r"\bto be had\b": "'available'",
    r"\balike\b": "'identical' or 'the same way'",
    r"\bin one go\b": "'without interruption'",
    r"\bexams?\b": "'conformance test' or 'conformance check'",
    r"\b(?:is|are|was) called as\b": "'has the same name as'",
    r"\bin all else\b": "'otherwise'",
    r"\bof its own wish\b|\bby its own wish\b": "'because it chose to'",
    r"\b(?:household|crew|desk|seat|surroundings|occupation|puppet|troupe|escapee|"
    r"offence|duel)s?\b": (
        "the word of the glossary: ordered children, child runner, request handler, cell, "
        "shared, incarnation, scripted child, fatal error, intensity exceeded, lockstep"
    ),
}
"""Pattern, matched in text whose words are one space apart: what to write instead."""

EXCEPTIONS: dict[tuple[str, str], str] = {}
"""(Path, phrase as found): why it is right there."""

CHECKED = ("airssys", "docs", "examples", "perf", "tests", "wit", ".ci")
TOP_LEVEL = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "Makefile",
    "pyproject.toml",
    "airssys_command.py",
    "pytest_airssys.py",
)
WITH_EVERY_PHRASE = {".ci/check_english.py", "tests/project/test_english.py"}
"""Not checked: this file and its test have to contain the phrases."""

_COMMENTS = {
    ".wit": re.compile(r"//+(.*)$"),
    ".wat": re.compile(r";;+(.*)$"),
    ".toml": re.compile(r"(?:^|\s)#(.*)$"),
    ".rs": re.compile(r"//+(.*)$"),
    ".c": re.compile(r"(?://+|/\*|^ \*)(.*)$"),
}
_COMPILED = {
    re.compile(pattern, re.IGNORECASE): advice for pattern, advice in PHRASES.items()
}
_IN_BACKTICKS = re.compile(r"`[^`\n]*`")
_IN_BRACES = re.compile(r"\{[^{}]*\}")
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


class Found(NamedTuple):
    """A phrase that should be written differently."""

    line: int
    phrase: str
    advice: str


class _Line(NamedTuple):
    number: int
    text: str


def find_phrases(text: str, suffix: str) -> list[Found]:
    """Find each phrase in the prose of a file with this suffix, in the order of lines."""
    found = [f for block in _blocks(text, suffix) for f in _find_in(block)]
    return sorted(found)


def _find_in(block: list[_Line]) -> Iterator[Found]:
    """Search a block as one line, so that a phrase may be broken over two."""
    words = [(w, line.number) for line in block for w in line.text.split()]
    starts, position = [], 0
    for word, _ in words:
        starts.append(position)
        position += len(word) + 1
    joined = " ".join(word for word, _ in words)
    for pattern, advice in _COMPILED.items():
        for match in pattern.finditer(joined):
            _, number = words[bisect_right(starts, match.start()) - 1]
            yield Found(number, match.group().strip(), advice)


def _blocks(text: str, suffix: str) -> Iterator[list[_Line]]:
    """Yield what belongs together: a paragraph, a string, comments below each other."""
    match suffix:
        case ".py":
            yield from _python_blocks(text)
        case ".md":
            yield from _paragraphs(_FENCE.sub(_blank_fence, text))
        case "" | ".mk":
            yield from _paragraphs(text)
        case _ if suffix in _COMMENTS:
            comments = [_COMMENTS[suffix].search(line) for line in text.split("\n")]
            found = [match[1] if match else "" for match in comments]
            yield from _paragraphs("\n".join(found))
        case _:
            pass


def _blank_fence(match: re.Match[str]) -> str:
    """Keep the comments and strings of Python that a document shows."""
    block = match.group()
    if not block.startswith("```python"):
        return "\n" * block.count("\n")
    lines = block.split("\n")
    code = "\n".join(["", *lines[1:-1], ""])
    try:
        kept = {ln.number: ln.text for b in _python_blocks(code) for ln in b}
    except (tokenize.TokenError, SyntaxError):
        kept = {}
    return "\n".join(kept.get(number, "") for number in range(1, len(lines) + 1))


def _paragraphs(text: str, first: int = 1) -> Iterator[list[_Line]]:
    block: list[_Line] = []
    for number, line in enumerate(text.split("\n"), first):
        plain = _IN_BACKTICKS.sub(" `` ", line)
        if plain.strip():
            block.append(_Line(number, plain))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _python_blocks(code: str) -> Iterator[list[_Line]]:
    strings = (tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
    comments: list[_Line] = []
    literals: list[_Line] = []
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            text = _IN_BACKTICKS.sub(" `` ", token.string.lstrip("#"))
            if comments and line != comments[-1].number + 1:
                yield comments
                comments = []
            comments.append(_Line(line, text))
        elif token.type in strings:
            if token.string.lstrip("rRuUbBfF").startswith(('"""', "'''")):
                yield from _paragraphs(token.string, line)
            else:
                literals.append(_Line(line, _unquoted(token.string)))
        elif token.type == tokenize.NAME and token.string.startswith("test_"):
            yield [_Line(line, token.string.replace("_", " "))]
        elif token.type not in (tokenize.NL, *_FSTRING_ENDS) and literals:
            yield _if_prose(literals)
            literals = []
    yield comments
    yield _if_prose(literals)


def _if_prose(literals: list[_Line]) -> list[_Line]:
    """Leave out a single word: it is a key or a name, not a text."""
    return literals if sum(len(ln.text.split()) for ln in literals) > 1 else []


_FSTRING_ENDS = tuple(
    getattr(tokenize, name)
    for name in ("FSTRING_START", "FSTRING_END")
    if hasattr(tokenize, name)
)


def _unquoted(literal: str) -> str:
    text = re.sub(r"^[rRuUbBfF]*[\"']|[\"']$", "", literal).replace("\\n", " ")
    return _IN_BACKTICKS.sub(" `` ", _IN_BRACES.sub(" {} ", text))


def check(paths: list[str]) -> list[str]:
    """Say what to write instead, a line for each phrase found in these files."""
    return [
        f"{path}:{found.line}: {found.phrase!r}: write {found.advice}"
        for path in paths
        for found in find_phrases((ROOT / path).read_text("utf-8"), Path(path).suffix)
        if (path, found.phrase) not in EXCEPTIONS
    ]


def files_of_the_project() -> list[str]:
    """List the texts that git tracks, without what is not checked."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--", *CHECKED, *TOP_LEVEL],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = listing.stdout.split("\0")
    texts = (name for name in names if name and not name.endswith(".wasm"))
    every = {name for name in texts if (ROOT / name).is_file()}
    return sorted(every - WITH_EVERY_PHRASE)


def _below(path: str, places: list[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def main(arguments: list[str]) -> int:
    """Print what was found; the exit status is 1 if that was anything."""
    chosen = [argument.rstrip("/") for argument in arguments]
    every = files_of_the_project()
    paths = [path for path in every if _below(path, chosen)] if chosen else every
    found = check(paths)
    print("\n".join(found) or f"{len(paths)} files checked")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
