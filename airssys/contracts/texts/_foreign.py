"""What users' objects are and say, found out so that nothing of their own gets in our way.

An error, a value or a group of errors may be of any class, and whatever Python lets a class
define may raise, recurse, lie or take long: `__str__`, `__repr__`, `__bool__`, `__eq__`,
`__class__`, `exceptions`, a metaclass's `__name__` and `__instancecheck__`. The steps that
must not fail (the design page lists them) ask only through these functions:

* none raises an Exception;
* none recurses, however deep groups are nested; what stands in a group in many places is
  looked at once;
* an object that cannot say what it is is named by its class;
* what an object raises that is no Exception (SystemExit, say) does come out. It is a wish
  to end the program, and whoever asks sees to it that the step is taken nevertheless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Kinds: TypeAlias = type | tuple[type, ...]
"""A class, or some: of one of them."""

MAX_TEXT: Final = 10_000
"""Characters of what an object says of itself that anybody looks at."""

# Read past whatever a class, or its metaclass, has put in their place.
_name_of: Final[Any] = vars(type)["__name__"].__get__
_context_of: Final[Any] = vars(BaseException)["__context__"].__get__
_members_of: Final[Any] = vars(BaseExceptionGroup)["exceptions"].__get__


def kind_name(value: object) -> str:
    """Return the name of the class of an object."""
    name: str = _name_of(type(value))
    return name


def text_of(value: object, most: int = MAX_TEXT) -> str:
    """Return what an object says of itself by `str`, or that it cannot be shown.

    It is a plain str of at most `most` characters, as it was: to put it into a line is
    for somebody else. Calls the object's own code once, for as long as that takes.
    """
    try:
        return str.__getitem__(str(value), slice(most))
    except Exception as problem:  # noqa: BLE001  # it may raise anything
        return f"<it cannot be shown: {kind_name(problem)}>"


def repr_of(value: object, most: int = MAX_TEXT) -> str:
    """Return what an object says of itself by `repr`, or its class; see `text_of`."""
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
    """Say whether an object is of a class, as `except` does; its own word is not asked."""
    if isinstance(kind, tuple):
        return any(type.__subclasscheck__(each, type(value)) for each in kind)
    return type.__subclasscheck__(kind, type(value))


def only_member(error: BaseException, known: Kinds = ()) -> BaseException:
    """Return what a group of one is about, at any depth; else the error itself.

    A group that is itself of a class in `known` is not looked into.
    """
    while _is_group(error) and not is_a(error, known):
        members = _members_of(error)
        if len(members) > 1:
            break
        error = members[0]
    return error


def leaves_of(error: BaseException, known: Kinds = ()) -> Iterator[BaseException]:
    """Visit the errors that are no groups, of a group at any depth, each once, in order.

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
    """Visit an error, and what was being handled when it was raised, and so on, once."""
    each: BaseException | None = error
    seen = set[int]()
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = _context_of(each)


def is_wholly(error: BaseException, kind: Kinds) -> bool:
    """Say whether an error is of a class, or a group of nothing else, at any depth."""
    if not _is_group(error):  # most are none, and a generator costs more than the rest
        return is_a(error, kind)
    return all(is_a(each, kind) for each in leaves_of(error, kind))


def _is_group(error: BaseException) -> bool:
    return issubclass(type(error), BaseExceptionGroup)


def is_fatal(error: BaseException | None) -> bool:
    """Say whether an error is one that ends the program: no Exception."""
    return error is not None and not issubclass(type(error), Exception)


def find_fatal(error: BaseException | None) -> BaseException | None:
    """Find what no supervisor may hold back, at any depth: what is no Exception."""
    if error is None or not _is_group(error):
        return error if is_fatal(error) else None
    return next(filter(is_fatal, leaves_of(error)), None)
