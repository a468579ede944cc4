"""The `airssys` command. `airssys run` serves signals before it imports anything large.

It is a separate module because importing anything from the package imports all of it,
which takes half a second. Before `run` takes over, nothing needs to be stopped in
order: a signal ends the process at once, with the status that `run` would have given
it.
"""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def _exit(number: int, _: FrameType | None) -> NoReturn:
    os._exit(128 + number)


def main() -> None:
    """Run the command that `sys.argv` names."""
    if sys.argv[1:2] == ["run"]:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _exit)
    from airssys.cli import main as command  # noqa: PLC0415  # see above

    command(prog_name="airssys")


if __name__ == "__main__":
    main()
