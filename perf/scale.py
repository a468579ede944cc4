"""One operation on a mailbox, registry, subscription or timer, among few and among many.

Each must take the same time, or grow as log n: never in proportion to the number of others.
"""

from __future__ import annotations

import argparse
from typing import Final

from measuring.ratios import Report, seconds
from measuring.scales import CASES, cost

_FEW: Final = 100
_MANY: Final = 100_000
_MOST: Final = 6.0
"""How much longer it may take among many: memory that is not in a cache, and log n. In
proportion it would be a thousand times."""


def main() -> None:
    """Measure, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="of 100 operations each")
    rounds = parser.parse_args().rounds
    report = Report("one operation among this many")
    names = [case.__name__.replace("_", " ") for case in CASES]
    for name, case in zip(names, CASES, strict=True):
        for size in (_FEW, _MANY):
            report.measured(f"{name}, {size:,}", cost(case, size, rounds), seconds)
    for name in names:
        report.ratio(f"{name}, {_MANY:,}", f"{name}, {_FEW:,}", at_most=_MOST)
    report.finish()


if __name__ == "__main__":
    main()
