"""`handlers(...)` for type checkers, which keep each handler's message and answer.

They cannot compute with types, so each number of handlers has a line of its own: the
messages as a union, and for each handler a row with its answer. `Ref.ask` has a line
for each row. Beyond that number of handlers everything is `Any`; there is no limit at
run time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeAlias, TypeVar, final, overload

from airssys.contracts import Envelope

from ._handlers import Handlers

_M = TypeVar("_M")
_R = TypeVar("_R")
_M1 = TypeVar("_M1")
_R1 = TypeVar("_R1")
_M2 = TypeVar("_M2")
_R2 = TypeVar("_R2")
_M3 = TypeVar("_M3")
_R3 = TypeVar("_R3")
_M4 = TypeVar("_M4")
_R4 = TypeVar("_R4")
_M5 = TypeVar("_M5")
_R5 = TypeVar("_R5")
_M6 = TypeVar("_M6")
_R6 = TypeVar("_R6")
_M7 = TypeVar("_M7")
_R7 = TypeVar("_R7")
_M8 = TypeVar("_M8")
_R8 = TypeVar("_R8")
_M9 = TypeVar("_M9")
_R9 = TypeVar("_R9")
_M10 = TypeVar("_M10")
_R10 = TypeVar("_R10")
_Message_co = TypeVar("_Message_co", covariant=True)
_Answer_co = TypeVar("_Answer_co", covariant=True)
_Next_co = TypeVar("_Next_co", covariant=True)


@final
class Row(Generic[_Message_co, _Answer_co, _Next_co]):
    """One handler, and those after it."""


@final
class End:
    """No more handlers."""


_On: TypeAlias = Callable[[Any, Any, _M], _R]
"""`async def name(self, context, message)`, or the same without `async`.

