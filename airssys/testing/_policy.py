"""Tests of a policy: what a blueprint lets its actors do, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airssys.contracts import Blueprint, as_blueprint
from airssys.security.policies import can_reach

if TYPE_CHECKING:
    from airssys.security.policies import Reach


def assert_cannot_reach(
    blueprint: Blueprint | type[object], actor: str, resource: str
) -> None:
    """Assert that no grant of an actor allows a resource, or a part of it.

        assert_cannot_reach(Shop, "shop/orders", "write /data/**")
        assert_cannot_reach(Shop, "shop/orders", "messaging send shop/till")

    An actor that nothing restricts can reach everything. That it may send to another
    actor, which can reach more, does not count.

    Args:
        blueprint: Or a topology. It need not be valid otherwise.
        actor: Its name, or a pattern of names, as in `send`.
        resource: A verb and a pattern; a verb that several kinds have stands for all of
            them, unless the kind is written before it.

    Raises:
        AssertionError: it can; the text has each grant, where it stands, and the bounds
            above it.
        ValueError: there is no such actor, or no such verb.
    """
    found = can_reach(as_blueprint(blueprint), actor, resource)
    if found:
        raise AssertionError(_lines(f"{actor} can reach {resource!r}:", found))


def assert_can_reach(
    blueprint: Blueprint | type[object], actor: str, resource: str
) -> None:
    """Assert that some grant of an actor allows a resource, or a part of it.

    Raises:
        AssertionError: none does.
        ValueError: there is no such actor, or no such verb.
    """
    if not can_reach(as_blueprint(blueprint), actor, resource):
        raise AssertionError(f"{actor} cannot reach {resource!r}: no grant allows it")


def _lines(first: str, found: list[Reach]) -> str:
    return "\n".join([first, *(f"  {reach}" for reach in found)])
