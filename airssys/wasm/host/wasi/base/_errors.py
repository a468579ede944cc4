"""The resource `error` of `wasi:io`: what a guest can ask about a failed stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from ._context import Held

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._bytes import StreamFailed
    from ._context import WasiContext


@final
class IoError(Held):
    """What a guest can ask about a failure of a stream."""

    __slots__ = ("failure",)

    def __init__(self, context: WasiContext, failure: StreamFailed) -> None:
        super().__init__(context)
        self.failure = failure


def error_code(kind: str) -> Callable[[WasiContext, IoError], object]:
    """Make the function that gives the error code of one interface, or none."""

    def find(_context: WasiContext, error: IoError) -> object:
        failure = error.failure
        return failure.code if failure.kind == kind else None

    return find
