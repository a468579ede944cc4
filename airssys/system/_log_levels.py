"""The log levels a program shows: one level for all, and others for some actors.

Python's logging shows warnings on stderr unless a program configures it. `run(log=...)`
is the shortcut for programs that do not configure it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias, final

from airssys.contracts import InvalidMessage, meant, one_line
from airssys.nursery import as_id

if TYPE_CHECKING:
    from collections.abc import Iterator

LogLevels: TypeAlias = str | Mapping[str, str]
"""A level, or levels by the name of an actor; `*` stands for all other actors."""

LOG_LEVELS: Final = {
    "trace": logging.DEBUG - 5,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}
_NAMES: Final = ("airssys", "airssys.guest")
_FORMAT: Final = "%(asctime)s %(levelname)-7s %(message)s"


def check_log_levels(levels: LogLevels) -> None:
    """Check levels.

    Raises:
        ValueError: one of them is not a level, or not the name of an actor.
    """
    _LevelFilter(levels)


@contextmanager
def shown_log(levels: LogLevels | None) -> Iterator[None]:
    """Show the log at the given levels for as long as a block lasts.

    It goes to stderr if the program has no handler for it.

    Args:
        levels: What to show; None changes nothing.

    Raises:
        ValueError: one of them is not a level, or not the name of an actor.
    """
    if levels is None:
        yield
        return
    wanted = _LevelFilter(levels)
    loggers = [logging.getLogger(name) for name in _NAMES]
    before = [logger.level for logger in loggers]
    own = None if loggers[0].hasHandlers() else logging.StreamHandler()
    if own is not None:
        own.setFormatter(logging.Formatter(_FORMAT))
        loggers[0].addHandler(own)
    for logger in loggers:
        logger.setLevel(wanted.lowest)
        logger.addFilter(wanted)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeFilter(wanted)
            logger.setLevel(level)
        if own is not None:
            loggers[0].removeHandler(own)


@final
class _LevelFilter(logging.Filter):
    """Accepts a record if its level is at least that of its actor."""

    def __init__(self, levels: LogLevels) -> None:
        super().__init__()
        if isinstance(levels, str):
            levels = {"*": levels}
        read = {name: _level(text) for name, text in dict(levels).items()}
        self._others = read.pop("*", logging.WARNING)
        self._by_actor = {_actor(name): level for name, level in read.items()}
        self.lowest = min(self._others, *self._by_actor.values(), logging.CRITICAL + 1)
        """The lowest of all levels."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is shown."""
        actor = getattr(record, "actor", None)
        return record.levelno >= self._by_actor.get(actor, self._others)


def _level(text: object) -> int:
    if isinstance(text, str) and text.lower() in LOG_LEVELS:
        return LOG_LEVELS[text.lower()]
    hint = meant(text, LOG_LEVELS, "write")
    raise ValueError(one_line(f"{text!r} is not a log level: {hint}"))


def _actor(name: str) -> str | None:
    try:
        return str(as_id(name))
    except InvalidMessage as error:
        text = f"{name!r} is not the name of an actor, nor * for all others"
        raise ValueError(one_line(text)) from error
