"""Reads the class and text of users' objects without letting their code interfere.

An error, a value or a group of errors may be of any class, and whatever Python lets a
class define may raise, recurse, lie or take long: `__str__`, `__repr__`, `__bool__`,
`__eq__`, `__class__`, `exceptions`, a metaclass's `__name__` and `__instancecheck__`.
The steps that must not fail (the design page lists them) only use these functions:

* none of them raises an Exception;
* none of them recurses, however deep groups are nested; an error that is in a group
  several times is inspected once;
* an object that cannot be converted to text is named by its class;
* an exception that is not an Exception (e.g. SystemExit) is let through. It is a
  request to end the program, and the caller must make sure that its step is done
  nevertheless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Kinds: TypeAlias = type | tuple[type, ...]
"""A class, or several: of one of them."""

MAX_TEXT: Final = 10_000
"""The most characters of an object's text that are used."""

# Bypass what a class, or its metaclass, has put in their place.
_name_of: Final[Any] = vars(type)["__name__"].__get__
_context_of: Final[Any] = vars(BaseException)["__context__"].__get__
_members_of: Final[Any] = vars(BaseExceptionGroup)["exceptions"].__get__


def kind_name(value: object) -> str:
    """Return the name of the class of an object."""
    name: str = _name_of(type(value))
    return name


def text_of(value: object, most: int = MAX_TEXT) -> str:
    """Return `str` of an object, or a note that it cannot be shown.

    The result is a plain str of at most `most` characters, not escaped: the caller must
    do that to put it into a line. Calls the object's own code once, for as long as it
    takes.
    """
    try:
        return str.__getitem__(str(value), slice(most))
    except Exception as problem:  # noqa: BLE001  # it may raise anything
        return f"<it cannot be shown: {kind_name(problem)}>"


def repr_of(value: object, most: int = MAX_TEXT) -> str:
    """Return `repr` of an object, or its class; see `text_of`."""
    try:
        return str.__getitem__(repr(value), slice(most))
    except Exception as problem:  # noqa: BLE001  # it may raise anything
        return f"<{kind_name(value)} that cannot be shown: {kind_name(problem)}>"


def plain_text(text: str) -> str:
    """Return a text as a plain str; a subclass may have methods of its own."""
    return text if type(text) is str else str.__getitem__(text, slice(None))


def plain_bytes(data: bytes) -> bytes:
    """Return bytes as plain bytes; a subclass may have methods of its own."""
    return data if type(data) is bytes else bytes.__getitem__(data, slice(None))


def is_a(value: object, kind: Kinds) -> bool:
    """Say whether an object is of a class, as `except` does; not by `__class__`."""
    if isinstance(kind, tuple):
        of = type(value)
        for each in kind:  # noqa: SIM110  # each crash asks this: no generator for it
            if type.__subclasscheck__(each, of):
                return True
        return False
    return type.__subclasscheck__(kind, type(value))


def only_member(error: BaseException, known: Kinds = ()) -> BaseException:
    """Return the only error in a group, at any depth; otherwise the error itself.

    A group that is itself of a class in `known` is not opened.
    """
    while _is_group(error) and not is_a(error, known):
        members = _members_of(error)
        if len(members) > 1:
            break
        error = members[0]
    return error


def leaves_of(error: BaseException, known: Kinds = ()) -> Iterator[BaseException]:
    """Visit the errors in a group, at any depth, each once, in order; not the groups.

    A group that is itself of a class in `known` is visited as a whole.
    """
    waiting, seen = [error], set[int]()
    while waiting:
        each = only_member(waiting.pop(), known)
        if id(each) in seen:
            continue
        seen.add(id(each))
        if _is_group(each) and not is_a(each, known):
            waiting.extend(reversed(_members_of(each)))
        else:
            yield each


def contexts_of(error: BaseException) -> Iterator[BaseException]:
    """Visit an error and the chain of its contexts, each once."""
    each: BaseException | None = error
    seen = set[int]()
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = _context_of(each)


def is_wholly(error: BaseException, kind: Kinds) -> bool:
    """Say whether an error is of a class, or a group of only such, at any depth."""
    if not _is_group(
        error
    ):  # the common case, and a generator costs more than the rest
        return is_a(error, kind)
    return all(is_a(each, kind) for each in leaves_of(error, kind))


def _is_group(error: BaseException) -> bool:
    return issubclass(type(error), BaseExceptionGroup)


def is_fatal(error: BaseException | None) -> bool:
    """Say whether an error ends the program, i.e. is not an Exception."""
    return error is not None and not issubclass(type(error), Exception)


def find_fatal(error: BaseException | None) -> BaseException | None:
    """Find an error that no supervisor may hold back, at any depth."""
    if error is None or not _is_group(error):
        return error if is_fatal(error) else None
    return next(filter(is_fatal, leaves_of(error)), None)
