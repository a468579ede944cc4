"""What one actor may do, decided for each access, and remembered until it changes.

Theory. An access is allowed if some grant allows it, no later cut takes it away, and every
bound of the supervisors above allows it. Grants come from the actor's declaration, and
from extensions at run time, which may expire, or be lent by another actor and fall with
its own. A cut revokes some of what was granted before it, or all but some. So each change
can be made without knowing the others: nothing that widens gets past a bound, what was
cut stays so across restarts, and what is granted again after a cut is allowed.

Decisions are remembered by the text of what was accessed. A change forgets all of them
and checks what is in progress: whatever is not allowed any more is cancelled. A
decision that ends by itself is not remembered.

An `Authority` belongs to a name and outlives the incarnations of its actor.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Final, NoReturn, final

import attrs

from airssys.contracts import (
    Access,
    AccessDenied,
    ComponentId,
    Decision,
    Envelope,
    EventSink,
    Grant,
    GrantsChanged,
    NotGranted,
    one_line,
)
from airssys.security.capabilities import ANY_LINE, AtLeast, Rules
from airssys.security.policies import narrowest

from ._cuts import Cut, count_leading, is_among, is_covered, listed
from ._granted import Granted
from ._holds import Hold
from ._verdicts import NOBODY, SENDERS, Recorder, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airssys.security.capabilities import Pattern, Rule
    from airssys.security.policies import Bound
    from airssys.security.quotas import Rate

_REMEMBERED: Final = 1024
"""Decisions for each verb."""
_LONGEST: Final = 512
"""Characters of what a remembered decision is about."""
_SHOWN: Final = 200


@final
class Authority:
    """What one actor may do now.

    Args:
        actor: Its name.
        granted: What it was declared with.
        bounds: Those of the supervisors above it, and its own.
        events: Notified of what was denied and what was changed.
        now: The present time, for what expires.
        recorder: Records decisions; None: nothing is recorded.
    """

    def __init__(
        self,
        actor: ComponentId,
        granted: Rules,
        bounds: tuple[Bound, ...],
        events: EventSink,
        now: Callable[[], float],
        recorder: Recorder | None = None,
    ) -> None:
        self.actor, self._bounds = actor, bounds
        self._events, self._now = events, now
        self._held = [Granted(granted)]
        """What it was declared with, and then what was added."""
        self._cuts: list[Cut] = []
        self._memos: dict[tuple[str, str], dict[str, Verdict]] = {}
        self._brief: dict[tuple[str, str, str], Verdict] = {}
        """Remembered until they end by themselves."""
        self._holds: dict[Hold, None] = {}
        self._borrowers: dict[Authority, None] = {}
        self._denials: dict[Access, int] = {}
        self._more_denials = 0
        self.version = 0
        """Grows by one with each change."""
        self.incarnation = 0
        self.in_hand: Callable[[], Envelope | None] = lambda: None
        """Finds the message that the actor handles now."""
        self._recorder = recorder
        self._used: list[Verdict] = []
        """What was used since an account was taken."""
        self.lines: Rate | None = None
        """What is left for log lines by a grant with a rate, whatever incarnation."""
        self._closed: str | None = None
        self._seen: dict[Access, Grant] = {}
        """What was allowed, ever, by which grant."""
        self._seen_too: dict[Grant, None] = {}
        """The grants of what is too much to be remembered."""

    # ------------------------------------------------------------ decisions

    def memo(self, kind: str, verb: str) -> dict[str, Verdict]:
        """The remembered decisions of one verb, by resource; the same dict for good.

        Empty if each access is recorded: then all of them have to be checked.
        """
        if self._recorder is not None and self._recorder.records_each:
            return {}
        return self._memos.setdefault((kind, verb), {})

    @property
    def is_recorded(self) -> bool:
        """Whether what is allowed is recorded, and so has to be counted at least."""
        return self._recorder is not None

    def check(self, kind: str, verb: str, resource: str = "") -> Verdict:
        """Decide an access without details, or remember how it was decided.

        Raises:
            NotGranted: it is denied, which is reported.
        """
        memo = self._memos.get((kind, verb))
        if memo is None:
            memo = self._memos[kind, verb] = {}
        verdict = memo.get(resource)
        if verdict is None:
            verdict = self._recall(kind, verb, resource)
            if verdict is None:
                verdict = self._decide(Access(kind, verb, resource))
                self._remember(verdict, memo)
        handled = self.in_hand()
        if self._recorder is not None and self._recorder.records_each:
            self._record_allowed(verdict, handled)
        else:
            self._count(verdict, handled)
        return verdict

    def _recall(self, kind: str, verb: str, resource: str) -> Verdict | None:
        verdict = self._brief.get((kind, verb, resource))
        return None if verdict is None or verdict.until <= self._now() else verdict

    def _remember(self, verdict: Verdict, memo: dict[str, Verdict]) -> None:
        access = verdict.access
        if len(access.resource) > _LONGEST:
            return
        if verdict.until == math.inf:
            if len(memo) >= _REMEMBERED:
                memo.clear()
            memo[access.resource] = verdict
        else:
            if len(self._brief) >= _REMEMBERED:
                self._brief.clear()
            self._brief[access.kind, access.verb, access.resource] = verdict

    def check_access(self, access: Access) -> Verdict:
        """Decide an access with details; it is not remembered.

        Raises:
            NotGranted: it is denied, which is reported.
        """
        verdict = self._decide(access)
        self._record_allowed(verdict, self.in_hand())
        return verdict

    def allows(self, access: Access) -> bool:
        """Whether an access is allowed now; nothing is reported."""
        return self._closed is None and self.is_granted(access)

    def is_granted(self, access: Access) -> bool:
        """Whether an access is granted, even if all gates are closed just now."""
        return self._find(access) is not None

    def holds_any(self, kind: str, *verbs: str) -> bool:
        """Whether it holds some grant for one of these; bounds and cuts may refuse it."""
        return any(
            held.rules.is_everything
            or any(r.kind == kind and r.verb in verbs for r in held.rules.rules)
            for held in self._held
        )

    def grants_of(self, kind: str) -> tuple[Grant, ...]:
        """The grants of a kind that still allow something; nothing is reported."""
        now = self._now()
        found = {
            rule.grant: None
            for held in self._held
            if now < held.until and self._closed is None
            for rule in held.rules.rules
            if rule.kind == kind and self._stands(rule, self._cuts[held.since :])
        }
        return tuple(found)

    def _stands(self, rule: Rule, cuts: list[Cut]) -> bool:
        """Whether a rule is not wholly beyond a bound, or cut; yes may be wrong."""
        is_bound = all(is_among(rule, bound.rules) for bound in self._bounds)
        return is_bound and not any(cut.takes_all(rule) for cut in cuts)

    def rule_for(self, access: Access) -> Rule | None:
        """The rule that allows an access now; nothing is reported."""
        verdict = self._find(access)
        return None if verdict is None else verdict.rule

    def finest(self, kind: str, verb: str) -> float:
        """The smallest number of seconds that a clock may be exact to; inf: none may."""
        seconds = {p.seconds for p in self.patterns() if isinstance(p, AtLeast)}
        if any(held.rules.is_everything for held in self._held):
            seconds.add(0.0)
        for each in sorted(seconds):
            if self.allows(Access(kind, verb, f"{each!r}")):
                return each
        return math.inf

    def patterns(self) -> Iterator[Pattern]:
        """Visit the patterns of all that decides: grants, bounds and cuts."""
        for some in (self._held, self._bounds, self._cuts):
            yield from (rule.resource for each in some for rule in each.rules.rules)

    def close(self, why: str | None) -> None:
        """Refuse every access from now on, for a reason; None: decide again.

        What is in progress goes on.
        """
        self._closed = why
        if why is not None:
            self._forget()

    def _forget(self) -> None:
        for memo in self._memos.values():
            memo.clear()  # the same dict for good: the gates look into it
        self._brief.clear()

    def _decide(self, access: Access) -> Verdict:
        verdict = self._find(access) if self._closed is None else None
        if verdict is None:
            self.deny(access)
        if len(self._seen) < _REMEMBERED and len(access.resource) <= _LONGEST:
            self._seen.setdefault(access, verdict.rule.grant)
        else:
            self._seen_too.setdefault(verdict.rule.grant)
        return verdict

    def deny(self, access: Access) -> NoReturn:
        """Report a denial, and refuse.

        Raises:
            NotGranted: always.
        """
        why = self._why_denied(access)
        access = _shortened(access)
        times = self._count_denial(access)
        handled = self.in_hand()
        sender = None if handled is None else handled.sender
        trace = None if handled is None else handled.trace
        self._events(AccessDenied(self.actor, access, why, sender, times, trace))
        self._record(access, why, handled=handled, allowed=False)
        raise NotGranted(f"{self.actor}: {why}")

    def _count_denial(self, access: Access) -> int:
        """How often it was denied; when there are too many, none is new any more."""
        if access not in self._denials and len(self._denials) >= _REMEMBERED:
            self._more_denials += 1
            return 1 + self._more_denials
        times = self._denials[access] = self._denials.get(access, 0) + 1
        return times

    def _find(self, access: Access) -> Verdict | None:
        return self._latest(access, self._held)

    def find_own(self, access: Access) -> Verdict | None:
        """Decide an access by what is its own: what it was lent it cannot lend on."""
        return self._latest(access, [h for h in self._held if h.lender is None])

    def _latest(self, access: Access, held: list[Granted]) -> Verdict | None:
        if not all(bound.rules.allows(access) for bound in self._bounds):
            return None
        now, latest = self._now(), None
        for each in held:
            found = each.deciding(access, now, self._cuts)
            if found is not None and (latest is None or found.until > latest.until):
                latest = found
        return latest

    def _why_denied(self, access: Access) -> str:
        said = _said(access)
        if self._closed is not None:
            return f"{said}: {self._closed}"
        for bound in self._bounds:
            if not bound.rules.allows(access):
                return f"{said} is beyond the bound of {bound.supervisor}"
        if not any(held.rules.allows(access) for held in self._held):
            return f"{said} is not granted"
        cut = next((cut for cut in self._cuts if not cut.spares(access)), None)
        why = "" if cut is None else f": {cut}"
        return one_line(f"{said} is not granted any more{why}")

    # ------------------------------------------------------------ accounts

    def turn(self, verdict: Verdict, sender: ComponentId | None) -> None:
        """Count the uses of a verdict for another sender from now on."""
        if self._recorder is not None:
            if verdict.sender is NOBODY:
                self._note_used(verdict)
            elif verdict.sender != sender:
                counts = verdict.others
                counts[verdict.sender] = counts.get(verdict.sender, 0) + verdict.uses
                verdict.uses = 0
                if len(counts) >= SENDERS:
                    self.take_account()
                    self._note_used(verdict)
        verdict.sender = sender

    def _note_used(self, verdict: Verdict) -> None:
        if self._recorder is not None:
            if not self._used:
                self._recorder.note_used(self)
            elif len(self._used) >= _REMEMBERED:
                self.take_account()
                self._recorder.note_used(self)
            self._used.append(verdict)

    def _count(self, verdict: Verdict, handled: Envelope | None) -> None:
        sender = None if handled is None else handled.sender
        if sender is not verdict.sender:
            self.turn(verdict, sender)
        verdict.uses += 1

    def take_account(self) -> None:
        """Record what was allowed since the last time, counted."""
        used, self._used = self._used, []
        for verdict in used:
            for sender, times in verdict.counts():
                self._record(verdict.access, str(verdict.rule), times, sender)

    def _record_allowed(self, verdict: Verdict, handled: Envelope | None) -> None:
        if self._recorder is not None:
            self._record(verdict.access, str(verdict.rule), handled=handled)

    def _record(
        self,
        access: Access,
        rule: str,
        times: int = 1,
        sender: ComponentId | None = None,
        *,
        handled: Envelope | None = None,
        allowed: bool = True,
    ) -> None:
        if self._recorder is None:
            return
        trace = correlation = None
        if handled is not None:
            sender, correlation = handled.sender, handled.correlation_id
            trace = None if handled.trace is None else handled.trace.traceparent
        self._recorder.note_decision(
            Decision(
                self.actor,
                self.incarnation,
                access,
                allowed,
                rule,
                times,
                sender,
                correlation,
                trace,
            )
        )

    # ------------------------------------------------------------ in progress

    def hold(
        self,
        access: Access,
        cancel: Callable[[], object],
        resources: list[str] | None = None,
    ) -> Hold:
        """Have something cancelled when its access is not allowed any more.

        Call `release` when it is over. `resources`: if it is about
        several, all of them; the list may grow.
        """
        hold = Hold(access, cancel, resources)
        self._holds[hold] = None
        return hold

    def release(self, hold: Hold) -> None:
        """Note that something is over."""
        self._holds.pop(hold, None)

    # ------------------------------------------------------------ changes

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What it was declared with, and what was added since and has not expired."""
        now = self._now()
        rules = [r for held in self._held if now < held.until for r in held.rules.rules]
        named = (rule.grant for rule in rules if rule.grant is not ANY_LINE)
        return tuple(dict.fromkeys(named))

    @property
    def declared(self) -> tuple[Grant, ...]:
        """What it was declared with."""
        rules = (rule.grant for rule in self._held[0].rules.rules)
        return tuple(dict.fromkeys(each for each in rules if each is not ANY_LINE))

    @property
    def changes(self) -> tuple[str, ...]:
        """Each cut, and what was added and has not expired, in words, in their order."""
        now, extended = self._now(), list[tuple[int, str]]()
        for held in self._held[1:]:
            if now < held.until:
                extended.append((held.since, f"extended by {listed(held.rules)}"))
        cuts = [(number, str(cut)) for number, cut in enumerate(self._cuts, 1)]
        in_order = sorted([*cuts, *extended], key=operator.itemgetter(0))
        return tuple(text for _, text in in_order)

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """What was taken away; what was granted after a cut is not touched by it."""
        return tuple(self._cuts)

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """What the supervisors above allow at most."""
        return self._bounds

    @property
    def is_as_declared(self) -> bool:
        """Whether nothing was cut or added since it was declared."""
        return not self._cuts and len(self._held) == 1

    def widening(self, rules: Rules) -> tuple[Rule, ...]:
        """What of these rules goes beyond a bound."""
        return tuple(r for bound in self._bounds for r in rules.beyond(bound.rules))

    def beyond(self, rules: Rules) -> tuple[Rule, ...]:
        """What of these rules it does not hold now."""
        return tuple(rule for rule in rules.rules if not self.holds_all(rule))

    def declare(
        self,
        granted: Rules,
        bounds: tuple[Bound, ...],
        *,
        anew: tuple[Cut, ...] | None = None,
    ) -> None:
        """Go by another declaration; cuts stay cuts, except those before one made anew.

        `anew`: the cuts that there were when it was made. Later ones hold for it too.
        """
        since = max(self._held[0].since, count_leading(self._cuts, anew or ()))
        now = (self._held[0].rules, self._held[0].since, self._bounds)
        if (granted, since, bounds) == now:
            return
        self._held[0], self._bounds = Granted(granted, since), bounds
        self._change("declared anew", quiet=anew is None)

    def revoke(self, rules: Rules) -> int:
        """Take away all that these rules allow; returns how much in progress was cancelled."""
        return self._cut(Cut(rules, keeps=False))

    def narrow(self, rules: Rules) -> int:
        """Keep only what these rules allow; returns how much in progress was cancelled."""
        return self._cut(Cut(rules, keeps=True))

    def _cut(self, cut: Cut) -> int:
        if cut in self._cuts:  # a repeated cut does not make the list grow
            before = self._cuts.index(cut)
            del self._cuts[before]
            self._held = [
                attrs.evolve(each, since=each.since - (each.since > before))
                for each in self._held
            ]
        self._cuts.append(cut)
        return self._change(str(cut))

    def extend(
        self,
        rules: Rules,
        *,
        until: float = math.inf,
        lender: Authority | None = None,
    ) -> None:
        """Allow more, within the bounds, whatever was cut before.

        Raises:
            NotGranted: some of it is beyond a bound, or is not the lender's to give.
        """
        wider = self.widening(rules)
        if wider:
            raise NotGranted(f"{wider[0]} is beyond a bound of {self.actor}")
        if lender is self:
            raise NotGranted(f"{self.actor} cannot lend to itself")
        if lender is not None:
            missing = lender.beyond(rules)
            if missing:
                raise NotGranted(f"{lender.actor} does not hold {missing[0]}")
            lender.lend_to(self)
        self._held.append(Granted(rules, len(self._cuts), until, lender))
        self._change(f"extended by {listed(rules)}")

    def holds_all(self, rule: Rule) -> bool:
        """Whether one grant allows now all that a rule allows; no is a safe answer."""
        if not all(is_covered(rule, bound.rules) for bound in self._bounds):
            return False
        now = self._now()
        return any(
            now < held.until
            and held.lender is None
            and is_covered(rule, held.rules)
            and all(cut.spares_all(rule) for cut in self._cuts[held.since :])
            for held in self._held
        )

    def lend_to(self, borrower: Authority) -> None:
        """Note an actor that goes by grants of this one, and is notified of changes."""
        self._borrowers[borrower] = None

    def expire(self, now: float) -> float:
        """Drop what has expired; returns when the next extension does, or inf."""
        expired = [each for each in self._held if each.until <= now]
        if expired:
            self._held = [each for each in self._held if each.until > now]
            for each in expired:
                self._change(f"{listed(each.rules)} has expired")
        return min(each.until for each in self._held)

    def note_lender_changed(self) -> None:
        """Look again at what goes by another one's grants.

        Nothing else depends on that, so no other actor is notified: two may lend each other.
        """
        self._change("what it was lent has changed", quiet=True, spread=False)

    def leave(self) -> None:
        """Note that its name was given up: all that it lent ends."""
        borrowers, self._borrowers = tuple(self._borrowers), {}
        for borrower in borrowers:
            borrower.forget_lender(self)

    def forget_lender(self, lender: Authority) -> None:
        """Drop what another one lent."""
        kept = [each for each in self._held if each.lender is not lender]
        if len(kept) < len(self._held):
            self._held = kept
            self._change(f"what {lender.actor} lent has ended", spread=False)

    def _change(self, change: str, *, quiet: bool = False, spread: bool = True) -> int:
        self.version += 1
        self._forget()
        ended = [
            hold
            for hold in self._holds
            if not all(self.is_granted(each) for each in hold.accesses())
        ]
        for hold in ended:
            self._holds.pop(hold, None)
            hold.revoke()
        if not quiet or ended:
            change = one_line(change)
            self._events(GrantsChanged(self.actor, change, len(ended)))
            if self._recorder is not None:
                self._recorder.note_change(self.actor, change, len(ended))
        for borrower in tuple(self._borrowers) if spread else ():
            borrower.note_lender_changed()
        return len(ended)

    @property
    def used(self) -> tuple[Grant, ...]:
        """The grants by which something was allowed, ever."""
        return tuple(dict.fromkeys((*self._seen.values(), *self._seen_too)))

    @property
    def narrowest(self) -> tuple[Grant, ...]:
        """The narrowest grants that would have sufficed for what was allowed, ever."""
        found = narrowest(self._seen.items())
        return tuple(dict.fromkeys((*found, *self._seen_too)))


def _shortened(access: Access) -> Access:
    """The same for events and records, which are kept: a guest may name what is long."""
    if len(access.resource) <= _LONGEST:
        return access
    return attrs.evolve(access, resource=f"{access.resource[:_LONGEST]}…")


def _said(access: Access) -> str:
    resource = access.resource
    shown = resource if len(resource) <= _SHOWN else f"{resource[:_SHOWN]}…"
    return one_line(f"{access.kind} {access.verb} {shown}".rstrip())
