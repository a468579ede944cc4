"""From a guest's memory, or from flat core values, to Python: generated code.

A value in memory is read in two steps. One unpacking reads all its *slots*: the numbers
that lie at offsets which its type fixes, such as the fields of a record, the pointer and
the length of a string, the discriminant of a variant. Then what the slots say is
followed: strings and lists through their pointers, and what a case carries at its place.
Flat values go through the same second step; only numbers and variants differ there.

The second step's `place` is where the value begins in memory, None for a flat one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, final

from airssys.wasm.values import (
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
    Variant,
    WitType,
    remember_small,
)

from ._code import DEEPEST, Code, pattern_of
from ._context import Context, char, no_case
from ._layouts import (
    Core,
    cases_of,
    discriminant,
    fields_of,
    flags_format,
    flat,
    layout,
    offsets_of,
    payload_offset,
)

Load: TypeAlias = Callable[[Context, int], Any]
"""The value at an address, whose place was checked."""
LiftFlat: TypeAlias = Callable[..., Any]
"""Context and core values; i32 and i64 are unsigned."""

_COST: Final = 32
"""Bytes that an element of a list counts for, whatever is in it, but for `list<u8>`."""
_MANY: Final = 50
"""Python's compiler descends one level for each `elif`."""


def _f32(bits: int) -> float:
    value: float = struct.unpack("<f", struct.pack("<I", bits & 0xFFFFFFFF))[0]
    return value


def _f64(bits: int) -> float:
    value: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return value


_NAMES: Final[dict[str, Any]] = {
    "Case": Case,
    "Err": Err,
    "Ok": Ok,
    "Some": Some,
    "char": char,
    "f32": _f32,
    "f64": _f64,
    "new": tuple.__new__,
    "no_case": no_case,
}


@remember_small
def loader(wit: WitType) -> Load:
    """Make the function that reads a value of this type from memory."""
    code = _Lifting("def load(cx, at):", _NAMES)
    code.load(wit, "at", 0, "result")
    code.say("return result")
    load: Load = code.compile("load")
    return load


@remember_small
def flat_lifter(wits: tuple[WitType, ...]) -> LiftFlat:
    """Make the function that turns flat core values into a tuple of these types."""
    code = _Lifting("", _NAMES)
    targets: list[str] = []
    cores: list[str] = []
    for wit in wits:
        items = [code.fresh() for _ in flat(wit)]
        target = code.fresh()
        code.flat(wit, items, target)
        cores += items
        targets.append(target)
    code.set_head(f"def lift({', '.join(['cx', *cores])}):")
    code.say(f"return ({''.join(f'{target}, ' for target in targets)})")
    lift: LiftFlat = code.compile("lift")
    return lift


def slots_of(wit: WitType, offset: int) -> list[tuple[int, str]]:
    """The numbers of a value whose offsets its type fixes, with their formats."""
    match wit:
        case Number.BOOL:
            return [(offset, "B")]
        case Number() | Float():
            return [(offset, wit.value[1])]
        case Char() | Own() | Borrow():
            return [(offset, "I")]
        case String() | List():
            return [(offset, "I"), (offset + 4, "I")]
        case Flags():
            return [(offset, flags_format(len(wit.names)))]
        case Record() | Tuple():
            return [
                slot
                for part, at in zip(fields_of(wit), offsets_of(wit), strict=True)
                for slot in slots_of(part, offset + at)
            ]
        case Variant() | Enum() | Option() | Result():
            return [(offset, discriminant(len(cases_of(wit))))]


