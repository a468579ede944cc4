"""Converts values in wasmtime's memory to Python, by code generated from their types.

The code reads a value in place and follows its pointers; it never writes and never
frees. A `Budget` limits how much it may read, because a guest chooses the lengths of
its lists.

A value is 32 bytes: its kind, and from the ninth byte on its content. One unpacking
reads the content of all fields of a record, and lists of numbers are read by one
strided copy. `_content` returns the `struct` format of a type's content; the items
become variables of the code.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, final

from airssys.wasm._c_api import FIELD_SIZE, VAL_SIZE
from airssys.wasm.values import (
    MEMORY,
    Borrow,
    Budget,
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
    TooMuch,
    Tuple,
    Variant,
    WitType,
    remember_small,
)

from ._frame import CONTENT, PIECE

Lift: TypeAlias = Callable[[int, Budget], Any]
"""The address of a value, and what it may still cost."""

_DEEPEST: Final = 8
"""Levels of a type that go into one function; Python limits nesting."""
_NAME: Final = f"{FIELD_SIZE - VAL_SIZE}x"
_KIND: Final = f"{CONTENT}x"
_TEXTS: Final = tuple(struct.Struct(f"{size}s").unpack_from for size in range(128))
"""What reads a short string, by its size; a slice of all memory takes longer."""
_MANY: Final = 50
"""Python's compiler descends one level for each `elif`."""
_SHORT: Final = 32
"""Lists of fewer numbers are unpacked at once."""
_HEAD: Final = ["def lift(address, budget):", "    left = budget.left"]
_TAIL: Final = ["    budget.left = left", "    return result"]


@remember_small
def lift_of(wit: WitType) -> Lift:
    """Make the function for a type, once for all engines."""
    writer = _Writer()
    writer.value_at(wit, "address", "result")
    code = "\n".join([*_HEAD, *writer.lines, *_TAIL])
    # The text contains types and names of fields, as literals; never a guest's values.
    exec(compile(code, "<lifting>", "exec"), writer.names)  # noqa: S102  # see above
    lift: Lift = writer.names["lift"]
    return lift


def _text_at(size: int, at: int) -> str:
    """Read a long string."""
    return str(MEMORY[at : at + size], "utf-8")


def _bytes_at(count: int, values: int) -> bytes:
    """Copy a byte list; a long one in pieces, between which other threads may run."""
    if count <= PIECE:
        return MEMORY[values + CONTENT : values + count * VAL_SIZE : VAL_SIZE].tobytes()
    pieces = []
    for start in range(0, count, PIECE):
        first = values + start * VAL_SIZE
        last = first + min(PIECE, count - start) * VAL_SIZE
        pieces.append(MEMORY[first + CONTENT : last : VAL_SIZE].tobytes())
    return b"".join(pieces)


@functools.cache
def _numbers_of(code: str) -> Callable[[int, int], tuple[Any, ...]]:
    """Make a function that copies a list of numbers of one struct format.

    Short lists are unpacked, long ones copied in pieces like bytes.
    """
    size = struct.calcsize(code)
    one = f"{CONTENT}x{code}{VAL_SIZE - CONTENT - size}x"
    short = [struct.Struct("=" + one * count).unpack_from for count in range(_SHORT)]
    first, step = CONTENT // size, VAL_SIZE // size

    def copy(count: int, values: int) -> tuple[Any, ...]:
        if count < _SHORT:
            return short[count](MEMORY, values)
        numbers: list[Any] = []
        for start in range(0, count, PIECE):
            at = values + start * VAL_SIZE
            end = at + min(PIECE, count - start) * VAL_SIZE
            piece = MEMORY[at:end].cast(code)  # type: ignore[call-overload]  # no literal
            numbers += piece[first::step].tolist()
        return tuple(numbers)

    return copy


def _chars_at(count: int, values: int) -> tuple[str, ...]:
    """Copy a list of characters."""
    return tuple(map(chr, _numbers_of("I")(count, values)))


