"""What all errors have in common: whose fault they are, advice, and pickling.

An error may be pickled and copied, whatever its `__init__` takes: it is rebuilt from
its fields. If an error holds an exception from outside the library which refuses to be
pickled, that exception is left out; its text is part of the error's text already.
"""

from __future__ import annotations

import enum
import pickle
from typing import Any, Self, TypeVar, cast

from airssys.contracts.texts import one_line

_Value = TypeVar("_Value")


class Fault(enum.Enum):
    """Whose fault an error is, and so who must act."""

    DEFINITION = "the definition"
    """What was passed in is wrong: a blueprint, or a component file."""
    GUEST = "the guest"
    """A component did something that is not allowed, or answered with an error."""
    SENDER = "the sender"
    """The message could not be accepted in that form or at that time."""
    ACTOR = "an actor"
    """An actor did not start, crashed, or did not answer."""
    MACHINE = "the machine"
    """A resource of the machine is used up."""
    PROGRAM = "the embedding program"
    """It broke a rule of this library."""
    OURS = "airssys"
    """A bug in this library."""


class AirssysError(Exception):
    """The base class of all errors that airssys raises on purpose."""

    fault: Fault = Fault.PROGRAM
    """Whose fault it is; some classes only know this for each error."""
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
        # The fields hold frozen values or exceptions, which are copied as they are.
        return self._again()

    def _again(self) -> Self:
        again = _rebuild(type(self), self.args)
        vars(again).update(vars(self))
        return again

    def _with_advice(self, text: str) -> str:
        """Join the problem and the advice into one message on one line."""
        found = one_line(text)
        return f"{found}. {one_line(self.advice)}" if self.advice else found


class InternalError(AirssysError):
    """Something impossible has happened: a bug in airssys."""

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
    """Return what to pickle in place of a value: None for an exception that refuses."""
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
