"""What the values of one function are like: how they may be read, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._types import Borrow, List, Own, Tuple, mentions

if TYPE_CHECKING:
    from ._types import Function

_NOTHING: Final = Tuple(())


class CallValues:
    """The marshaller of a function, without code that moves values: a lane may have its own."""

    __slots__ = ("count", "may_answer_long", "moves_resources", "signature")

    def __init__(self, signature: Function) -> None:
        self.signature = signature
        self.count = len(signature.params)
        """How many parameters it has."""
        both = Tuple(
            (
                *(wit for _, wit in signature.params),
                signature.result or _NOTHING,
            )
        )
        self.moves_resources = mentions(both, (Own, Borrow))
        """Whether its values can only be read once."""
        self.may_answer_long = mentions(signature.result, (List,))
        """Whether it has only texts, which are copied fast whatever their length."""
