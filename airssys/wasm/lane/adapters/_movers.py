"""Moves values from the scratch memory into a guest's, pointers and all, in wasm.

The theory. The host lays a value out in the scratch memory as if that were the guest's:
an image, whose pointers lead into the scratch memory. A mover walks the image by its
type, asks the guest's `realloc` for each string and list, copies it there, and writes
the new pointer into the copy. Because this is wasm on the guest's own fiber, it can be
interrupted like the guest, however long `realloc` takes: no guest code ever runs below
a frame of Python.

Outer parts are copied before what they point to, which is the order of the reference.
What lies in the image is the host's; all that is checked is what `realloc` returns.

A pointer with its highest bit set is the number of a large value that the host has not
copied into the image: `fill` writes it where it belongs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs

from airssys.wasm.lane.abi import (
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
from airssys.wasm.lane.components import Encoding
from airssys.wasm.values import (
    Enum,
    Flags,
    Float,
    List,
    Number,
    Option,
    Record,
    Result,
    String,
    Tuple,
    Variant,
    WitType,
)

from . import _assembler as asm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._assembler import Module

MAY_LEAVE: Final = 0
"""Where in its scratch memory it says that the running instance may call the host."""
BROKEN: Final = 4
"""Where it says which rule `realloc` broke: 0 for none."""
ANSWERED: Final = 8
"""Where it says whether the host has answered the call of a function."""
PENDING: Final = 0
ANSWERED_NOW: Final = 1
NOT_BEGUN: Final = 2
"""What stands there while the host has not even begun."""
IMAGE: Final = 16
"""Where images begin. What a value consists of itself is there; what it points to may be
anywhere in the memory that instances share."""
BROKEN_ALIGNMENT: Final = 1
BROKEN_BOUNDS: Final = 2


def has_pointers(wit: WitType) -> bool:
    """Whether a value of this type points to something."""
    match wit:
        case String() | List():
            return True
        case Record() | Tuple():
            return any(map(has_pointers, fields_of(wit)))
        case Variant() | Option() | Result():
            return any(t is not None and has_pointers(t) for _, t in cases_of(wit))
        case _:
            return False


@final
@attrs.frozen
class Scratch:
    """The scratch memory of an instance, as the code of a module reaches it."""

    memory: int
    base: bytes = attrs.field(repr=False)
    """The code that says where in the memory it begins."""

    def load(self, code: str, offset: int) -> bytes:
        """Load what `struct` calls so."""
        return self.base + asm.load(code, self.memory, offset)

    def say(self, offset: int, number: int) -> bytes:
        """Store a number."""
        return self.base + asm.i32(number) + asm.store_i32(self.memory, offset)

    def may_leave(self, value: bool) -> bytes:  # noqa: FBT001  # as in the specification
        """Say whether the instance may call the host from here on."""
        store = asm.store_byte(self.memory, MAY_LEAVE)
        return self.base + asm.i32(int(value)) + store

    def image(self) -> bytes:
        """Say where the image is."""
        return self.base + asm.i32(IMAGE) + asm.I32_ADD


@final
class Movers:
    """The functions that move values into one memory, made as they are needed."""

    def __init__(
        self,
        module: Module,
        guest: int,
        scratch: Scratch,
        realloc: int | None,
        fill: int,
        encoding: Encoding,
    ) -> None:
        self._module = module
        self._guest, self._scratch = guest, scratch
        self._encoding = encoding
        self._inside: dict[WitType, int] = {}
        self._pointed: dict[WitType, int] = {}
        self._copy = -1
        """No function where there is no `realloc`, so that nothing can need it."""
        if realloc is not None:
            self._copy = self._make_copy(self._make_room(realloc), fill)

    def _make_room(self, realloc: int) -> int:
        """Make the function that gets a checked place of a given size and alignment."""
        module, guest = self._module, self._guest
        function = module.declare(["i32", "i32"], ["i32"])
        size, alignment, place = 0, 1, 2
        body = asm.i32(0) + asm.i32(0) + asm.get(alignment) + asm.get(size)
        body += asm.call(realloc) + asm.put(place)
        body += asm.get(place) + asm.get(alignment) + asm.i32(1) + asm.I32_SUB
        body += asm.I32_AND + asm.when(self._break(BROKEN_ALIGNMENT))
        body += asm.get(place) + asm.I64_EXTEND_I32_U
        body += asm.get(size) + asm.I64_EXTEND_I32_U + asm.I64_ADD
        body += asm.memory_size(guest) + asm.I64_EXTEND_I32_U
        body += asm.i64(16) + asm.I64_SHL + asm.I64_GT_U
        body += asm.when(self._break(BROKEN_BOUNDS)) + asm.get(place)
        module.define(function, ["i32"], body)
        return function

    def _break(self, rule: int) -> bytes:
        return self._scratch.say(BROKEN, rule) + asm.UNREACHABLE

    def _make_copy(self, room: int, fill: int) -> int:
        """Source, size, alignment: where the copy is."""
        module = self._module
        function = module.declare(["i32", "i32", "i32"], ["i32"])
        source, size, alignment, place = 0, 1, 2, 3
        body = asm.get(size) + asm.get(alignment) + asm.call(room)
        body += asm.put(place)
        body += asm.get(source) + asm.i32(0) + asm.I32_LT_S
        arguments = asm.get(place) + asm.get(source) + asm.get(size)
        copy = arguments + asm.memory_copy(self._guest, self._scratch.memory)
        body += asm.when(arguments + asm.call(fill), copy) + asm.get(place)
        module.define(function, ["i32"], body)
        return function

    # ---------------------------------------------------- whole values

    def row(self, wit: WitType, place: int) -> bytes:
        """Move the image into memory of its own; its place goes into a local."""
        size, alignment = layout(wit)
        image = self._scratch.image()
        code = image + asm.i32(size) + asm.i32(alignment)
        code += asm.call(self._copy) + asm.put(place)
        return code + self._follow(wit, asm.get(place), image)

    def into(self, wit: WitType, place: int) -> bytes:
        """Move the image to where a local says; that was checked."""
        size, _ = layout(wit)
        image = self._scratch.image()
        code = asm.get(place) + image + asm.i32(size)
        code += asm.memory_copy(self._guest, self._scratch.memory)
        return code + self._follow(wit, asm.get(place), image)

    def flat(self, wit: WitType, offset: int, targets: Sequence[_Target]) -> bytes:
        """Set locals to the core values of a part of the image.

        The locals must be zero before; those that its case does not need stay so.
        """
        match wit:
            case Record() | Tuple():
                code, taken = b"", 0
                for part, at in zip(fields_of(wit), offsets_of(wit), strict=True):
                    inner = targets[taken : taken + len(flat(part))]
                    code += self.flat(part, offset + at, inner)
                    taken += len(inner)
                return code
            case Variant() | Option() | Result():
                return self._flat_cases(wit, offset, targets)
            case String() | List():
                pointer, units = self._image("I", offset), self._image("I", offset + 4)
                moved = pointer + units + asm.call(self._mover_of(wit))
                return _set(targets[0], moved, "i32") + _set(targets[1], units, "i32")
            case _:
                value = self._image(_format(wit), offset)
                return _set(targets[0], value, flat(wit)[0])

    def _flat_cases(
        self,
        wit: Variant | Option | Result,
        offset: int,
        targets: Sequence[_Target],
    ) -> bytes:
        cases = cases_of(wit)
        which = self._image(discriminant(len(cases)), offset)
        code = _set(targets[0], which, "i32")
        offset += payload_offset(wit)
        for number, (_, carried) in enumerate(cases):
            if carried is not None:
                inner = targets[1 : 1 + len(flat(carried))]
                then = self.flat(carried, offset, inner)
                code += which + asm.i32(number) + asm.I32_EQ + asm.when(then)
        return code

    def _image(self, code: str, offset: int) -> bytes:
        return self._scratch.load(code, IMAGE + offset)

    # ---------------------------------------------------- what values point to

    def _follow(self, wit: WitType, copy: bytes, image: bytes) -> bytes:
        """Move what a value points to, whose copy and image lie there."""
        if not has_pointers(wit):
            return b""
        if wit not in self._inside:
            function = self._module.declare(["i32", "i32"], [])
            self._inside[wit] = function
            self._module.define(function, [], self._rewrite(wit, 0))
        return copy + image + asm.call(self._inside[wit])

    def _rewrite(self, wit: WitType, offset: int) -> bytes:
        """Write new pointers into a copy (local 0) of an image (local 1)."""
        match wit:
            case String() | List():
                code = asm.get(0)
                for at in (offset, offset + 4):
                    code += asm.get(1) + asm.load("I", self._scratch.memory, at)
                code += asm.call(self._mover_of(wit))
                return code + asm.store_i32(self._guest, offset)
            case Record() | Tuple():
                parts = zip(fields_of(wit), offsets_of(wit), strict=True)
                return b"".join(self._rewrite(part, offset + at) for part, at in parts)
            case Variant() | Option() | Result():
                return self._rewrite_cases(wit, offset)
            case _:
                return b""

    def _rewrite_cases(self, wit: Variant | Option | Result, offset: int) -> bytes:
        cases, code = cases_of(wit), b""
        load = asm.load(discriminant(len(cases)), self._scratch.memory, offset)
        offset += payload_offset(wit)
        for number, (_, carried) in enumerate(cases):
            if carried is not None and has_pointers(carried):
                then = self._rewrite(carried, offset)
                test = asm.get(1) + load + asm.i32(number) + asm.I32_EQ
                code += test + asm.when(then)
        return code

    def _mover_of(self, wit: String | List) -> int:
        """Make the function that moves a string or list: pointer, length: new pointer."""
        if wit not in self._pointed:
            function = self._module.declare(["i32", "i32"], ["i32"])
            self._pointed[wit] = function
            self._module.define(function, ["i32"] * 2, self._move(wit))
        return self._pointed[wit]

    def _move(self, wit: String | List) -> bytes:
        image, units, place, copy = 0, 1, 2, 3
        size, alignment = self._unit_of(wit)
        code = asm.get(image) + self._bytes_of(wit, asm.get(units), size)
        code += asm.i32(alignment) + asm.call(self._copy) + asm.put(place)
        if isinstance(wit, List) and has_pointers(wit.element):
            code += asm.get(place) + asm.put(copy)
            each = self._follow(wit.element, asm.get(copy), asm.get(image))
            each += _advance(copy, size) + _advance(image, size) + _advance(units, -1)
            ended = asm.get(units) + asm.I32_EQZ + asm.br_if(1)
            code += asm.block(asm.loop(ended + each + asm.br(0)))
        return code + asm.get(place)

    def _unit_of(self, wit: String | List) -> tuple[int, int]:
        """Size and alignment of an element, or of a code unit."""
        if isinstance(wit, List):
            return layout(wit.element)
        return (1, 1) if self._encoding is Encoding.UTF8 else (2, 2)

    def _bytes_of(self, wit: String | List, units: bytes, size: int) -> bytes:
        if isinstance(wit, String) and self._encoding is Encoding.LATIN1_OR_UTF16:
            # A length with its highest bit set counts units of two bytes.
            sign = units + asm.i32(31) + asm.I32_SHR_U
            return units + asm.i32(2**31 - 1) + asm.I32_AND + sign + asm.I32_SHL
        return units if size == 1 else units + asm.i32(size) + asm.I32_MUL


_Target: TypeAlias = tuple[int, Core]
"""A local, and the type that it has because other cases share it."""


def _advance(local: int, step: int) -> bytes:
    return asm.get(local) + asm.i32(step % 2**32) + asm.I32_ADD + asm.put(local)


def _set(target: _Target, value: bytes, core: Core) -> bytes:
    local, wide = target
    return value + _WIDEN[core, wide] + asm.put(local)


_WIDEN: Final[dict[tuple[Core, Core], bytes]] = {
    ("i32", "i32"): b"",
    ("i64", "i64"): b"",
    ("f32", "f32"): b"",
    ("f64", "f64"): b"",
    ("i32", "i64"): asm.I64_EXTEND_I32_U,
    ("f32", "i32"): asm.I32_REINTERPRET_F32,
    ("f32", "i64"): asm.I32_REINTERPRET_F32 + asm.I64_EXTEND_I32_U,
    ("f64", "i64"): asm.I64_REINTERPRET_F64,
}
"""What makes the core value that several cases share of that of one of them."""


def _format(wit: WitType) -> str:
    """What `struct` calls a value without parts."""
    match wit:
        case Number.BOOL:
            return "B"
        case Number() | Float():
            return str(wit.value[1])
        case Enum(cases):
            return discriminant(len(cases))
        case Flags(names):
            return flags_format(len(names))
        case _:  # a char, or a handle
            return "I"
