"""How conformance checks are run, and what they report."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

T = TypeVar("T")


def same(found: object, wanted: object) -> None:
    """Fail unless two values are equal."""
    if found != wanted:
        raise AssertionError(f"it should be {wanted!r}, but is {found!r}")


def holds(condition: object) -> None:
    """Fail unless something is true."""
    if not condition:
        raise AssertionError(f"it should be true, but is {condition!r}")


def is_a(value: object, kind: type[object]) -> None:
    """Fail unless a value is of a type."""
    if not isinstance(value, kind):
        raise AssertionError(f"it should be a {kind.__name__}, and is {value!r}")  # noqa: TRY004  # a failed check


@contextmanager
def raising(kind: type[BaseException], **fields: object) -> Iterator[None]:
    """Fail unless this is raised, with fields of these values."""
    try:
        yield
    except kind as error:
        for name, value in fields.items():
            same(getattr(error, name), value)
        return
    raise AssertionError(f"it should raise {kind.__name__}, but raises nothing")


def put(questions: Iterable[Callable[[T], object]], make: Callable[[], T]) -> None:
    """Run each check on an object of its own; a note names the one that fails."""
    for question in questions:
        try:
            question(make())
        except AssertionError as error:
            error.add_note(name_of(question))
            raise


async def put_async(
    questions: Iterable[Callable[[T], Awaitable[None]]],
    make: Callable[[], Awaitable[T]],
) -> None:
    """Run each check on an object of its own; a note names the one that fails."""
    for question in questions:
        try:
            await question(await make())
        except AssertionError as error:
            error.add_note(name_of(question))
            raise


def name_of(question: object) -> str:
    """Return the name of a check, for people."""
    return getattr(question, "__name__", "").strip("_")
