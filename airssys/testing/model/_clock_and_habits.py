"""What a model of supervision runs in: time, what children do, what has happened."""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

Line: TypeAlias = tuple[object, ...]
"""One event: the supervisor's path, what happened, the child, details."""

NORMAL, SHUTDOWN, CRASH, KILLED = "normal", "shutdown", "crash", "killed"
FAILS: Final = "fails"
IGNORES: Final = "ignores"
HANGS: Final = "hangs"
"""A start that is cut off when its time is over, which is a failure too."""


@final
@attrs.frozen
class End:
    """How a child ended."""

    kind: str
    is_plain: bool = False
    """It is OTP's `shutdown`, not `{shutdown, _}`."""
    error: type[Exception] | None = None
    """Of a crash: what was raised, for `on_error`."""


@final
@attrs.frozen
class Habit:
    """What a child does whenever it is started and stopped."""

    start_seconds: float = 0.0
    stop_seconds: float = 0.0
    """From being asked to the end."""
    stops_badly: bool = False
    """It crashes when it is asked to stop."""


@final
class SteadyChance(random.Random):  # noqa: S311  # tests repeat
    """Chance that goes by what it is asked, not by how often.

    Two who ask for the same are given the same, in whatever order they ask.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._own_seed = seed

    def uniform(self, a: float, b: float) -> float:
        """Return a number that depends on the seed and on the range."""
        rng = random.Random(f"{self._own_seed} {a!r} {b!r}")  # noqa: S311  # so that tests repeat
        return a + (b - a) * rng.random()


@final
@attrs.define(eq=False)
class Script:
    """Time, what children do when they are started and stopped, and what happened."""

    now: float = 0.0
    """Seconds; goes on while children start and stop."""
    outcomes: dict[str, deque[str]] = attrs.Factory(dict)
    """What the next starts of a child come to; afterwards they succeed."""
    habits: dict[str, Habit] = attrs.Factory(dict)
    """By the child's name; `local/worker` is for all that are made from a template."""
    rng: random.Random = attrs.Factory(lambda: SteadyChance(0))
    """Where jitter comes from."""
    trace: list[Line] = attrs.Factory(list)
    numbers: dict[str, int] = attrs.Factory(dict)
    """The last number that was given to a child made from a template of that name."""
    inits: dict[str, object] = attrs.Factory(dict)
    """What a supervisor reads when it starts (OTP's `init`), by its path; only of those
    whose specification was changed."""

    def outcome(self, name: str) -> str | None:
        """Say what this start of a child comes to; None: it succeeds."""
        left = self.outcomes.get(name)
        return left.popleft() if left else None

    def next_name(self, stem: str) -> str:
        """Name one more child made from a template."""
        self.numbers[stem] = self.numbers.get(stem, 0) + 1
        return f"{stem}/{self.numbers[stem]}"

    def was_given(self, name: str) -> bool:
        """Say whether a child made from a template was called like this, at any time."""
        stem, _, number = name.rpartition("/")
        return number.isdecimal() and 1 <= int(number) <= self.numbers.get(stem, 0)

    def habit(self, name: str) -> Habit:
        """Say what a child does when it is started and stopped."""
        of_all = self.habits.get(name.rpartition("/")[0], Habit())
        return self.habits.get(name, of_all)

    def expect(self, name: str, outcome: str, times: int = 1) -> None:
        """Say what so many of the next starts of a child come to."""
        self.outcomes.setdefault(name, deque()).extend([outcome] * times)

    @classmethod
    def of(cls, habits: Mapping[str, Habit], seed: int) -> Script:
        """Make a world of its own, with these habits."""
        return cls(habits=dict(habits), rng=SteadyChance(seed))
