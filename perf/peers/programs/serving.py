"""What the programs in Python share: they do a case when they are asked to.

A program prints `ready VERSION CASE...`, then reads lines such as `tell 5000` and answers
each with the seconds that it took, or with `failed` and why. It needs nothing of airssys.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def serve(package: str, cases: Mapping[str, Callable[[int], float]]) -> None:
    """Answer until there is nothing more to read.

    Args:
        package: whose version is shown; that of Python if it is none.
        cases: each does something that often and returns seconds, without the set-up.
    """
    # What a framework prints must not be taken for an answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    print("ready", _version(package), *cases, file=answers, flush=True)
    for line in sys.stdin:
        name, count = line.split()
        try:
            answer = repr(cases[name](int(count)))
        except Exception as error:  # noqa: BLE001  # whatever a framework raises
            answer = f"failed {type(error).__name__}: {error}".replace("\n", " ")
        print(answer, file=answers, flush=True)


def _version(package: str) -> str:
    return version(package) if package else sys.version.split()[0]
