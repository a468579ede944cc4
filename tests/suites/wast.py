"""Reads .wast files: the directives in them, and the values that these mention."""

import math
import re

from airssys.wasm import Case, Err, Ok, Some
from airssys.wasm.values import (
    Enum,
    Flags,
    List,
    Number,
    Option,
    Record,
    Result,
    Tuple,
    Variant,
)

_TOKEN = re.compile(r';;[^\n]*|"(?:\\.|[^"\\])*"|[()]|[^\s()";]+', re.DOTALL)
_ESCAPE = re.compile(rb"\\(u\{[0-9a-fA-F]+\}|[0-9a-fA-F]{2}|.)", re.DOTALL)
_LETTERS = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}


class Unreadable(Exception):
    """Something that this reader does not know."""


def forms(text):
    """Give the outermost forms of a text, as texts."""
    depth, start = 0, 0
    for token in _TOKEN.finditer(_without_block_comments(text)):
        if token.group() == "(":
            start = token.start() if depth == 0 else start
            depth += 1
        elif token.group() == ")":
            depth -= 1
            if depth == 0:
                yield token.string[start : token.end()]


def parts(form):
    """Give the forms inside a form, as texts."""
    return list(forms(form[1:-1]))


def _without_block_comments(text):
    made, depth, at = [], 0, 0
    for mark in re.finditer(r'\(;|;\)|"(?:\\.|[^"\\])*"|;;[^\n]*', text):
        if mark.group() == "(;":
            if depth == 0:
                made.append(text[at : mark.start()])
            depth += 1
        elif mark.group() == ";)":
            depth -= 1
            at = mark.end()
    return "".join(made) + text[at:]


def read(form):
    """Read a form: lists of words, and bytes for the strings."""
    stack = [[]]
    for token in _TOKEN.findall(form):
        if token.startswith(";;"):
            continue
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(_string(token) if token[0] == '"' else token)
    return stack[0][0]


def _string(token):
    return _ESCAPE.sub(_unescaped, token[1:-1].encode())


def _unescaped(match):
    found = match.group(1)
    if found.startswith(b"u{"):
        return chr(int(found[2:-1], 16)).encode()
    if len(found) == 2:
        return bytes([int(found, 16)])
    return _LETTERS.get(found, found)


def value(wit, written):
    """Make the Python value of a type that a constant stands for."""
    kind, *rest = written
    match wit:
        case List(element):
            values = tuple(value(element, one) for one in rest)
            return bytes(values) if element is Number.U8 else values
        case Record(fields):
            given = {name.decode(): one for _, name, *one in rest}
            return tuple(_carried(wit, given[name]) for name, wit in fields)
        case Tuple(elements):
            pairs = zip(elements, rest, strict=True)
            return tuple(value(wit, one) for wit, one in pairs)
        case Flags():
            return frozenset(name.decode() for name in rest)
        case Enum():
            return rest[0].decode()
        case Variant() | Option() | Result():
            return _case(wit, kind, rest)
        case _:
            return _simple(kind, rest[0])


def _case(wit, kind, rest):
    match wit:
        case Variant(cases):
            name, *carried = rest
            inside = dict(cases)[name.decode()]
            return Case(name.decode(), _carried(inside, carried))
        case Option(some):
            if kind == "option.none":
                return None
            found = _carried(some, rest)
            return Some(found) if isinstance(some, Option) else found
        case Result(ok, err):
            if kind == "result.ok":
                return Ok(_carried(ok, rest))
            return Err(_carried(err, rest))


def _carried(wit, rest):
    if wit is None:
        return None
    return value(wit, rest if isinstance(rest[0], str) else rest[0])


def _simple(kind, text):
    name = kind.removesuffix(".const")
    if name in {"f32", "f64"}:
        if text.startswith("nan"):
            return math.nan
        return float.fromhex(text) if "x" in text else float(text.replace("_", ""))
    if name == "bool":
        return text == "true"
    if name in {"char", "str"}:
        return text.decode()
    if not re.fullmatch(r"[us]\d+", name):
        raise Unreadable(kind)
    bits = int(name[1:])
    number = int(text.replace("_", ""), 0) % (1 << bits)
    is_negative = name[0] == "s" and number >> (bits - 1)
    return number - (1 << bits) if is_negative else number
