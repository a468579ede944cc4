"""A copy of an error that is limited and plain, for code that formats all of it.

Python's `traceback` follows all causes, contexts and groups, and asks each error for
its truth value, its notes and its text. An error may have a hundred thousand causes,
and any class. So a copy is shown: the same names, texts, notes and tracebacks, of a
limited number of errors, in classes of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, final

from airssys.contracts import is_a, text_of

if TYPE_CHECKING:
    from types import TracebackType

MAX_ERRORS: Final = 50
"""The number of errors that are copied, including causes, contexts and members."""
MAX_GROUP: Final = 5
"""The depth of groups, and the members of each group, that are copied."""
_MAX_NOTES: Final = 5

# Bypass what a class has put in their place.
_fields: Final = vars(BaseException)
_members_of: Final[Any] = vars(BaseExceptionGroup)["exceptions"].__get__
_qualname_of: Final[Any] = vars(type)["__qualname__"].__get__
_module_of: Final[Any] = vars(type)["__module__"].__get__


_E = TypeVar("_E", bound=BaseException)


class _Shown(Exception):
    text: str

    def __str__(self) -> str:
        return self.text


class _ShownGroup(BaseExceptionGroup):  # noqa: ASYNC126  # it is never split
    text: str

    def __str__(self) -> str:
        return self.text


def plain_copy(error: BaseException) -> BaseException:
    """Copy an error, with what it was raised from and the members of its group."""
    return _Copier().copy(error, 0) or _Shown()


@final
class _Copier:
    """Copies one error and all that it consists of."""

    def __init__(self) -> None:
        self._left = MAX_ERRORS
        self._seen: set[int] = set()

    def copy(self, error: BaseException | None, depth: int) -> BaseException | None:
        """Copy an error; None if it was copied already, or exceeds a limit."""
        if error is None or self._left == 0 or id(error) in self._seen:
            return None
        self._left -= 1
        self._seen.add(id(error))
        copy = self._alone(error, depth)
        copy.text = text_of(error)
        copy.__traceback__ = _traceback_of(error)
        for note in _notes_of(error):
            copy.add_note(note)
        # `raise ... from error` notes that error twice, as cause and as context; the
        # cause is what is shown.
        copy.__cause__ = self.copy(_fields["__cause__"].__get__(error), depth)
        copy.__context__ = self.copy(_fields["__context__"].__get__(error), depth)
        copy.__suppress_context__ = _fields["__suppress_context__"].__get__(error)
        return copy

    def _alone(self, error: BaseException, depth: int) -> _Shown | _ShownGroup:
        is_entered = is_a(error, BaseExceptionGroup) and depth < MAX_GROUP
        members = _members_of(error) if is_entered else ()
        copies = [self.copy(each, depth + 1) for each in members[:MAX_GROUP]]
        present = [each for each in copies if each is not None]
        if not present:
            return _class_like(error, _Shown)()
        if left_out := len(members) - len(present):
            present.append(_left_out(left_out))
        return _class_like(error, _ShownGroup)("", present)


def _class_like(error: BaseException, base: type[_E]) -> type[_E]:
    kind = type(error)
    name, module = _qualname_of(kind), text_of(_module_of(kind))
    return type(name, (base,), {"__qualname__": name, "__module__": module})


def _left_out(count: int) -> _Shown:
    rest = _Shown()
    rest.text = f"and {count} more, which are not shown"
    return rest


def _traceback_of(error: BaseException) -> TracebackType | None:
    found: TracebackType | None = _fields["__traceback__"].__get__(error)
    return found


def _notes_of(error: BaseException) -> list[str]:
    """Return the first notes of an error; its class may return anything for them."""
    try:
        notes: object = error.__notes__
        if isinstance(notes, (list, tuple)):
            return [text_of(note) for note in notes[:_MAX_NOTES]]
    except Exception:  # noqa: BLE001, S110  # then it has none
        pass
    return []
