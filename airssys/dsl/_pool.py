"""`pool`: several equal actors behind one name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, Unpack, overload

from airssys.contracts import ActorSpec, ComponentSpec, PoolSpec

from ._declarations import (
    ComponentDeclaration,
    Declaration,
    Kind,
    PoolDeclaration,
    declare,
    here,
    is_code,
    waiting,
)
from ._pool_members import read_built_pool
from ._vocabulary import DeclaredPoolOptions, Handler, HandlerObject, Name, PoolOptions

if TYPE_CHECKING:
    from collections.abc import Callable

_Code = TypeVar("_Code", bound="Handler | type[object]")

Member: TypeAlias = (
    ActorSpec | ComponentSpec | ComponentDeclaration | Handler | type[HandlerObject]
)
"""What members are made from: an actor or a component, or a declaration of one."""


class PoolDecorator(Protocol):
    """`@pool(...)`, waiting for its function or class."""

    def __call__(self, member: _Code, /) -> _Code:
        """Attach a record to it, and return it."""
        ...


@overload
def pool(
    name: Name, member: Member | type[object], /, **options: Unpack[PoolOptions]
) -> PoolSpec: ...


@overload
def pool(member: _Code, /) -> _Code: ...  # type: ignore[overload-overlap]  # an option makes it the next one


@overload
def pool(
    member: Member | type[object], /, **options: Unpack[DeclaredPoolOptions]
) -> PoolDeclaration: ...


@overload
def pool(**options: Unpack[DeclaredPoolOptions]) -> PoolDecorator: ...


def pool(*given: object, **options: object) -> object:
    """Declare a pool: several equal actors behind one name, which share its messages.

        @pool(size={"minimum": 2, "maximum": 8}, routing="least-mailbox")
        @actor(mailbox=100)
        class Worker: ...

        workers = pool(component("worker.wasm"), size=4)
        pool("clerks", actor("clerk", Clerk, "an argument"), size=4)

    Args:
        given: The name, or no name; then the member: an actor or a component, a class
            or function that was declared as one, or another one, as an actor.
            As a decorator it goes above `@actor` or `@component`.
        options: `size`: the number of members, which only `System.resize` changes; or
            `PoolSize`, or a dict of plain values: `minimum` and `maximum`,
            `grow_above` and `shrink_below`, loads of a member, `patience`, seconds;
            `routing`: `round-robin`, `least-mailbox` or `consistent-hash`;
            `key`: a function from an envelope to the key that is hashed; without it,
            the key that the sender passed, or the sender's name;
            `topics`: patterns of topics; each message published to them goes to one
            member; `lag`: what happens to such a message without room: `drop-newest`,
            `block` or `disconnect`;
            `can`: what each member may do, instead of a `can=` of the member;
            `restarts` and `period`: of members, as for a supervisor;
            `names`, without a name first: one pool for each.

    Raises:
        TypeError: there is more than a name and a member.
    """
    origin = here()
    match given:
        case ():
            return _decorator(Declaration(Kind.POOL, options, origin))
        case (member,) if is_code(member) and not options:
            return declare(member, Declaration(Kind.POOL, {}, origin))
        case (member,):
            return PoolDeclaration(Declaration(Kind.POOL, options, origin, member))
        case (name, member):
            return read_built_pool(name, member, options, origin)
        case _:
            raise TypeError(
                "write pool(name, member, ...), pool(member, ...) without a name, or "
                "above a class or function @pool(option=...)"
            )


def _decorator(declaration: Declaration) -> Callable[[object], object]:
    def decorate(target: object) -> object:
        return declare(target, declaration)

    return waiting(decorate, Kind.POOL)
