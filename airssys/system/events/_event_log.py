"""Writes events to Python's own logging, for programs that do not listen to them.

A crash that is not reported is hard to find. So failures are logged as warnings of the
logger `airssys`, which Python shows on stderr unless the program configures logging.
What components log goes to `airssys.guest`, at their level: `trace` is 5, below
Python's `DEBUG`, and the others have the same names.

A record has fields for programs that read logs, as attributes (logging's `extra`):

* `event`: the class of the event, e.g. `ChildExited`;
* `actor`: the actor it is about, e.g. `local/greeter/0`, or the path of a supervisor;
* `reason`: how it ended, e.g. `crash`; None if it did not end;
* `restarts`: how often it had been restarted; None if that is not known;
* `incarnation`: which incarnation it was, 1 for the first; None like `restarts`;
* `trace`: the `traceparent` of the message it was about, for a crash of the message in
  progress, or None.

A crash has the traceback of its error in `exc_text`, which formatters append.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, final

from airssys.contracts import (
    AccessDenied,
    ChildExited,
    ChildStarted,
    ChildStartFailed,
    ChildUnstopped,
    ComponentSpec,
    DeadLetter,
    Event,
    ExitKind,
    GrantsChanged,
    GuestTrapped,
    HandlerHeldThread,
    HealthChanged,
    HealthStatus,
    HookFailed,
    ListenerStalled,
    Logged,
    LogLevel,
    MessageFailed,
    QuotaReached,
    SnapshotFailed,
    SupervisorGaveUp,
    find_fatal,
    one_line,
    text_of,
)
from airssys.nursery import describe

from ._short_traceback import Tracebacks
from ._writable import MAX_BYTES, fitting, log_would_block

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airssys.contracts import ExitReason

_HOST: Final = logging.getLogger("airssys")
_GUEST: Final = logging.getLogger("airssys.guest")
_LEVELS: Final = {
    LogLevel.TRACE: logging.DEBUG - 5,
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARN: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
_FIXED_LEVELS: Final[Mapping[type[Event], int]] = {
    ChildStarted: logging.INFO,
    ChildStartFailed: logging.WARNING,
    ChildUnstopped: logging.WARNING,
    DeadLetter: logging.DEBUG,
    HandlerHeldThread: logging.WARNING,
    HookFailed: logging.WARNING,
    ListenerStalled: logging.WARNING,
    SnapshotFailed: logging.WARNING,
    MessageFailed: logging.INFO,
    SupervisorGaveUp: logging.ERROR,
}
"""The levels of events that always have the same; a match takes longer."""
MAX_GUEST_LINE: Final = 4000
"""Characters of a guest's log line that go into the log; events have all of it."""
_WENT_WRONG: Final = {ExitKind.CRASH, ExitKind.KILLED, ExitKind.UNHEALTHY}


@final
class EventLog:
    """Writes events to the log, as long as that does not block.

    If stderr, or another stream of a handler, is not being read, lines are left out and
    counted. The next line that can be written reports the count.
    """

    def __init__(self) -> None:
        self.left_out = 0
        """Lines left out in total."""
        self._unreported = 0
        self._tracebacks = Tracebacks()

    def write(self, event: Event) -> bool:
        """Write one event; returns False if that would have blocked."""
        if isinstance(event, Logged):
            logger, level = _GUEST, _LEVELS[event.level]
        else:
            logger, level = _HOST, _level_of(event)
        if not logger.isEnabledFor(level):
            return True
        if log_would_block(logger, level):
            self.left_out += 1
            self._unreported += 1
            return False
        if self._unreported:
            self.report()
            return self.write(event)  # there may be room for one line only
        if isinstance(event, Logged):
            line = f"{event.source}: {fitting(_guest_line(event))}"
            _write(logger, level, line, fields_of(event))
        else:
            line = fitting(one_line(_line(event)))
            _write(logger, level, line, fields_of(event), self._traceback(event, line))
        return True

    def _traceback(self, event: Event, line: str) -> str:
        error = _crash_of(event)
        if error is None:
            return ""
        return self._tracebacks.of(error, MAX_BYTES - len(line.encode()))

    def report(self) -> None:
        """Write how many lines were left out since then, if that does not block."""
        if self._unreported and not log_would_block(_HOST, logging.WARNING):
            count, self._unreported = self._unreported, 0
            _HOST.warning(
                "%d lines are missing here: the log was not being read", count
            )


def _write(
    logger: logging.Logger,
    level: int,
    line: str,
    fields: dict[str, Any],
    traceback: str = "",
) -> None:
    """Pass on a record. It has no source location, which would be in this library."""
    record = logger.makeRecord(
        logger.name, level, "", 0, "%s", (line,), None, extra=fields
    )
    if traceback:
        record.exc_text = traceback
    logger.handle(record)


def fields_of(event: Event) -> dict[str, Any]:
    """Return the fields of a record, as listed at the top of this file."""
    fields: dict[str, Any] = {
        "event": type(event).__name__,
        "actor": _actor_of(event),
        "reason": None,
        "restarts": None,
        "incarnation": None,
        "trace": None,
    }
    reason: ExitReason | None = getattr(event, "reason", None)
    if isinstance(event, (ChildExited, ChildStartFailed)) and reason is not None:
        fields["reason"] = reason.kind.value
    restarts = getattr(event, "restarts", None)
    if isinstance(restarts, int):
        fields["restarts"], fields["incarnation"] = restarts, restarts + 1
    trace = getattr(event, "trace", None)
    if trace is not None:
        fields["trace"] = trace.traceparent
    return fields


