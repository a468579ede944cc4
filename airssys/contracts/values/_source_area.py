"""A room for sources in the memory of a component that was built for development.

The theory. Building a Python guest takes half a minute: a Python with all the modules
that the guest imports is started, its memory is written into a component, and that
component is compiled. Between two edits none of it changes but the sources of the
guest. So these sources are not part of the memory image. The image has an area of a
fixed size for them, filled with a pattern. The component is built and compiled once
with the pattern, and the sources are written over it in both files: first in the
component, later in its compiled form.

Why this is the same as compiling. WebAssembly's data segments are copied unchanged into
the compiled form. The pattern is searched for there, and must be found exactly once. It
cannot be found in anything but data: it is not UTF-8, so that it cannot be a name, and no
instruction has thousands of bytes of constants.

The component ends with a custom section that says where the area is.
"""

from __future__ import annotations

import struct
from typing import Final, final

import attrs

SECTION_NAME: Final = b"airssys-source-area"
_NUMBERS: Final = struct.Struct("<II")
_PAYLOAD: Final = bytes([len(SECTION_NAME)]) + SECTION_NAME
_SECTION: Final = bytes([0, len(_PAYLOAD) + _NUMBERS.size]) + _PAYLOAD
"""Up to the two numbers: the position of the area in the file, and its size."""
_LENGTH: Final = struct.Struct("<I")
LEAST_AREA: Final = 1 << 16
MOST_AREA: Final = 1 << 24
"""Bytes; the size of an area is a power of two between them."""


def area_pattern(size: int) -> bytes:
    """Return the content of an area without sources; `airssys_late` makes it too."""
    return b"".join(b"\xfe\xff%06x" % number for number in range(size // 8))


def area_size(sources: int) -> int:
    """Return a size that has room for that many bytes, and for them to grow."""
    return max(LEAST_AREA, 1 << (2 * (sources + _LENGTH.size) - 1).bit_length())


@final
@attrs.frozen
class SourceArea:
    """Where in a component's file the sources of the guest are."""

    at: int
    size: int

    @classmethod
    def marked(cls, component: bytes, size: int) -> bytes | None:
        """Add the section to a component that was just built.

        Returns:
            None if the area is not there exactly once.
        """
        pattern = area_pattern(size)
        if component.count(pattern) != 1:
            return None
        at = component.index(pattern)
        return component + _SECTION + _NUMBERS.pack(at, size)

    @classmethod
    def of(cls, component: bytes) -> SourceArea | None:
        """Find the area of a component; None if it has none."""
        numbers = len(component) - _NUMBERS.size
        if component[numbers - len(_SECTION) : numbers] != _SECTION:
            return None
        at, size = _NUMBERS.unpack_from(component, numbers)
        is_size = LEAST_AREA <= size <= MOST_AREA and size & (size - 1) == 0
        is_area = is_size and at + size <= numbers - len(_SECTION)
        return cls(at, size) if is_area else None

    def content(self, component: bytes) -> bytes:
        """Return all bytes of the area."""
        return component[self.at : self.at + self.size]

    def emptied(self, component: bytes) -> bytes:
        """Return the component that this one was made from."""
        return self._with(component, area_pattern(self.size))

    def filled(self, component: bytes, sources: bytes) -> bytes:
        """Return the component with these sources in place of what is there.

        Raises:
            ValueError: They are too long.
        """
        new = _LENGTH.pack(len(sources)) + sources
        if len(new) > self.size:
            raise ValueError(f"{len(new)} bytes do not fit into {self.size}")
        return self._with(component, new + area_pattern(self.size)[len(new) :])

    def _with(self, component: bytes, content: bytes) -> bytes:
        return component[: self.at] + content + component[self.at + self.size :]

    def filled_compiled(self, component: bytes, compiled: bytes) -> bytes | None:
        """Write the sources of a component into the compiled form of the empty one.

        Returns:
            None if the area cannot be found there.
        """
        pattern = area_pattern(self.size)
        at = compiled.find(pattern)
        if at < 0 or compiled.find(pattern, at + 1) >= 0:
            return None
        return compiled[:at] + self.content(component) + compiled[at + self.size :]
