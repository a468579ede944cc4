"""What one actor may do, to be read and changed while the system runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, final

from airssys.contracts import (
    Access,
    ComponentId,
    DefinitionError,
    Grant,
    Mistake,
    NotGranted,
    is_kind,
    one_line,
    shown,
)
from airssys.security.capabilities import Rules, read_grants

from ._cuts import listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._authority import Authority
    from ._register import Authorities


@final
class Grants:
    """The grants of one actor; made by `System.grants`.

        grants = system.grants("cart")
        grants.revoke(send("shop/*"))           # what is being sent there is cancelled
        grants.extend(ask("stock"), seconds=60)
        grants.lend("till", send("shop/*"))     # falls when cart loses it

    A change holds from the next call of a host function or the next message on, and
    cancels what is in progress under a grant that is gone: that ends with `NotGranted`.
    It holds until the system ends, also when the actor is restarted or replaced. Nothing
    can be extended beyond the bounds of the supervisors above.
    """

    def __init__(
        self,
        authority: Authority,
        authorities: Authorities,
        extended: Callable[[], None],
    ) -> None:
        self._authority, self._authorities = authority, authorities
        self._extended = extended

    def __str__(self) -> str:
        """Show it in a line: what it was declared with, all changes, and the bounds."""
        parts = [f"{self._authority.actor} holds {_words(self._authority.declared)}"]
        parts += self._authority.changes
        parts += [f"bound of {name}: {_words(of)}" for name, of in self.bounds]
        return one_line("; ".join(parts))

    def __repr__(self) -> str:
        return f"<Grants: {self}>"

    @property
    def held(self) -> tuple[Grant, ...]:
        """What it was declared with, and what was added and has not expired."""
        return self._authority.grants

    @property
    def cuts(self) -> tuple[str, ...]:
        """What was taken away of that, in words, the oldest first."""
        return tuple(str(cut) for cut in self._authority.cuts)

    @property
    def bounds(self) -> tuple[tuple[str, tuple[Grant, ...]], ...]:
        """For each supervisor above that has a bound: its name, and what that allows."""
        return tuple((b.supervisor, b.grants) for b in self._authority.bounds)

    @property
    def used(self) -> tuple[Grant, ...]:
        """The grants by which something was allowed since the name was first used."""
        return self._authority.used

    @property
    def unused(self) -> tuple[Grant, ...]:
        """What is held, and was never used."""
        used = set(self.used)
        return tuple(grant for grant in self.held if grant not in used)

    @property
    def narrowest(self) -> tuple[Grant, ...]:
        """The narrowest `can=` that would have sufficed for what was allowed so far.

        A verb that reached more than 20 resources keeps the grants that allowed it.
        """
        return self._authority.narrowest

    def allows(self, kind: str, verb: str, resource: str = "", **details: str) -> bool:
        """Whether it may do something now: `allows("messaging", "send", "shop/a/0")`."""
        access = Access(kind, verb, resource, tuple(sorted(details.items())))
        return self._authority.allows(access)

    def revoke(self, *grants: Grant) -> int:
        """Take away all that these grants allow, by whatever grant it is allowed.

        Returns:
            How much in progress was cancelled.

        Raises:
            DefinitionError: a grant is not valid.
        """
        return self._authority.revoke(self._read(grants))

    def narrow(self, *grants: Grant) -> int:
        """Keep only what these grants allow; without grants, nothing.

        Returns:
            How much in progress was cancelled.

        Raises:
            DefinitionError: a grant is not valid.
        """
        return self._authority.narrow(self._read(grants))

    def extend(self, *grants: Grant, seconds: float = math.inf) -> None:
        """Allow more, also what was revoked before.

        Args:
            grants: What to allow.
            seconds: After this time they are gone; above 0.

        Raises:
            NotGranted: some of it is beyond a bound of a supervisor above.
            DefinitionError: a grant is not valid.
            ValueError: the seconds are not above 0.
        """
        rules, until = self._read(grants), self._until(seconds)
        try:
            self._authority.extend(rules, until=until)
        except NotGranted as error:
            error.advice = "Extend it by less, or widen that bound="
            raise
        self._extended()

    def lend(
        self, borrower: ComponentId | str, *grants: Grant, seconds: float = math.inf
    ) -> None:
        """Let another actor do what this one may do, for as long as this one may.

        It ends too when this one gives up its name: it is deleted, or its supervisor ends.

        Raises:
            NotGranted: this actor does not hold all of it by one of its own grants, or it
                is beyond a bound of the borrower, or nothing restricts the borrower.
            DefinitionError: a grant is not valid.
            ValueError: the seconds are not above 0, or the name is not valid.
        """
        other = find_authority(self._authorities, borrower)
        rules, until = self._read(grants), self._until(seconds)
        try:
            other.extend(rules, until=until, lender=self._authority)
        except NotGranted as error:
            error.advice = "Lend what the lender holds, within the bounds of the other"
            raise
        self._extended()

    def _until(self, seconds: float) -> float:
        if not seconds > 0:
            raise ValueError(f"seconds must be above 0, not {seconds!r}")
        return self._authorities.now() + seconds

    def _read(self, grants: tuple[Grant, ...]) -> Rules:
        others = [f"{shown(g)} is not a grant" for g in grants if not is_kind(g, Grant)]
        rules, problems = read_grants(g for g in grants if is_kind(g, Grant))
        wrong = [*others, *map(str, problems)]
        if wrong:
            hint = "write grants by the words of airssys.security, one after the other"
            raise DefinitionError([Mistake("$", each, hint) for each in wrong])
        return rules


def _words(grants: tuple[Grant, ...]) -> str:
    return listed(read_grants(grants)[0]) or "nothing"


def find_authority(authorities: Authorities, name: ComponentId | str) -> Authority:
    """Find the authority of an actor.

    Raises:
        NotGranted: nothing restricts it, or there is no such actor.
        ValueError: the name is not valid.
    """
    wanted = name if isinstance(name, ComponentId) else ComponentId.parse(name)
    found = authorities.find(wanted)
    if found is None:
        error = NotGranted(f"nothing restricts {wanted}, or there is no such actor")
        error.advice = "Declare it with can=[...]: then its grants can be changed"
        raise error
    return found
