"""The environment of a model: time, the behaviour of children, recorded events."""

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
"""A start that is cancelled when its time is over, which is a failure too."""


@final
@attrs.frozen
class End:
    """How a child ended."""

    kind: str
    is_plain: bool = False
    """It is OTP's `shutdown`, not `{shutdown, _}`."""
    error: type[Exception] | None = None
    """For a crash: what was raised, for `on_error`."""


@final
@attrs.frozen
class Habit:
    """How a child behaves whenever it is started and stopped."""

    start_seconds: float = 0.0
    stop_seconds: float = 0.0
    """Seconds from being asked to stop to its end."""
    stops_badly: bool = False
    """Whether it crashes when it is asked to stop."""


@final
class SteadyChance(random.Random):  # noqa: S311  # tests repeat
    """Random numbers that depend on the range, not on the number of calls.

    Equal requests get equal numbers, in whatever order they come.
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
    """Time, how children behave when they are started and stopped, and the events."""

    now: float = 0.0
    """Seconds; advances while children start and stop."""
    outcomes: dict[str, deque[str]] = attrs.Factory(dict)
    """The outcomes of the next starts of a child; later ones succeed."""
    habits: dict[str, Habit] = attrs.Factory(dict)
    """By the child's name; `local/worker` is for all that are made from a template."""
    rng: random.Random = attrs.Factory(lambda: SteadyChance(0))
    """Where jitter comes from."""
    trace: list[Line] = attrs.Factory(list)
    numbers: dict[str, int] = attrs.Factory(dict)
    """The last number that was given to a child made from a template of that name."""
    inits: dict[str, object] = attrs.Factory(dict)
    """The specification a supervisor reads when it starts (OTP's `init`), by path; only
    for those whose specification was changed."""

    def outcome(self, name: str) -> str | None:
        """Return the outcome of this start of a child; None: it succeeds."""
        left = self.outcomes.get(name)
        return left.popleft() if left else None

    def next_name(self, stem: str) -> str:
        """Return the name of one more child made from a template."""
        self.numbers[stem] = self.numbers.get(stem, 0) + 1
        return f"{stem}/{self.numbers[stem]}"

    def was_given(self, name: str) -> bool:
        """Say whether a child made from a template ever had this name."""
        stem, _, number = name.rpartition("/")
        return number.isdecimal() and 1 <= int(number) <= self.numbers.get(stem, 0)

    def habit(self, name: str) -> Habit:
        """Return how a child behaves when it is started and stopped."""
        of_all = self.habits.get(name.rpartition("/")[0], Habit())
        return self.habits.get(name, of_all)

    def expect(self, name: str, outcome: str, times: int = 1) -> None:
        """Set the outcome of that many of the next starts of a child."""
        self.outcomes.setdefault(name, deque()).extend([outcome] * times)

    @classmethod
    def of(cls, habits: Mapping[str, Habit], seed: int) -> Script:
        """Make a separate environment with the same habits."""
        return cls(habits=dict(habits), rng=SteadyChance(seed))
