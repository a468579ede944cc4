"""Core modules without their start function, which is called afterwards instead.

wasmtime runs a start function while it instantiates a module. Instances here are made
in one step of the Trio thread, where nothing can interrupt them. So the start section
becomes an export, and the code that instantiates the module calls it like any other
function: on a fiber, in turns, within the guest's limits.

The specification says that a module is instantiated when its start function has ended;
nothing else of the component has run by then, so no difference can be seen.
"""

from __future__ import annotations

from typing import Final

from airssys.wasm.artifacts import Reader
from airssys.wasm.lane.adapters import name
from airssys.wasm.lane.components import leb

START: Final = "airssys start function"
_EXPORTS: Final = 7
_START: Final = 8
_FUNCTION: Final = b"\x00"
_MAGIC_SIZE: Final = 8


def without_start(code: bytes) -> tuple[bytes, str | None]:
    """Make the start function of a core module an export.

    Returns:
        The module, and under which name it exports its start function, if it has one.

    Raises:
        Unreadable: These bytes are not a core module.
    """
    reader = Reader(code)
    magic = reader.take(_MAGIC_SIZE)
    sections = [(number, body.rest()) for number, body in reader.sections()]
    starts = [Reader(body).number() for number, body in sections if number == _START]
    if not starts:
        return code, None
    exported = START
    while exported.encode() in code:
        exported += "'"
    made = bytearray(magic)
    written = name(exported) + _FUNCTION + leb(starts[0])
    if not any(number == _EXPORTS for number, _ in sections):
        sections.append((_EXPORTS, leb(0)))
        sections.sort(key=_order)
    for number, body in sections:
        if number == _START:
            continue
        content = _with_one_more(body, written) if number == _EXPORTS else body
        made += bytes([number]) + leb(len(content)) + content
    return bytes(made), exported


def _with_one_more(exports: bytes, written: bytes) -> bytes:
    reader = Reader(exports)
    count = reader.number()
    return leb(count + 1) + reader.rest() + written


def _order(section: tuple[int, bytes]) -> int:
    """Where a section stands; custom ones may stand anywhere, and are left out first."""
    number = section[0]
    return _ORDER.index(number) if number in _ORDER else -1


_ORDER: Final = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)
"""The order of the sections; those of tags and of the count of data came later."""