If it is async, its row says that its answer is an awaitable, and `Ref.ask` awaits it. To
solve `Awaitable[R] | R` for R is more than mypy does."""

Otherwise: TypeAlias = Callable[
    [Any, Any, Envelope], Awaitable[bytes | None] | bytes | None
]
"""`async def name(self, context, envelope)`, or the same without `async`."""


@overload
def handlers(
    f1: _On[_M1, _R1],
    /,
    *,
    otherwise: Otherwise | None = None,
) -> Handlers[_M1, Row[_M1, _R1, End]]: ...


@overload
def handlers(
    f1: _On[_M1, _R1],
    f2: _On[_M2, _R2],
    /,
    *,
    otherwise: Otherwise | None = None,
) -> Handlers[_M1 | _M2, Row[_M1, _R1, Row[_M2, _R2, End]]]: ...


@overload
def handlers(
    f1: _On[_M1, _R1],
    f2: _On[_M2, _R2],
    f3: _On[_M3, _R3],
    /,
    *,
    otherwise: Otherwise | None = None,
) -> Handlers[_M1 | _M2 | _M3, Row[_M1, _R1, Row[_M2, _R2, Row[_M3, _R3, End]]]]: ...


@overload
def handlers(
    f1: _On[_M1, _R1],
    f2: _On[_M2, _R2],
    f3: _On[_M3, _R3],
    f4: _On[_M4, _R4],
    /,
    *,
    otherwise: Otherwise | None = None,
) -> Handlers[
    _M1 | _M2 | _M3 | _M4,
    Row[_M1, _R1, Row[_M2, _R2, Row[_M3, _R3, Row[_M4, _R4, End]]]],
]: ...


@overload
def handlers(
    f1: _On[_M1, _R1],
    f2: _On[_M2, _R2],
    f3: _On[_M3, _R3],
    f4: _On[_M4, _R4],
    f5: _On[_M5, _R5],
    /,
    *,
    otherwise: Otherwise | None = None,
) -> Handlers[
    _M1 | _M2 | _M3 | _M4 | _M5,
    Row[_M1, _R1, Row[_M2, _R2, Row[_M3, _R3, Row[_M4, _R4, Row[_M5, _R5, End]]]]],
]: ...


@overload
def handlers(
    f1: _On[_M1, _R1],
    f2: _On[_M2, _R2],
    f3: _On[_M3, _R3],
    f4: _On[_M4, _R4],
    f5: _On[_M5, _R5],
    f6: _On[_M6, _R6],
    /,
    *,
    otherwise: Otherwise | None = None,
) -> Handlers[
    _M1 | _M2 | _M3 | _M4 | _M5 | _M6,
    Row[
        _M1,
        _R1,
        Row[_M2, _R2, Row[_M3, _R3, Row[_M4, _R4, Row[_M5, _R5, Row[_M6, _R6, End]]]]],
    ],
]: ...


@overload
def handlers(
    f1: _On[_M1, _R1],
    f2: _On[_M2, _R2],
    f3: _On[_M3, _R3],
    f4: _On[_M4, _R4],
    f5: _On[_M5, _R5],
    f6: _On[_M6, _R6],
    f7: _On[_M7, _R7],
    /,
    *,
    otherwise: Otherwise | None = None,
) -> Handlers[
    _M1 | _M2 | _M3 | _M4 | _M5 | _M6 | _M7,
    Row[
        _M1,
        _R1,
        Row[
            _M2,
            _R2,
            Row[
                _M3,
                _R3,
                Row[_M4, _R4, Row[_M5, _R5, Row[_M6, _R6, Row[_M7, _R7, End]]]],
            ],
        ],
    ],
]: ...


@overload
def handlers(
    f1: _On[_M1, _R1],
    f2: _On[_M2, _R2],
    f3: _On[_M3, _R3],
    f4: _On[_M4, _R4],
    f5: _On[_M5, _R5],
    f6: _On[_M6, _R6],
    f7: _On[_M7, _R7],
    f8: _On[_M8, _R8],
    /,
    *,
    otherwise: Otherwise | None = None,
) -> Handlers[
    _M1 | _M2 | _M3 | _M4 | _M5 | _M6 | _M7 | _M8,
    Row[
        _M1,
        _R1,
        Row[
            _M2,
            _R2,
            Row[
                _M3,
                _R3,
                Row[
                    _M4,
                    _R4,
                    Row[_M5, _R5, Row[_M6, _R6, Row[_M7, _R7, Row[_M8, _R8, End]]]],
                ],
            ],
        ],
    ],
]: ...


@overload
def handlers(
    f1: _On[_M1, _R1],
    f2: _On[_M2, _R2],
    f3: _On[_M3, _R3],
    f4: _On[_M4, _R4],
    f5: _On[_M5, _R5],
    f6: _On[_M6, _R6],
    f7: _On[_M7, _R7],
    f8: _On[_M8, _R8],
    f9: _On[_M9, _R9],
    /,
    *,
    otherwise: Otherwise | None = None,
) -> Handlers[
    _M1 | _M2 | _M3 | _M4 | _M5 | _M6 | _M7 | _M8 | _M9,
    Row[
        _M1,
        _R1,
        Row[
            _M2,
            _R2,
            Row[
                _M3,
                _R3,
                Row[
                    _M4,
                    _R4,
                    Row[
                        _M5,
                        _R5,
                        Row[_M6, _R6, Row[_M7, _R7, Row[_M8, _R8, Row[_M9, _R9, End]]]],
                    ],
                ],
            ],
        ],
    ],
]: ...


@overload
def handlers(
    f1: _On[_M1, _R1],
    f2: _On[_M2, _R2],
    f3: _On[_M3, _R3],
    f4: _On[_M4, _R4],
    f5: _On[_M5, _R5],
    f6: _On[_M6, _R6],
    f7: _On[_M7, _R7],
    f8: _On[_M8, _R8],
    f9: _On[_M9, _R9],
    f10: _On[_M10, _R10],
    /,
    *,
    otherwise: Otherwise | None = None,
) -> Handlers[
    _M1 | _M2 | _M3 | _M4 | _M5 | _M6 | _M7 | _M8 | _M9 | _M10,
    Row[
        _M1,
        _R1,
        Row[
            _M2,
            _R2,
            Row[
                _M3,
                _R3,
                Row[
                    _M4,
                    _R4,
                    Row[
                        _M5,
                        _R5,
                        Row[
                            _M6,
                            _R6,
                            Row[
                                _M7,
                                _R7,
                                Row[_M8, _R8, Row[_M9, _R9, Row[_M10, _R10, End]]],
                            ],
                        ],
                    ],
                ],
            ],
        ],
    ],
]: ...


@overload
def handlers(
    *functions: Callable[[Any, Any, Any], Any],
    otherwise: Otherwise | None = None,
) -> Handlers[Any, Any]: ...


def handlers(
    *functions: Callable[[Any, Any, Any], Any],
    otherwise: Otherwise | None = None,
) -> Handlers[Any, Any]:
    """Make the `handle` of a class from its typed handlers.

    Args:
        functions: The methods with `@on_message`, of this class or of its bases. A
            subclass that overrides one need not list it again.
        otherwise: A method that gets the envelopes that are for no handler: messages in
            other codecs or of other types, published ones, timers, watches. Without it
            they are refused, and their askers get an error.
    """
    return Handlers(functions, otherwise)