def _actor_of(event: Event) -> str | None:
    if isinstance(event, Logged):
        return str(event.source)
    for name in ("child", "actor", "target", "supervisor", "listener"):
        found = getattr(event, name, None)
        if found is not None:
            return str(found)
    return None


def _crash_of(event: Event) -> BaseException | None:
    """Return the error of an end that needs an explanation; Ctrl-C does not."""
    match event:
        case ChildExited(reason=reason) if reason.kind in _WENT_WRONG:
            error = reason.error
            if type(error) is GuestTrapped and error.is_own_end:
                return None  # there is nothing to find out
        case ChildStartFailed(reason=reason):
            error = reason.error
        case HookFailed(error=failure) | MessageFailed(error=failure):
            error = failure
        case _:
            return None
    return None if find_fatal(error) else error


def log_event(event: Event) -> None:
    """Write one event to the log, unless that would block; an `EventSink`."""
    EventLog().write(event)


def _guest_line(event: Logged) -> str:
    """Format a guest's log line; of a long context, only the beginning."""
    line = event.message[: MAX_GUEST_LINE + 1]
    for key, value in event.context:
        if len(line) > MAX_GUEST_LINE:
            break
        line = f"{line} {key[:MAX_GUEST_LINE]}={value[:MAX_GUEST_LINE]}"
    return one_line(line, MAX_GUEST_LINE)


def _level_of(event: Event) -> int:
    level = _FIXED_LEVELS.get(type(event))
    if level is not None:
        return level
    match event:
        case AccessDenied(times=1):
            return logging.WARNING
        case ChildExited(reason=reason):
            went_wrong = reason.kind in _WENT_WRONG and not _says_itself(event)
            return logging.WARNING if went_wrong else logging.INFO
        case HealthChanged(status=HealthStatus.UNHEALTHY):
            return logging.WARNING
        case QuotaReached(share=1):
            return logging.WARNING
        case HealthChanged() | GrantsChanged() | QuotaReached():
            return logging.INFO
        case _:
            return logging.DEBUG


def _says_itself(event: ChildExited) -> bool:
    """Whether a program ended itself, and the user of this process sees that anyway.

    It has written to the standard streams why, and the command ends with its status.
    """
    error, spec = event.reason.error, event.spec
    is_own_end = type(error) is GuestTrapped and error.is_own_end
    return is_own_end and isinstance(spec, ComponentSpec) and spec.config.passes_stdio


def _line(event: Event) -> str:  # noqa: C901, PLR0911, PLR0912  # one match over a closed union
    match event:
        case ChildStarted(supervisor, child, restarts):
            again = f", restart {restarts}" if restarts else ""
            return f"{supervisor}/{child} is ready{again}"
        case ChildExited(supervisor, child, reason):
            next_step = ": restarting it" if event.restarting else ""
            return f"{supervisor}/{child} ended, {reason}{next_step}"
        case ChildStartFailed(supervisor, child, reason):
            return f"{supervisor}/{child} did not start, {reason}"
        case ChildUnstopped(supervisor, child, waited):
            after = f"{waited:.1f} s after it was stopped"
            return f"{supervisor}/{child} is still running {after}"
        case SupervisorGaveUp(supervisor, exceeded):
            return f"{supervisor} gives up: {exceeded.child} failed ({exceeded.reason})"
        case HandlerHeldThread(actor, handler, seconds, where):
            at = f", at {where}" if where else ""
            return f"{actor}: {handler} blocked the Trio thread for {seconds:.2f} s{at}"
        case HookFailed(actor, hook, error):
            return f"{actor}: its hook {hook} failed, {describe(error)}"
        case SnapshotFailed(actor, use, error):
            return f"{actor}: {use} without a snapshot: {text_of(error)}"
        case HealthChanged(actor, status, before):
            return f"{actor} is {status.value}, was {before.value}"
        case MessageFailed(actor, sender, error):
            return f"{actor} refused a message from {sender}: {text_of(error)}"
        case DeadLetter(target, sender, size, why):
            return f"dead letter from {sender} to {target}, {size} bytes: {why}"
        case ListenerStalled(listener, topic, waited):
            return (
                f"the subscription to {listener} took nothing for {waited:g} s while a "
                f"message of {topic} waited: publishers no longer wait for it. "
                "Read from it, close it, or choose another lag"
            )
        case AccessDenied(actor, _, why):
            return f"{actor} was denied: {why}"
        case QuotaReached(account, quota, share, limit):
            return f"{account} uses {share:.0%} of its {quota}, {limit:g}"
        case GrantsChanged(actor, change):
            return f"{actor}: {change}"
        case _:
            return str(event)


def log_notice(text: str) -> None:
    """Write a line that is not an event, unless that would block or a handler fails."""
    with suppress(Exception):
        if not log_would_block(_HOST, logging.WARNING):
            _HOST.warning("%s", fitting(one_line(text)))
