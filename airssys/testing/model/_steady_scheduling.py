"""Deterministic scheduling for Trio: the same seed gives the same order of tasks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trio._core import _run  # noqa: PLC2701  # what hypothesis does to it, too

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def steady_scheduling(seed: int) -> Iterator[None]:
    """Let each `trio.run` in the block order its tasks by the seed."""
    run: Any = _run
    before, state = run._ALLOW_DETERMINISTIC_SCHEDULING, run._r.getstate()  # noqa: SLF001  # as above
    run._ALLOW_DETERMINISTIC_SCHEDULING = True  # noqa: SLF001  # as above
    run._r.seed(seed)  # noqa: SLF001  # as above
    try:
        yield
    finally:
        run._ALLOW_DETERMINISTIC_SCHEDULING = before  # noqa: SLF001  # as above
        run._r.setstate(state)  # noqa: SLF001  # as above