@final
class _Lifting(Code):
    """Writes the body of one function that lifts."""

    def set_head(self, head: str) -> None:
        self._lines[0] = head

    def load(self, wit: WitType, place: str, offset: int, target: str) -> None:
        """Read the value that lies `offset` bytes after the address in `place`."""
        if self.nested == DEEPEST:
            at = f"{place} + {offset}" if offset else place
            self.say(f"{target} = {self.add(loader(wit))}(cx, {at})")
            return
        items = self._unpack([wit], place, [offset])
        self._follow(wit, items, (place, offset), target)

    def flat(self, wit: WitType, items: list[str], target: str) -> None:
        """Take a value from the variables that hold its core values."""
        self._follow(wit, items, None, target)

    def _unpack(
        self, wits: Sequence[WitType], place: str, offsets: Sequence[int]
    ) -> list[str]:
        slots = [
            slot
            for wit, offset in zip(wits, offsets, strict=True)
            for slot in slots_of(wit, offset)
        ]
        items = [self.fresh() for _ in slots]
        if items:
            unpack = self.add(struct.Struct(pattern_of(slots)).unpack_from)
            self.say(f"{', '.join(items)}, = {unpack}(cx.view, {place})")
        return items

    def _follow(  # noqa: C901, PLR0912  # one match over a closed union
        self, wit: WitType, items: list[str], place: _Place, target: str
    ) -> None:
        match wit:
            case Number():
                self.say(f"{target} = {_number(wit, items[0], is_flat=place is None)}")
            case Float():
                self.say(f"{target} = {items[0]}")
            case Char():
                self.say(f"{target} = char({items[0]})")
            case String():
                self.say(f"{target} = cx.string({items[0]}, {items[1]})")
            case List(element):
                self._list(element, items, target)
            case Flags(names):
                self._flags(names, items[0], target)
            case Own(name):
                self.say(f"{target} = cx.handles.lift_own({items[0]}, {name!r})")
            case Borrow(name):
                self.say(f"{target} = cx.handles.lift_borrow({items[0]}, {name!r})")
            case Record() | Tuple():
                self._row(wit, items, place, target)
            case Enum(cases):
                known = self.add(cases)
                test = f"{items[0]} < {len(cases)}"
                found = f"{known}[{items[0]}] if {test} else no_case({items[0]})"
                self.say(f"{target} = {found}")
            case Variant() | Option() | Result():
                self._cases(wit, items, place, target)

    def _flags(self, names: tuple[str, ...], item: str, target: str) -> None:
        bits = self.add([(1 << bit, name) for bit, name in enumerate(names)])
        there = f"[name for bit, name in {bits} if {item} & bit]"
        self.say(f"{target} = frozenset({there}) if {item} else frozenset()")

    def _row(
        self, wit: Record | Tuple, items: list[str], place: _Place, target: str
    ) -> None:
        fields: list[str] = []
        taken = 0
        for part, at in zip(fields_of(wit), offsets_of(wit), strict=True):
            count = len(flat(part) if place is None else slots_of(part, 0))
            inner = None if place is None else (place[0], place[1] + at)
            field = self.fresh()
            self._follow(part, items[taken : taken + count], inner, field)
            fields.append(field)
            taken += count
        self.say(f"{target} = ({''.join(f'{field}, ' for field in fields)})")

    def _list(self, element: WitType, items: list[str], target: str) -> None:
        at, count = items
        size, alignment = layout(element)
        match element:
            case Number.U8:
                self.say(f"{target} = cx.byte_list({at}, {count})")
            case Number() | Float() if element is not Number.BOOL:
                how = f"{element.value[1]!r}, {size}, {_COST}"
                self.say(f"{target} = cx.numbers({at}, {count}, {how})")
            case _:
                how = f"{size}, {alignment}, {_COST}"
                self._each(element, f"{at}, {count}, {how}", at, target)

    def _each(self, element: WitType, checked: str, at: str, target: str) -> None:
        size, _ = layout(element)
        found, one, end, here = (self.fresh() for _ in range(4))
        self.say(f"{end} = cx.elements({checked})")
        self.say(f"{found} = []")
        if self.nested == DEEPEST:
            load = self.add(loader(element))
            self.begin(f"for {here} in range({at}, {end}, {size}):")
            self.say(f"{one} = {load}(cx, {here})")
        else:
            slots = slots_of(element, 0)
            padded = pattern_of([*slots, (size, "")])
            items = [self.fresh() for _ in slots]
            unpack = self.add(struct.Struct(padded).iter_unpack)
            rows = f"{unpack}(cx.view[{at}:{end}])"
            places = f"range({at}, {end}, {size})"
            each = "".join(f"{item}, " for item in items)
            self.begin(f"for {here}, ({each}) in zip({places}, {rows}):")
            self.nested += 1
            self._follow(element, items, (here, 0), one)
            self.nested -= 1
        self.say(f"{found}.append({one})")
        self.end()
        self.say(f"{target} = tuple({found})")

    def _cases(
        self,
        wit: Variant | Option | Result,
        items: list[str],
        place: _Place,
        target: str,
    ) -> None:
        which, cases = items[0], cases_of(wit)
        if place is not None:
            place = place[0], place[1] + payload_offset(wit)
        given = () if place is not None else flat(wit)[1:]
        for number, (name, carried) in enumerate(cases):
            word = "elif" if 0 < number < _MANY else "if"
            self.begin(f"{word} {which} == {number}:")
            self.nested += 1
            value = "None"
            if carried is not None:
                value = self.fresh()
                self._payload(carried, given, items[1:], place, value)
            self._wrap(wit, name, value, target)
            self.nested -= 1
            self.end()
        if len(cases) <= _MANY:
            self.say("else:")
            self.say(f"    no_case({which})")
        else:
            self.say(f"if {which} >= {len(cases)}: no_case({which})")

    def _payload(
        self,
        carried: WitType,
        given: tuple[Core, ...],
        shared: list[str],
        place: _Place,
        target: str,
    ) -> None:
        if place is not None:
            self.load(carried, *place, target)
            return
        items: list[str] = []
        places = zip(flat(carried), given, shared, strict=False)
        for wanted, wide, item in places:
            narrowed = self.fresh()
            self.say(f"{narrowed} = {_narrowed(item, wide, wanted)}")
            items.append(narrowed)
        if self.nested >= DEEPEST:
            lift = self.add(flat_lifter((carried,)))
            self.say(f"{target}, = {lift}({', '.join(['cx', *items])})")
        else:
            self._follow(carried, items, None, target)

    def _wrap(
        self, wit: Variant | Option | Result, name: str, value: str, target: str
    ) -> None:
        match wit:
            case Variant():
                made = f"new(Case, ({name!r}, {value}))"
            case Result():
                made = f"new({name.title()}, ({value},))"
            case Option(Option()) if value != "None":
                made = f"Some({value})"
            case _:
                made = value
        self.say(f"{target} = {made}")


_Place: TypeAlias = tuple[str, int] | None


def _number(wit: Number, item: str, *, is_flat: bool) -> str:
    """Write what makes a number of what was read; flat ones are cut to their size."""
    _, code, low, _ = wit.value
    if wit is Number.BOOL:
        return f"({item} & 0xFFFFFFFF) != 0" if is_flat else f"{item} != 0"
    if not is_flat:
        return item
    bits = 8 * struct.calcsize(code)
    cut = item if bits >= 32 else f"({item} & {(1 << bits) - 1})"  # noqa: PLR2004  # the bits of i32
    return f"({cut} ^ {-low}) - {-low}" if low < 0 else cut


def _narrowed(item: str, given: Core, wanted: Core) -> str:
    """Write what makes the core value of one case of the one that all share."""
    match given, wanted:
        case "i32", "f32":
            return f"f32({item})"
        case "i64", "i32":
            return f"{item} & 0xFFFFFFFF"
        case "i64", "f32":
            return f"f32({item})"
        case "i64", "f64":
            return f"f64({item})"
        case _:
            return item