def _flags_at(count: int, names: int) -> frozenset[str]:
    """Read the names of the flags that are set."""
    pairs = struct.iter_unpack("=QQ", MEMORY[names : names + 16 * count])
    return frozenset([str(MEMORY[at : at + size], "utf-8") for size, at in pairs])


@final
class _Writer:
    """Writes the body of one generated function."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 1
        self.nested = 0
        """How many types enclose the current one."""
        self.variables = 0
        self.names: dict[str, Any] = {
            "Case": Case,
            "Err": Err,
            "M": MEMORY,
            "Ok": Ok,
            "Some": Some,
            "TooMuch": TooMuch,
            "bytes_at": _bytes_at,
            "chars_at": _chars_at,
            "flags_at": _flags_at,
            "new": tuple.__new__,
            "no_Err": Err(),
            "no_Ok": Ok(),
            "text_at": _text_at,
            "texts": _TEXTS,
        }

    def say(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def fresh(self) -> str:
        self.variables += 1
        return f"v{self.variables}"

    def add(self, value: object) -> str:
        """Give a value a name in the generated code."""
        name = f"x{len(self.names)}"
        self.names[name] = value
        return name

    def value_at(self, wit: WitType, address: str, target: str) -> None:
        """Assign the value at an address to the variable `target`."""
        if self.nested == _DEEPEST:
            self.say("budget.left = left")
            self.say(f"{target} = {self.add(lift_of(wit))}({address}, budget)")
            self.say("left = budget.left")
            return
        self.nested += 1
        pattern, items = self._read(wit)
        unpack = self.add(struct.Struct("=" + pattern).unpack_from)
        self.say(f"{', '.join(items)}, = {unpack}(M, {address})")
        self._lift(wit, items, target)
        self.nested -= 1

    def _read(self, wit: WitType) -> tuple[str, list[str]]:
        """Return the pattern of a value, and new variables for its items."""
        content = _content(wit)
        padding = VAL_SIZE - CONTENT - struct.calcsize("=" + content)
        items = [self.fresh() for code in content if code not in "78x"]
        return f"{_KIND}{content}{padding}x", items

    def _lift(self, wit: WitType, items: list[str], target: str) -> None:  # noqa: C901, PLR0912  # one match over a closed union
        match wit:
            case Number() | Float():
                self.say(f"{target} = {items[0]}")
            case Char():
                self.say(f"{target} = chr({items[0]})")
            case String():
                self._spend(items[0])
                self._text(items, target)
            case List(element):
                self._lift_list(element, items, target)
            case Record(fields):
                self._lift_row([each for _, each in fields], _NAME, items[0], target)
            case Tuple(elements):
                self._lift_row(elements, "", items[0], target)
            case Enum():
                self._text(items, target)
            case Flags():
                self.say(f"{target} = flags_at({', '.join(items)})")
            case Variant(cases):
                self._lift_variant(cases, items, target)
            case Option(some):
                self._lift_option(some, items[0], target)
            case Result(ok, err):
                self._lift_result(ok, err, items, target)
            case Own(name) | Borrow(name):
                owned = isinstance(wit, Own)
                call = f"budget.handles.lift({name!r}, {items[0]}, owned={owned})"
                self.say(f"{target} = {call}")

    def _spend(self, size: str) -> None:
        self.say(f"left -= {size}")
        self.say("if left < 0: raise TooMuch")

    def _text(self, items: list[str], target: str) -> None:
        size, at = items
        short, long = f"texts[{size}](M, {at})[0].decode()", f"text_at({size}, {at})"
        self.say(f"{target} = {short} if {size} < {len(_TEXTS)} else {long}")

    def _lift_list(self, element: WitType, items: list[str], target: str) -> None:
        count, values = items
        if element is Number.U8:
            self._spend(count)
            self.say(f"{target} = bytes_at({count}, {values})")
            return
        self._spend(f"{VAL_SIZE} * {count}")
        match element:
            case Number() | Float():
                copy = self.add(_numbers_of(element.value[1]))
                self.say(f"{target} = {copy}({count}, {values})")
            case Char():
                self.say(f"{target} = chars_at({count}, {values})")
            case _:
                self._lift_each(element, items, target)

    def _lift_each(self, element: WitType, items: list[str], target: str) -> None:
        count, values = items
        found, one = self.fresh(), self.fresh()
        end = f"{values} + {VAL_SIZE} * {count}"
        self.say(f"{found} = []")
        if self.nested == _DEEPEST:
            at = self.fresh()
            self.say(f"for {at} in range({values}, {end}, {VAL_SIZE}):")
            self.depth += 1
            self.value_at(element, at, one)
        else:
            pattern, inner = self._read(element)
            unpack = self.add(struct.Struct("=" + pattern).iter_unpack)
            each = ", ".join(inner)
            self.say(f"for {each}, in {unpack}(M[{values} : {end}]):")
            self.depth += 1
            self.nested += 1
            self._lift(element, inner, one)
            self.nested -= 1
        self.say(f"{found}.append({one})")
        self.depth -= 1
        self.say(f"{target} = tuple({found})")

    def _lift_row(
        self, wits: Sequence[WitType], name: str, row: str, target: str
    ) -> None:
        """Unpack all fields at once; `name` skips the bytes before each value."""
        read = [self._read(wit) for wit in wits]
        pattern = "".join(name + each for each, _ in read)
        unpack = self.add(struct.Struct("=" + pattern).unpack_from)
        variables = ", ".join(item for _, items in read for item in items)
        self.say(f"{variables}, = {unpack}(M, {row})")
        fields = [self.fresh() for _ in wits]
        for wit, (_, items), field in zip(wits, read, fields, strict=True):
            self._lift(wit, items, field)
        self.say(f"{target} = ({', '.join(fields)},)")

    def _lift_variant(
        self,
        cases: tuple[tuple[str, WitType | None], ...],
        items: list[str],
        target: str,
    ) -> None:
        name, (size, at, payload) = self.fresh(), items
        short, long = f"texts[{size}](M, {at})[0]", f"text_at({size}, {at}).encode()"
        self.say(f"{name} = {short} if {size} < {len(_TEXTS)} else {long}")
        word = "if"
        for case, wit in cases:
            if wit is not None:
                self.say(f"{word} {name} == {case.encode()!r}:")
                self.depth += 1
                value = self.fresh()
                self.value_at(wit, payload, value)
                self.say(f"{target} = new(Case, ({case!r}, {value}))")
                self.depth -= 1
                word = "elif" if len(cases) < _MANY else "if"
        empty = {case.encode(): Case(case) for case, wit in cases if wit is None}
        if empty:
            known = self.add(empty)
            self.say(f"{word} {name} in {known}: {target} = {known}[{name}]")

    def _lift_option(self, some: WitType, item: str, target: str) -> None:
        self.say(f"if not {item}: {target} = None")
        self.say("else:")
        self.depth += 1
        self.value_at(some, item, target)
        if isinstance(some, Option):
            self.say(f"{target} = Some({target})")
        self.depth -= 1

    def _lift_result(
        self, ok: WitType | None, err: WitType | None, items: list[str], target: str
    ) -> None:
        for test, word, wit in (("if", "Ok", ok), ("else", "Err", err)):
            self.say(f"if {items[0]}:" if test == "if" else "else:")
            self.depth += 1
            if wit is None:
                self.say(f"{target} = no_{word}")
            else:
                value = self.fresh()
                self.value_at(wit, items[1], value)
                self.say(f"{target} = new({word}, ({value},))")
            self.depth -= 1


def _content(wit: WitType) -> str:
    """Return the `struct` format of a value's content."""
    match wit:
        case Number() | Float():
            return str(wit.value[1])
        case Char():
            return "I"
        case Option() | Own() | Borrow():
            return "Q"
        case Record() | Tuple():
            return "8xQ"
        case Result():
            return "?7xQ"
        case Variant():
            return "QQQ"
        case _:
            return "QQ"
