"""The identity of an actor: a validated name that stays the same across restarts."""

from __future__ import annotations

from typing import Final, final

import attrs

from airssys.contracts.texts import is_a, plain_text

from ._checking import shown

MAX_SEGMENT_CHARACTERS: Final = 128


def segment_problem(segment: object) -> str | None:
    """Return what is wrong with one part of an identity, or None."""
    if not isinstance(segment, str):
        return f"is {type(segment).__name__}, not str"
    if not segment:
        return "is empty"
    if len(segment) > MAX_SEGMENT_CHARACTERS:
        return f"has {len(segment)} characters, more than {MAX_SEGMENT_CHARACTERS}"
    if "/" in segment:
        return "contains '/', which separates the parts of an identity"
    if not segment.isprintable():
        return "contains a character that cannot be printed"
    return None


def _plain(segment: str) -> str:
    """Convert to a plain str, so that no subclass is asked for its hash later."""
    if type(segment) is str or not is_a(segment, str):
        return segment
    return plain_text(segment)


def _check_segment(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if problem := segment_problem(value):
        raise ValueError(f"{attribute.name} {shown(value)} {problem}")


@final
@attrs.frozen(order=True, cache_hash=True)
class ComponentId:
    """The name of an actor, which may be a component or Python code.

    The text form is `namespace/name/instance` (WIT: `component-id`).

    Raises:
        ValueError: a part is empty, longer than 128 characters, not printable or
            contains a slash.
    """

    namespace: str = attrs.field(validator=_check_segment, converter=_plain)
    name: str = attrs.field(validator=_check_segment, converter=_plain)
    instance: str = attrs.field(default="0", validator=_check_segment, converter=_plain)
    text: str = attrs.field(init=False, eq=False, repr=False)
    """Its text form. Dictionaries on the path of each message use this as their key,
    because a string caches its hash."""

    @text.default
    def _text(self) -> str:
        return f"{self.namespace}/{self.name}/{self.instance}"

    @classmethod
    def parse(cls, text: str) -> ComponentId:
        """Parse the text form; `name` alone means `local/name/0`.

        Raises:
            ValueError: the text has two or more than three parts, or an invalid part.
        """
        match text.split("/"):
            case [name]:
                return cls("local", name)
            case [namespace, name, instance]:
                return cls(namespace, name, instance)
            case _:
                raise ValueError(
                    f"{shown(text)} is not a valid identity: write 'name' or "
                    "'namespace/name/instance'"
                )

    def __str__(self) -> str:
        return self.text


def identity_of_child(child: str) -> ComponentId | None:
    """Parse a child's name among its siblings; None for a supervisor.

    The two cannot be confused: the name of a supervisor has no slash.
    """
    return ComponentId.parse(child) if "/" in child else None
