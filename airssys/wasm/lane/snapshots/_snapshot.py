"""Snapshots as bytes: to keep them, or to take them to another process.

They are what follows, one after the other:

| bytes | |
|---|---|
| 8 | `airssnap` |
| 1 | the version of this format |
| 1 | 1 if the body is deflated, else 0 |
| 32 | the component that it belongs to |
| 8 | how many bytes the body has, inflated |
| 32 | SHA-256 of all that stands before and behind it |
| | the body: a line of JSON, then the contents of all pages |

The checksum finds damage, not malice: who can write a snapshot decides what the guest
has in its memory, and so what it does. It decides nothing about the host: whatever is
read here is checked against the instance before it is written there.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from airssys.contracts import SnapshotRefused

from ._states import PAGE, Handle, HandleState, MemoryState

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_MOST: Final = 16 << 20
"""Bytes of pages that a snapshot may have, as in `Limits`."""
_MAGIC: Final = b"airssnap"
_VERSION: Final = 1
_HEAD: Final = struct.Struct("<8sBB32sQ")
_CHECKSUM: Final = 32
_LEVEL: Final = 1
"""Of deflation: higher ones take five times as long for a tenth less."""
_MOST_HEAD: Final = 1 << 20
"""Bytes of JSON, and 16 more for each page: reading them holds the interpreter lock."""
_NUMBERS: Final = 2**32
_KINDS: Final = 5
"""Types of globals that are numbers: i32, i64, f32, f64, v128."""
_VALUE: Final = 16


@final
@attrs.frozen
class Snapshot:
    """The state of an instance between two calls; made by `Instance.snapshot`.

    It can only be restored into an instance of the same component.
    """

    component: bytes
    """SHA-256 of the component, and of how it is run."""
    memories: tuple[MemoryState, ...]
    tables: tuple[int, ...]
    """How many elements each table has; what is in them is as in a fresh instance."""
    globals: tuple[tuple[int, int, bytes], ...] = attrs.field(repr=False)
    """Those that differ: number, type and value, as wasmtime has them."""
    handles: tuple[HandleState, ...]

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        pages = sum(len(each.content) for each in self.memories)
        handles = sum(len(each.handles) for each in self.handles)
        return pages + 100 * (len(self.globals) + handles)

    def to_bytes(self, *, deflate: bool = True) -> bytes:
        """Write it down; deflating takes about 15 ms a megabyte, in any thread.

        Args:
            deflate: Whether to make it smaller.
        """
        line = json.dumps(_fields(self), separators=(",", ":")).encode()
        body = b"".join([line, b"\n", *(each.content for each in self.memories)])
        head = _HEAD.pack(_MAGIC, _VERSION, deflate, self.component, len(body))
        packed = zlib.compress(body, _LEVEL) if deflate else body
        return b"".join([head, _checksum(head, packed), packed])

    @classmethod
    def from_bytes(cls, written: bytes, most: int = DEFAULT_MOST) -> Snapshot:
        """Read what `to_bytes` returned.

        Args:
            written: The bytes.
            most: How many bytes its pages may have.

        Raises:
            SnapshotRefused: These bytes are not a snapshot, are damaged, or too many.
        """
        return _from_bytes(written, most)


def _from_bytes(written: bytes, most: int) -> Snapshot:
    start = _HEAD.size + _CHECKSUM
    if len(written) < start or not written.startswith(_MAGIC):
        raise SnapshotRefused("these bytes are not a snapshot")
    head, packed = written[: _HEAD.size], written[start:]
    _, version, deflated, component, size = _HEAD.unpack(head)
    if version != _VERSION:
        problem = f"it is of version {version}, and this is version {_VERSION}"
        raise SnapshotRefused(problem, "Take it again")
    if _checksum(head, packed) != written[_HEAD.size : start]:
        raise SnapshotRefused("it is damaged: its checksum is wrong", "Take it again")
    if size > most + most // PAGE * 16 + _MOST_HEAD:
        raise SnapshotRefused(f"it has {size} bytes, more than {most}")
    try:
        body = _inflated(packed, size) if deflated else packed
        _check(len(body) == size, "it has another size than it says")
        return _read(body, component, most)
    except (ValueError, TypeError, KeyError, RecursionError, zlib.error) as error:
        raise SnapshotRefused(f"it is malformed ({error})", "Take it again") from error


def _checksum(head: bytes, packed: bytes) -> bytes:
    return hashlib.sha256(head + packed).digest()


def _inflated(packed: bytes, size: int) -> bytes:
    inflater = zlib.decompressobj()
    body = inflater.decompress(packed, size + 1)
    if not inflater.eof or inflater.unused_data:
        raise ValueError("it does not end where it should")
    return body


def _fields(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "memories": [
            [each.fresh_size, each.size, each.pages, each.zeroed]
            for each in snapshot.memories
        ],
        "tables": snapshot.tables,
        "globals": [
            [number, kind, value.hex()] for number, kind, value in snapshot.globals
        ],
        "handles": [
            [
                each.count,
                [[h.number, h.resource, h.representation] for h in each.handles],
                each.free,
            ]
            for each in snapshot.handles
        ],
    }


def _read(body: bytes, component: bytes, most: int) -> Snapshot:
    end = body.index(b"\n", 0, _MOST_HEAD + most // PAGE * 16)
    fields = json.loads(body[:end])
    at = end + 1
    memories = []
    for fresh_size, size, pages, zeroed in fields["memories"]:
        numbers = _ascending(pages, size)
        content = body[at : at + len(numbers) * PAGE]
        at += len(numbers) * PAGE
        _number(fresh_size, size + 1)
        memories.append(
            MemoryState(fresh_size, size, numbers, _ascending(zeroed, size), content)
        )
    _check(at == len(body), "it has another size than its pages")
    held = sum(len(each.content) for each in memories)
    _check(held <= most, f"its pages have {held} bytes, more than {most}")
    return Snapshot(
        component,
        tuple(memories),
        tuple(_number(size) for size in fields["tables"]),
        tuple(_global(*each) for each in fields["globals"]),
        tuple(_handles(*each) for each in fields["handles"]),
    )


def _check(holds: object, problem: str) -> None:
    if not holds:
        raise ValueError(problem)


def _number(value: object, end: int = _NUMBERS) -> int:
    if type(value) is not int or not 0 <= value < end:
        raise ValueError("a number is out of range")
    return value


def _ascending(pages: Sequence[object], size: object) -> tuple[int, ...]:
    end = _number(size, _NUMBERS + 1) // PAGE
    numbers = tuple(_number(page, end) for page in pages)
    _check(list(numbers) == sorted(set(numbers)), "its pages are out of order")
    return numbers


def _global(number: object, kind: object, value: str) -> tuple[int, int, bytes]:
    written = bytes.fromhex(value)
    _check(len(written) == _VALUE, "a global has another size")
    return _number(number), _number(kind, _KINDS), written


def _handles(
    count: object, handles: Sequence[Sequence[Any]], free: Sequence[object]
) -> HandleState:
    """Read the handles of one instance: each number is used once, or free."""
    used = _number(count, 2**28)
    found = tuple(
        Handle(_number(number), _text(resource), _number(representation))
        for number, resource, representation in handles
    )
    unused = tuple(_number(number) for number in free)
    numbers = sorted([*(each.number for each in found), *unused])
    _check(numbers == list(range(1, used + 1)), "its handles do not add up")
    return HandleState(used, found, unused)


def _text(value: object) -> str:
    if type(value) is not str:
        raise ValueError("a name is not a text")
    return value
