"""What all errors have in common: whose fault it is, what to do, and that they travel.

An error may be pickled and copied, whatever its `__init__` takes: it is rebuilt from its
fields. One that carries an exception of somebody else, which may refuse to be pickled,
then travels without it: what that said is in the text already.
"""

from __future__ import annotations

import enum
import pickle
from typing import Any, Self, TypeVar, cast

from airssys.contracts.texts import one_line

_Value = TypeVar("_Value")


class Fault(enum.Enum):
    """Whose fault an error is, which is who must act."""

    DEFINITION = "the definition"
    """What was handed in is wrong: a blueprint, or a component file."""
    GUEST = "the guest"
    """A component did what it may not, or answered with an error."""
    SENDER = "the sender"
    """The message could not be accepted as it was, when it was."""
    ACTOR = "an actor"
    """An actor did not start, crashed, or did not answer."""
    MACHINE = "the machine"
    """It has no more to give."""
    PROGRAM = "the embedding program"
    """It broke a rule of this library."""
    OURS = "airssys"
    """A bug in this library."""


class AirssysError(Exception):
    """Everything that airssys raises on purpose."""

    fault: Fault = Fault.PROGRAM
    """Whose fault it is; some classes know it only of each error."""
    advice: str = ""
    """What to do; a part of the message."""

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = tuple(map(portable, self.args))
        fields = {name: portable(value) for name, value in vars(self).items()}
        return _rebuild, (type(self), arguments), fields

    def __repr__(self) -> str:
        return one_line(super().__repr__())

    def __copy__(self) -> Self:
        return self._again()

    def __deepcopy__(self, _: object) -> Self:
        # What the fields hold is frozen, or an exception, which is no matter of ours.
        return self._again()

    def _again(self) -> Self:
        again = _rebuild(type(self), self.args)
        vars(again).update(vars(self))
        return again

    def _with_advice(self, text: str) -> str:
        """Put what was found and what to do into one message, which is one line."""
        found = one_line(text)
        return f"{found}. {one_line(self.advice)}" if self.advice else found


class InternalError(AirssysError):
    """Something happened that cannot happen: a bug in airssys."""

    fault = Fault.OURS
    advice = "This is a bug in airssys: please report it, with this text"

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)

    def __str__(self) -> str:
        return self._with_advice(self.problem)


def fault_of(error: object) -> Fault | None:
    """Return whose fault an error is, if it is one of ours; else None."""
    if issubclass(type(error), AirssysError):
        return cast("AirssysError", error).fault
    return None


def portable(value: _Value) -> _Value | None:
    """Return what may be pickled in place of a value: None for a stubborn exception."""
    if not isinstance(value, BaseException) or isinstance(value, AirssysError):
        return value
    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301 (what was dumped in the same line)
    except Exception:  # noqa: BLE001 (a user's exception may fail in any way)
        return None
    return value


_Error = TypeVar("_Error", bound=AirssysError)


def _rebuild(kind: type[_Error], arguments: tuple[object, ...]) -> _Error:
    """Make an error without calling its `__init__`; its fields are set afterwards."""
    return kind.__new__(kind, *arguments)
