"""From Python to a guest's memory, or to flat core values: generated code.

It takes exactly the values that `_checks` describes, and raises one of `REFUSALS` for
all others, without saying why: that is looked for afterwards, by `_checks`, because it
is rare and the common way must be short.

A value is written in two steps. First everything it points to: strings and lists go
where the guest's `realloc` says, which may make the memory grow. Then one packing
all slots (see `_lifting`). What a case carries comes last, at its place.

An image of a value is laid out in memory of the host. For most types there is code of
its own for that: it only counts where strings and lists of bytes will be, and writes
all of them at once in the end, because a write costs more than the rest of a string.
"""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
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
    as_bytes,
    as_float,
    remember_small,
)

from ._code import DEEPEST, Code, pattern_of
from ._context import LARGE, Context
from ._layouts import (
    Core,
    cases_of,
    fields_of,
    flat,
    layout,
    offsets_of,
    payload_offset,
)
from ._lifting import slots_of

Storer: TypeAlias = Callable[[Context, int, Any], None]
"""Writes a value at an address, whose place was checked."""
LowerFlat: TypeAlias = Callable[..., tuple[int | float, ...]]
"""Context and values of several types to core values; i32 and i64 are unsigned."""

REFUSALS: Final = (
    TypeError,
    ValueError,
    OverflowError,
    LookupError,
    AttributeError,
    struct.error,
)
"""What generated code raises for a value that does not fit."""
_LARGEST_F32: Final = 3.4028234663852886e38
_MANY: Final = 50
"""Python's compiler descends one level for each `elif`."""


def _refuse() -> None:
    raise TypeError


def _real(value: object) -> float:
    return value if type(value) is float else as_float(value, "")


def _single(value: object) -> float:
    """Take a float, rounded to the nearest f32 where that is infinite."""
    real = _real(value)
    if -_LARGEST_F32 <= real <= _LARGEST_F32 or math.isnan(real):
        return real
    try:
        struct.pack("<f", real)
    except OverflowError:
        return math.copysign(math.inf, real)
    return real


