"""What generated code calls while it moves one value between Python and a guest.

A `Context` stands for one memory of one instance, with the encoding of its strings and
its `realloc`. Its `view` is a memoryview of exactly the memory's present size: Python
itself checks every access against it, so that no value, offset or length that a guest
chooses reaches anything else. Whatever lets the guest run (a `realloc`) makes the view
stale; the code that does so sets a fresh view before anything is read or written again.
"""

from __future__ import annotations

import abc
import enum
from typing import Any, Final, NoReturn, Protocol, final

from airssys.wasm.lane.components import Encoding
from airssys.wasm.values import TooMuch

LONGEST: Final = 2**28
"""Bytes of one list or string, which have to be fewer."""
LARGE: Final = 16 * 1024
"""Bytes from which on a string or list is not copied into an image of a value."""
_UTF16_TAG: Final = 2**31
"""In the length of a latin1+utf16 string: it is UTF-16."""
_LAST_CHAR: Final = 0x110000
_SURROGATES: Final = range(0xD800, 0xE000)


@final
class Rule(enum.Enum):
    """The rules of the canonical ABI that a guest may break."""

    POINTER_ALIGNED = "a pointer is not aligned"
    POINTER_IN_BOUNDS = "a pointer leads out of the memory"
    LIST_NOT_TOO_LONG = "a list or string has 2^28 bytes or more"
    STRING_WELL_FORMED = "a string is not valid in its encoding"
    CHAR_VALID = "a char is not a Unicode scalar value"
    CASE_KNOWN = "a discriminant names no case"
    HANDLE_KNOWN = "there is no such handle"
    HANDLE_OF_RIGHT_TYPE = "a handle is one of another resource"
    HANDLE_OWNED = "what is only borrowed is given away"
    HANDLE_NOT_LENT = "what is lent is given away or dropped"
    BORROWS_RETURNED = "borrowed handles are left at the end of a call"
    TABLE_HAS_ROOM = "there are too many handles"
    MAY_ENTER = "an instance is entered in the middle of a call"
    MAY_LEAVE = "an instance calls out of itself where it may not"
    REALLOC_ALIGNED = "realloc returned a pointer that is not aligned"
    REALLOC_IN_BOUNDS = "realloc returned memory that it does not have"
    RETURNS_ONCE = "a task returns, or is cancelled, more than once"
    RETURNS = "a task ends without having returned"
    RETURNS_RIGHT_TYPE = "a task returns as another type, or from another memory"
    IS_ASYNCHRONOUS = "a task that is not asynchronous returns by itself"
    CANCELS_IF_ASKED = "a task is cancelled by itself, without having been asked"
    CALLBACK_CODE_KNOWN = "a callback returned a code that has no meaning"
    MAY_BLOCK = "a task blocks that is not asynchronous, and no other could go on"
    BACKPRESSURE_IN_RANGE = "backpressure is raised or lowered too often"
    IS_WAITABLE_SET = "a handle is not one of a set to wait for"
    IS_WAITABLE = "a handle is not one of something to wait for"
    SET_EMPTY = "a set is dropped with something in it"
    SET_NOT_WAITED_FOR = "a set is dropped while a task waits for it"
    NOT_WAITED_FOR = "something is moved that a task waits for"
    NOT_IN_A_SET = "a task waits for what is in a set"
    IS_SUBTASK = "a handle is not one of a subtask"
    SUBTASK_RESOLVED = "a subtask is dropped before its end was seen"
    SUBTASK_NOT_RESOLVED = "a subtask is cancelled whose end was seen"
    CANCELLED_ONCE = "a subtask is cancelled twice"
    IS_RIGHT_END = "a handle is not that end of a stream or future"
    END_OF_RIGHT_TYPE = "a stream or future is of another type"
    END_IDLE = "a stream or future is used while, or after, it is used"
    END_COPYING = "a copy is cancelled that does not go on"
    END_NOT_COPYING = "an end is dropped while it copies"
    FUTURE_WRITTEN = "a future is dropped before it was written"
    BUFFER_NOT_TOO_LONG = "a buffer has 2^28 elements or more"
    NOT_COPIED_TO_ITSELF = "an instance copies values with parts to itself"


class RuleBroken(Exception):  # not for users: the caller makes a guest's trap of it
    """A guest broke a rule of the canonical ABI."""

    def __init__(self, rule: Rule, found: object) -> None:
        super().__init__(f"{rule.value} ({found})")
        self.rule = rule


class Handles(Protocol):
    """Where the resources of a component instance are looked up."""

    def lift_own(self, handle: int, resource: str) -> Any:
        """Take the thing of a handle that is given away."""
        ...

    def lift_borrow(self, handle: int, resource: str) -> Any:
        """Look up the thing of a handle that is lent."""
        ...

    def lower_own(self, thing: Any, resource: str) -> int:
        """Make a handle for a thing that is given away."""
        ...

    def lower_borrow(self, thing: Any, resource: str) -> int:
        """Make a handle for a thing that is lent."""
        ...


