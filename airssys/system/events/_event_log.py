"""What happens, as lines of Python's own logging, for those who do not listen.

A crash that nobody is told of is the hardest to find. So what went wrong is a warning
of the logger `airssys`, which Python shows on stderr unless the program says otherwise;
what components log goes to `airssys.guest`, at their level: `trace` is 5, below Python's
`DEBUG`, and the others are called the same there.
"""

from __future__ import annotations

import logging
from typing import Final, final

from airssys.contracts import (
    ChildExited,
    ChildStarted,
    ChildStartFailed,
    ChildUnstopped,
    DeadLetter,
    Event,
    ExitKind,
    HandlerHeldThread,
    HealthChanged,
    HealthStatus,
    HookFailed,
    ListenerStalled,
    Logged,
    LogLevel,
    MessageFailed,
    SupervisorGaveUp,
    one_line,
    text_of,
)
from airssys.nursery import describe

from ._writable import fitting, log_would_block

_HOST: Final = logging.getLogger("airssys")
_GUEST: Final = logging.getLogger("airssys.guest")
_LEVELS: Final = {
    LogLevel.TRACE: logging.DEBUG - 5,
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARN: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
MAX_GUEST_LINE: Final = 4000
"""Characters of what a guest logs that go into the log; events have all of it."""
_WENT_WRONG: Final = {ExitKind.CRASH, ExitKind.KILLED, ExitKind.UNHEALTHY}


@final
class EventLog:
    """Writes events to the log, as long as that holds nobody up.

    If nobody reads what stderr, or another stream of a handler, is connected to, lines
    are left out and counted, and the count is the first line that is written again.
    """

    def __init__(self) -> None:
        self.left_out = 0
        """Lines, in all."""
        self._unreported = 0

    def write(self, event: Event) -> bool:
        """Write one event; returns False if that would have had to wait."""
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
            logger.log(level, "%s: %s", event.source, fitting(_guest_line(event)))
        else:
            logger.log(level, "%s", fitting(one_line(_line(event))))
        return True

    def report(self) -> None:
        """Write how many lines were left out since the last time, if it can be written."""
        if self._unreported and not log_would_block(_HOST, logging.WARNING):
            count, self._unreported = self._unreported, 0
            _HOST.warning("%d lines are missing here: the log was not read", count)


def log_event(event: Event) -> None:
    """Write one event to the log, unless that would wait; an `EventSink`."""
    EventLog().write(event)


def _guest_line(event: Logged) -> str:
    """Put what a guest logged into one line; of a long context, its beginning."""
    line = event.message[: MAX_GUEST_LINE + 1]
    for key, value in event.context:
        if len(line) > MAX_GUEST_LINE:
            break
        line = f"{line} {key[:MAX_GUEST_LINE]}={value[:MAX_GUEST_LINE]}"
    return one_line(line, MAX_GUEST_LINE)


def _level_of(event: Event) -> int:
    match event:
        case SupervisorGaveUp():
            return logging.ERROR
        case ChildStartFailed() | ChildUnstopped() | HandlerHeldThread() | HookFailed():
            return logging.WARNING
        case ListenerStalled():
            return logging.WARNING
        case ChildExited(reason=reason):
            went_wrong = reason.kind in _WENT_WRONG
            return logging.WARNING if went_wrong else logging.INFO
        case HealthChanged(status=HealthStatus.UNHEALTHY):
            return logging.WARNING
        case ChildStarted() | MessageFailed() | HealthChanged():
            return logging.INFO
        case _:
            return logging.DEBUG


def _line(event: Event) -> str:  # noqa: C901, PLR0911, PLR0912  # one match over a closed union
    match event:
        case ChildStarted(supervisor, child, restarts):
            again = f", restart {restarts}" if restarts else ""
            return f"{supervisor}/{child} is ready{again}"
        case ChildExited(supervisor, child, reason):
            next_step = ": starting it again" if event.restarting else ""
            return f"{supervisor}/{child} ended, {reason}{next_step}"
        case ChildStartFailed(supervisor, child, reason):
            return f"{supervisor}/{child} did not start, {reason}"
        case ChildUnstopped(supervisor, child, waited):
            return (
                f"{supervisor}/{child} still runs {waited:.1f} s after it was stopped"
            )
        case SupervisorGaveUp(supervisor, offence):
            return f"{supervisor} gives up: {offence.child} failed ({offence.reason})"
        case HandlerHeldThread(actor, handler, seconds):
            return f"{actor}: {handler} held the thread for {seconds:.2f} s"
        case HookFailed(actor, hook, error):
            return f"{actor}: its hook {hook} failed, {describe(error)}"
        case HealthChanged(actor, status, before):
            return f"{actor} is {status.value}, was {before.value}"
        case MessageFailed(actor, sender, error):
            return f"{actor} refused a message of {sender}: {text_of(error)}"
        case DeadLetter(target, sender, size, why):
            return f"dead letter from {sender} to {target}, {size} bytes: {why}"
        case ListenerStalled(listener, topic, waited):
            return (
                f"the subscription to {listener} took nothing for {waited:g} s while a "
                f"message of {topic} waited: publishers wait for it no longer. Read it, "
                "close it, or choose another lag"
            )
        case _:
            return str(event)
