"""Reads the member of a pool, which is declared below, inside or beside `pool`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import attrs

from airssys.contracts import ActorSpec, ComponentSpec, PoolSpec

from ._declarations import Declaration, Kind, PoolDeclaration, declaration_of
from ._reading import read_actor, read_component, read_pool

if TYPE_CHECKING:
    from airssys.contracts import Origin

    from ._reading import Options


def read_declared_pool(
    name: object, value: object, declaration: Declaration
) -> PoolSpec:
    """Read a pool that gets its name from the attribute that holds it.

    Args:
        name: Its name.
        value: The class or function below `@pool`, or a `PoolDeclaration`.
        declaration: Of the pool.
    """
    written = declaration.options.items()
    options = {word: given for word, given in written if word != "names"}
    origin = declaration.origin
    if isinstance(value, PoolDeclaration):
        member = _member(name, declaration.code, origin)
    else:
        below = declaration.code
        how = below if isinstance(below, Declaration) else None
        member = _member_declared(name, value, how, origin)
    return read_pool(name, member, options, origin)


def read_built_pool(
    name: object, given: object, options: Options, origin: Origin
) -> PoolSpec:
    """Read a pool with a name; a pool that was declared makes another one."""
    declared = declaration_of(given)
    if declared is None or declared.kind is not Kind.POOL:
        return read_pool(name, _member(name, given, origin), options, origin)
    merged = {**declared.options, **options}
    merged_origin = attrs.evolve(origin, mistakes=declared.origin.mistakes)
    again = attrs.evolve(declared, options=merged, origin=merged_origin)
    return read_declared_pool(name, given, again)


def _member(name: object, given: object, origin: Origin) -> ActorSpec | ComponentSpec:
    if isinstance(given, (ActorSpec, ComponentSpec)):
        return given
    declared = declaration_of(given)
    if declared is None and not callable(given):
        return cast("ActorSpec", given)  # the check of the blueprint reports that
    return _member_declared(name, given, declared, origin)


def _member_declared(
    name: object, code: object, how: Declaration | None, origin: Origin
) -> ActorSpec | ComponentSpec:
    if how is None:
        return read_actor(name, code, (), {}, origin)
    if how.kind is Kind.COMPONENT:
        return read_component(name, how.code, how.options, how.origin)
    return read_actor(name, code, (), how.options, how.origin)