class Context(abc.ABC):
    """One memory of one instance, for values to be moved out of and into."""

    __slots__ = ("encoding", "handles", "joins", "left", "view")

    def __init__(self, encoding: Encoding, handles: Handles) -> None:
        self.encoding = encoding
        self.handles = handles
        self.view: memoryview = memoryview(b"")
        """Exactly the memory, as long as nothing else runs."""
        self.joins = False
        """Whether `imager` may write to it: it has its own memory, and UTF-8."""
        self.left = 0
        """How many bytes values may still make the host keep."""

    @abc.abstractmethod
    def allocate(self, alignment: int, size: int) -> int:
        """Ask the guest for memory to write to; sets a fresh view if it may have grown.

        The place is checked: aligned, and in the memory as it is afterwards.
        """

    # ---------------------------------------------------- reading

    def area(self, at: int, size: int, alignment: int) -> int:
        """Check that a value of this size and alignment may lie there.

        Raises:
            RuleBroken: it may not.
        """
        if at & (alignment - 1):
            raise RuleBroken(Rule.POINTER_ALIGNED, at)
        if at + size > len(self.view):
            self.renew_view()
            if at + size > len(self.view):
                raise RuleBroken(Rule.POINTER_IN_BOUNDS, at)
        return at

    def renew_view(self) -> None:  # noqa: B027  # most memories do not grow meanwhile
        """Look whether the memory has grown: `view` may be too short, never too long."""

    def elements(
        self, at: int, count: int, size: int, alignment: int, cost: int
    ) -> int:
        """Check that `count` elements may lie at `at`; returns where they end.

        Raises:
            RuleBroken: they may not.
            TooMuch: the host does not want to keep them.
        """
        length = count * size
        if length >= LONGEST:
            raise RuleBroken(Rule.LIST_NOT_TOO_LONG, f"{count} elements")
        self.area(at, length, alignment)
        self.spend(count * cost)
        return at + length

    def spend(self, size: int) -> None:
        """Count bytes that the host is to keep.

        Raises:
            TooMuch: there are more than it wants to.
        """
        left = self.left - size
        if left < 0:
            raise TooMuch
        self.left = left

    def byte_list(self, at: int, count: int) -> bytes:
        """Read a list of bytes."""
        end, left, view = at + count, self.left - count, self.view
        if end > len(view) or count >= LONGEST or left < 0:
            end = self.elements(at, count, 1, 1, 1)
            return self.view[at:end].tobytes()
        self.left = left
        return view[at:end].tobytes()

    def numbers(self, at: int, count: int, code: str, size: int, cost: int) -> Any:
        """Read a list of numbers of one struct format."""
        end = self.elements(at, count, size, size, cost)
        return tuple(self.view[at:end].cast(code).tolist())  # type: ignore[call-overload]  # no literal

    def string(self, at: int, units: int) -> str:
        """Read a string; its length counts code units, and a tag with some encodings.

        Raises:
            RuleBroken: its place or its text is not valid.
            TooMuch: the host does not want to keep it.
        """
        codec, unit, alignment = "utf-8", 1, 1
        if self.encoding is not Encoding.UTF8:
            codec, unit, alignment = "utf-16-le", 2, 2
            if self.encoding is Encoding.LATIN1_OR_UTF16:
                if units & _UTF16_TAG:
                    units ^= _UTF16_TAG
                else:
                    codec, unit = "latin-1", 1
        end, left = at + units, self.left - units
        if alignment > 1 or end > len(self.view) or units >= LONGEST or left < 0:
            end = self.elements(at, units, unit, alignment, unit)
        else:
            self.left = left
        try:
            return str(self.view[at:end], codec)
        except UnicodeDecodeError as error:
            raise RuleBroken(Rule.STRING_WELL_FORMED, error.reason) from None

    # ---------------------------------------------------- writing

    def put_bytes(self, data: bytes | bytearray | memoryview) -> tuple[int, int]:
        """Write a list of bytes; returns where it lies and how long it is."""
        view = memoryview(data)
        return self._put(view, 1), len(view)

    def put_array(self, data: memoryview) -> tuple[int, int]:
        """Write a list of numbers, as an array of them."""
        return self._put(data.cast("B"), data.itemsize), len(data)

    def put_string(self, text: str) -> tuple[int, int]:
        """Write a string; returns where it lies and its length in code units.

        Raises:
            UnicodeEncodeError: it has surrogates.
        """
        if self.encoding is Encoding.UTF8:
            data = text.encode()
            return self._put(memoryview(data), 1), len(data)
        if self.encoding is Encoding.LATIN1_OR_UTF16:
            if text.isascii() or max(text) <= "\xff":
                data = text.encode("latin-1")
                return self._put(memoryview(data), 2), len(data)
            data = text.encode("utf-16-le")
            return self._put(memoryview(data), 2), len(data) // 2 | _UTF16_TAG
        data = text.encode("utf-16-le")
        return self._put(memoryview(data), 2), len(data) // 2

    def room(self, count: int, size: int, alignment: int) -> int:
        """Get room for `count` elements of `size` bytes.

        Raises:
            OverflowError: no guest may have a list as long as that.
        """
        check_length(count * size)
        return self.allocate(alignment, count * size)

    def _put(self, data: memoryview, alignment: int) -> int:
        size = len(data)
        at = self.room(size, 1, alignment)
        self.view[at : at + size] = data
        return at


def check_length(size: int) -> None:
    """See that a list of the host is not too long for any guest.

    Raises:
        OverflowError: it is.
    """
    if size >= LONGEST:
        raise OverflowError


def char(code: int) -> str:
    """Read a character.

    Raises:
        RuleBroken: there is no such character.
    """
    if code >= _LAST_CHAR or code in _SURROGATES:
        raise RuleBroken(Rule.CHAR_VALID, hex(code))
    return chr(code)


def no_case(number: int) -> NoReturn:
    """Refuse a discriminant."""
    raise RuleBroken(Rule.CASE_KNOWN, number)