def _code_of(value: object) -> int:
    if type(value) is not str or "\ud800" <= value <= "\udfff":
        raise TypeError
    return ord(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _bits_of(value: object, bits: dict[str, int]) -> int:
    if not isinstance(value, (set, frozenset)):
        raise TypeError
    return sum(bits[name] for name in value)


def _listed(values: object) -> Sequence[Any]:
    """Take a list as it is now: what it may become later has no room."""
    if type(values) is tuple:
        return values
    if isinstance(values, (array, memoryview)):
        view = memoryview(values)
        if view.ndim != 1:
            raise TypeError
        return view
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        raise TypeError
    return tuple(values)


def _numbers(values: object, code: str, kinds: tuple[type, ...]) -> memoryview:
    """Make an array of numbers; C checks their range."""
    listed = _listed(values)
    if type(listed) is memoryview and listed.format == code and listed.contiguous:
        return listed
    if not set(map(type, listed)) <= {*kinds}:
        raise TypeError
    if code == "f":
        listed = [_single(value) for value in listed]
    return memoryview(array(code, listed))


def _part(data: object) -> bytes | memoryview:
    """Make bytes of a list of bytes that is not large."""
    view = memoryview(as_bytes(data, ""))
    return view if len(view) >= LARGE else bytes(view)


_NAMES: Final[dict[str, Any]] = {
    "Case": Case,
    "Err": Err,
    "Ok": Ok,
    "Some": Some,
    "as_bytes": as_bytes,
    "bits_of": _bits_of,
    "code_of": _code_of,
    "i32_of": lambda value: int.from_bytes(struct.pack("<f", value), "little"),
    "i64_of": lambda value: int.from_bytes(struct.pack("<d", value), "little"),
    "listed": _listed,
    "numbers": _numbers,
    "part": _part,
    "real": _real,
    "refuse": _refuse,
    "single": _single,
    "text": _text,
}


@remember_small
def storer(wit: WitType) -> Storer:
    """Make the function that writes a value of this type to memory."""
    code = _Lowering("def store(cx, at, v):", _NAMES)
    code.store(wit, "at", 0, "v")
    store: Storer = code.compile("store")
    return store


@remember_small
def flat_lowerer(wits: tuple[WitType, ...]) -> LowerFlat:
    """Make the function that turns values of these types into flat core values."""
    values = [f"p{number}" for number in range(len(wits))]
    code = _Lowering(f"def lower({', '.join(['cx', *values])}):", _NAMES)
    cores: list[str] = []
    for wit, value in zip(wits, values, strict=True):
        cores += code.flat(wit, value)
    code.say(f"return ({''.join(f'{core}, ' for core in cores)})")
    lower: LowerFlat = code.compile("lower")
    return lower


@remember_small
def imager(wit: WitType) -> Storer | None:
    """Make the function that writes a value of this type to an image, and its parts.

    What has no room right there is written in the other way, part by part.

    None: its type has parts besides strings and bytes, or is deep: use `storer`.
    """
    if not _is_plain(wit, DEEPEST):
        return None
    code = _Lowering("def image(cx, at, v):", _NAMES, joins=True)
    code.say("view, top, parts = cx.view, cx.top, []")
    code.say("add = parts.append")
    code.store(wit, "at", 0, "v")
    again = code.add(storer(wit))
    code.say(f"if parts and not cx.write(parts, top): {again}(cx, at, v)")
    image: Storer = code.compile("image")
    return image


def _is_plain(wit: WitType, depth: int) -> bool:
    match wit:
        case Own() | Borrow():
            return False
        case List(element):
            return element is Number.U8
        case Record() | Tuple():
            return all(_is_plain(part, depth) for part in fields_of(wit))
        case Variant() | Option() | Result():
            inner = [carried for _, carried in cases_of(wit) if carried is not None]
            return depth > 0 and all(_is_plain(each, depth - 1) for each in inner)
        case _:
            return True


@final
class _Lowering(Code):
    """Writes the body of one function that lowers."""

    def __init__(
        self, head: str, names: dict[str, Any], *, joins: bool = False
    ) -> None:
        super().__init__(head, names)
        self._joins = joins
        """Whether strings and bytes are written in the end, all at once."""
        self._view = "view" if joins else "cx.view"

    def store(self, wit: WitType, place: str, offset: int, v: str) -> None:
        """Write a value `offset` bytes after the address in `place`."""
        if self.nested == DEEPEST:
            self.say(f"{self.add(storer(wit))}(cx, {_plus(place, offset)}, {v})")
            return
        later: list[_Later] = []
        items = self._slots(wit, v, 0, later)
        if items:
            pack = self.add(struct.Struct(pattern_of(slots_of(wit, 0))).pack_into)
            self.say(
                f"{pack}({self._view}, {_plus(place, offset)}, {', '.join(items)})"
            )
        for inner, which, value, at in later:
            self._store_payload(inner, which, value, place, offset + at)

    def _slots(
        self, wit: WitType, v: str, offset: int, later: list[_Later]
    ) -> list[str]:
        """Write what makes the numbers of a value; note which payloads come later."""
        match wit:
            case Record() | Tuple():
                parts = self._parts(wit, v)
                return [
                    item
                    for part, name, at in zip(
                        fields_of(wit), parts, offsets_of(wit), strict=True
                    )
                    for item in self._slots(part, name, offset + at, later)
                ]
            case Variant() | Option() | Result():
                which, value = self._which(wit, v)
                later.append((wit, which, value, offset + payload_offset(wit)))
                return [which]
            case _:
                return self._simple(wit, v)

    def _simple(self, wit: WitType, v: str) -> list[str]:  # noqa: C901  # one match over a closed union
        """Write what makes the numbers of a value without parts."""
        item = self.fresh()
        match wit:
            case Number.BOOL:
                self.say(f"if {v} is not True and {v} is not False: refuse()")
                self.say(f"{item} = {v}")
            case Number():
                self.say(f"if type({v}) is not int: refuse()")
                self.say(f"{item} = {v}")
            case Float():
                how = "real" if wit is Float.F64 else "single"
                self.say(f"{item} = {how}({v})")
            case Char():
                self.say(f"{item} = code_of({v})")
            case Enum(cases):
                numbers = self.add({name: n for n, name in enumerate(cases)})
                self.say(f"{item} = {numbers}[text({v})]")
            case Flags(names):
                bits = self.add({name: 1 << bit for bit, name in enumerate(names)})
                self.say(f"{item} = bits_of({v}, {bits})")
            case Own(name):
                self.say(f"{item} = cx.handles.lower_own({v}, {name!r})")
            case Borrow(name):
                self.say(f"{item} = cx.handles.lower_borrow({v}, {name!r})")
            case _:
                return self._pointed(wit, v, item)
        return [item]

    def _pointed(self, wit: WitType, v: str, at: str) -> list[str]:
        """Write a string or list to memory; returns where it lies and its length."""
        count = self.fresh()
        if self._joins:
            self._joined(wit, v, at, count)
            return [at, count]
        match wit:
            case List(Number.U8):
                self.say(f"{at}, {count} = cx.put_bytes(as_bytes({v}, ''))")
            case List(Number() | Float() as element) if element is not Number.BOOL:
                kinds = "(int,)" if isinstance(element, Number) else "(float, int)"
                data = f"numbers({v}, {element.value[1]!r}, {kinds})"
                self.say(f"{at}, {count} = cx.put_array({data})")
            case List(element):
                self._each(element, v, at, count)
            case _:
                self.say(f"{at}, {count} = cx.put_string(text({v}))")
        return [at, count]

    def _joined(self, wit: WitType, v: str, at: str, count: str) -> None:
        """Note a string or list of bytes, which is written in the end."""
        data = self.fresh()
        if isinstance(wit, String):
            self.say(f"{data} = ({v} if type({v}) is str else text({v})).encode()")
        else:
            self.say(f"{data} = {v} if type({v}) is bytes else part({v})")
        self.say(f"{count} = len({data})")
        self.begin(f"if {count} < {LARGE}:")
        self.say(f"{at} = top; top += {count}; add({data})")
        self.end()
        self.say(f"else: {at} = cx.note({data})")

    def _each(self, element: WitType, v: str, at: str, count: str) -> None:
        size, alignment = layout(element)
        values, one, here = (self.fresh() for _ in range(3))
        self.say(f"{values} = listed({v})")
        self.say(f"{count} = len({values})")
        self.say(f"{at} = {here} = cx.room({count}, {size}, {alignment})")
        self.begin(f"for {one} in {values}:")
        self.nested += 1
        self.store(element, here, 0, one)
        self.nested -= 1
        self.say(f"{here} += {size}")
        self.end()

    def _parts(self, wit: Record | Tuple, v: str) -> list[str]:
        names = [self.fresh() for _ in fields_of(wit)]
        self.say(f"if not isinstance({v}, tuple): refuse()")
        self.say(f"({''.join(f'{name}, ' for name in names)}) = {v}")
        return names

    def _which(self, wit: Variant | Option | Result, v: str) -> tuple[str, str]:
        """Write what finds the case of a value and what it carries."""
        which, value = self.fresh(), self.fresh()
        match wit:
            case Variant(cases):
                numbers = self.add({name: n for n, (name, _) in enumerate(cases)})
                self.say(f"if type({v}) is not Case: refuse()")
                self.say(f"{which}, {value} = {numbers}[{v}.name], {v}.value")
            case Result():
                self.say(f"{which} = 0 if type({v}) is Ok else 1")
                self.say(f"if {which} and type({v}) is not Err: refuse()")
                self.say(f"{value} = {v}.value")
            case Option(Option()):
                self.say(f"if {v} is None: {which}, {value} = 0, None")
                self.say(f"elif type({v}) is Some: {which}, {value} = 1, {v}.value")
                self.say("else: refuse()")
            case Option():
                self.say(f"{which}, {value} = {v} is not None, {v}")
        return which, value

    def _store_payload(
        self,
        wit: Variant | Option | Result,
        which: str,
        value: str,
        place: str,
        offset: int,
    ) -> None:
        for carried in self._branches(wit, which, value):
            self.store(carried, place, offset, value)

    def _branches(
        self, wit: Variant | Option | Result, which: str, value: str
    ) -> Iterator[WitType]:
        """Open a branch for each case; yields what it carries, for it to be written."""
        for number, (_, carried) in enumerate(cases_of(wit)):
            word = "elif" if 0 < number < _MANY else "if"
            self.begin(f"{word} {which} == {number}:")
            if carried is None:
                self.say(f"if {value} is not None: refuse()")
            else:
                self.nested += 1
                yield carried
                self.nested -= 1
            self.end()

    # ---------------------------------------------------- flat

    def flat(self, wit: WitType, v: str) -> list[str]:
        """Write what makes the core values of a value."""
        match wit:
            case Number():
                [item] = self._simple(wit, v)
                self._in_range(wit, item)
                return [item]
            case Record() | Tuple():
                parts = self._parts(wit, v)
                pairs = zip(fields_of(wit), parts, strict=True)
                return [core for part, name in pairs for core in self.flat(part, name)]
            case Variant() | Option() | Result():
                return self._flat_cases(wit, v)
            case _:
                return self._simple(wit, v)

    def _in_range(self, wit: Number, item: str) -> None:
        """Check a number, which no packing checks, and make it unsigned."""
        _, code, low, high = wit.value
        if wit is not Number.BOOL:
            self.say(f"if not {low} <= {item} <= {high}: refuse()")
        if low < 0:
            bits = 32 if struct.calcsize(code) <= 4 else 64  # noqa: PLR2004  # of i32, i64
            self.say(f"{item} &= {(1 << bits) - 1}")

    def _flat_cases(self, wit: Variant | Option | Result, v: str) -> list[str]:
        which, value = self._which(wit, v)
        shared = flat(wit)[1:]
        cores = [self.fresh() for _ in shared]
        if cores:
            self.say(f"{' = '.join(cores)} = 0")
        for carried in self._branches(wit, which, value):
            made = self._flat_payload(carried, value)
            for core, wide, narrow, item in zip(
                cores, shared, flat(carried), made, strict=False
            ):
                self.say(f"{core} = {_widened(item, narrow, wide)}")
        return [which, *cores]

    def _flat_payload(self, carried: WitType, value: str) -> list[str]:
        if self.nested < DEEPEST:
            return self.flat(carried, value)
        made = [self.fresh() for _ in flat(carried)]
        lower = self.add(flat_lowerer((carried,)))
        self.say(f"({''.join(f'{core}, ' for core in made)}) = {lower}(cx, {value})")
        return made


_Later: TypeAlias = tuple[Variant | Option | Result, str, str, int]
"""A type with cases, the variables of its case and what that carries, the offset."""


def _plus(place: str, offset: int) -> str:
    return f"{place} + {offset}" if offset else place


def _widened(item: str, narrow: Core, wide: Core) -> str:
    """Write what makes the core value that all cases share of that of one case."""
    if narrow == wide or narrow in {"i32", "i64"}:
        return item
    return f"i32_of({item})" if narrow == "f32" else f"i64_of({item})"
