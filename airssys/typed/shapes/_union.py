"""Shapes of unions: the member is recognised by the value on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._shape import Shape, Unfit, expected, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._shape import Plain


def union_shape(name: str, members: list[Shape]) -> Shape:
    """Return the shape of a union.

    Raises:
        Unsuited: two members cannot be distinguished when they arrive.
    """
    members = [each for member in members for each in member.members or (member,)]
    members = list({id(each): each for each in members}.values())
    readers = _readers(name, members)

    def read(plain: Plain) -> Any:  # noqa: ANN401 (of one of the members)
        candidates = readers.get(type(plain))
        if candidates is None:
            raise expected(name, plain)
        if len(candidates) == 1:
            return candidates[0].read(plain)
        if candidates[0].required is not None:
            return _chosen(name, candidates, plain).read(plain)
        return _first(candidates, "read", plain)

    types = tuple(dict.fromkeys(each for member in members for each in member.types))
    return Shape(
        name,
        frozenset(readers),
        types,
        read,
        _writer(name, members),
        is_plain=all(member.is_plain for member in members),
        exact=frozenset().union(*(member.exact for member in members)),
        members=tuple(members),
    )


def _writer(name: str, members: list[Shape]) -> Callable[[Any], Plain]:
    exact: dict[type, list[Shape]] = {}
    for member in members:
        for each in member.types:
            exact.setdefault(each, []).append(member)
    of_anything = exact.get(object, [])

    def write(value: Any) -> Plain:  # noqa: ANN401 (should be of one of the members)
        candidates = exact.get(type(value), [])
        candidates = candidates or [m for m in members if isinstance(value, m.types)]
        if not candidates:
            raise expected(name, value)
        return _first([*candidates, *of_anything], "write", value)

    return write


def _readers(name: str, members: list[Shape]) -> dict[type, list[Shape]]:
    """Return which members each wire type may stand for."""
    readers: dict[type, list[Shape]] = {}
    for member in members:
        for plain in member.plains:
            rivals = readers.setdefault(plain, [])
            for rival in rivals:
                if not _are_distinct(member, rival):
                    text = f"{rival.name} and {member.name} have the same wire form"
                    raise refused(f"{name}: {text}")
            rivals.append(member)
    for member in members:
        for plain in member.also:
            readers.setdefault(plain, [member])
    return readers


def _are_distinct(one: Shape, other: Shape) -> bool:
    """Say whether values of one member are never read as the other."""
    if one.is_plain and other.is_plain:
        return True  # the value is the same for both
    if one.required is None or other.required is None:
        return False
    if one.names != other.names:
        return True
    common = one.tags.keys() & other.tags.keys()
    return any(one.tags[name].isdisjoint(other.tags[name]) for name in common)


def _chosen(name: str, candidates: list[Shape], plain: Plain) -> Shape:
    """Return the message class that an object belongs to.

    Its literal fields must match, and no field may be missing. If several classes
    match, the one that knows most of the fields is used; and among those, the one with
    the fewest other fields: what we have written has exactly the fields of one class.
    """
    keys = plain.keys()
    fitting = [each for each in candidates if _may_be(each, plain)]
    ranks = [(-len(e.names & keys), len(e.names)) for e in fitting]
    best = [e for e, rank in zip(fitting, ranks, strict=True) if rank == min(ranks)]
    if len(best) != 1:
        raise Unfit(
            f"{'none' if not best else 'more than one'} of {name} has its fields"
        )
    return best[0]


def _may_be(shape: Shape, plain: dict[str, Plain]) -> bool:
    if not (shape.required or frozenset()) <= plain.keys():
        return False
    return all(
        name not in plain or _is_one_of(plain[name], choices)
        for name, choices in shape.tags.items()
    )


def _is_one_of(plain: Plain, choices: frozenset[tuple[type, Plain]]) -> bool:
    try:
        return (type(plain), plain) in choices
    except TypeError:  # not hashable
        return False


def _first(candidates: list[Shape], action: str, value: Any) -> Any:  # noqa: ANN401 (any value)
    """Return the result of the first function that succeeds."""
    *others, last = candidates
    for each in others:
        try:
            return getattr(each, action)(value)
        except Exception:  # noqa: BLE001, S112 (the next may take it)
            continue
    return getattr(last, action)(value)
