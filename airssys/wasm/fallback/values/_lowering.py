"""Writes Python values into wasmtime's memory, by code generated from their types.

`_wit_layout` defines the places. The generated `prepare` writes kinds, names and
pointers, which do not change, and `lower` only what does. Where a variant's cases share
a place, `lower` prepares the one that it writes. Lists are lowered by columns where
their elements allow it (`_wit_lists`), and one by one otherwise.

Code is generated because a component-message has sixteen values: a closure for each
took 8 us, which is more than the call itself; straight code takes 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

import attrs

from airssys.wasm.values import (
    Block,
    Borrow,
    Case,
    Char,
    Enum,
    Err,
    Flags,
    Float,
    List,
    Number,
    Ok,
    Option,
    Own,
    Record,
    Result,
    Some,
    String,
    Tuple,
    ValueUnfit,
    Variant,
    WitType,
    as_bytes,
    as_float,
    remember_small,
    unfit,
)

from ._conversions import at_path, handle, put_f32, put_f64
from ._frame import Frame
from ._layout import FIELD, NAME, VAL, kind_of, row_of, stride_of
from ._lists import column_of, lower_list
from ._strings import FlagRows, Name, TextRows

if TYPE_CHECKING:
    from ._columns import Column

Prepare: TypeAlias = Callable[[Block, int, int], None]
"""Block, word of the value, word where its fixed places begin."""
Lower: TypeAlias = Callable[[Frame, Block, int, int, Any], None]
"""Frame, block, the same two words, the Python value."""

_MASK: Final = 2**64 - 1
_DEEPEST: Final = 8
"""Levels of a type that go into one function; Python limits nesting."""
_NAMES: Final[dict[str, Any]] = {
    "Case": Case,
    "Err": Err,
    "Ok": Ok,
    "Some": Some,
    "ValueUnfit": ValueUnfit,
    "as_bytes": as_bytes,
    "as_float": as_float,
    "at_path": at_path,
    "handle": handle,
    "list_of": lower_list,
    "put_f32": put_f32,
    "put_f64": put_f64,
    "unfit": unfit,
}


@remember_small
def generate(wit: WitType, path: str) -> tuple[Prepare, Lower]:
    """Make the two functions for a type; errors name `path` and what is below it.

    They are made once for all engines: the whole world takes 40 ms.
    """
    source = _Source()
    prepare = _Writer(source, ["def prepare(block, a, m):", "    w = block.words"])
    prepare.lines.append("    base = block.base")
    prepare.prepare(wit, _Place("a", 0), _Place("m", 0))
    head = ["def lower(frame, block, a, m, v):", "    w = block.words"]
    lower = _Writer(source, [*head, "    base = block.base"])
    lower.lower(wit, _Place("a", 0), _Place("m", 0), "v", path)
    source.compile([*prepare.lines, *lower.lines], path)
    return source.names["prepare"], source.names["lower"]


@remember_small
def _generate_list(element: WitType, path: str) -> tuple[int, Column | None, Any]:
    """Make a function that lowers the elements of a list: at once, or one by one."""
    source = _Source()
    head = ["def lower_each(frame, block, a, m, values):", "    w = block.words"]
    each = _Writer(source, [*head, "    base = block.base", "    count = a"])
    each.say("try:")
    each.depth += 1
    each.say("for v in values:")
    each.depth += 1
    each.nested += 1
    each.prepare(element, _Place("a", 0), _Place("m", 0))
    each.lower(element, _Place("a", 0), _Place("m", 0), "v", f"{path}[]")
    each.say(f"a += {VAL}")
    each.say(f"m += {stride_of(element) - VAL}")
    each.depth -= 2
    each.say("except ValueUnfit as error:")
    each.say(f"    raise at_path(error, {path!r}, (a - count) // {VAL})")
    source.compile(each.lines, path)
    return stride_of(element), column_of(element), source.names["lower_each"]


@final
@attrs.frozen
class _Place:
    """A word in a block: a variable and a number of words behind it."""

    variable: str
    words: int

    def plus(self, words: int) -> _Place:
        return _Place(self.variable, self.words + words)

    def __str__(self) -> str:
        return f"{self.variable} + {self.words}" if self.words else self.variable


@final
class _Source:
    """The names that generated code refers to."""

    def __init__(self) -> None:
        self.kept: list[Name] = []
        self.names: dict[str, Any] = {**_NAMES, "kept": self.kept}

    def place_of(self, text: str) -> tuple[int, int]:
        """Keep a name in memory; its size and address go into the text as numbers."""
        name = Name(text)
        self.kept.append(name)
        return name.place

    def add(self, value: object) -> str:
        """Give a value a name in the generated code."""
        name = f"x{len(self.names)}"
        self.names[name] = value
        return name

    def compile(self, lines: list[str], path: str) -> None:
        """Compile the functions and return those in `names`."""
        # The text contains types and names of fields, as literals; never a value.
        code = compile("\n".join(lines), f"<lowering of {path}>", "exec")
        exec(code, self.names)  # noqa: S102  # see above


@final
class _Writer:
    """Writes the body of one generated function."""

    def __init__(self, source: _Source, lines: list[str]) -> None:
        self.source = source
        self.lines = lines
        self.depth = 1
        self.nested = 0
        """How many branches enclose what is written."""
        self.variables = 0

    def say(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def fresh(self) -> str:
        self.variables += 1
        return f"v{self.variables}"

    def prepare(self, wit: WitType, at: _Place, more: _Place) -> None:
        """Write what never changes."""
        self.say(f"w[{at}] = {kind_of(wit)}")
        match wit:
            case Record() | Tuple():
                self._prepare_row(wit, at, more)
            case Option(some):
                self.prepare(some, more, more.plus(VAL))
            case _:
                pass

    def _prepare_row(self, wit: Record | Tuple, at: _Place, more: _Place) -> None:
        row = row_of(wit)
        self.say(f"w[{at.plus(1)}] = {len(row)}")
        self.say(f"w[{at.plus(2)}] = base + 8 * ({more})")
        for name, field, place, inner in row:
            if name:
                size, address = self.source.place_of(name)
                self.say(f"w[{more.plus(place - NAME)}] = {size}")
                self.say(f"w[{more.plus(place - NAME + 1)}] = {address}")
            self.prepare(field, more.plus(place), more.plus(inner))

    def lower(  # noqa: C901  # one match over a closed union
        self, wit: WitType, at: _Place, more: _Place, v: str, path: str
    ) -> None:
        """Write what changes, from the Python value in the variable `v`."""
        first = at.plus(1)
        match wit:
            case Number():
                self._lower_number(wit, first, v, path)
            case Float():
                self.say(f"if type({v}) is not float: {v} = as_float({v}, {path!r})")
                self.say(f"put_{wit.value[0]}(block.data, 8 * ({first}), {v})")
            case Char():
                fits = f"type({v}) is str and len({v}) == 1"
                self._require(
                    f"{fits} and not '\\ud800' <= {v} <= '\\udfff'", v, path, "char"
                )
                self.say(f"w[{first}] = ord({v})")
            case String() | List() | Enum() | Flags():
                self._lower_pair(wit, f"w[{first}], w[{at.plus(2)}]", v, path)
            case Record() if _is_all_text(wit):
                self._lower_text_record(wit, more, v, path)
            case Record() | Tuple():
                self._lower_row(wit, more, v, path)
            case Option(some):
                self._lower_option(some, first, more, v, path)
            case Variant(cases):
                self._lower_variant(cases, at, more, v, path)
            case Result(ok, err):
                self._lower_result((ok, err), at, more, v, path)
            case Own(name) | Borrow(name):
                owned = isinstance(wit, Own)
                call = f"handle(frame, {name!r}, {v}, {owned}, {path!r})"
                self.say(f"w[{first}] = {call}")

    def _lower_pair(
        self, wit: String | List | Enum | Flags, pair: str, v: str, path: str
    ) -> None:
        """Write a number of items and their address."""
        match wit:
            case String():
                self._require(f"isinstance({v}, str)", v, path, "str")
                self.say(f"{pair} = frame.put_text({v}, {path!r})")
            case List(Number.U8):
                self.say(f"if type({v}) is not bytes: {v} = as_bytes({v}, {path!r})")
                self.say(f"{pair} = len({v}), frame.put_byte_values({v})")
            case List(element):
                how = self.source.add(_generate_list(element, path))
                self.say(f"{pair} = list_of(frame, {how}, {v}, {path!r})")
            case Enum(cases):
                table = self.source.add({c: self.source.place_of(c) for c in cases})
                fits = f"isinstance({v}, str) and {v} in {table}"
                self._require(fits, v, path, " | ".join(cases))
                self.say(f"{pair} = {table}[{v}]")
            case Flags(names):
                rows = self.source.add(FlagRows(names, path))
                row = self.fresh()
                self.say(f"{row} = {rows}.find({v})")
                self.say(f"frame.borrowed.append({row})")
                self.say(f"{pair} = {row}.place")

    def _require(self, condition: str, v: str, path: str, wanted: str) -> None:
        self.say(f"if not ({condition}): unfit({path!r}, {v}, {wanted!r})")

    def _lower_number(self, number: Number, place: _Place, v: str, path: str) -> None:
        name, _, low, high = number.value
        if number is Number.BOOL:
            self._require(f"{v} is True or {v} is False", v, path, name)
        else:
            fits = f"type({v}) is int and {low} <= {v} <= {high}"
            self._require(fits, v, path, name)
        self.say(f"w[{place}] = {v} & {_MASK}" if low < 0 else f"w[{place}] = {v}")

    def _lower_text_record(self, wit: Record, more: _Place, v: str, path: str) -> None:
        """Write a record of strings, such as an identity, from one made before."""
        rows = self.source.add(TextRows(wit, path))
        words = len(wit.fields) * FIELD
        row = self.fresh()
        self.say(f"{row} = {rows}.find({v})")
        self.say(f"frame.borrowed.append({row})")
        self.say(f"block.data[8 * ({more}) : 8 * ({more.plus(words)})] = {row}.data")

    def _lower_row(self, wit: Record | Tuple, more: _Place, v: str, path: str) -> None:
        row = row_of(wit)
        fits = f"isinstance({v}, tuple) and len({v}) == {len(row)}"
        self._require(fits, v, path, f"tuple of {len(row)}")
        names = [self.fresh() for _ in row]
        self.say(f"{', '.join(names)}, = {v}")
        for index, (name, field, place, inner) in enumerate(row):
            below = f"{path}.{name or index}"
            self.lower(field, more.plus(place), more.plus(inner), names[index], below)

    def _lower_option(
        self, some: WitType, first: _Place, more: _Place, v: str, path: str
    ) -> None:
        self.say(f"if {v} is None: w[{first}] = 0")
        self.say("else:")
        self.depth += 1
        inner = v
        if isinstance(some, Option):
            self._require(f"type({v}) is Some", v, path, "None | Some")
            inner = self.fresh()
            self.say(f"{inner} = {v}.value")
        self.say(f"w[{first}] = base + 8 * ({more})")
        self._lower_below(some, more, inner, path)
        self.depth -= 1

    def _lower_variant(
        self,
        cases: tuple[tuple[str, WitType | None], ...],
        at: _Place,
        more: _Place,
        v: str,
        path: str,
    ) -> None:
        names = " | ".join(name for name, _ in cases)
        self._require(f"type({v}) is Case", v, path, names)
        chosen = self.fresh()
        self.say(f"{chosen} = {v}.name")
        for name, payload in cases:
            self.say(f"if {chosen} == {name!r}:")
            self.depth += 1
            size, address = self.source.place_of(name)
            self.say(f"w[{at.plus(1)}] = {size}")
            self.say(f"w[{at.plus(2)}] = {address}")
            self._lower_payload(payload, at.plus(3), more, v, f"{path}.{name}")
            self.depth -= 1
        known = self.source.add(tuple(name for name, _ in cases))
        self._require(f"{chosen} in {known}", v, path, names)

    def _lower_result(
        self,
        sides: tuple[WitType | None, WitType | None],
        at: _Place,
        more: _Place,
        v: str,
        path: str,
    ) -> None:
        self._require(f"type({v}) is Ok or type({v}) is Err", v, path, "Ok | Err")
        self.say(f"w[{at.plus(1)}] = type({v}) is Ok")
        for name, side in zip(("Ok", "Err"), sides, strict=True):
            self.say(f"if type({v}) is {name}:")
            self.depth += 1
            self._lower_payload(side, at.plus(2), more, v, f"{path}.{name.lower()}")
            self.depth -= 1

    def _lower_payload(
        self, wit: WitType | None, pointer: _Place, more: _Place, v: str, path: str
    ) -> None:
        """Write the content of a case; if it has none, there must be none."""
        if wit is None:
            self._require(f"{v}.value is None", f"{v}.value", path, "None")
            self.say(f"w[{pointer}] = 0")
            return
        inner = self.fresh()
        self.say(f"{inner} = {v}.value")
        self.say(f"w[{pointer}] = base + 8 * ({more})")
        self.prepare(wit, more, more.plus(VAL))
        self._lower_below(wit, more, inner, path)

    def _lower_below(self, wit: WitType, more: _Place, v: str, path: str) -> None:
        """Write a value one level deeper; below a limit, by a function of its own."""
        if self.nested == _DEEPEST:
            lower = self.source.add(generate(wit, path)[1])
            self.say(f"{lower}(frame, block, {more}, {more.plus(VAL)}, {v})")
            return
        self.nested += 1
        self.lower(wit, more, more.plus(VAL), v, path)
        self.nested -= 1


def _is_all_text(wit: Record) -> bool:
    return all(isinstance(field, String) for _, field in wit.fields)
