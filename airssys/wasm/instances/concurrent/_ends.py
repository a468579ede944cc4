"""The ends of streams and futures that the program has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, final

from airssys.contracts import EngineMisused
from airssys.wasm.lane.tasks import Buffer, CopyResult, Shared
from airssys.wasm.values import Number, ValueUnfit

if TYPE_CHECKING:
    import weakref

    from airssys.wasm.lane.components import CopyType


class Copies(Protocol):
    """The instance, as the ends see it."""

    ends: weakref.WeakSet[End]

    def wake(self) -> None:
        """Note that the guest may be able to go on."""
        ...

    async def copy(
        self, shared: Shared, buffer: Buffer, *, is_read: bool
    ) -> CopyResult:
        """Copy from or to the guest, and wait until something was."""
        ...


@final
class _Values:
    """A buffer of the program's."""

    def __init__(self, values: Any, length: int) -> None:
        self.values, self.length, self.progress = values, length, 0

    def read(self, count: int) -> Any:
        """Take the next values."""
        self.progress += count
        return self.values[self.progress - count : self.progress]

    def write(self, values: Any) -> None:
        """Add values."""
        self.progress += len(values)
        self.values += values


class End:
    """One end of a stream or future that the program has. Close it, or use `with`."""

    def __init__(self, instance: Copies, shared: Shared) -> None:
        self._instance, self._shared = instance, shared
        self._is_open = True
        instance.ends.add(self)

    def _check_open(self) -> None:
        if not self._is_open:
            raise EngineMisused("this end was closed or given away")

    def close(self) -> None:
        """Let it go; the code that has the other end finds out. Does nothing twice."""
        if self._is_open:
            self._leave()
            self._shared.drop()
            self._instance.wake()

    def _leave(self) -> None:
        self._is_open = False
        self._instance.ends.discard(self)

    def give(self, type_: CopyType) -> Shared:
        """Give the end to the guest, as one of this type; not for users.

        Raises:
            ValueUnfit: It is a writable one, was given away before, or is of another type.
        """
        if not self._is_open or self._shared.type != type_ or not self._is_readable:
            raise ValueUnfit(f"{self!r} is not an end that the guest can have")
        self._leave()
        return self._shared

    _is_readable = False

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@final
class StreamReader(End):
    """The end of a stream from which the program reads; or gives it to a guest."""

    _is_readable = True

    async def receive(self, most: int = 65536) -> Any:
        """Wait for values, up to `most`; returns them, or None at the end.

        A `stream<u8>` gives `bytes`, any other one a list.

        Raises:
            GuestSpent: The guest was stopped.
        """
        self._check_open()
        is_bytes = self._shared.type.element is Number.U8
        buffer = _Values(bytearray() if is_bytes else [], most)
        result = await self._instance.copy(self._shared, buffer, is_read=True)
        if not buffer.progress and result is CopyResult.DROPPED:
            return None
        return bytes(buffer.values) if is_bytes else buffer.values


@final
class StreamWriter(End):
    """The end of a stream to which the program writes."""

    async def send(self, values: Any) -> bool:
        """Wait until all values were read; returns whether they were.

        It is False if the reader let its end go.

        Raises:
            GuestSpent: The guest was stopped.
        """
        self._check_open()
        buffer = _Values(values, len(values))
        while buffer.progress < buffer.length:
            result = await self._instance.copy(self._shared, buffer, is_read=False)
            if result is CopyResult.DROPPED:
                return buffer.progress == buffer.length
        return True


@final
class FutureReader(End):
    """The end of a future from which the program reads; or gives it to a guest."""

    _is_readable = True

    async def get(self) -> Any:
        """Wait for the value.

        Raises:
            GuestSpent: The guest was stopped.
        """
        self._check_open()
        buffer = _Values([], 1)
        await self._instance.copy(self._shared, buffer, is_read=True)
        self._leave()
        return buffer.values[0]


@final
class FutureWriter(End):
    """The end of a future to which the program writes, once."""

    async def set(self, value: Any) -> bool:
        """Write the value; returns whether it was read.

        Raises:
            GuestSpent: The guest was stopped.
        """
        self._check_open()
        buffer = _Values([value], 1)
        result = await self._instance.copy(self._shared, buffer, is_read=False)
        self._leave()
        return result is CopyResult.COMPLETED
